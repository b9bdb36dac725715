/* Imported functions: finding the native for an import, and calling it. Owns all checks of native arguments' types. */
#include "runtime.h"

/* ---- signatures: "(params)result" in letters ---- */

static bool letter_matches(char letter, uint8_t type)
{
    switch (letter) {
    case 'i': case '*': case '~': case '$': return type == TYPE_I32;
    case 'I': return type == TYPE_I64;
    case 'f': return type == TYPE_F32;
    case 'F': return type == TYPE_F64;
    case 'r': return type == TYPE_EXTERNREF;
    default: return false;
    }
}

static bool signature_matches(const char *signature, const struct func_type *type)
{
    if (!signature)
        return true;
    if (*signature++ != '(')
        return false;
    for (uint32_t i = 0; i < type->n_params; i++)
        if (!letter_matches(*signature++, type->types[i]))
            return false;
    if (*signature++ != ')' || type->n_results > 1)
        return false;
    if (type->n_results == 1 && !letter_matches(*signature++, type->types[type->n_params]))
        return false;
    return *signature == '\0';
}

/* ---- linking ---- */

static bool link_to(struct native_function *native, const struct func_type *type, const char *signature,
                    enum native_kind kind, void *function)
{
    if (!signature_matches(signature, type)) {
        log_message(HOST_LOG_WARNING, "warning: signature of native %s.%s does not match the import",
                    native->module_name, native->name);
        return true;
    }
    native->kind = kind;
    native->function = function;
    native->signature = signature;
    return true;
}

static bool link_builtin(struct native_function *native, const struct func_type *type,
                         const struct builtin_symbol *symbols, uint32_t count, enum native_kind kind)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(symbols[i].name, native->name) == 0)
            return link_to(native, type, symbols[i].signature, kind, symbols[i].function);
    return false;
}

static bool link_registered(struct native_function *native, const struct func_type *type)
{
    const struct registered_natives *set = wasm_runtime.natives;
    for (; set; set = set->next) {
        if (strcmp(set->module_name, native->module_name) != 0)
            continue;
        for (uint32_t i = 0; i < set->count; i++) {
            NativeSymbol *symbol = &set->symbols[i];
            if (strcmp(symbol->symbol, native->name) != 0)
                continue;
            native->attachment = symbol->attachment;
            return link_to(native, type, symbol->signature, set->is_raw ? NATIVE_RAW : NATIVE_TYPED, symbol->func_ptr);
        }
    }
    return false;
}

void link_native(struct native_function *native, const struct func_type *type)
{
    uint32_t count;
    native->kind = NATIVE_UNLINKED;
    if (link_registered(native, type))
        return;
    if (strcmp(native->module_name, "env") == 0) {
        const struct builtin_symbol *symbols = libc_symbols(&count);
        if (link_builtin(native, type, symbols, count, NATIVE_RAW))
            return;
    } else if (strcmp(native->module_name, "wasi_snapshot_preview1") == 0
               || strcmp(native->module_name, "wasi_unstable") == 0) {
        const struct builtin_symbol *symbols = wasi_symbols(&count);
        if (link_builtin(native, type, symbols, count, NATIVE_WASI))
            return;
    }
    log_message(HOST_LOG_WARNING, "warning: failed to link import function (%s, %s)", native->module_name,
                native->name);
}

/* ---- calling natives with C parameters ---- */

/*
 * Integer and pointer parameters travel in the general registers, floating point ones in the FP registers, each class
 * in order; so one prototype with all registers of both classes serves every signature that fits in registers. This is
 * what the procedure call standards of A64, Morello and x86-64 say, not ISO C.
 */
#ifdef __x86_64__
enum { MAX_INTEGERS = 5, MAX_FLOATS = 8 };
#define INTEGERS(a) a[0], a[1], a[2], a[3], a[4]
#define INTEGER_TYPES uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t
#else
enum { MAX_INTEGERS = 7, MAX_FLOATS = 8 };
#define INTEGERS(a) a[0], a[1], a[2], a[3], a[4], a[5], a[6]
#define INTEGER_TYPES uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t
#endif
#define FLOATS(f) f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
#define FLOAT_TYPES double, double, double, double, double, double, double, double
typedef uint64_t (*integer_native)(wasm_exec_env_t, INTEGER_TYPES, FLOAT_TYPES);
typedef void *(*pointer_native)(wasm_exec_env_t, INTEGER_TYPES, FLOAT_TYPES);
typedef float (*float_native)(wasm_exec_env_t, INTEGER_TYPES, FLOAT_TYPES);
typedef double (*double_native)(wasm_exec_env_t, INTEGER_TYPES, FLOAT_TYPES);

