/* The interface of wasm_export.h, except running programs (application.c). */
#include <stdarg.h>
#include <stdio.h>

#include "runtime.h"

struct runtime wasm_runtime;

/* ---- text out ---- */

void write_out(int32_t fd, const char *text, size_t length)
{
    struct host_iovec iov;
    while (length > 0) {
        iov.base = (void *)(uintptr_t)text;
        iov.length = length;
        int64_t written = wasm_runtime.host.writev(wasm_runtime.host.context, fd, &iov, 1, -1);
        if (written <= 0)
            return;
        text += written;
        length -= (size_t)written;
    }
}

/* Length of what vsnprintf put into a buffer of `size`. */
static size_t formatted_length(int result, size_t size)
{
    return result < 0 ? 0 : (size_t)result < size ? (size_t)result : size - 1;
}

void print_text(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_out(1, text, formatted_length(length, sizeof text));
}

void log_message(int32_t level, const char *format, ...)
{
    char text[256];
    va_list args;
    if ((uint32_t)level > wasm_runtime.log_level || !wasm_runtime.host.log)
        return;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wasm_runtime.host.log(wasm_runtime.host.context, level, text, formatted_length(length, sizeof text));
}

void bh_log_set_verbose_level(uint32_t level)
{
    wasm_runtime.log_level = level;
}

/* ---- runtime ---- */

bool wasm_runtime_full_init(RuntimeInitArgs *init_args)
{
    if (!init_args || !init_args->host_services)
        return false;
    wasm_runtime.host = *init_args->host_services;
    wasm_runtime.log_level = WASM_LOG_LEVEL_WARNING;
    wasm_runtime.is_initialised = true;
    if (init_args->n_native_symbols > 0)
        return wasm_runtime_register_natives(init_args->native_module_name, init_args->native_symbols,
                                             init_args->n_native_symbols);
    return true;
}

void wasm_runtime_destroy(void)
{
    while (wasm_runtime.natives) {
        struct registered_natives *next = wasm_runtime.natives->next;
        runtime_free(wasm_runtime.natives);
        wasm_runtime.natives = next;
    }
    wasm_runtime.is_initialised = false;
}

void wasm_runtime_get_version(uint32_t *major, uint32_t *minor, uint32_t *patch)
{
    *major = 0;
    *minor = 1;
    *patch = 0;
}

static bool register_set(const char *module_name, NativeSymbol *symbols, uint32_t count, bool is_raw)
{
    struct registered_natives *set = runtime_alloc(sizeof *set);
    if (!set)
        return false;
    set->module_name = module_name;
    set->symbols = symbols;
    set->count = count;
    set->is_raw = is_raw;
    set->next = wasm_runtime.natives;
    wasm_runtime.natives = set;
    return true;
}

bool wasm_runtime_register_natives(const char *module_name, NativeSymbol *native_symbols, uint32_t n_native_symbols)
{
    return register_set(module_name, native_symbols, n_native_symbols, false);
}

bool wasm_runtime_register_natives_raw(const char *module_name, NativeSymbol *native_symbols,
                                       uint32_t n_native_symbols)
{
    return register_set(module_name, native_symbols, n_native_symbols, true);
}

bool wasm_runtime_unregister_natives(const char *module_name, NativeSymbol *native_symbols)
{
    struct registered_natives **link = &wasm_runtime.natives;
    for (; *link; link = &(*link)->next)
        if ((*link)->symbols == native_symbols && strcmp((*link)->module_name, module_name) == 0) {
            struct registered_natives *set = *link;
            *link = set->next;
            runtime_free(set);
            return true;
        }
    return false;
}

/* ---- modules and instances ---- */

static void set_error(char *buffer, uint32_t size, const char *what, const char *why)
{
    if (buffer && size > 0)
        snprintf(buffer, size, "WASM module %s failed: %s", what, why);
}

