"""Capability stores with the state's base, and the alternate-base store-releases."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("STLR_C_R_C", "store", "stlr", "Ct [base]", "010000100 L=0 0 (11111) 1 (11111) Rn:5 Ct:5"),
    Row("ASTLR_C_R_C", "store", "stlr", "Ct [alt]", "010000100 L=0 0 (11111) 0 (11111) Rn:5 Ct:5"),
    Row("ASTLRB_R_R_B", "store", "stlrb", "Wt [alt]", "010000100 L=0 1 (11111) 0 (11111) Rn:5 Rt:5"),
    Row("ASTLR_R_R_32", "store", "stlr", "Wt [alt]", "010000100 L=0 1 (11111) 1 (11111) Rn:5 Rt:5"),
    Row("STR_C_RIAW_C", "store", "str", "Ct [base]+s9*16", "10100010 opc=00 0 imm9:9 01 Rn:5 Ct:5"),
    Row("STR_C_RUIB_C", "store", "str", "Ct [base+u12*16]", "110000100 L=0 imm12:12 Rn:5 Ct:5"),
    Row("STR_C_RIBW_C", "store", "str", "Ct [base+s9*16]!", "10100010 opc=00 0 imm9:9 11 Rn:5 Ct:5"),
    Row(
        "STR_C_RRB_C",
        "store",
        "str",
        "Ct [base+Rm<<4]",
        "10100010 opc=00 1 Rm:5 sign:1 1 sz:1 S:1 10 Rn:5 Ct:5",
    ),
    Row("STTR_C_RIB_C", "store", "sttr", "Ct [base+s9*16]", "10100010 opc=00 0 imm9:9 10 Rn:5 Ct:5"),
    Row("STUR_C_RI_C", "store", "stur", "Ct [base+s9]", "10100010 opc=00 0 imm9:9 00 Rn:5 Ct:5"),
)
