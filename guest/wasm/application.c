/* Running a program: its main function, or one exported function with textual arguments and printed results. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime.h"

/* Run and take back the exception by which proc_exit unwinds. */
static bool run_to_end(struct wasm_instance *instance, const struct wasm_function *function, union value *slots)
{
    bool done = interpret(&instance->env, function, slots);
    if (instance->has_exited) {
        wasm_runtime_clear_exception(instance);
        return true;
    }
    return done;
}

/* ---- main ---- */

static const struct wasm_function *find_main(struct wasm_instance *instance)
{
    static const char *const names[] = { "main", "__main_argc_argv", "_main" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct wasm_function *function = wasm_runtime_lookup_function(instance, names[i], NULL);
        if (function)
            return function;
    }
    return NULL;
}

/* argv as the program sees it: pointers and strings in one block of the app heap; 0 when there is no room. */
static uint32_t copy_arguments(struct wasm_instance *instance, uint32_t argc, char *argv[])
{
    uint64_t size = ((uint64_t)argc + 1) * 4;
    for (uint32_t i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    void *native;
    uint32_t address = size <= UINT32_MAX ? wasm_runtime_module_malloc(instance, (uint32_t)size, &native) : 0;
    if (address == 0)
        return 0;
    uint8_t *base = native;
    uint32_t text = (argc + 1) * 4;
    store_u32(base + 4 * argc, 0);
    for (uint32_t i = 0; i < argc; i++) {
        size_t length = strlen(argv[i]) + 1;
        store_u32(base + 4 * i, address + text);
        memcpy(base + text, argv[i], length);
        text += (uint32_t)length;
    }
    return address;
}

static bool is_main_type(const struct func_type *type)
{
    if (type->n_params != 0 && type->n_params != 2)
        return false;
    for (uint32_t i = 0; i < type->n_params + type->n_results; i++)
        if (type->types[i] != TYPE_I32)
            return false;
    return type->n_results <= 1;
}

bool wasm_application_execute_main(wasm_module_inst_t module_inst, int32_t argc, char *argv[])
{
    const struct wasm_function *function = wasm_runtime_lookup_wasi_start_function(module_inst);
    union value *slots = module_inst->env.stack_top;
    if (function)
        return run_to_end(module_inst, function, slots);
    function = find_main(module_inst);
    if (!function) {
        throw(module_inst, "lookup the entry point symbol (like _start, main, _main, __main_argc_argv) failed");
        return false;
    }
    if (!is_main_type(function->type)) {
        throw(module_inst, "invalid function type of main function");
        return false;
    }
    if (function->type->n_params == 2) {
        uint32_t address = copy_arguments(module_inst, argc > 0 ? (uint32_t)argc : 0, argv);
        if (address == 0) {
            throw(module_inst, "allocate memory failed");
            return false;
        }
        slots[0].u64 = (uint32_t)argc;
        slots[1].u64 = address;
    }
    return run_to_end(module_inst, function, slots);
}

/* ---- one function ---- */

static bool parse_argument(struct wasm_instance *instance, const char *text, uint8_t type, union value *slot)
{
    char *end = NULL;
    slot->u64 = 0;
    switch (type) {
    case TYPE_I32:
        slot->u32 = (uint32_t)strtoull(text, &end, 0);
        break;
    case TYPE_I64:
        slot->u64 = strtoull(text, &end, 0);
        break;
    case TYPE_F32:
        slot->f32 = (float)strtod(text, &end);
        break;
    case TYPE_F64:
        slot->f64 = strtod(text, &end);
        break;
    default:
        if (strcmp(text, "null") == 0)
            return true;
        slot->u64 = strtoull(text, &end, 0);
        if (type == TYPE_EXTERNREF)
            slot->u64 = extern_to_reference(instance, (void *)(uintptr_t)slot->u64);
        else
            slot->u64 = slot->u64 < instance->module->n_functions ? slot->u64 + 1 : 0;
        break;
    }
    return end != text && *end == '\0';
}

static void print_result(const struct wasm_instance *instance, const union value *slot, uint8_t type)
{
    switch (type) {
    case TYPE_I32:
        print_text("0x%x:i32", (unsigned)slot->u32);
        break;
    case TYPE_I64:
        print_text("0x%llx:i64", (unsigned long long)slot->u64);
        break;
    case TYPE_F32:
        print_text("%.7g:f32", (double)slot->f32);
        break;
    case TYPE_F64:
        print_text("%.7g:f64", slot->f64);
        break;
    case TYPE_FUNCREF:
        if (slot->u64 == 0)
            print_text("func:ref.null");
        else
            print_text("%u:ref.func", (unsigned)(slot->u64 - 1));
        break;
    default:
        if (slot->u64 == 0)
            print_text("extern:ref.null");
        else
            print_text("0x%llx:ref.extern", (unsigned long long)(uintptr_t)reference_to_extern(instance, slot->u64));
        break;
    }
}

bool wasm_application_execute_func(wasm_module_inst_t module_inst, const char *name, int32_t argc, char *argv[])
{
    struct wasm_instance *instance = module_inst;
    const struct wasm_function *function = wasm_runtime_lookup_function(instance, name, NULL);
    char message[EXCEPTION_BYTES];
    if (!function) {
        snprintf(message, sizeof message, "lookup function %s failed", name);
        throw(instance, message);
        return false;
    }
    const struct func_type *type = function->type;
    if (argc < 0 || (uint32_t)argc != type->n_params) {
        throw(instance, "invalid input argument count");
        return false;
    }
    union value *slots = instance->env.stack_top;
    uint32_t count = type->n_params > type->n_results ? type->n_params : type->n_results;
    if ((size_t)(instance->env.stack_end - slots) < count) {
        throw(instance, "wasm operand stack overflow");
        return false;
    }
    for (uint32_t i = 0; i < type->n_params; i++)
        if (!parse_argument(instance, argv[i], type->types[i], &slots[i])) {
            snprintf(message, sizeof message, "invalid input argument %u: %s", (unsigned)i, argv[i]);
            throw(instance, message);
            return false;
        }
    if (!run_to_end(instance, function, slots))
        return false;
    if (instance->has_exited)
        return true;
    for (uint32_t i = 0; i < type->n_results; i++) {
        if (i > 0)
            print_text(",");
        print_result(instance, &slots[i], type->types[type->n_params + i]);
    }
    print_text("\n");
    return true;
}