wasm_module_t wasm_runtime_load(uint8_t *buf, uint32_t size, char *error_buf, uint32_t error_buf_size)
{
    const char *error = "allocate memory failed";
    struct wasm_module *module = runtime_alloc(sizeof *module);
    if (module && load_module(module, buf, size, &error))
        return module;
    set_error(error_buf, error_buf_size, "load", error);
    if (module)
        wasm_runtime_unload(module);
    return NULL;
}

void wasm_runtime_unload(wasm_module_t module)
{
    runtime_free(module->scratch.operands.block);
    runtime_free(module->scratch.labels.block);
    runtime_free(module->scratch.units.block);
    runtime_free(module->scratch.local_types.block);
    arena_free(&module->arena);
    runtime_free(module);
}

void wasm_runtime_set_wasi_args(wasm_module_t module, const char *dir_list[], uint32_t dir_count,
                                const char *map_dir_list[], uint32_t map_dir_count, const char *env[],
                                uint32_t env_count, char *argv[], int argc)
{
    struct wasi_arguments *wasi = &module->wasi;
    wasi->dirs = dir_list;
    wasi->n_dirs = dir_count;
    wasi->mapped_dirs = map_dir_list;
    wasi->n_mapped_dirs = map_dir_count;
    wasi->env = env;
    wasi->n_env = env_count;
    wasi->argv = argv;
    wasi->n_argv = argc > 0 ? (uint32_t)argc : 0;
}

void wasm_runtime_set_wasi_addr_pool(wasm_module_t module, const char *addr_pool[], uint32_t addr_pool_size)
{
    (void)module;
    (void)addr_pool;
    (void)addr_pool_size;
}

void wasm_runtime_set_wasi_ns_lookup_pool(wasm_module_t module, const char *ns_lookup_pool[], uint32_t pool_size)
{
    (void)module;
    (void)ns_lookup_pool;
    (void)pool_size;
}

/* The start function, then a reactor's `_initialize`. */
static bool run_start_functions(struct wasm_instance *instance)
{
    const struct wasm_module *module = instance->module;
    if (module->start != NO_INDEX
        && !interpret(&instance->env, &module->functions[module->start], instance->env.stack_top))
        return false;
    const struct export_entry *entry = find_export(module, "_initialize", EXTERNAL_FUNCTION);
    if (!module->is_wasi || !entry || find_export(module, "_start", EXTERNAL_FUNCTION))
        return true;
    const struct wasm_function *function = &module->functions[entry->index];
    if (function->type->n_params != 0 || function->type->n_results != 0)
        return true;
    return interpret(&instance->env, function, instance->env.stack_top);
}

wasm_module_inst_t wasm_runtime_instantiate(wasm_module_t module, uint32_t stack_size, uint32_t heap_size,
                                            char *error_buf, uint32_t error_buf_size)
{
    const char *error = NULL;
    struct wasm_instance *instance = create_instance(module, stack_size, heap_size, &error);
    if (!instance) {
        set_error(error_buf, error_buf_size, "instantiate", error);
        return NULL;
    }
    if (!run_start_functions(instance)) {
        set_error(error_buf, error_buf_size, "instantiate", instance->exception);
        destroy_instance(instance);
        return NULL;
    }
    return instance;
}

void wasm_runtime_deinstantiate(wasm_module_inst_t module_inst)
{
    destroy_instance(module_inst);
}

bool wasm_runtime_is_wasi_mode(wasm_module_inst_t module_inst)
{
    return module_inst->module->is_wasi;
}

uint32_t wasm_runtime_get_wasi_exit_code(wasm_module_inst_t module_inst)
{
    return module_inst->exit_code;
}

const char *wasm_runtime_get_exception(wasm_module_inst_t module_inst)
{
    return module_inst->exception[0] != '\0' ? module_inst->exception : NULL;
}

void wasm_runtime_set_exception(wasm_module_inst_t module_inst, const char *exception)
{
    throw(module_inst, exception);
}

void wasm_runtime_clear_exception(wasm_module_inst_t module_inst)
{
    module_inst->exception[0] = '\0';
}

/* ---- functions ---- */

