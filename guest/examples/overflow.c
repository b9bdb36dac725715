/* Writes one byte past a block of 16: on Morello the store faults, and the emulator explains the fault.
 *
 *   morello cc -g guest/examples/overflow.c -o overflow && morello run overflow
 */
#include <stdio.h>
#include <stdlib.h>

static void fill(char *p, int n)
{
    int i;

    for (i = 0; i < n; i++)
        p[i] = (char)i;
}

int main(void)
{
    char *block = malloc(16);

    puts("before");
    fflush(stdout);
    fill(block, 17);
    puts("after");
    return 0;
}
