/* The WebAssembly program of docs/session-heap-overflow.md: it calls a native function of the runtime. */
__attribute__((import_module("env"), import_name("shout"))) int shout(const char *name);

int main(void)
{
    return shout("morello") == 7 ? 0 : 1;
}
