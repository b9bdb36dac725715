"""Capability loads with the state's base, and the alternate-base load-acquires."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("LDAPR_C_R_C", "load", "ldapr", "Ct [base]", "10100010001 (11111) 110000 Rn:5 Ct:5"),
    Row("LDAR_C_R_C", "load", "ldar", "Ct [base]", "010000100 L=1 0 (11111) 1 (11111) Rn:5 Ct:5"),
    Row("ALDAR_C_R_C", "load", "ldar", "Ct [alt]", "010000100 L=1 0 (11111) 0 (11111) Rn:5 Ct:5"),
    Row("ALDARB_R_R_B", "load", "ldarb", "Wt [alt]", "010000100 L=1 1 (11111) 0 (11111) Rn:5 Rt:5"),
    Row("ALDAR_R_R_32", "load", "ldar", "Wt [alt]", "010000100 L=1 1 (11111) 1 (11111) Rn:5 Rt:5"),
    Row("LDR_C_I_C", "load", "ldr", "Ct label17", "1000001000 imm17:17 Ct:5"),
    Row("LDR_C_RIAW_C", "load", "ldr", "Ct [base]+s9*16", "10100010 opc=01 0 imm9:9 01 Rn:5 Ct:5"),
    Row("LDR_C_RUIB_C", "load", "ldr", "Ct [base+u12*16]", "110000100 L=1 imm12:12 Rn:5 Ct:5"),
    Row("LDR_C_RIBW_C", "load", "ldr", "Ct [base+s9*16]!", "10100010 opc=01 0 imm9:9 11 Rn:5 Ct:5"),
    Row(
        "LDR_C_RRB_C",
        "load",
        "ldr",
        "Ct [base+Rm<<4]",
        "10100010 opc=01 1 Rm:5 sign:1 1 sz:1 S:1 10 Rn:5 Ct:5",
    ),
    Row("LDTR_C_RIB_C", "load", "ldtr", "Ct [base+s9*16]", "10100010 opc=01 0 imm9:9 10 Rn:5 Ct:5"),
    Row("LDUR_C_RI_C", "load", "ldur", "Ct [base+s9]", "10100010 opc=01 0 imm9:9 00 Rn:5 Ct:5"),
)