wasm_function_inst_t wasm_runtime_lookup_function(wasm_module_inst_t module_inst, const char *name,
                                                  const char *signature)
{
    const struct export_entry *entry = find_export(module_inst->module, name, EXTERNAL_FUNCTION);
    (void)signature;
    return entry ? &module_inst->module->functions[entry->index] : NULL;
}

wasm_function_inst_t wasm_runtime_lookup_wasi_start_function(wasm_module_inst_t module_inst)
{
    wasm_function_inst_t function = wasm_runtime_lookup_function(module_inst, "_start", NULL);
    if (function && (function->type->n_params != 0 || function->type->n_results != 0))
        return NULL;
    return function;
}

static wasm_valkind_t kind_of(uint8_t type)
{
    switch (type) {
    case TYPE_I32: return WASM_I32;
    case TYPE_I64: return WASM_I64;
    case TYPE_F32: return WASM_F32;
    case TYPE_F64: return WASM_F64;
    case TYPE_FUNCREF: return WASM_FUNCREF;
    default: return WASM_ANYREF;
    }
}

uint32_t wasm_func_get_param_count(wasm_function_inst_t function, wasm_module_inst_t module_inst)
{
    (void)module_inst;
    return function->type->n_params;
}

uint32_t wasm_func_get_result_count(wasm_function_inst_t function, wasm_module_inst_t module_inst)
{
    (void)module_inst;
    return function->type->n_results;
}

void wasm_func_get_param_types(wasm_function_inst_t function, wasm_module_inst_t module_inst, wasm_valkind_t *types)
{
    (void)module_inst;
    for (uint32_t i = 0; i < function->type->n_params; i++)
        types[i] = kind_of(function->type->types[i]);
}

void wasm_func_get_result_types(wasm_function_inst_t function, wasm_module_inst_t module_inst, wasm_valkind_t *types)
{
    (void)module_inst;
    for (uint32_t i = 0; i < function->type->n_results; i++)
        types[i] = kind_of(function->type->types[function->type->n_params + i]);
}

wasm_exec_env_t wasm_runtime_create_exec_env(wasm_module_inst_t module_inst, uint32_t stack_size)
{
    (void)stack_size;
    return &module_inst->env;
}

void wasm_runtime_destroy_exec_env(wasm_exec_env_t exec_env)
{
    (void)exec_env;
}

wasm_module_inst_t wasm_runtime_get_module_inst(wasm_exec_env_t exec_env)
{
    return exec_env->instance;
}

void *wasm_runtime_get_function_attachment(wasm_exec_env_t exec_env)
{
    return exec_env->attachment;
}

/* ---- calls ---- */

static void slot_from_value(struct wasm_instance *instance, union value *slot, const wasm_val_t *value)
{
    switch (value->kind) {
    case WASM_I32:
    case WASM_F32:
        slot->u64 = (uint32_t)value->of.i32;
        break;
    case WASM_ANYREF:
        slot->u64 = extern_to_reference(instance, value->of.foreign);
        break;
    case WASM_FUNCREF:
        slot->u64 = value->of.funcref < instance->module->n_functions ? (uint64_t)value->of.funcref + 1 : 0;
        break;
    default:
        slot->i64 = value->of.i64;
        break;
    }
}

static void value_from_slot(struct wasm_instance *instance, wasm_val_t *value, const union value *slot, uint8_t type)
{
    memset(value, 0, sizeof *value);
    value->kind = kind_of(type);
    switch (type) {
    case TYPE_I32:
    case TYPE_F32:
        value->of.i32 = slot->i32;
        break;
    case TYPE_EXTERNREF:
        value->of.foreign = reference_to_extern(instance, slot->u64);
        break;
    case TYPE_FUNCREF:
        value->of.funcref = slot->u32 - 1;
        break;
    default:
        value->of.i64 = slot->i64;
        break;
    }
}

