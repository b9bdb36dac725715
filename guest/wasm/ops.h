/*
 * The internal instruction set: register code over the frame's slots.
 *
 * An instruction is a row of 4-byte units. Unit 0 holds the opcode and operand A (nearly always the result's slot); the
 * others hold two 16-bit operands B and C, a 32-bit immediate, or a branch distance counted in units from unit 0.
 *
 * One row here is one handler in interp.c; the rows of a family share its shape:
 *
 *   INT_BINARY     A = B op C            and  NAME_IMM     A = B op sign-extended C
 *   INT_COMPARE    A = B op C            and  NAME_IMM, BR_NAME, BR_NAME_IMM: {op, -}{B, C}{distance}, taken if true
 *   FLOAT_BINARY   A = B op C
 *   UNARY          A = op B
 *   DIVIDE         A = B op C, may trap
 *   TRUNCATE       A = op B, may trap
 *   LOAD           {op, A}{B, offset}    A = memory[B + offset]
 *   STORE          {op, A}{B, offset}    memory[A + offset] = B
 *
 * Row columns: name, fields of `union value` for operands (and result), expression of a and b.
 */
#ifndef WASM_OPS_H
#define WASM_OPS_H

#define OPS_INT_BINARY(X)                                                                                              \
    X(I32_ADD, u32, a + b)                                                                                             \
    X(I32_SUB, u32, a - b)                                                                                             \
    X(I32_MUL, u32, a * b)                                                                                             \
    X(I32_AND, u32, a & b)                                                                                             \
    X(I32_OR, u32, a | b)                                                                                              \
    X(I32_XOR, u32, a ^ b)                                                                                             \
    X(I32_SHL, u32, a << (b & 31))                                                                                     \
    X(I32_SHR_S, i32, a >> (b & 31))                                                                                   \
    X(I32_SHR_U, u32, a >> (b & 31))                                                                                   \
    X(I32_ROTL, u32, (a << (b & 31)) | (a >> (-b & 31)))                                                               \
    X(I32_ROTR, u32, (a >> (b & 31)) | (a << (-b & 31)))                                                               \
    X(I64_ADD, u64, a + b)                                                                                             \
    X(I64_SUB, u64, a - b)                                                                                             \
    X(I64_MUL, u64, a * b)                                                                                             \
    X(I64_AND, u64, a & b)                                                                                             \
    X(I64_OR, u64, a | b)                                                                                              \
    X(I64_XOR, u64, a ^ b)                                                                                             \
    X(I64_SHL, u64, a << (b & 63))                                                                                     \
    X(I64_SHR_S, i64, a >> (b & 63))                                                                                   \
    X(I64_SHR_U, u64, a >> (b & 63))                                                                                   \
    X(I64_ROTL, u64, (a << (b & 63)) | (a >> (-b & 63)))                                                               \
    X(I64_ROTR, u64, (a >> (b & 63)) | (a << (-b & 63)))

/* Neighbours in pairs are each other's negation: the translator flips bit 0 of the row number. */
#define OPS_INT_COMPARE(X)                                                                                             \
    X(I32_EQ, u32, a == b)                                                                                             \
    X(I32_NE, u32, a != b)                                                                                             \
    X(I32_LT_S, i32, a < b)                                                                                            \
    X(I32_GE_S, i32, a >= b)                                                                                           \
    X(I32_LT_U, u32, a < b)                                                                                            \
    X(I32_GE_U, u32, a >= b)                                                                                           \
    X(I32_GT_S, i32, a > b)                                                                                            \
    X(I32_LE_S, i32, a <= b)                                                                                           \
    X(I32_GT_U, u32, a > b)                                                                                            \
    X(I32_LE_U, u32, a <= b)                                                                                           \
    X(I64_EQ, u64, a == b)                                                                                             \
    X(I64_NE, u64, a != b)                                                                                             \
    X(I64_LT_S, i64, a < b)                                                                                            \
    X(I64_GE_S, i64, a >= b)                                                                                           \
    X(I64_LT_U, u64, a < b)                                                                                            \
    X(I64_GE_U, u64, a >= b)                                                                                           \
    X(I64_GT_S, i64, a > b)                                                                                            \
    X(I64_LE_S, i64, a <= b)                                                                                           \
    X(I64_GT_U, u64, a > b)                                                                                            \
    X(I64_LE_U, u64, a <= b)

