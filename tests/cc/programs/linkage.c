/* Tentative definitions, extern in blocks, shadowing, static functions, enums, typedef names reused, recursion. */
int printf(const char *, ...);

int tentative;
int tentative;
extern int declared;
int declared = 12;
static int forward(int);
typedef unsigned long word;
typedef struct Tree Tree;
struct Tree { Tree *left, *right; int key; };
enum Kind { LEAF, INNER = 5, ROOT };
static Tree nodes[8];
static int used;

static Tree *insert(Tree *t, int key) {
  if (!t) {
    t = &nodes[used++];
    t->key = key;
    return t;
  }
  if (key < t->key) t->left = insert(t->left, key);
  else t->right = insert(t->right, key);
  return t;
}

static void walk(const Tree *t, void visit(int, void *), void *arg) {
  if (!t) return;
  walk(t->left, visit, arg);
  visit(t->key, arg);
  walk(t->right, visit, arg);
}

static void add_up(int key, void *arg) { *(long *)arg = *(long *)arg * 10 + key; }

static int even(unsigned n);
static int odd(unsigned n) { return n ? even(n - 1) : 0; }
static int even(unsigned n) { return n ? odd(n - 1) : 1; }

static int hanoi(int n, int from, int to) { return n ? hanoi(n - 1, from, 6 - from - to) + 1 + hanoi(n - 1, 6 - from - to, to) : 0; }

int main(int argc, char **argv) {
  (void)argv;
  extern int tentative;
  int word = 3;
  {
    int word = 4;
    tentative += word;
    { extern int declared; declared++; }
    struct Tree { int other; } t = { 7 };
    tentative += t.other;
  }
  tentative += word;
  printf("%d %d %d\n", tentative, declared, argc > 0);
  int keys[] = { 5, 2, 8, 1, 9, 3 };
  Tree *root = 0;
  for (int i = 0; i < 6; i++) root = insert(root, keys[i]);
  long total = 0;
  walk(root, add_up, &total);
  printf("%ld %d\n", total, even(10) + 2 * odd(7));
  enum Kind k = ROOT;
  printf("%d %d %lu\n", k, k == INNER + 1, sizeof k);
  printf("%d\n", forward(6));
  printf("%d\n", hanoi(8, 1, 3));
  return forward(tentative);
}

static int forward(int x) {
  static int calls;
  return x * 2 + calls++;
}
