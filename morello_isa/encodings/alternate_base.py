"""Loads and stores whose base is of the other kind than the state's: Cn in A64, Xn (DDC) in C64."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("ALDUR_C_RI_C", "alt-load", "ldur", "Ct [alt+s9]", "11100010 op1=11 V=0 imm9:9 op2=11 Rn:5 Ct:5"),
    Row("ALDUR_R_RI_32", "alt-load", "ldur", "Wt [alt+s9]", "11100010 op1=10 V=0 imm9:9 op2=01 Rn:5 Rt:5"),
    Row("ALDUR_R_RI_64", "alt-load", "ldur", "Xt [alt+s9]", "11100010 op1=11 V=0 imm9:9 op2=01 Rn:5 Rt:5"),
    Row("ALDUR_V_RI_B", "alt-load", "ldur", "Bt [alt+s9]", "11100010 op1=00 V=1 imm9:9 op2=01 Rn:5 Rt:5"),
    Row("ALDUR_V_RI_D", "alt-load", "ldur", "Dt [alt+s9]", "11100010 op1=11 V=1 imm9:9 op2=01 Rn:5 Rt:5"),
    Row("ALDUR_V_RI_H", "alt-load", "ldur", "Ht [alt+s9]", "11100010 op1=01 V=1 imm9:9 op2=01 Rn:5 Rt:5"),
    Row("ALDUR_V_RI_Q", "alt-load", "ldur", "Qt [alt+s9]", "11100010 op1=00 V=1 imm9:9 op2=11 Rn:5 Rt:5"),
    Row("ALDUR_V_RI_S", "alt-load", "ldur", "St [alt+s9]", "11100010 op1=10 V=1 imm9:9 op2=01 Rn:5 Rt:5"),
    Row("ALDURB_R_RI_32", "alt-load", "ldurb", "Wt [alt+s9]", "11100010 op1=00 V=0 imm9:9 op2=01 Rn:5 Rt:5"),
    Row("ALDURH_R_RI_32", "alt-load", "ldurh", "Wt [alt+s9]", "11100010 op1=01 V=0 imm9:9 op2=01 Rn:5 Rt:5"),
    Row(
        "ALDURSB_R_RI_32", "alt-load", "ldursb", "Wt [alt+s9]", "11100010 op1=00 V=0 imm9:9 op2=11 Rn:5 Rt:5"
    ),
    Row(
        "ALDURSB_R_RI_64", "alt-load", "ldursb", "Xt [alt+s9]", "11100010 op1=00 V=0 imm9:9 op2=10 Rn:5 Rt:5"
    ),
    Row(
        "ALDURSH_R_RI_32", "alt-load", "ldursh", "Wt [alt+s9]", "11100010 op1=01 V=0 imm9:9 op2=11 Rn:5 Rt:5"
    ),
    Row(
        "ALDURSH_R_RI_64", "alt-load", "ldursh", "Xt [alt+s9]", "11100010 op1=01 V=0 imm9:9 op2=10 Rn:5 Rt:5"
    ),
    Row(
        "ALDURSW_R_RI_64", "alt-load", "ldursw", "Xt [alt+s9]", "11100010 op1=10 V=0 imm9:9 op2=10 Rn:5 Rt:5"
    ),
    Row("ASTUR_C_RI_C", "alt-store", "stur", "Ct [alt+s9]", "11100010 op1=10 V=0 imm9:9 op2=11 Rn:5 Ct:5"),
    Row("ASTUR_R_RI_32", "alt-store", "stur", "Wt [alt+s9]", "11100010 op1=10 V=0 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTUR_R_RI_64", "alt-store", "stur", "Xt [alt+s9]", "11100010 op1=11 V=0 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTUR_V_RI_B", "alt-store", "stur", "Bt [alt+s9]", "11100010 op1=00 V=1 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTUR_V_RI_D", "alt-store", "stur", "Dt [alt+s9]", "11100010 op1=11 V=1 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTUR_V_RI_H", "alt-store", "stur", "Ht [alt+s9]", "11100010 op1=01 V=1 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTUR_V_RI_Q", "alt-store", "stur", "Qt [alt+s9]", "11100010 op1=00 V=1 imm9:9 op2=10 Rn:5 Rt:5"),
    Row("ASTUR_V_RI_S", "alt-store", "stur", "St [alt+s9]", "11100010 op1=10 V=1 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTURB_R_RI_32", "alt-store", "sturb", "Wt [alt+s9]", "11100010 op1=00 V=0 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTURH_R_RI_32", "alt-store", "sturh", "Wt [alt+s9]", "11100010 op1=01 V=0 imm9:9 op2=00 Rn:5 Rt:5"),
    Row("ASTR_C_RUI_C", "alt-store", "str", "Ct [alt+u9*16]", "1000001001 L=0 imm9:9 op=00 Rn:5 Ct:5"),
    Row("ASTRB_R_RUI_B", "alt-store", "strb", "Wt [alt+u9]", "1000001001 L=0 imm9:9 op=01 Rn:5 Rt:5"),
    Row("ASTR_R_RUI_32", "alt-store", "str", "Wt [alt+u9*4]", "1000001001 L=0 imm9:9 op=10 Rn:5 Rt:5"),
    Row("ASTR_R_RUI_64", "alt-store", "str", "Xt [alt+u9*8]", "1000001001 L=0 imm9:9 op=11 Rn:5 Rt:5"),
    Row("ALDR_C_RUI_C", "alt-load", "ldr", "Ct [alt+u9*16]", "1000001001 L=1 imm9:9 op=00 Rn:5 Ct:5"),
    Row("ALDRB_R_RUI_B", "alt-load", "ldrb", "Wt [alt+u9]", "1000001001 L=1 imm9:9 op=01 Rn:5 Rt:5"),
    Row("ALDR_R_RUI_32", "alt-load", "ldr", "Wt [alt+u9*4]", "1000001001 L=1 imm9:9 op=10 Rn:5 Rt:5"),
    Row("ALDR_R_RUI_64", "alt-load", "ldr", "Xt [alt+u9*8]", "1000001001 L=1 imm9:9 op=11 Rn:5 Rt:5"),
    Row(
        "ASTR_C_RRB_C",
        "alt-store",
        "str",
        "Ct [alt+Rm<<4]",
        "11000010111 Rm:5 sign:1 1 sz:1 S:1 L=0 1 Rn:5 Ct:5",
    ),
    Row(
        "ASTRB_R_RRB_B",
        "alt-store",
        "strb",
        "Wt [alt+Rm<<0]",
        "100000101 L=0 0 Rm:5 sign:1 1 sz:1 S:1 opc=00 Rn:5 Rt:5",
    ),
    Row(
        "ASTRH_R_RRB_32",
        "alt-store",
        "strh",
        "Wt [alt+Rm<<1]",
        "100000101 L=0 0 Rm:5 sign:1 1 sz:1 S:1 opc=11 Rn:5 Rt:5",
    ),
    Row(
        "ASTR_R_RRB_32",
        "alt-store",
        "str",
        "Wt [alt+Rm<<2]",
        "100000101 L=0 1 Rm:5 sign:1 1 sz:1 S:1 opc=00 Rn:5 Rt:5",
    ),
    Row(
        "ASTR_R_RRB_64",
        "alt-store",
        "str",
        "Xt [alt+Rm<<3]",
        "100000101 L=0 1 Rm:5 sign:1 1 sz:1 S:1 opc=01 Rn:5 Rt:5",
    ),
    Row(
        "ASTR_V_RRB_D",
        "alt-store",
        "str",
        "Dt [alt+Rm<<3]",
        "100000101 L=0 1 Rm:5 sign:1 1 sz:1 S:1 opc=10 Rn:5 Rt:5",
    ),
    Row(
        "ASTR_V_RRB_S",
        "alt-store",
        "str",
        "St [alt+Rm<<2]",
        "100000101 L=0 1 Rm:5 sign:1 1 sz:1 S:1 opc=11 Rn:5 Rt:5",
    ),
    Row(
        "ALDR_C_RRB_C",
        "alt-load",
        "ldr",
        "Ct [alt+Rm<<4]",
        "11000010111 Rm:5 sign:1 1 sz:1 S:1 L=1 1 Rn:5 Ct:5",
    ),
    Row(
        "ALDRB_R_RRB_B",
        "alt-load",
        "ldrb",
        "Wt [alt+Rm<<0]",
        "100000101 L=1 0 Rm:5 sign:1 1 sz:1 S:1 opc=00 Rn:5 Rt:5",
    ),
    Row(
        "ALDRH_R_RRB_32",
        "alt-load",
        "ldrh",
        "Wt [alt+Rm<<1]",
        "100000101 L=1 0 Rm:5 sign:1 1 sz:1 S:1 opc=11 Rn:5 Rt:5",
    ),
    Row(
        "ALDR_R_RRB_32",
        "alt-load",
        "ldr",
        "Wt [alt+Rm<<2]",
        "100000101 L=1 1 Rm:5 sign:1 1 sz:1 S:1 opc=00 Rn:5 Rt:5",
    ),
    Row(
        "ALDR_R_RRB_64",
        "alt-load",
        "ldr",
        "Xt [alt+Rm<<3]",
        "100000101 L=1 1 Rm:5 sign:1 1 sz:1 S:1 opc=01 Rn:5 Rt:5",
    ),
    Row(
        "ALDRSB_R_RRB_64",
        "alt-load",
        "ldrsb",
        "Xt [alt+Rm<<0]",
        "100000101 L=0 0 Rm:5 sign:1 1 sz:1 S:1 opc=01 Rn:5 Rt:5",
    ),
    Row(
        "ALDRSB_R_RRB_32",
        "alt-load",
        "ldrsb",
        "Wt [alt+Rm<<0]",
        "100000101 L=1 0 Rm:5 sign:1 1 sz:1 S:1 opc=01 Rn:5 Rt:5",
    ),
    Row(
        "ALDRSH_R_RRB_64",
        "alt-load",
        "ldrsh",
        "Xt [alt+Rm<<1]",
        "100000101 L=0 0 Rm:5 sign:1 1 sz:1 S:1 opc=10 Rn:5 Rt:5",
    ),
    Row(
        "ALDRSH_R_RRB_32",
        "alt-load",
        "ldrsh",
        "Wt [alt+Rm<<1]",
        "100000101 L=1 0 Rm:5 sign:1 1 sz:1 S:1 opc=10 Rn:5 Rt:5",
    ),
    Row(
        "ALDR_V_RRB_D",
        "alt-load",
        "ldr",
        "Dt [alt+Rm<<3]",
        "100000101 L=1 1 Rm:5 sign:1 1 sz:1 S:1 opc=10 Rn:5 Rt:5",
    ),
    Row(
        "ALDR_V_RRB_S",
        "alt-load",
        "ldr",
        "St [alt+Rm<<2]",
        "100000101 L=1 1 Rm:5 sign:1 1 sz:1 S:1 opc=11 Rn:5 Rt:5",
    ),
)