/* name, operands, result, expression */
#define OPS_FLOAT_BINARY(X)                                                                                            \
    X(F32_EQ, f32, u32, a == b)                                                                                        \
    X(F32_NE, f32, u32, a != b)                                                                                        \
    X(F32_LT, f32, u32, a < b)                                                                                         \
    X(F32_GT, f32, u32, a > b)                                                                                         \
    X(F32_LE, f32, u32, a <= b)                                                                                        \
    X(F32_GE, f32, u32, a >= b)                                                                                        \
    X(F64_EQ, f64, u32, a == b)                                                                                        \
    X(F64_NE, f64, u32, a != b)                                                                                        \
    X(F64_LT, f64, u32, a < b)                                                                                         \
    X(F64_GT, f64, u32, a > b)                                                                                         \
    X(F64_LE, f64, u32, a <= b)                                                                                        \
    X(F64_GE, f64, u32, a >= b)                                                                                        \
    X(F32_ADD, f32, f32, a + b)                                                                                        \
    X(F32_SUB, f32, f32, a - b)                                                                                        \
    X(F32_MUL, f32, f32, a * b)                                                                                        \
    X(F32_DIV, f32, f32, a / b)                                                                                        \
    X(F32_MIN, f32, f32, f32_min(a, b))                                                                                \
    X(F32_MAX, f32, f32, f32_max(a, b))                                                                                \
    X(F32_COPYSIGN, u32, u32, (a & 0x7fffffffu) | (b & 0x80000000u))                                                   \
    X(F64_ADD, f64, f64, a + b)                                                                                        \
    X(F64_SUB, f64, f64, a - b)                                                                                        \
    X(F64_MUL, f64, f64, a * b)                                                                                        \
    X(F64_DIV, f64, f64, a / b)                                                                                        \
    X(F64_MIN, f64, f64, f64_min(a, b))                                                                                \
    X(F64_MAX, f64, f64, f64_max(a, b))                                                                                \
    X(F64_COPYSIGN, u64, u64, (a & 0x7fffffffffffffffull) | (b & 0x8000000000000000ull))

#define OPS_UNARY(X)                                                                                                   \
    X(I32_CLZ, u32, u32, clz32(a))                                                                                     \
    X(I32_CTZ, u32, u32, ctz32(a))                                                                                     \
    X(I32_POPCNT, u32, u32, popcount64(a))                                                                             \
    X(I64_CLZ, u64, u64, clz64(a))                                                                                     \
    X(I64_CTZ, u64, u64, ctz64(a))                                                                                     \
    X(I64_POPCNT, u64, u64, popcount64(a))                                                                             \
    X(I32_EXTEND8_S, u32, i32, (int8_t)a)                                                                              \
    X(I32_EXTEND16_S, u32, i32, (int16_t)a)                                                                            \
    X(I64_EXTEND8_S, u64, i64, (int8_t)a)                                                                              \
    X(I64_EXTEND16_S, u64, i64, (int16_t)a)                                                                            \
    X(I64_EXTEND32_S, i32, i64, a)                                                                                     \
    X(I64_EXTEND_I32_U, u32, u64, a)                                                                                   \
    X(F32_ABS, u32, u32, a & 0x7fffffffu)                                                                              \
    X(F32_NEG, u32, u32, a ^ 0x80000000u)                                                                              \
    X(F32_CEIL, f32, f32, (float)ceil((double)a))                                                                      \
    X(F32_FLOOR, f32, f32, (float)floor((double)a))                                                                    \
    X(F32_TRUNC, f32, f32, (float)trunc((double)a))                                                                    \
    X(F32_NEAREST, f32, f32, (float)rint((double)a))                                                                   \
    X(F32_SQRT, f32, f32, (float)sqrt((double)a))                                                                      \
    X(F64_ABS, u64, u64, a & 0x7fffffffffffffffull)                                                                    \
    X(F64_NEG, u64, u64, a ^ 0x8000000000000000ull)                                                                    \
    X(F64_CEIL, f64, f64, ceil(a))                                                                                     \
    X(F64_FLOOR, f64, f64, floor(a))                                                                                   \
    X(F64_TRUNC, f64, f64, trunc(a))                                                                                   \
    X(F64_NEAREST, f64, f64, rint(a))                                                                                  \
    X(F64_SQRT, f64, f64, sqrt(a))                                                                                     \
    X(F32_CONVERT_I32_S, i32, f32, (float)a)                                                                           \
    X(F32_CONVERT_I32_U, u32, f32, (float)a)                                                                           \
    X(F32_CONVERT_I64_S, i64, f32, (float)a)                                                                           \
    X(F32_CONVERT_I64_U, u64, f32, (float)a)                                                                           \
    X(F64_CONVERT_I32_S, i32, f64, (double)a)                                                                          \
    X(F64_CONVERT_I32_U, u32, f64, (double)a)                                                                          \
    X(F64_CONVERT_I64_S, i64, f64, (double)a)                                                                          \
    X(F64_CONVERT_I64_U, u64, f64, (double)a)                                                                          \
    X(F32_DEMOTE_F64, f64, f32, (float)a)                                                                              \
    X(F64_PROMOTE_F32, f32, f64, (double)a)                                                                            \
    X(I32_TRUNC_SAT_F32_S, f32, i32, sat_i32((double)a))                                                               \
    X(I32_TRUNC_SAT_F32_U, f32, u32, sat_u32((double)a))                                                               \
    X(I32_TRUNC_SAT_F64_S, f64, i32, sat_i32(a))                                                                       \
    X(I32_TRUNC_SAT_F64_U, f64, u32, sat_u32(a))                                                                       \
    X(I64_TRUNC_SAT_F32_S, f32, i64, sat_i64((double)a))                                                               \
    X(I64_TRUNC_SAT_F32_U, f32, u64, sat_u64((double)a))                                                               \
    X(I64_TRUNC_SAT_F64_S, f64, i64, sat_i64(a))                                                                       \
    X(I64_TRUNC_SAT_F64_U, f64, u64, sat_u64(a))

