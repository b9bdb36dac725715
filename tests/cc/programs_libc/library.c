/* The C library through the compiler: strings, memory, numbers, sorting, formatted text. */
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char name[12]; int score; void *self; } Entry;

static int by_score(const void *a, const void *b) {
  const Entry *x = a, *y = b;
  return x->score != y->score ? (x->score > y->score) - (x->score < y->score) : strcmp(x->name, y->name);
}

static uint32_t crc32(const void *data, size_t n) {
  const uint8_t *p = data;
  uint32_t c = ~UINT32_C(0);
  while (n--) {
    c ^= *p++;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
  }
  return ~c;
}

int main(void) {
  Entry *table = calloc(20, sizeof *table);
  unsigned seed = 12345;
  for (int i = 0; i < 20; i++) {
    seed = seed * 1103515245 + 12345;
    snprintf(table[i].name, sizeof table[i].name, "entry%02d", i);
    table[i].score = (int)(seed >> 16) % 50;
    table[i].self = &table[i];
  }
  qsort(table, 20, sizeof *table, by_score);
  for (int i = 0; i < 20; i++) printf("%s=%d%c", table[i].name, table[i].score, i % 5 == 4 ? '\n' : ' ');
  Entry key = { "", table[7].score, NULL };
  strcpy(key.name, table[7].name);
  Entry *found = bsearch(&key, table, 20, sizeof *table, by_score);
  printf("%td %d\n", found - table, ((Entry *)table[3].self)->score == ((Entry *)found->self)->score);
  char text[64] = "The quick brown fox";
  for (char *p = text; *p; p++) *p = isupper((unsigned char)*p) ? tolower(*p) : toupper(*p);
  printf("%s %zu %s\n", text, strlen(text), strchr(text, 'Q'));
  printf("%ld %lu %ld %d\n", strtol("-123abc", NULL, 10), strtoul("ff", NULL, 16), strtol("0777", NULL, 0), atoi("42"));
  printf("%d %d\n", memcmp("abc", "abd", 3) < 0, strncmp("abcd", "abxx", 2));
  printf("[%5d|%-5d|%05d|%+d|%x|%#X|%o|%c|%10s|%-10s|%.2s|%%]\n", 42, 42, 42, 42, 255, 255, 8, 'z', "right", "left", "cut");
  printf("[%ld|%lld|%hhd|%hd|%zu]\n", LONG_MAX, LLONG_MIN, (signed char)-3, (short)-4, sizeof(int));
  printf("%d\n", (int)crc32("123456789", 9) == (int)0xcbf43926u);
  char *grown = NULL;
  size_t used = 0;
  for (int i = 0; i < 200; i++) {
    grown = realloc(grown, used + 8);
    used += snprintf(grown + used, 8, "%d,", i);
  }
  printf("%zu %u\n", used, crc32(grown, used));
  free(grown);
  char *copies[10];
  for (int i = 0; i < 10; i++) {
    copies[i] = malloc(100 * (i + 1));
    memset(copies[i], 'a' + i, 100 * (i + 1));
  }
  for (int i = 0; i < 10; i += 2) free(copies[i]);
  bool good = true;
  for (int i = 1; i < 10; i += 2) for (int k = 0; k < 100 * (i + 1); k++) good &= copies[i][k] == 'a' + i;
  printf("%d\n", good);
  memmove(text + 4, text, 10);
  printf("%.14s\n", text);
  printf("%g %.3f %e\n", 3.25, 2.0 / 3, 12345.678);
  free(table);
  return good ? 5 : 6;
}
