"""Exclusive loads and stores of one or two capabilities."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("LDAXP_C_R_C", "exclusive", "ldaxp", "Ct Ct2 [base]", "001000100 L=1 1 (11111) 1 Ct2:5 Rn:5 Ct:5"),
    Row("LDAXR_C_R_C", "exclusive", "ldaxr", "Ct [base]", "001000100 L=1 0 (11111) 1 (11111) Rn:5 Ct:5"),
    Row("LDXP_C_R_C", "exclusive", "ldxp", "Ct Ct2 [base]", "001000100 L=1 1 (11111) 0 Ct2:5 Rn:5 Ct:5"),
    Row("LDXR_C_R_C", "exclusive", "ldxr", "Ct [base]", "001000100 L=1 0 (11111) 0 (11111) Rn:5 Ct:5"),
    Row("STLXP_R_CR_C", "exclusive", "stlxp", "Ws Ct Ct2 [base]", "001000100 L=0 1 Rs:5 1 Ct2:5 Rn:5 Ct:5"),
    Row("STLXR_R_CR_C", "exclusive", "stlxr", "Ws Ct [base]", "001000100 L=0 0 Rs:5 1 (11111) Rn:5 Ct:5"),
    Row("STXP_R_CR_C", "exclusive", "stxp", "Ws Ct Ct2 [base]", "001000100 L=0 1 Rs:5 0 Ct2:5 Rn:5 Ct:5"),
    Row("STXR_R_CR_C", "exclusive", "stxr", "Ws Ct [base]", "001000100 L=0 0 Rs:5 0 (11111) Rn:5 Ct:5"),
)
