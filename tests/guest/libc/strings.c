#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void)
{
    char buffer[64];
    char text[] = "one,two;three,,four";
    char *words[] = {"pear", "apple", "fig", "cherry", "banana"};
    int numbers[50];
    char *state;
    char *word;
    int key = 49, i;
    int *found;

    strcpy(buffer, "hello");
    strcat(buffer, ", ");
    strncat(buffer, "world!!!", 5);
    printf("%s %zu\n", buffer, strlen(buffer));
    printf("%d %d %d\n", strcmp("abc", "abd") < 0, strncmp("abc", "abd", 2), strcasecmp("HeLLo", "hEllO"));
    printf("%s|%s|%s\n", strchr(buffer, 'w'), strrchr(buffer, 'l'), strstr(buffer, "lo, w"));
    printf("%zu %zu %s\n", strspn("aabbc", "ab"), strcspn("xyz;q", ";,"), strpbrk("key=value", "=:"));
    for (word = strtok_r(text, ",;", &state); word != NULL; word = strtok_r(NULL, ",;", &state))
        printf("<%s>", word);
    printf("\n");
    memmove(buffer + 2, buffer, 8);
    printf("%.12s\n", buffer);
    memset(buffer, 'z', 5);
    printf("%.8s %d\n", buffer, memcmp("abcdefghi", "abcdefgxx", 9) < 0);
    for (i = 0; i < 50; i++)
        numbers[i] = i * 37 % 50;
    qsort(numbers, 50, sizeof numbers[0], compare_ints);
    for (i = 0; i < 50; i++)
        if (numbers[i] != i)
            printf("out of order at %d\n", i);
    found = bsearch(&key, numbers, 50, sizeof numbers[0], compare_ints);
    printf("%d\n", found == NULL ? -1 : *found);
    qsort(words, 5, sizeof words[0], compare_strings);
    for (i = 0; i < 5; i++)
        printf("%s ", words[i]);
    printf("\n%ld %lu %ld %ld\n", strtol("-0x1f", NULL, 0), strtoul("777", NULL, 8), strtol("99999999999999999999", NULL, 10),
           strtol("  +12abc", &word, 10));
    printf("%s %g %g %g\n", word, strtod("1e-310", NULL), atof("3.14159"), strtod("0x1.8p3", NULL));
    for (i = 0; i < 128; i++)
        if (isalnum(i) && isupper(i) && tolower(i) == 'q')
            printf("%c%c\n", i, toupper('r'));
    return 0;
}
