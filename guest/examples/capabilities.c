/* What a pointer is on Morello: its bounds and permissions, printed with the C library's %#p. */
#include <cheriintrin.h>
#include <stdio.h>
#include <stdlib.h>

static int global[4];

int main(int argc, char **argv)
{
    int local[3];
    char *block = malloc(100);

    printf("local    %#p\n", (void *)local);
    printf("global   %#p\n", (void *)global);
    printf("heap     %#p\n", (void *)block);
    printf("string   %#p\n", (void *)"text");
    printf("function %#p\n", (void *)main);
    printf("argv     %#p (%d)\n", (void *)argv, argc);
    printf("length of the heap block: %zu, tag %d\n", cheri_length_get(block), (int)cheri_tag_get(block));
    block += 200;
    printf("200 past its start: tag %d, in bounds %d\n", (int)cheri_tag_get(block),
           cheri_address_get(block) - cheri_base_get(block) < cheri_length_get(block));
    return 0;
}
