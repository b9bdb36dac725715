"""Setting bounds and their representable lengths."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("RRLEN_R_R_C", "bounds", "rrlen", "Xd Xn", "11000010110001110 opc=00 100 Rn:5 Rd:5"),
    Row("RRMASK_R_R_C", "bounds", "rrmask", "Xd Xn", "11000010110001110 opc=01 100 Rn:5 Rd:5"),
    Row("SCBNDS_C_CI_C", "bounds", "scbnds", "Cd|CSP Cn|CSP #imm6", "11000010110 imm6:6 S=0 1110 Cn:5 Cd:5"),
    Row(
        "SCBNDS_C_CI_S",
        "bounds",
        "scbnds",
        "Cd|CSP Cn|CSP #imm6:lsl4",
        "11000010110 imm6:6 S=1 1110 Cn:5 Cd:5",
    ),
    Row("SCBNDS_C_CR_C", "bounds", "scbnds", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 0 opc=00 000 Cn:5 Cd:5"),
    Row("SCBNDSE_C_CR_C", "bounds", "scbndse", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 0 opc=01 000 Cn:5 Cd:5"),
)
