"""Comparisons and checks that set NZCV."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("SUBS_R_CC_C", "compare", "subs", "Xd Cn Cm", "11000010111 Cm:5 100110 Cn:5 Rd:5"),
    Row("CHKEQ___CC_C", "compare", "chkeq", "Cn|CSP Cm", "11000010110 Cm:5 1 opc=01 001 Cn:5 00001"),
    Row("CHKSS___CC_C", "compare", "chkss", "Cn|CSP Cm|CSP", "11000010110 Cm:5 1 opc=00 001 Cn:5 00001"),
    Row("CHKSLD_C_C", "compare", "chksld", "Cn|CSP", "11000010110000100 opc=00 100 Cn:5 00001"),
    Row("CHKTGD_C_C", "compare", "chktgd", "Cn|CSP", "11000010110000100 opc=01 100 Cn:5 00001"),
)
