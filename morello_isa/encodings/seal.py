"""Sealing, unsealing, building."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("BUILD_C_C_C", "seal", "build", "Cd|CSP Cn|CSP Cm|CSP", "11000010110 Cm:5 0 opc=00 001 Cn:5 Cd:5"),
    Row("CSEAL_C_C_C", "seal", "cseal", "Cd|CSP Cn|CSP Cm|CSP", "11000010110 Cm:5 0 opc=10 001 Cn:5 Cd:5"),
    Row(
        "SEAL_C_CI_C",
        "seal",
        "seal",
        "Cd Cn form",
        "11000010110000110 form:2 100 Cn:5 Cd:5",
        unallocated="form=0..0",
    ),
    Row("SEAL_C_CC_C", "seal", "seal", "Cd Cn Cm", "11000010110 Cm:5 opc=00 0010 Cn:5 Cd:5"),
    Row("UNSEAL_C_CC_C", "seal", "unseal", "Cd Cn Cm", "11000010110 Cm:5 opc=01 0010 Cn:5 Cd:5"),
    Row("CHKSSU_C_CC_C", "seal", "chkssu", "Cd Cn|CSP Cm|CSP", "11000010110 Cm:5 opc=10 0010 Cn:5 Cd:5"),
)
