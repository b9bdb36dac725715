/* What the debugger's tests debug; walk.S is `morello cc -g -S walk.c`, so that golden files stay as they
   are when the compiler changes. */
typedef unsigned long size_t;

void *map_pages(size_t size);
void end(int status);

void fill(char *to, int count)
{
    int i;
    for (i = 0; i < count; i++)
        to[i] = 'x';
}

char *narrow(char *from, size_t size)
{
    return __builtin_cheri_bounds_set_exact(from, size);
}

void forget(size_t *slot)
{
    *slot = 0;
}

void begin(int argc)
{
    char **slots = map_pages(4096);
    slots[0] = (char *)slots;
    slots[1] = narrow((char *)slots + 64, 16);
    fill(slots[1], 8);
    forget((size_t *)&slots[0]);
    fill(slots[1], 15 + argc);
    end(3);
}
