/* Pointers: arithmetic, comparison, arrays of arrays, function pointers, lists, strings, const and void. */
int printf(const char *, ...);
void *malloc(unsigned long);
void free(void *);
int strcmp(const char *, const char *);

struct Node { struct Node *next, *prev; int value; };

static struct Node *push(struct Node *head, int v) {
  struct Node *n = malloc(sizeof *n);
  n->next = head;
  n->prev = 0;
  n->value = v;
  if (head) head->prev = n;
  return n;
}

static struct Node *reverse(struct Node *head) {
  struct Node *r = 0;
  while (head) {
    struct Node *next = head->next;
    head->next = r;
    r = head;
    head = next;
  }
  return r;
}

static int length(const char *s) {
  const char *p = s;
  while (*p) p++;
  return p - s;
}

static void copy(char *d, const char *s) { while ((*d++ = *s++)); }

static void sort(void **base, int n, int (*cmp)(const void *, const void *)) {
  for (int i = 1; i < n; i++) {
    void *x = base[i];
    int j = i;
    while (j > 0 && cmp(base[j - 1], x) > 0) { base[j] = base[j - 1]; j--; }
    base[j] = x;
  }
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }
static int add(int a, int b) { return a + b; }
static int sub(int a, int b) { return a - b; }
static int (*choose(int which))(int, int) { return which ? sub : add; }
static int apply(int f(int, int), int a, int b) { return f(a, b); }

static void swap(int *a, int *b) { int t = *a; *a = *b; *b = t; }
static int sum2(int m[][3], int rows) {
  int s = 0;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 3; j++) s += m[i][j] * (i + 1);
  return s;
}

static int depth;
static int ackermann(int m, int n) {
  depth++;
  return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

int main(void) {
  struct Node *list = 0;
  for (int i = 0; i < 6; i++) list = push(list, i * i);
  list = reverse(list);
  for (struct Node *n = list; n; n = n->next) printf("%d ", n->value);
  while (list) { struct Node *n = list->next; free(list); list = n; }
  printf("\n");
  int a[10], *p = a, *end = a + 10;
  while (p < end) { *p = (int)(p - a) * 3; p++; }
  p = &a[5];
  printf("%d %d %d %d\n", *p, p[-2], *(p + 1), (int)(end - p));
  printf("%d\n", *--p);
  printf("%d %d %d %d\n", p > a, p == &a[4], p != a + 4, p >= end);
  printf("%d\n", 3[a]);
  char buffer[32];
  copy(buffer, "some text");
  printf("%s %d\n", buffer, length(buffer));
  char *words[] = { "pear", "apple", "fig", "banana", "cherry" };
  sort((void **)words, 5, by_name);
  for (int i = 0; i < 5; i++) printf("%s ", words[i]);
  printf("\n%d %d %d\n", choose(0)(7, 3), choose(1)(7, 3), apply(&sub, 1, 2));
  int x = 1, y = 2;
  swap(&x, &y);
  printf("%d %d\n", x, y);
  int m[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
  printf("%d %lu %lu\n", sum2(m, 2), sizeof m, sizeof m[0]);
  int (*row)[3] = m + 1;
  printf("%d %d\n", (*row)[1], row[-1][2]);
  int **pp = &p;
  **pp = 99;
  (*pp)++;
  printf("%d %d\n", a[4], *p);
  void *v = a;
  printf("%d\n", ((int *)v)[4]);
  const char *s = "abcdef";
  s += 2;
  printf("%s %c ", s, *s);
  printf("%c", *s++);
  printf("%c\n", *s);
  printf("%d %d\n", !s, s && *s);
  int ack = ackermann(2, 3);
  printf("%d %d\n", ack, depth);
  short sh[4] = { 1, 2, 3, 4 };
  short *sp = sh + 3;
  unsigned i = 1;
  long l = -2;
  printf("%d %d %d\n", *(sp - i), sp[l], sp[-1]);
  unsigned char idx = 2;
  signed char neg = -1;
  printf("%d %d\n", sh[idx], sp[neg]);
  char *bytes = (char *)sh;
  printf("%d\n", bytes[2]);
  int big[100];
  for (int k = 0; k < 100; k++) big[k] = k;
  int *mid = big + 50;
  printf("%d %d\n", mid[49], mid[-50]);
  return *p & 63;
}
