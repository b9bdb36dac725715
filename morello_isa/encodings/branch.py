"""Branches to capabilities, with and without a load, and the state switch BX."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("BLR_C_C", "branch", "blr", "Cn", "11000010110000100 opc=01 100 Cn:5 00000"),
    Row("BLRR_C_C", "branch", "blrr", "Cn", "11000010110000100 opc=01 100 Cn:5 00011"),
    Row("BLRS_C_C_C", "branch", "blrs", "C29 Cn Cm", "11000010110 Cm:5 1 opc=01 001 Cn:5 00000"),
    Row("BR_C_C", "branch", "br", "Cn", "11000010110000100 opc=00 100 Cn:5 00000"),
    Row("BRR_C_C", "branch", "brr", "Cn", "11000010110000100 opc=00 100 Cn:5 00011"),
    Row("BRS_C_C_C", "branch", "brs", "C29 Cn Cm", "11000010110 Cm:5 1 opc=00 001 Cn:5 00000"),
    Row("LDPBLR_C_C_C", "branch-load", "ldpblr", "Ct [cap]", "11000010110001000 opc=01 100 Cn:5 Ct:5"),
    Row("LDPBR_C_C_C", "branch-load", "ldpbr", "Ct [cap]", "11000010110001000 opc=00 100 Cn:5 Ct:5"),
    Row("RET_C_C", "branch", "ret", "Cn", "11000010110000100 opc=10 100 Cn:5 00000"),
    Row("RETR_C_C", "branch", "retr", "Cn", "11000010110000100 opc=10 100 Cn:5 00011"),
    Row("RETS_C_C_C", "branch", "rets", "C29 Cn Cm", "11000010110 Cm:5 1 opc=10 001 Cn:5 00000"),
    Row("BR_CI_C", "branch-load", "br", "[cap+s7*16]", "110000101101 imm7:7 100 Cn:5 00000"),
    Row("BLR_CI_C", "branch-load", "blr", "[cap+s7*16]", "110000101101 imm7:7 100 Cn:5 00001"),
    Row("BX___C", "branch", "bx", "#4", "11000010110000100 opc=11 100 (11111) 00000"),
    Row("BRS_C_C", "branch", "brs", "Cn", "11000010110000100 opc=00 100 Cn:5 00010"),
    Row("BLRS_C_C", "branch", "blrs", "Cn", "11000010110000100 opc=01 100 Cn:5 00010"),
    Row("RETS_C_C", "branch", "rets", "Cn", "11000010110000100 opc=10 100 Cn:5 00010"),
)
