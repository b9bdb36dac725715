/*
 * The interpreter: runs the register code that compile.c made. One handler per row of ops.h.
 *
 * It trusts the code: operands, branch targets and the depth of the operand stack were checked at translation. Checked
 * here are only what depends on values: memory and table bounds, division, conversion, indirect calls, stack space.
 *
 * Calls between WebAssembly functions do not use the C stack: a call pushes a call_frame and the callee's slots start at
 * its arguments. Only a native that calls back enters interpret() again.
 */
#include "numeric.h"
#include "ops.h"
#include "runtime.h"

enum { MAX_NATIVE_DEPTH = 64 };

/* Types of the fields of union value. */
typedef int32_t value_i32;
typedef uint32_t value_u32;
typedef int64_t value_i64;
typedef uint64_t value_u64;
typedef float value_f32;
typedef double value_f64;

#define A (fp[ip[0].h[1]])
#define B (fp[ip[1].h[0]])
#define C (fp[ip[1].h[1]])

/*
 * Slots are read and written whole where the type allows: 8-byte accesses index a frame in one A64 instruction, 4-byte
 * ones need the index shifted first. The upper half of an i32's slot means nothing.
 */
#define GET_u32(slot) ((uint32_t)(slot).u64)
#define GET_i32(slot) ((int32_t)(uint32_t)(slot).u64)
#define GET_u64(slot) ((slot).u64)
#define GET_i64(slot) ((slot).i64)
#define GET_f32(slot) ((slot).f32)
#define GET_f64(slot) ((slot).f64)
#define SET_u32(slot, v) ((slot).u64 = (uint32_t)(v))
#define SET_i32(slot, v) ((slot).u64 = (uint32_t)(v))
#define SET_u64(slot, v) ((slot).u64 = (v))
#define SET_i64(slot, v) ((slot).u64 = (uint64_t)(v))
#define SET_f32(slot, v) ((slot).f32 = (v))
#define SET_f64(slot, v) ((slot).f64 = (v))

#if COMPUTED_GOTO
#define DISPATCH goto *labels[ip->h[0]]
#define HANDLER(name) op_##name
#else
#define DISPATCH goto dispatch
#define HANDLER(name) case OP_##name
#endif
#define NEXT(units)                                                                                                    \
    do {                                                                                                               \
        ip += (units);                                                                                                 \
        DISPATCH;                                                                                                      \
    } while (0)

#define TRAP(text)                                                                                                     \
    do {                                                                                                               \
        trap_text = (text);                                                                                            \
        goto trap;                                                                                                     \
    } while (0)

/* Linear memory may move or grow whenever other code ran. */
#define RELOAD_MEMORY()                                                                                                \
    do {                                                                                                               \
        memory = instance->memory.data;                                                                                \
        memory_size = instance->memory.size;                                                                           \
    } while (0)

/* p = address of `bytes` bytes at address + offset. */
#define LOCATE(address, offset, bytes)                                                                                 \
    uint64_t ea = (uint64_t)(address) + (offset);                                                                      \
    if (ea + (bytes) > memory_size)                                                                                    \
        goto trap_memory;                                                                                              \
    uint8_t *p = memory + ea

/* ---- one macro per family of ops.h ---- */

#define RUN_BINARY(name, field, expression)                                                                            \
    HANDLER(name): {                                                                                                   \
        value_##field a = GET_##field(B), b = GET_##field(C);                                                                        \
        SET_##field(A, expression);                                                                                        \
        NEXT(2);                                                                                                       \
    }
#define RUN_BINARY_IMM(name, field, expression)                                                                        \
    HANDLER(name##_IMM): {                                                                                             \
        value_##field a = GET_##field(B), b = (value_##field)ip[1].sh[1];                                                     \
        SET_##field(A, expression);                                                                                        \
        NEXT(2);                                                                                                       \
    }
#define RUN_COMPARE(name, field, expression)                                                                           \
    HANDLER(name): {                                                                                                   \
        value_##field a = GET_##field(B), b = GET_##field(C);                                                                        \
        SET_u32(A, expression);                                                                                          \
        NEXT(2);                                                                                                       \
    }
#define RUN_COMPARE_IMM(name, field, expression)                                                                       \
    HANDLER(name##_IMM): {                                                                                             \
        value_##field a = GET_##field(B), b = (value_##field)ip[1].sh[1];                                                     \
        SET_u32(A, expression);                                                                                          \
        NEXT(2);                                                                                                       \
    }
#define RUN_COMPARE_BR(name, field, expression)                                                                        \
    HANDLER(BR_##name): {                                                                                              \
        value_##field a = GET_##field(B), b = GET_##field(C);                                                                        \
        if (expression)                                                                                                \
            NEXT(ip[2].s);                                                                                             \
        NEXT(3);                                                                                                       \
    }