/* name, operands, expression, "the result does not fit" (which depends on a and b; b is not 0) */
#define OPS_DIVIDE(X)                                                                                                  \
    X(I32_DIV_S, i32, a / b, b == -1 && a == INT32_MIN)                                                                \
    X(I32_DIV_U, u32, a / b, 0)                                                                                        \
    X(I32_REM_S, i32, b == -1 ? 0 : a % b, 0)                                                                          \
    X(I32_REM_U, u32, a % b, 0)                                                                                        \
    X(I64_DIV_S, i64, a / b, b == -1 && a == INT64_MIN)                                                                \
    X(I64_DIV_U, u64, a / b, 0)                                                                                        \
    X(I64_REM_S, i64, b == -1 ? 0 : a % b, 0)                                                                          \
    X(I64_REM_U, u64, a % b, 0)

/* name, operand, result, C type of the result, "a fits" (false for NaN) */
#define OPS_TRUNCATE(X)                                                                                                \
    X(I32_TRUNC_F32_S, f32, i32, int32_t, a >= -2147483648.0f && a < 2147483648.0f)                                    \
    X(I32_TRUNC_F32_U, f32, u32, uint32_t, a > -1.0f && a < 4294967296.0f)                                             \
    X(I32_TRUNC_F64_S, f64, i32, int32_t, a > -2147483649.0 && a < 2147483648.0)                                       \
    X(I32_TRUNC_F64_U, f64, u32, uint32_t, a > -1.0 && a < 4294967296.0)                                               \
    X(I64_TRUNC_F32_S, f32, i64, int64_t, a >= -9223372036854775808.0f && a < 9223372036854775808.0f)                  \
    X(I64_TRUNC_F32_U, f32, u64, uint64_t, a > -1.0f && a < 18446744073709551616.0f)                                   \
    X(I64_TRUNC_F64_S, f64, i64, int64_t, a >= -9223372036854775808.0 && a < 9223372036854775808.0)                    \
    X(I64_TRUNC_F64_U, f64, u64, uint64_t, a > -1.0 && a < 18446744073709551616.0)

/* name, bytes, result field, value at p */
#define OPS_LOAD(X)                                                                                                    \
    X(I32_LOAD, 4, u32, load_u32(p))                                                                                   \
    X(I64_LOAD, 8, u64, load_u64(p))                                                                                   \
    X(I32_LOAD8_S, 1, i32, (int8_t)*p)                                                                                 \
    X(I32_LOAD8_U, 1, u32, *p)                                                                                         \
    X(I32_LOAD16_S, 2, i32, (int16_t)load_u16(p))                                                                      \
    X(I32_LOAD16_U, 2, u32, load_u16(p))                                                                               \
    X(I64_LOAD8_S, 1, i64, (int8_t)*p)                                                                                 \
    X(I64_LOAD8_U, 1, u64, *p)                                                                                         \
    X(I64_LOAD16_S, 2, i64, (int16_t)load_u16(p))                                                                      \
    X(I64_LOAD16_U, 2, u64, load_u16(p))                                                                               \
    X(I64_LOAD32_S, 4, i64, (int32_t)load_u32(p))                                                                      \
    X(I64_LOAD32_U, 4, u64, load_u32(p))

