"""Loads and stores of four tags at once."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("LDCT_R_R__", "tags", "ldct", "Xt [base]", "11000010110001001 opc=01 100 Rn:5 Rt:5"),
    Row("STCT_R_R__", "tags", "stct", "Xt [base]", "11000010110001001 opc=00 100 Rn:5 Rt:5"),
)