#define RUN_COMPARE_BR_IMM(name, field, expression)                                                                    \
    HANDLER(BR_##name##_IMM): {                                                                                        \
        value_##field a = GET_##field(B), b = (value_##field)ip[1].sh[1];                                                     \
        if (expression)                                                                                                \
            NEXT(ip[2].s);                                                                                             \
        NEXT(3);                                                                                                       \
    }
#define RUN_FLOAT_BINARY(name, in, out, expression)                                                                    \
    HANDLER(name): {                                                                                                   \
        value_##in a = GET_##in(B), b = GET_##in(C);                                                                                 \
        SET_##out(A, expression);                                                                                          \
        NEXT(2);                                                                                                       \
    }
#define RUN_UNARY(name, in, out, expression)                                                                           \
    HANDLER(name): {                                                                                                   \
        value_##in a = GET_##in(B);                                                                                           \
        SET_##out(A, expression);                                                                                          \
        NEXT(2);                                                                                                       \
    }
#define RUN_DIVIDE(name, field, expression, does_not_fit)                                                              \
    HANDLER(name): {                                                                                                   \
        value_##field a = GET_##field(B), b = GET_##field(C);                                                                        \
        if (b == 0)                                                                                                    \
            TRAP("integer divide by zero");                                                                            \
        if (does_not_fit)                                                                                              \
            TRAP("integer overflow");                                                                                  \
        SET_##field(A, expression);                                                                                        \
        NEXT(2);                                                                                                       \
    }
#define RUN_TRUNCATE(name, in, out, type, fits)                                                                        \
    HANDLER(name): {                                                                                                   \
        value_##in a = GET_##in(B);                                                                                           \
        if (!(fits)) {                                                                                                 \
            if (a != a)                                                                                                \
                TRAP("invalid conversion to integer");                                                                 \
            TRAP("integer overflow");                                                                                  \
        }                                                                                                              \
        SET_##out(A, (type)a);                                                                                               \
        NEXT(2);                                                                                                       \
    }
#define RUN_LOAD(name, bytes, field, loaded)                                                                           \
    HANDLER(name): {                                                                                                   \
        LOCATE(GET_u32(B), ip[1].h[1], bytes);                                                                              \
        SET_##field(A, loaded);                                                                                              \
        NEXT(2);                                                                                                       \
    }
#define RUN_STORE(name, bytes, field, storing)                                                                         \
    HANDLER(name): {                                                                                                   \
        LOCATE(GET_u32(A), ip[1].h[1], bytes);                                                                              \
        value_##field v = GET_##field(B);                                                                                     \
        storing;                                                                                                       \
        NEXT(2);                                                                                                       \
    }

#define LABEL1(name) &&op_##name,
#define LABEL3(name, x, y) &&op_##name,
#define LABEL3_IMM(name, x, y) &&op_##name##_IMM,
#define LABEL3_BR(name, x, y) &&op_BR_##name,
#define LABEL3_BR_IMM(name, x, y) &&op_BR_##name##_IMM,
#define LABEL4(name, x, y, z) &&op_##name,
#define LABEL5(name, x, y, z, w) &&op_##name,