/* name, bytes, operand field, store of v at p */
#define OPS_STORE(X)                                                                                                   \
    X(I32_STORE, 4, u32, store_u32(p, v))                                                                              \
    X(I64_STORE, 8, u64, store_u64(p, v))                                                                              \
    X(I32_STORE8, 1, u32, *p = (uint8_t)v)                                                                             \
    X(I32_STORE16, 2, u32, store_u16(p, (uint16_t)v))

/*
 * The rest, each with its own layout (units in braces):
 *   NATIVE            {op, -}{function}            the code of an import: call it and return
 *   EXIT              {op, -}                      leaves the interpreter
 *   UNREACHABLE       {op, -}
 *   COPY              {op, A}{B, -}
 *   CONST32           {op, A}{value}               zero-extended
 *   CONST64           {op, A}{low}{high}
 *   SELECT            {op, A}{B, C}{condition, -}
 *   BR                {op, -}{distance}
 *   BR_IF, BR_UNLESS  {op, condition}{distance}
 *   BR_TABLE          {op, index}{count}{distance from its own unit} * (count + 1)
 *   RETURN0, RETURN1, RETURN_N  {op, -} {op, slot} {op, first}{count}
 *   CALL              {op, first argument}{function}
 *   CALL_INDIRECT     {op, first argument}{canonical type}{index slot, table}
 *   GLOBAL_GET/SET    {op, A}{global}
 *   TABLE_GET         {op, A}{index, table}        TABLE_SET {op, index}{value, table}
 *   WIDE_ADDRESS      {op, A}{B, -}{offset}        A = B + offset, traps when past the memory
 *   I32_LOAD_AT, I32_STORE_AT  {op, A}{address}
 *   MEMORY_SIZE {op, A}   MEMORY_GROW {op, A}{B, -}
 *   bulk: {op, first of three slots}{immediate, immediate}; TABLE_SIZE {op, A}{table}; TABLE_GROW {op, first}{table}
 *   DATA_DROP, ELEM_DROP {op, -}{segment}
 */
#define OPS_OTHER(X)                                                                                                   \
    X(NATIVE) X(EXIT) X(UNREACHABLE) X(COPY) X(CONST32) X(CONST64) X(SELECT)                                \
    X(BR) X(BR_IF) X(BR_UNLESS) X(BR_TABLE) X(RETURN0) X(RETURN1) X(RETURN_N) X(CALL) X(CALL_INDIRECT)                 \
    X(GLOBAL_GET) X(GLOBAL_SET) X(TABLE_GET) X(TABLE_SET) X(WIDE_ADDRESS) X(I32_LOAD_AT) X(I32_STORE_AT)               \
    X(MEMORY_SIZE) X(MEMORY_GROW) X(MEMORY_INIT) X(MEMORY_COPY) X(MEMORY_FILL) X(DATA_DROP)                            \
    X(TABLE_INIT) X(TABLE_COPY) X(TABLE_FILL) X(TABLE_SIZE) X(TABLE_GROW) X(ELEM_DROP)

#define NAME1(name) OP_##name,
#define NAME3(name, x, y) OP_##name,
#define NAME3_IMM(name, x, y) OP_##name##_IMM,
#define NAME3_BR(name, x, y) OP_BR_##name,
#define NAME3_BR_IMM(name, x, y) OP_BR_##name##_IMM,
#define NAME4(name, x, y, z) OP_##name,
#define NAME5(name, x, y, z, w) OP_##name,
enum opcode {
    OPS_OTHER(NAME1)
    OPS_INT_COMPARE(NAME3)
    OPS_INT_COMPARE(NAME3_IMM)
    OPS_INT_COMPARE(NAME3_BR)
    OPS_INT_COMPARE(NAME3_BR_IMM)
    OPS_INT_BINARY(NAME3)
    OPS_INT_BINARY(NAME3_IMM)
    OPS_FLOAT_BINARY(NAME4)
    OPS_UNARY(NAME4)
    OPS_DIVIDE(NAME4)
    OPS_TRUNCATE(NAME5)
    OPS_LOAD(NAME4)
    OPS_STORE(NAME4)
    OP_COUNT
};

/* Distances between the variants of a row. */
enum {
    COMPARE_FIRST = OP_I32_EQ,
    COMPARE_IMM = OP_I32_EQ_IMM - OP_I32_EQ,
    COMPARE_BRANCH = OP_BR_I32_EQ - OP_I32_EQ,
    COMPARE_END = OP_BR_I32_EQ, /* all value-producing compares lie in [FIRST, END) */
    BINARY_IMM = OP_I32_ADD_IMM - OP_I32_ADD
};

#endif
