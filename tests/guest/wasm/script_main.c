/*
 * Test driver: loads a module, then executes commands from standard input, one per line; values are hexadecimal bits.
 *
 *   call NAME BITS...   -> "ok BITS..." or "trap TEXT"
 *   memory              -> "ok HASH" (FNV-1a of linear memory)
 *   write ADDRESS HEX   -> "ok"
 *   read ADDRESS LENGTH -> "ok HEX"
 *
 * Arguments: the module, then directories to pre-open ("GUEST::HOST").
 *
 * The first line of output says how loading went: "ok", "load TEXT" or "instantiate TEXT". Natives for tests are in
 * the module "test". With --gate as the first argument all host services go through the gate and its dispatcher.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static int32_t native_mixed(wasm_exec_env_t env, int32_t a, float b, int64_t c, double d, int32_t e)
{
    (void)env;
    return (int32_t)(a * 1000 + b * 100 + c * 10 + d + e);
}

static double native_half(wasm_exec_env_t env, double a)
{
    (void)env;
    return a / 2;
}

static int32_t native_sum_bytes(wasm_exec_env_t env, const uint8_t *bytes, uint32_t count)
{
    int32_t sum = 0;
    (void)env;
    for (uint32_t i = 0; i < count; i++)
        sum += bytes[i];
    return sum;
}

static int32_t native_length(wasm_exec_env_t env, const char *text)
{
    (void)env;
    return (int32_t)strlen(text);
}

static void *native_same(wasm_exec_env_t env, void *pointer)
{
    (void)env;
    return pointer;
}

/* Calls the export "callback" with its argument. */
static int32_t native_call_back(wasm_exec_env_t env, int32_t a)
{
    uint32_t argv[1];
    wasm_module_inst_t instance = wasm_runtime_get_module_inst(env);
    wasm_function_inst_t function = wasm_runtime_lookup_function(instance, "callback", NULL);
    argv[0] = (uint32_t)a;
    if (!function || !wasm_runtime_call_wasm(env, function, 1, argv))
        return -1;
    return (int32_t)argv[0];
}

static NativeSymbol natives[] = {
    { "mixed", (void *)native_mixed, "(ifIFi)i", NULL },
    { "half", (void *)native_half, "(F)F", NULL },
    { "sum_bytes", (void *)native_sum_bytes, "(*~)i", NULL },
    { "length", (void *)native_length, "($)i", NULL },
    { "same", (void *)native_same, "(r)r", NULL },
    { "call_back", (void *)native_call_back, "(i)i", NULL },
};

static void gate(void *context, struct host_call *call)
{
    host_dispatch(context, call);
}

static uint8_t *read_all(const char *path, uint32_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long length;
    if (!file)
        exit(2);
    fseek(file, 0, SEEK_END);
    length = ftell(file);
    rewind(file);
    bytes = malloc((size_t)length + 1); /* exactly the module: ASan sees reads past it */
    bytes = realloc(bytes, length ? (size_t)length : 1);
    if (fread(bytes, 1, (size_t)length, file) != (size_t)length)
        exit(2);
    fclose(file);
    *size = (uint32_t)length;
    return bytes;
}

static void call(wasm_module_inst_t instance, const char *name, char *rest)
{
    wasm_function_inst_t function = wasm_runtime_lookup_function(instance, name, NULL);
    wasm_val_t args[32], results[32];
    wasm_valkind_t kinds[32];
    if (!function) {
        printf("trap no function %s\n", name);
        return;
    }
    uint32_t n_params = wasm_func_get_param_count(function, instance);
    uint32_t n_results = wasm_func_get_result_count(function, instance);
    wasm_func_get_param_types(function, instance, kinds);
    for (uint32_t i = 0; i < n_params; i++) {
        uint64_t bits = strtoull(rest, &rest, 16);
        memset(&args[i], 0, sizeof args[i]);
        args[i].kind = kinds[i];
        if (kinds[i] == WASM_ANYREF)
            args[i].of.foreign = (void *)(uintptr_t)bits;
        else
            args[i].of.i64 = (int64_t)bits;
        if (kinds[i] == WASM_FUNCREF)
            args[i].of.funcref = (uint32_t)bits;
    }
    if (!wasm_runtime_call_wasm_a(&instance->env, function, n_results, results, n_params, args)) {
        printf("trap %s\n", wasm_runtime_get_exception(instance) + strlen("Exception: "));
        wasm_runtime_clear_exception(instance);
        return;
    }
    printf("ok");
    for (uint32_t i = 0; i < n_results; i++) {
        uint64_t bits = (uint64_t)results[i].of.i64;
        if (results[i].kind == WASM_I32 || results[i].kind == WASM_F32 || results[i].kind == WASM_FUNCREF)
            bits = (uint32_t)results[i].of.i32;
        if (results[i].kind == WASM_ANYREF)
            bits = (uint64_t)(uintptr_t)results[i].of.foreign;
        printf(" %llx", (unsigned long long)bits);
    }
    printf("\n");
}