static bool run(struct wasm_exec_env *env, const struct wasm_function *function, union value *fp)
{
#if COMPUTED_GOTO
    static void *const labels[] = {
        OPS_OTHER(LABEL1)
        OPS_INT_COMPARE(LABEL3)
        OPS_INT_COMPARE(LABEL3_IMM)
        OPS_INT_COMPARE(LABEL3_BR)
        OPS_INT_COMPARE(LABEL3_BR_IMM)
        OPS_INT_BINARY(LABEL3)
        OPS_INT_BINARY(LABEL3_IMM)
        OPS_FLOAT_BINARY(LABEL4)
        OPS_UNARY(LABEL4)
        OPS_DIVIDE(LABEL4)
        OPS_TRUNCATE(LABEL5)
        OPS_LOAD(LABEL4)
        OPS_STORE(LABEL4)
    };
#endif
    static const union unit exit_code[1] = { { { OP_EXIT, 0 } } };
    struct wasm_instance *instance = env->instance;
    struct wasm_module *module = instance->module;
    const struct wasm_function *functions = module->functions;
    union value *globals = instance->globals;
    struct call_frame *frame = env->frame;
    uint8_t *memory;
    uint64_t memory_size;
    const union unit *ip = exit_code;
    const char *trap_text = NULL;

    RELOAD_MEMORY();
    goto call; /* the caller's "next instruction" is exit_code */

#if COMPUTED_GOTO
    {
#else
    {
    dispatch:
        switch (ip->h[0]) {
#endif

    OPS_INT_COMPARE(RUN_COMPARE)
    OPS_INT_COMPARE(RUN_COMPARE_IMM)
    OPS_INT_COMPARE(RUN_COMPARE_BR)
    OPS_INT_COMPARE(RUN_COMPARE_BR_IMM)
    OPS_INT_BINARY(RUN_BINARY)
    OPS_INT_BINARY(RUN_BINARY_IMM)
    OPS_FLOAT_BINARY(RUN_FLOAT_BINARY)
    OPS_UNARY(RUN_UNARY)
    OPS_DIVIDE(RUN_DIVIDE)
    OPS_TRUNCATE(RUN_TRUNCATE)
    OPS_LOAD(RUN_LOAD)
    OPS_STORE(RUN_STORE)

    /* ---- moves ---- */

    HANDLER(COPY): {
        A.u64 = B.u64;
        NEXT(2);
    }
    HANDLER(CONST32): {
        A.u64 = ip[1].w;
        NEXT(2);
    }
    HANDLER(CONST64): {
        A.u64 = ip[1].w | (uint64_t)ip[2].w << 32;
        NEXT(3);
    }
    HANDLER(SELECT): {
        uint64_t chosen = GET_u32(fp[ip[2].h[0]]) ? B.u64 : C.u64;
        A.u64 = chosen;
        NEXT(3);
    }
    HANDLER(GLOBAL_GET): {
        A.u64 = globals[ip[1].w].u64;
        NEXT(2);
    }
    HANDLER(GLOBAL_SET): {
        globals[ip[1].w].u64 = A.u64;
        NEXT(2);
    }

    /* ---- control ---- */

    HANDLER(UNREACHABLE):
        TRAP("unreachable");
    HANDLER(BR): {
        NEXT(ip[1].s);
    }
    HANDLER(BR_IF): {
        if (GET_u32(A))
            NEXT(ip[1].s);
        NEXT(2);
    }
    HANDLER(BR_UNLESS): {
        if (!GET_u32(A))
            NEXT(ip[1].s);
        NEXT(2);
    }
    HANDLER(BR_TABLE): {
        uint32_t index = GET_u32(A), count = ip[1].w;
        ip += 2 + (index < count ? index : count);
        NEXT(ip->s);
    }
    HANDLER(RETURN1): {
        fp[0].u64 = A.u64;
        frame--;
        ip = frame->ip;
        fp = frame->fp;
        DISPATCH;
    }
    HANDLER(RETURN0): {
        frame--;
        ip = frame->ip;
        fp = frame->fp;
        DISPATCH;
    }
    HANDLER(RETURN_N): {
        const union value *from = &A;
        for (uint32_t i = 0; i < ip[1].w; i++)
            fp[i].u64 = from[i].u64;
        frame--;
        ip = frame->ip;
        fp = frame->fp;
        DISPATCH;
    }
    HANDLER(CALL_INDIRECT): {
        const struct table_instance *table = &instance->tables[ip[2].h[1]];
        uint32_t index = GET_u32(fp[ip[2].h[0]]);
        if (index >= table->size)
            TRAP("undefined element");
        uint32_t reference = table->elements[index];
        if (reference == 0)
            TRAP("uninitialized element");
        function = &functions[reference - 1];
        if (function->type->canonical != ip[1].w)
            TRAP("indirect call type mismatch");
        frame->ip = ip + 3;
        frame->fp = fp;
        fp = &A;
        goto enter;
    }
    HANDLER(CALL): {
        function = &functions[ip[1].w];
        frame->ip = ip + 2;
        frame->fp = fp;
        fp = &A;
        goto enter;
    }
    HANDLER(NATIVE): {
        function = &functions[ip[1].w];
        env->frame = frame;
        env->stack_top = fp + function->frame_slots;
        call_native(env, function, fp);
        if (instance->exception[0] != '\0')
            return false;
        RELOAD_MEMORY();
        frame--;
        ip = frame->ip;
        fp = frame->fp;
        DISPATCH;
    }
    HANDLER(EXIT):
        return true;

    /* ---- memory ---- */

    HANDLER(WIDE_ADDRESS): {
        uint64_t ea = (uint64_t)GET_u32(B) + ip[2].w;
        if (ea >= memory_size)
            goto trap_memory;
        SET_u32(A, (uint32_t)ea);
        NEXT(3);
    }
    HANDLER(I32_LOAD_AT): {
        LOCATE(0, ip[1].w, 4);
        SET_u32(A, load_u32(p));
        NEXT(2);
    }
    HANDLER(I32_STORE_AT): {
        LOCATE(0, ip[1].w, 4);
        store_u32(p, GET_u32(A));
        NEXT(2);
    }
    HANDLER(MEMORY_SIZE): {
        SET_u32(A, instance->memory.pages);
        NEXT(1);
    }
    HANDLER(MEMORY_GROW): {
        uint32_t old = memory_grow(instance, GET_u32(B));
        SET_u32(A, old);
        RELOAD_MEMORY();
        NEXT(2);
    }
    HANDLER(MEMORY_INIT): {
        const union value *operands = &A;
        if (!memory_init(instance, ip[1].w, operands[0].u32, operands[1].u32, operands[2].u32))
            return false;
        NEXT(2);
    }
    HANDLER(MEMORY_COPY): {
        const union value *operands = &A;
        uint64_t to = operands[0].u32, from = operands[1].u32, count = operands[2].u32;
        if (to + count > memory_size || from + count > memory_size)
            goto trap_memory;
        memmove(memory + to, memory + from, (size_t)count);
        NEXT(1);
    }
    HANDLER(MEMORY_FILL): {
        const union value *operands = &A;
        uint64_t to = operands[0].u32, count = operands[2].u32;
        if (to + count > memory_size)
            goto trap_memory;
        memset(memory + to, (int)(operands[1].u32 & 0xff), (size_t)count);
        NEXT(1);
    }
    HANDLER(DATA_DROP): {
        instance->dropped_data[ip[1].w] = 1;
        NEXT(2);
    }

    /* ---- tables ---- */

    HANDLER(TABLE_GET): {
        const struct table_instance *table = &instance->tables[ip[1].h[1]];
        uint32_t index = GET_u32(B);
        if (index >= table->size)
            TRAP("out of bounds table access");
        A.u64 = table->elements[index];
        NEXT(2);
    }
    HANDLER(TABLE_SET): {
        const struct table_instance *table = &instance->tables[ip[1].h[1]];
        uint32_t index = GET_u32(A);
        if (index >= table->size)
            TRAP("out of bounds table access");
        table->elements[index] = GET_u32(B);
        NEXT(2);
    }
    HANDLER(TABLE_SIZE): {
        SET_u32(A, instance->tables[ip[1].w].size);
        NEXT(2);
    }
    HANDLER(TABLE_GROW): {
        union value *operands = &A;
        operands[0].u32 = table_grow(instance, ip[1].w, operands[1].u32, operands[0].u32);
        NEXT(2);
    }
    HANDLER(TABLE_FILL): {
        const union value *operands = &A;
        if (!table_fill(instance, ip[1].w, operands[0].u32, operands[1].u32, operands[2].u32))
            return false;
        NEXT(2);
    }
    HANDLER(TABLE_INIT): {
        const union value *operands = &A;
        if (!table_init(instance, ip[1].w, ip[2].w, operands[0].u32, operands[1].u32, operands[2].u32))
            return false;
        NEXT(3);
    }
    HANDLER(TABLE_COPY): {
        const union value *operands = &A;
        if (!table_copy(instance, ip[1].w, ip[2].w, operands[0].u32, operands[1].u32, operands[2].u32))
            return false;
        NEXT(3);
    }
    HANDLER(ELEM_DROP): {
        instance->dropped_elements[ip[1].w] = 1;
        NEXT(2);
    }

#if !COMPUTED_GOTO
    default:
        return false; /* no such opcode is ever emitted */
        }
#endif

    call:
        frame->ip = ip;
        frame->fp = fp;
    enter: /* fp is the callee's; *frame holds the caller's position and is not pushed yet */
        if ((size_t)(env->stack_end - fp) < function->frame_slots || frame + 1 == env->frames_end)
            TRAP("wasm operand stack overflow");
        frame++;
        for (uint32_t i = function->n_params; i < function->n_locals; i++)
            fp[i].u64 = 0;
        ip = function->code;
        DISPATCH;
    }

trap_memory:
    trap_text = "out of bounds memory access";
trap:
    throw(instance, trap_text);
    return false;
}

bool interpret(struct wasm_exec_env *env, const struct wasm_function *function, union value *fp)
{
    struct wasm_instance *instance = env->instance;
    struct call_frame *frame = env->frame;
    union value *stack_top = env->stack_top;
    if (env->native_depth >= MAX_NATIVE_DEPTH || env->frames_end - frame < 2) {
        throw(instance, "native stack overflow");
        return false;
    }
    env->native_depth++;
    bool done = run(env, function, fp);
    env->native_depth--;
    env->frame = frame;
    env->stack_top = stack_top;
    return done;
}
