"""Copies and selections of whole capabilities."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("CLRTAG_C_C_C", "copy", "clrtag", "Cd|CSP Cn|CSP", "11000010110000011 opc=00 100 Cn:5 Cd:5"),
    Row("CPY_C_C_C", "copy", "cpy", "Cd|CSP Cn|CSP", "11000010110000011 opc=10 100 Cn:5 Cd:5"),
    Row("CSEL_C_CI_C", "copy", "csel", "Cd Cn Cm cond", "11000010110 Cm:5 cond:4 11 Cn:5 Cd:5"),
    Row("CTHI_C_CR_C", "copy", "cthi", "Cd|CSP Cn Xm", "11000010110 Rm:5 opc=11 1010 Cn:5 Cd:5"),
    Row("CPYTYPE_C_C_C", "copy", "cpytype", "Cd Cn Cm", "11000010110 Cm:5 0 opc=01 001 Cn:5 Cd:5"),
    Row("CPYVALUE_C_C_C", "copy", "cpyvalue", "Cd Cn Cm", "11000010110 Cm:5 0 opc=11 001 Cn:5 Cd:5"),
)
