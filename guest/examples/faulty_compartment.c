/* A library with the runtime's entry points that breaks its bounds: `iwasm --wamr-lib=libfaulty.so x.wasm` reports the
 * fault and lives. Built as libfaulty.so (see guest/Makefile). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static char block[16];

__attribute__((noinline)) static void write_at(volatile char *to, size_t index)
{
    to[index] = 1;
}

bool compartment_start_runtime(void *service_gate, void *sealer)
{
    (void)service_gate;
    (void)sealer;
    write_at(block, sizeof block);
    return true;
}
