/* In the place of libiwasm.so: a runtime whose loader copies a name into a block that is too small for it. */
typedef unsigned long size_t;

static char arena[4096];
static size_t used;

void *malloc(size_t size)
{
    char *block = arena + used;
    used += (size + 15) & ~15ul;
    return __builtin_cheri_bounds_set_exact(block, size);
}

void copy_name(char *to, const char *from)
{
    while ((*to++ = *from++) != 0)
        ;
}

_Bool compartment_start_runtime(void *service_gate, void *sealer)
{
    return 1;
}

void *wasm_runtime_load(unsigned char *bytes, unsigned size, char *error, unsigned error_size)
{
    char *name = malloc(16);
    copy_name(name, "a name that is too long");
    return name;
}

void bh_log_set_verbose_level(unsigned level)
{
}
