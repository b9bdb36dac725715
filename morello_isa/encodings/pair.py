"""Loads and stores of capability pairs."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("LDNP_C_RIB_C", "load-pair", "ldnp", "Ct Ct2 [base+s7*16]", "011000100 L=1 imm7:7 Ct2:5 Rn:5 Ct:5"),
    Row("LDP_C_RIB_C", "load-pair", "ldp", "Ct Ct2 [base+s7*16]", "010000101 L=1 imm7:7 Ct2:5 Rn:5 Ct:5"),
    Row("LDP_C_RIBW_C", "load-pair", "ldp", "Ct Ct2 [base+s7*16]!", "011000101 L=1 imm7:7 Ct2:5 Rn:5 Ct:5"),
    Row("LDP_CC_RIAW_C", "load-pair", "ldp", "Ct Ct2 [base]+s7*16", "001000101 L=1 imm7:7 Ct2:5 Rn:5 Ct:5"),
    Row("STNP_C_RIB_C", "store-pair", "stnp", "Ct Ct2 [base+s7*16]", "011000100 L=0 imm7:7 Ct2:5 Rn:5 Ct:5"),
    Row("STP_C_RIB_C", "store-pair", "stp", "Ct Ct2 [base+s7*16]", "010000101 L=0 imm7:7 Ct2:5 Rn:5 Ct:5"),
    Row("STP_C_RIBW_C", "store-pair", "stp", "Ct Ct2 [base+s7*16]!", "011000101 L=0 imm7:7 Ct2:5 Rn:5 Ct:5"),
    Row("STP_CC_RIAW_C", "store-pair", "stp", "Ct Ct2 [base]+s7*16", "001000101 L=0 imm7:7 Ct2:5 Rn:5 Ct:5"),
)