struct native_arguments {
    uintptr_t integers[MAX_INTEGERS];
    double floats[MAX_FLOATS];
    uint32_t n_integers, n_floats;
};

/* The native pointer for a '*', '*~' or '$' argument; false: out of bounds. */
static bool pointer_argument(struct wasm_instance *instance, const char *letter, const union value *slot, uintptr_t *out)
{
    uint32_t address = slot[0].u32;
    if (*letter == '$') {
        if (!wasm_runtime_validate_app_str_addr(instance, address))
            return false;
        *out = (uintptr_t)memory_at(instance, address, 1);
        return true;
    }
    uint64_t length = letter[1] == '~' ? slot[1].u32 : 1;
    uint8_t *p = memory_at(instance, address, length);
    if (!p)
        return false;
    *out = (uintptr_t)bounded(p, (size_t)(letter[1] == '~' ? length : instance->memory.size - address));
    return true;
}

static bool add_argument(struct wasm_instance *instance, struct native_arguments *args, const char *letter,
                         const union value *slot)
{
    union value value;
    uintptr_t *integer = &args->integers[args->n_integers];
    if (*letter == 'f' || *letter == 'F') {
        if (args->n_floats == MAX_FLOATS)
            return false;
        value.u64 = *letter == 'f' ? slot->u32 : slot->u64; /* a float is the low half of its register */
        args->floats[args->n_floats++] = value.f64;
        return true;
    }
    if (args->n_integers == MAX_INTEGERS)
        return false;
    args->n_integers++;
    switch (*letter) {
    case '*':
    case '$':
        if (!pointer_argument(instance, letter, slot, integer))
            throw(instance, "out of bounds memory access");
        break;
    case 'r':
        *integer = (uintptr_t)reference_to_extern(instance, slot->u64);
        break;
    case 'I':
        *integer = (uintptr_t)slot->u64;
        break;
    default:
        *integer = slot->u32;
        break;
    }
    return true;
}

static void call_typed(struct wasm_exec_env *env, const struct native_function *native, const struct func_type *type,
                       union value *slots)
{
    struct native_arguments args;
    const char *letter = native->signature ? native->signature + 1 : NULL;
    memset(&args, 0, sizeof args);
    for (uint32_t i = 0; i < type->n_params; i++) {
        char plain[2] = { type->types[i] == TYPE_I64 ? 'I' : type->types[i] == TYPE_F32 ? 'f'
                          : type->types[i] == TYPE_F64 ? 'F' : type->types[i] == TYPE_EXTERNREF ? 'r' : 'i', '\0' };
        if (!add_argument(env->instance, &args, letter ? letter + i : plain, &slots[i])) {
            throw(env->instance, "native function has too many arguments");
            return;
        }
        if (env->instance->exception[0] != '\0')
            return;
    }
    uint8_t result = type->n_results ? type->types[type->n_params] : (uint8_t)TYPE_ANY;
    void *f = native->function;
    if (result == TYPE_ANY)
        ((integer_native)f)(env, INTEGERS(args.integers), FLOATS(args.floats));
    else if (result == TYPE_F32)
        slots[0].f32 = ((float_native)f)(env, INTEGERS(args.integers), FLOATS(args.floats));
    else if (result == TYPE_F64)
        slots[0].f64 = ((double_native)f)(env, INTEGERS(args.integers), FLOATS(args.floats));
    else if (result == TYPE_EXTERNREF)
        slots[0].u64 = extern_to_reference(env->instance,
                                           ((pointer_native)f)(env, INTEGERS(args.integers), FLOATS(args.floats)));
    else
        slots[0].u64 = ((integer_native)f)(env, INTEGERS(args.integers), FLOATS(args.floats));
}

void call_native(struct wasm_exec_env *env, const struct wasm_function *function, union value *slots)
{
    const struct native_function *native = function->native;
    env->attachment = native->attachment;
    switch (native->kind) {
    case NATIVE_RAW:
        ((raw_function)native->function)(env, (uint64_t *)slots);
        break;
    case NATIVE_TYPED:
        call_typed(env, native, function->type, slots);
        break;
    case NATIVE_WASI: {
        uint32_t result = ((wasi_function)native->function)(env->instance, slots);
        if (function->type->n_results > 0)
            slots[0].u32 = result;
        break;
    }
    default:
        throw(env->instance, "failed to call unlinked import function");
        break;
    }
}
