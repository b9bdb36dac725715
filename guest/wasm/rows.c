/* The plain instructions: one row each, by opcode. What the columns of a form mean is in compile_row(). */
#include "compile.h"

const struct op_row op_rows[256] = {
    [0x28] = { FORM_LOAD, 2, TYPE_I32, OP_I32_LOAD }, /* i32.load */
    [0x29] = { FORM_LOAD, 3, TYPE_I64, OP_I64_LOAD }, /* i64.load */
    [0x2a] = { FORM_LOAD, 2, TYPE_F32, OP_I32_LOAD }, /* f32.load */
    [0x2b] = { FORM_LOAD, 3, TYPE_F64, OP_I64_LOAD }, /* f64.load */
    [0x2c] = { FORM_LOAD, 0, TYPE_I32, OP_I32_LOAD8_S }, /* i32.load8_s */
    [0x2d] = { FORM_LOAD, 0, TYPE_I32, OP_I32_LOAD8_U }, /* i32.load8_u */
    [0x2e] = { FORM_LOAD, 1, TYPE_I32, OP_I32_LOAD16_S }, /* i32.load16_s */
    [0x2f] = { FORM_LOAD, 1, TYPE_I32, OP_I32_LOAD16_U }, /* i32.load16_u */
    [0x30] = { FORM_LOAD, 0, TYPE_I64, OP_I64_LOAD8_S }, /* i64.load8_s */
    [0x31] = { FORM_LOAD, 0, TYPE_I64, OP_I64_LOAD8_U }, /* i64.load8_u */
    [0x32] = { FORM_LOAD, 1, TYPE_I64, OP_I64_LOAD16_S }, /* i64.load16_s */
    [0x33] = { FORM_LOAD, 1, TYPE_I64, OP_I64_LOAD16_U }, /* i64.load16_u */
    [0x34] = { FORM_LOAD, 2, TYPE_I64, OP_I64_LOAD32_S }, /* i64.load32_s */
    [0x35] = { FORM_LOAD, 2, TYPE_I64, OP_I64_LOAD32_U }, /* i64.load32_u */
    [0x36] = { FORM_STORE, 2, TYPE_I32, OP_I32_STORE }, /* i32.store */
    [0x37] = { FORM_STORE, 3, TYPE_I64, OP_I64_STORE }, /* i64.store */
    [0x38] = { FORM_STORE, 2, TYPE_F32, OP_I32_STORE }, /* f32.store */
    [0x39] = { FORM_STORE, 3, TYPE_F64, OP_I64_STORE }, /* f64.store */
    [0x3a] = { FORM_STORE, 0, TYPE_I32, OP_I32_STORE8 }, /* i32.store8 */
    [0x3b] = { FORM_STORE, 1, TYPE_I32, OP_I32_STORE16 }, /* i32.store16 */
    [0x3c] = { FORM_STORE, 0, TYPE_I64, OP_I32_STORE8 }, /* i64.store8 */
    [0x3d] = { FORM_STORE, 1, TYPE_I64, OP_I32_STORE16 }, /* i64.store16 */
    [0x3e] = { FORM_STORE, 2, TYPE_I64, OP_I32_STORE }, /* i64.store32 */
    [0x46] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_EQ }, /* i32.eq */
    [0x47] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_NE }, /* i32.ne */
    [0x48] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_LT_S }, /* i32.lt_s */
    [0x49] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_LT_U }, /* i32.lt_u */
    [0x4a] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_GT_S }, /* i32.gt_s */
    [0x4b] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_GT_U }, /* i32.gt_u */
    [0x4c] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_LE_S }, /* i32.le_s */
    [0x4d] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_LE_U }, /* i32.le_u */
    [0x4e] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_GE_S }, /* i32.ge_s */
    [0x4f] = { FORM_COMPARE, TYPE_I32, TYPE_I32, OP_I32_GE_U }, /* i32.ge_u */
    [0x51] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_EQ }, /* i64.eq */
    [0x52] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_NE }, /* i64.ne */
    [0x53] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_LT_S }, /* i64.lt_s */
    [0x54] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_LT_U }, /* i64.lt_u */
    [0x55] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_GT_S }, /* i64.gt_s */
    [0x56] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_GT_U }, /* i64.gt_u */
    [0x57] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_LE_S }, /* i64.le_s */
    [0x58] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_LE_U }, /* i64.le_u */
    [0x59] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_GE_S }, /* i64.ge_s */
    [0x5a] = { FORM_COMPARE, TYPE_I64, TYPE_I32, OP_I64_GE_U }, /* i64.ge_u */
    [0x5b] = { FORM_BINARY, TYPE_F32, TYPE_I32, OP_F32_EQ }, /* f32.eq */
    [0x5c] = { FORM_BINARY, TYPE_F32, TYPE_I32, OP_F32_NE }, /* f32.ne */
    [0x5d] = { FORM_BINARY, TYPE_F32, TYPE_I32, OP_F32_LT }, /* f32.lt */
    [0x5e] = { FORM_BINARY, TYPE_F32, TYPE_I32, OP_F32_GT }, /* f32.gt */
    [0x5f] = { FORM_BINARY, TYPE_F32, TYPE_I32, OP_F32_LE }, /* f32.le */
    [0x60] = { FORM_BINARY, TYPE_F32, TYPE_I32, OP_F32_GE }, /* f32.ge */
    [0x61] = { FORM_BINARY, TYPE_F64, TYPE_I32, OP_F64_EQ }, /* f64.eq */
    [0x62] = { FORM_BINARY, TYPE_F64, TYPE_I32, OP_F64_NE }, /* f64.ne */
    [0x63] = { FORM_BINARY, TYPE_F64, TYPE_I32, OP_F64_LT }, /* f64.lt */
    [0x64] = { FORM_BINARY, TYPE_F64, TYPE_I32, OP_F64_GT }, /* f64.gt */
    [0x65] = { FORM_BINARY, TYPE_F64, TYPE_I32, OP_F64_LE }, /* f64.le */
    [0x66] = { FORM_BINARY, TYPE_F64, TYPE_I32, OP_F64_GE }, /* f64.ge */
    [0x67] = { FORM_UNARY, TYPE_I32, TYPE_I32, OP_I32_CLZ }, /* i32.clz */
    [0x68] = { FORM_UNARY, TYPE_I32, TYPE_I32, OP_I32_CTZ }, /* i32.ctz */
    [0x69] = { FORM_UNARY, TYPE_I32, TYPE_I32, OP_I32_POPCNT }, /* i32.popcnt */
    [0x6a] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_ADD }, /* i32.add */
    [0x6b] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_SUB }, /* i32.sub */
    [0x6c] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_MUL }, /* i32.mul */
    [0x6d] = { FORM_BINARY, TYPE_I32, TYPE_I32, OP_I32_DIV_S }, /* i32.div_s */
    [0x6e] = { FORM_BINARY, TYPE_I32, TYPE_I32, OP_I32_DIV_U }, /* i32.div_u */
    [0x6f] = { FORM_BINARY, TYPE_I32, TYPE_I32, OP_I32_REM_S }, /* i32.rem_s */
    [0x70] = { FORM_BINARY, TYPE_I32, TYPE_I32, OP_I32_REM_U }, /* i32.rem_u */
    [0x71] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_AND }, /* i32.and */
    [0x72] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_OR }, /* i32.or */
    [0x73] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_XOR }, /* i32.xor */
    [0x74] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_SHL }, /* i32.shl */
    [0x75] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_SHR_S }, /* i32.shr_s */
    [0x76] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_SHR_U }, /* i32.shr_u */
    [0x77] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_ROTL }, /* i32.rotl */
    [0x78] = { FORM_BINARY_IMM, TYPE_I32, TYPE_I32, OP_I32_ROTR }, /* i32.rotr */
    [0x79] = { FORM_UNARY, TYPE_I64, TYPE_I64, OP_I64_CLZ }, /* i64.clz */
    [0x7a] = { FORM_UNARY, TYPE_I64, TYPE_I64, OP_I64_CTZ }, /* i64.ctz */
    [0x7b] = { FORM_UNARY, TYPE_I64, TYPE_I64, OP_I64_POPCNT }, /* i64.popcnt */
    [0x7c] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_ADD }, /* i64.add */
    [0x7d] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_SUB }, /* i64.sub */
    [0x7e] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_MUL }, /* i64.mul */
    [0x7f] = { FORM_BINARY, TYPE_I64, TYPE_I64, OP_I64_DIV_S }, /* i64.div_s */
    [0x80] = { FORM_BINARY, TYPE_I64, TYPE_I64, OP_I64_DIV_U }, /* i64.div_u */
    [0x81] = { FORM_BINARY, TYPE_I64, TYPE_I64, OP_I64_REM_S }, /* i64.rem_s */
    [0x82] = { FORM_BINARY, TYPE_I64, TYPE_I64, OP_I64_REM_U }, /* i64.rem_u */
    [0x83] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_AND }, /* i64.and */
    [0x84] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_OR }, /* i64.or */
    [0x85] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_XOR }, /* i64.xor */
    [0x86] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_SHL }, /* i64.shl */
    [0x87] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_SHR_S }, /* i64.shr_s */
    [0x88] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_SHR_U }, /* i64.shr_u */
    [0x89] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_ROTL }, /* i64.rotl */
    [0x8a] = { FORM_BINARY_IMM, TYPE_I64, TYPE_I64, OP_I64_ROTR }, /* i64.rotr */
    [0x8b] = { FORM_UNARY, TYPE_F32, TYPE_F32, OP_F32_ABS }, /* f32.abs */
    [0x8c] = { FORM_UNARY, TYPE_F32, TYPE_F32, OP_F32_NEG }, /* f32.neg */
    [0x8d] = { FORM_UNARY, TYPE_F32, TYPE_F32, OP_F32_CEIL }, /* f32.ceil */
    [0x8e] = { FORM_UNARY, TYPE_F32, TYPE_F32, OP_F32_FLOOR }, /* f32.floor */
    [0x8f] = { FORM_UNARY, TYPE_F32, TYPE_F32, OP_F32_TRUNC }, /* f32.trunc */
    [0x90] = { FORM_UNARY, TYPE_F32, TYPE_F32, OP_F32_NEAREST }, /* f32.nearest */
    [0x91] = { FORM_UNARY, TYPE_F32, TYPE_F32, OP_F32_SQRT }, /* f32.sqrt */
    [0x92] = { FORM_BINARY, TYPE_F32, TYPE_F32, OP_F32_ADD }, /* f32.add */
    [0x93] = { FORM_BINARY, TYPE_F32, TYPE_F32, OP_F32_SUB }, /* f32.sub */
    [0x94] = { FORM_BINARY, TYPE_F32, TYPE_F32, OP_F32_MUL }, /* f32.mul */
    [0x95] = { FORM_BINARY, TYPE_F32, TYPE_F32, OP_F32_DIV }, /* f32.div */
    [0x96] = { FORM_BINARY, TYPE_F32, TYPE_F32, OP_F32_MIN }, /* f32.min */
    [0x97] = { FORM_BINARY, TYPE_F32, TYPE_F32, OP_F32_MAX }, /* f32.max */
    [0x98] = { FORM_BINARY, TYPE_F32, TYPE_F32, OP_F32_COPYSIGN }, /* f32.copysign */
    [0x99] = { FORM_UNARY, TYPE_F64, TYPE_F64, OP_F64_ABS }, /* f64.abs */
    [0x9a] = { FORM_UNARY, TYPE_F64, TYPE_F64, OP_F64_NEG }, /* f64.neg */
    [0x9b] = { FORM_UNARY, TYPE_F64, TYPE_F64, OP_F64_CEIL }, /* f64.ceil */
    [0x9c] = { FORM_UNARY, TYPE_F64, TYPE_F64, OP_F64_FLOOR }, /* f64.floor */
    [0x9d] = { FORM_UNARY, TYPE_F64, TYPE_F64, OP_F64_TRUNC }, /* f64.trunc */
    [0x9e] = { FORM_UNARY, TYPE_F64, TYPE_F64, OP_F64_NEAREST }, /* f64.nearest */
    [0x9f] = { FORM_UNARY, TYPE_F64, TYPE_F64, OP_F64_SQRT }, /* f64.sqrt */
    [0xa0] = { FORM_BINARY, TYPE_F64, TYPE_F64, OP_F64_ADD }, /* f64.add */
    [0xa1] = { FORM_BINARY, TYPE_F64, TYPE_F64, OP_F64_SUB }, /* f64.sub */
    [0xa2] = { FORM_BINARY, TYPE_F64, TYPE_F64, OP_F64_MUL }, /* f64.mul */
    [0xa3] = { FORM_BINARY, TYPE_F64, TYPE_F64, OP_F64_DIV }, /* f64.div */
    [0xa4] = { FORM_BINARY, TYPE_F64, TYPE_F64, OP_F64_MIN }, /* f64.min */
    [0xa5] = { FORM_BINARY, TYPE_F64, TYPE_F64, OP_F64_MAX }, /* f64.max */
    [0xa6] = { FORM_BINARY, TYPE_F64, TYPE_F64, OP_F64_COPYSIGN }, /* f64.copysign */
    [0xa7] = { FORM_RETYPE, TYPE_I64, TYPE_I32, 0 }, /* i32.wrap_i64 */
    [0xa8] = { FORM_UNARY, TYPE_F32, TYPE_I32, OP_I32_TRUNC_F32_S }, /* i32.trunc_f32_s */
    [0xa9] = { FORM_UNARY, TYPE_F32, TYPE_I32, OP_I32_TRUNC_F32_U }, /* i32.trunc_f32_u */
    [0xaa] = { FORM_UNARY, TYPE_F64, TYPE_I32, OP_I32_TRUNC_F64_S }, /* i32.trunc_f64_s */
    [0xab] = { FORM_UNARY, TYPE_F64, TYPE_I32, OP_I32_TRUNC_F64_U }, /* i32.trunc_f64_u */
    [0xac] = { FORM_UNARY, TYPE_I32, TYPE_I64, OP_I64_EXTEND32_S }, /* i64.extend_i32_s */
    [0xad] = { FORM_UNARY, TYPE_I32, TYPE_I64, OP_I64_EXTEND_I32_U }, /* i64.extend_i32_u */
    [0xae] = { FORM_UNARY, TYPE_F32, TYPE_I64, OP_I64_TRUNC_F32_S }, /* i64.trunc_f32_s */
    [0xaf] = { FORM_UNARY, TYPE_F32, TYPE_I64, OP_I64_TRUNC_F32_U }, /* i64.trunc_f32_u */
    [0xb0] = { FORM_UNARY, TYPE_F64, TYPE_I64, OP_I64_TRUNC_F64_S }, /* i64.trunc_f64_s */
    [0xb1] = { FORM_UNARY, TYPE_F64, TYPE_I64, OP_I64_TRUNC_F64_U }, /* i64.trunc_f64_u */
    [0xb2] = { FORM_UNARY, TYPE_I32, TYPE_F32, OP_F32_CONVERT_I32_S }, /* f32.convert_i32_s */
    [0xb3] = { FORM_UNARY, TYPE_I32, TYPE_F32, OP_F32_CONVERT_I32_U }, /* f32.convert_i32_u */
    [0xb4] = { FORM_UNARY, TYPE_I64, TYPE_F32, OP_F32_CONVERT_I64_S }, /* f32.convert_i64_s */
    [0xb5] = { FORM_UNARY, TYPE_I64, TYPE_F32, OP_F32_CONVERT_I64_U }, /* f32.convert_i64_u */
    [0xb6] = { FORM_UNARY, TYPE_F64, TYPE_F32, OP_F32_DEMOTE_F64 }, /* f32.demote_f64 */
    [0xb7] = { FORM_UNARY, TYPE_I32, TYPE_F64, OP_F64_CONVERT_I32_S }, /* f64.convert_i32_s */
    [0xb8] = { FORM_UNARY, TYPE_I32, TYPE_F64, OP_F64_CONVERT_I32_U }, /* f64.convert_i32_u */
    [0xb9] = { FORM_UNARY, TYPE_I64, TYPE_F64, OP_F64_CONVERT_I64_S }, /* f64.convert_i64_s */
    [0xba] = { FORM_UNARY, TYPE_I64, TYPE_F64, OP_F64_CONVERT_I64_U }, /* f64.convert_i64_u */
    [0xbb] = { FORM_UNARY, TYPE_F32, TYPE_F64, OP_F64_PROMOTE_F32 }, /* f64.promote_f32 */
    [0xbc] = { FORM_RETYPE, TYPE_F32, TYPE_I32, 0 }, /* i32.reinterpret_f32 */
    [0xbd] = { FORM_RETYPE, TYPE_F64, TYPE_I64, 0 }, /* i64.reinterpret_f64 */
    [0xbe] = { FORM_RETYPE, TYPE_I32, TYPE_F32, 0 }, /* f32.reinterpret_i32 */
    [0xbf] = { FORM_RETYPE, TYPE_I64, TYPE_F64, 0 }, /* f64.reinterpret_i64 */
    [0xc0] = { FORM_UNARY, TYPE_I32, TYPE_I32, OP_I32_EXTEND8_S }, /* i32.extend8_s */
    [0xc1] = { FORM_UNARY, TYPE_I32, TYPE_I32, OP_I32_EXTEND16_S }, /* i32.extend16_s */
    [0xc2] = { FORM_UNARY, TYPE_I64, TYPE_I64, OP_I64_EXTEND8_S }, /* i64.extend8_s */
    [0xc3] = { FORM_UNARY, TYPE_I64, TYPE_I64, OP_I64_EXTEND16_S }, /* i64.extend16_s */
    [0xc4] = { FORM_UNARY, TYPE_I64, TYPE_I64, OP_I64_EXTEND32_S }, /* i64.extend32_s */
};

void compile_row(struct compiler *c, const struct op_row *row)
{
    switch (row->form) {
    case FORM_UNARY:
        compile_unary(c, row->op, row->in, row->out);
        break;
    case FORM_BINARY:
        compile_binary(c, row->op, row->in, row->out, 0);
        break;
    case FORM_BINARY_IMM:
        compile_binary(c, row->op, row->in, row->out, BINARY_IMM);
        break;
    case FORM_COMPARE:
        compile_binary(c, row->op, row->in, row->out, COMPARE_IMM);
        break;
    case FORM_RETYPE:
        compile_retype(c, row->in, row->out);
        break;
    case FORM_LOAD:
        compile_load(c, row->op, row->out, row->in);
        break;
    default:
        compile_store(c, row->op, row->out, row->in);
        break;
    }
}
