/* Pointers, structures and frames for a debugger that knows nothing of capabilities. */
#include <stdio.h>
#include <stdlib.h>

struct node {
    int value;
    struct node *next;
    const char *name;
};

static int square(int x)
{
    return x * x;
}

int sum(const struct node *n)
{
    int total = 0;
    for (; n; n = n->next)
        total += square(n->value);
    return total;
}

int main(void)
{
    struct node *list = 0;
    for (int i = 1; i <= 3; i++) {
        struct node *n = malloc(sizeof *n);
        n->value = i;
        n->name = i & 1 ? "odd" : "even";
        n->next = list;
        list = n;
    }
    int total = sum(list);
    list->value = total;
    return total;
}
