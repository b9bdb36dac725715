/* A native function for WebAssembly programs that is linked into the compartment's library, with a mistake to be found:
 * docs/session-heap-overflow.md finds it. `make -C guest session` builds the library with it. */
#include <string.h>

#include "runtime.h"

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

/* The mistake: there is room for the letters, but not for the zero byte behind them. */
static char *upper_copy(const char *text)
{
    size_t length = strlen(text);
    char *copy = runtime_alloc(length);

    for (size_t i = 0; i <= length; i++)
        copy[i] = upper(text[i]);
    return copy;
}

static int32_t shout(wasm_exec_env_t env, const char *name)
{
    char *loud = upper_copy(name);
    int32_t length = (int32_t)strlen(loud);

    (void)env;
    runtime_free(loud);
    return length;
}

NativeSymbol compartment_natives[] = { { "shout", (void *)shout, "($)i", NULL } };
const uint32_t compartment_native_count = 1;
