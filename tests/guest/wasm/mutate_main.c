/*
 * Test driver: loads mutated and truncated copies of a module. What still validates (and so was translated) is
 * instantiated. Nothing is run. Prints how many copies validated; a crash or sanitizer report is the failure.
 *
 *   mutate_main MODULE SEED COUNT [DUMP]    with DUMP, write each copy's verdict and the copy itself to DUMP
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static uint64_t state;

static uint32_t random_below(uint32_t limit)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33) % limit;
}

static uint32_t mutate(uint8_t *copy, uint32_t size)
{
    static const uint8_t interesting[] = { 0, 1, 2, 3, 0x0b, 0x40, 0x41, 0x6a, 0x6f, 0x70, 0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0xfc, 0xff };
    uint32_t count = 1 + random_below(3);
    for (uint32_t i = 0; i < count && size > 8; i++) {
        uint32_t at = 8 + random_below(size - 8);
        if (random_below(2))
            copy[at] = interesting[random_below(sizeof interesting)];
        else
            copy[at] ^= (uint8_t)(1u << random_below(8));
    }
    return random_below(8) == 0 ? random_below(size + 1) : size;
}

static int try_module(uint8_t *bytes, uint32_t size)
{
    char error[256];
    wasm_module_t module = wasm_runtime_load(bytes, size, error, sizeof error);
    if (!module)
        return 0;
    if (module->start == NO_INDEX && module->memory.min < 64 && !find_export(module, "_initialize", EXTERNAL_FUNCTION)) {
        wasm_module_inst_t instance = wasm_runtime_instantiate(module, 4096, 0, error, sizeof error);
        if (instance)
            wasm_runtime_deinstantiate(instance);
    }
    wasm_runtime_unload(module);
    return 1;
}

int main(int argc, char **argv)
{
    struct host_services services;
    RuntimeInitArgs init;
    static uint8_t original[1 << 20];
    uint32_t valid = 0;
    if (argc < 4)
        return 2;
    FILE *file = fopen(argv[1], "rb"), *dump = argc > 4 ? fopen(argv[4], "wb") : NULL;
    if (!file)
        return 2;
    uint32_t size = (uint32_t)fread(original, 1, sizeof original, file);
    fclose(file);
    state = strtoull(argv[2], NULL, 10);
    host_direct_init(&services);
    memset(&init, 0, sizeof init);
    init.host_services = &services;
    wasm_runtime_full_init(&init);
    bh_log_set_verbose_level(WASM_LOG_LEVEL_FATAL);
    for (uint32_t n = strtoul(argv[3], NULL, 10); n > 0; n--) {
        uint8_t *copy = malloc(size);
        memcpy(copy, original, size);
        uint32_t length = mutate(copy, size);
        copy = realloc(copy, length ? length : 1);
        int verdict = try_module(copy, length);
        valid += (uint32_t)verdict;
        if (dump) {
            fputc(verdict, dump);
            fwrite(&length, 4, 1, dump);
            fwrite(copy, 1, length, dump);
        }
        free(copy);
    }
    if (dump)
        fclose(dump);
    wasm_runtime_destroy();
    printf("%u valid\n", (unsigned)valid);
    return 0;
}
