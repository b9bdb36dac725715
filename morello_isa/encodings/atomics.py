"""Compare-and-swap and swap of capabilities."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("CAS_C_R_C", "atomics", "cas", "Cs Ct [base]", "101000101 L=0 1 Cs:5 R=0 11111 Rn:5 Ct:5"),
    Row("CASA_C_R_C", "atomics", "casa", "Cs Ct [base]", "101000101 L=1 1 Cs:5 R=0 11111 Rn:5 Ct:5"),
    Row("CASAL_C_R_C", "atomics", "casal", "Cs Ct [base]", "101000101 L=1 1 Cs:5 R=1 11111 Rn:5 Ct:5"),
    Row("CASL_C_R_C", "atomics", "casl", "Cs Ct [base]", "101000101 L=0 1 Cs:5 R=1 11111 Rn:5 Ct:5"),
    Row("SWP_CC_R_C", "atomics", "swp", "Cs Ct [base]", "10100010 A=0 R=0 1 Cs:5 100000 Rn:5 Ct:5"),
    Row("SWPA_CC_R_C", "atomics", "swpa", "Cs Ct [base]", "10100010 A=1 R=0 1 Cs:5 100000 Rn:5 Ct:5"),
    Row("SWPAL_CC_R_C", "atomics", "swpal", "Cs Ct [base]", "10100010 A=1 R=1 1 Cs:5 100000 Rn:5 Ct:5"),
    Row("SWPL_CC_R_C", "atomics", "swpl", "Cs Ct [base]", "10100010 A=0 R=1 1 Cs:5 100000 Rn:5 Ct:5"),
)