static void hash_memory(wasm_module_inst_t instance)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (uint64_t i = 0; i < instance->memory.size; i++)
        hash = (hash ^ instance->memory.data[i]) * 0x100000001b3ull;
    printf("ok %llx\n", (unsigned long long)hash);
}

static void write_memory(wasm_module_inst_t instance, char *rest)
{
    uint8_t *p = memory_at(instance, (uint32_t)strtoul(rest, &rest, 16), 0);
    while (*rest == ' ')
        rest++;
    for (; rest[0] > ' ' && rest[1] > ' '; rest += 2) {
        char digits[3] = { rest[0], rest[1], '\0' };
        *p++ = (uint8_t)strtoul(digits, NULL, 16);
    }
    printf("ok\n");
}

static void read_memory(wasm_module_inst_t instance, char *rest)
{
    uint32_t address = (uint32_t)strtoul(rest, &rest, 16), length = (uint32_t)strtoul(rest, &rest, 16);
    const uint8_t *p = memory_at(instance, address, length);
    printf("ok ");
    for (uint32_t i = 0; i < length; i++)
        printf("%02x", p[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct host_services services;
    RuntimeInitArgs init;
    static char line[1 << 17];
    char error[256], name[256];
    static const char *env[] = { "KEY=value", "EMPTY=" };
    static char *program[] = { "program", "first", "" };
    uint32_t size;
    if (argc < 2)
        return 2;
    host_direct_init(&services);
    struct host_services real_services = services;
    struct host_gate_binding binding = { gate, &real_services };
    if (strcmp(argv[1], "--gate") == 0) {
        host_gate_init(&services, &binding);
        argv++;
        argc--;
    }
    memset(&init, 0, sizeof init);
    init.host_services = &services;
    wasm_runtime_full_init(&init);
    bh_log_set_verbose_level(WASM_LOG_LEVEL_ERROR);
    wasm_runtime_register_natives("test", natives, sizeof natives / sizeof natives[0]);
    uint8_t *bytes = read_all(argv[1], &size);
    wasm_module_t module = wasm_runtime_load(bytes, size, error, sizeof error);
    if (!module) {
        printf("load %s\n", error);
        wasm_runtime_destroy();
        free(bytes);
        return 0;
    }
    wasm_runtime_set_wasi_args(module, NULL, 0, (const char **)argv + 2, (uint32_t)argc - 2, env, 2, program, 3);
    wasm_module_inst_t instance = wasm_runtime_instantiate(module, 65536, 0, error, sizeof error);
    if (!instance) {
        printf("instantiate %s\n", error);
    } else {
        printf("ok\n");
        fflush(stdout);
        while (fgets(line, sizeof line, stdin)) {
            int used = 0;
            if (sscanf(line, "call %255s%n", name, &used) == 1)
                call(instance, name, line + used);
            else if (strncmp(line, "memory", 6) == 0)
                hash_memory(instance);
            else if (strncmp(line, "write ", 6) == 0)
                write_memory(instance, line + 6);
            else if (strncmp(line, "read ", 5) == 0)
                read_memory(instance, line + 5);
            fflush(stdout);
        }
        wasm_runtime_deinstantiate(instance);
    }
    wasm_runtime_unload(module);
    wasm_runtime_destroy();
    free(bytes);
    return 0;
}