/* The slots for a call's arguments and results, on top of the stack. */
static union value *call_slots(struct wasm_exec_env *env, const struct func_type *type)
{
    uint32_t count = type->n_params > type->n_results ? type->n_params : type->n_results;
    if ((size_t)(env->stack_end - env->stack_top) >= count)
        return env->stack_top;
    throw(env->instance, "wasm operand stack overflow");
    return NULL;
}

bool wasm_runtime_call_wasm_a(wasm_exec_env_t exec_env, wasm_function_inst_t function, uint32_t num_results,
                              wasm_val_t results[], uint32_t num_args, wasm_val_t args[])
{
    const struct func_type *type = function->type;
    struct wasm_instance *instance = exec_env->instance;
    if (num_args != type->n_params || num_results != type->n_results) {
        throw(instance, "invalid argument count");
        return false;
    }
    for (uint32_t i = 0; i < num_args; i++)
        if (args[i].kind != kind_of(type->types[i])) {
            throw(instance, "invalid argument type");
            return false;
        }
    union value *slots = call_slots(exec_env, type);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < num_args; i++)
        slot_from_value(instance, &slots[i], &args[i]);
    if (!interpret(exec_env, function, slots))
        return false;
    for (uint32_t i = 0; i < num_results; i++)
        value_from_slot(instance, &results[i], &slots[i], type->types[type->n_params + i]);
    return true;
}

static uint32_t cells_of(uint8_t type)
{
    if (type == TYPE_EXTERNREF)
        return EXTERNREF_CELLS;
    return type == TYPE_I64 || type == TYPE_F64 ? 2 : 1;
}

static uint32_t count_cells(const uint8_t *types, uint32_t count)
{
    uint32_t cells = 0;
    for (uint32_t i = 0; i < count; i++)
        cells += cells_of(types[i]);
    return cells;
}

/* Where in an externref's cells the pointer is. */
static void **cell_pointer(uint32_t *cell)
{
    size_t misaligned = (size_t)(uintptr_t)cell % sizeof(void *);
    return (void **)(void *)((char *)cell + (misaligned ? sizeof(void *) - misaligned : 0));
}

static void slot_from_cells(struct wasm_instance *instance, union value *slot, uint32_t *cell, uint8_t type)
{
    void *pointer;
    switch (type) {
    case TYPE_EXTERNREF:
        if (EXTERNREF_CELLS == 2)
            memcpy(&pointer, cell, sizeof pointer);
        else
            pointer = *cell_pointer(cell);
        slot->u64 = extern_to_reference(instance, pointer);
        break;
    case TYPE_FUNCREF:
        slot->u64 = cell[0] < instance->module->n_functions ? (uint64_t)cell[0] + 1 : 0;
        break;
    case TYPE_I64:
    case TYPE_F64:
        slot->u64 = cell[0] | (uint64_t)cell[1] << 32;
        break;
    default:
        slot->u64 = cell[0];
        break;
    }
}

static void cells_from_slot(struct wasm_instance *instance, uint32_t *cell, const union value *slot, uint8_t type)
{
    void *pointer;
    switch (type) {
    case TYPE_EXTERNREF:
        pointer = reference_to_extern(instance, slot->u64);
        if (EXTERNREF_CELLS == 2)
            memcpy(cell, &pointer, sizeof pointer);
        else
            *cell_pointer(cell) = pointer;
        break;
    case TYPE_FUNCREF:
        cell[0] = slot->u32 - 1;
        break;
    case TYPE_I64:
    case TYPE_F64:
        cell[1] = (uint32_t)(slot->u64 >> 32);
        cell[0] = slot->u32;
        break;
    default:
        cell[0] = slot->u32;
        break;
    }
}

bool wasm_runtime_call_wasm(wasm_exec_env_t exec_env, wasm_function_inst_t function, uint32_t argc, uint32_t argv[])
{
    const struct func_type *type = function->type;
    struct wasm_instance *instance = exec_env->instance;
    if (argc != count_cells(type->types, type->n_params)) {
        throw(instance, "invalid argument count");
        return false;
    }
    union value *slots = call_slots(exec_env, type);
    if (!slots)
        return false;
    uint32_t *cell = argv;
    for (uint32_t i = 0; i < type->n_params; i++) {
        slot_from_cells(instance, &slots[i], cell, type->types[i]);
        cell += cells_of(type->types[i]);
    }
    if (!interpret(exec_env, function, slots))
        return false;
    cell = argv;
    for (uint32_t i = 0; i < type->n_results; i++) {
        uint8_t result = type->types[type->n_params + i];
        cells_from_slot(instance, cell, &slots[i], result);
        cell += cells_of(result);
    }
    return true;
}

/* ---- linear memory for natives ---- */

uint32_t wasm_runtime_module_malloc(wasm_module_inst_t module_inst, uint32_t size, void **p_native_addr)
{
    uint32_t address = app_heap_alloc(module_inst, size);
    const struct export_entry *entry = find_export(module_inst->module, "malloc", EXTERNAL_FUNCTION);
    if (address == 0 && module_inst->heap_size == 0 && entry) { /* the module's own heap */
        uint32_t argv[1];
        struct wasm_function *function = &module_inst->module->functions[entry->index];
        argv[0] = size;
        if (function->type->n_params == 1 && function->type->types[0] == TYPE_I32 && function->type->n_results == 1
            && function->type->types[1] == TYPE_I32
            && wasm_runtime_call_wasm(&module_inst->env, function, 1, argv) && memory_at(module_inst, argv[0], size))
            address = argv[0];
    }
    if (p_native_addr)
        *p_native_addr = address ? memory_at(module_inst, address, size) : NULL;
    return address;
}

void wasm_runtime_module_free(wasm_module_inst_t module_inst, uint32_t ptr)
{
    const struct export_entry *entry = find_export(module_inst->module, "free", EXTERNAL_FUNCTION);
    if (module_inst->heap_size > 0) {
        app_heap_free(module_inst, ptr);
    } else if (entry) {
        uint32_t argv[1];
        struct wasm_function *function = &module_inst->module->functions[entry->index];
        argv[0] = ptr;
        if (function->type->n_params == 1 && function->type->types[0] == TYPE_I32 && function->type->n_results == 0)
            wasm_runtime_call_wasm(&module_inst->env, function, 1, argv);
    }
}

uint32_t wasm_runtime_module_dup_data(wasm_module_inst_t module_inst, const char *src, uint32_t size)
{
    void *native;
    uint32_t address = wasm_runtime_module_malloc(module_inst, size, &native);
    if (native)
        memcpy(native, src, size);
    return address;
}

bool wasm_runtime_validate_app_addr(wasm_module_inst_t module_inst, uint32_t app_offset, uint32_t size)
{
    return memory_at(module_inst, app_offset, size) != NULL;
}

bool wasm_runtime_validate_app_str_addr(wasm_module_inst_t module_inst, uint32_t app_str_offset)
{
    const struct memory_instance *memory = &module_inst->memory;
    return app_str_offset < memory->size
           && memchr(memory->data + app_str_offset, 0, (size_t)(memory->size - app_str_offset)) != NULL;
}

bool wasm_runtime_validate_native_addr(wasm_module_inst_t module_inst, void *native_ptr, uint32_t size)
{
    const struct memory_instance *memory = &module_inst->memory;
    size_t offset = (size_t)(uintptr_t)native_ptr - (size_t)(uintptr_t)memory->data;
    return memory->data && offset <= memory->size && size <= memory->size - offset;
}

void *wasm_runtime_addr_app_to_native(wasm_module_inst_t module_inst, uint32_t app_offset)
{
    return memory_at(module_inst, app_offset, 1);
}

uint32_t wasm_runtime_addr_native_to_app(wasm_module_inst_t module_inst, void *native_ptr)
{
    if (!wasm_runtime_validate_native_addr(module_inst, native_ptr, 1))
        return 0;
    return (uint32_t)((uint8_t *)native_ptr - module_inst->memory.data);
}
