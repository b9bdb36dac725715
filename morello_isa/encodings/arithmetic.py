"""Addition and alignment of capability values."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("ADD_C_CIS_C", "arithmetic", "add", "Cd|CSP Cn|CSP #addimm", "00000010 A=0 sh:1 imm12:12 Cn:5 Cd:5"),
    Row(
        "ADD_C_CRI_C",
        "arithmetic",
        "add",
        "Cd|CSP Cn|CSP Rm:add",
        "11000010101 Rm:5 option_name:3 imm3:3 Cn:5 Cd:5",
        unallocated="imm3=5..7",
    ),
    Row(
        "ALIGND_C_CI_C",
        "arithmetic",
        "alignd",
        "Cd|CSP Cn|CSP #imm6",
        "11000010110 imm6:6 U=0 0110 Cn:5 Cd:5",
    ),
    Row(
        "ALIGNU_C_CI_C",
        "arithmetic",
        "alignu",
        "Cd|CSP Cn|CSP #imm6",
        "11000010110 imm6:6 U=1 0110 Cn:5 Cd:5",
    ),
    Row("SUB_C_CIS_C", "arithmetic", "sub", "Cd|CSP Cn|CSP #addimm", "00000010 A=1 sh:1 imm12:12 Cn:5 Cd:5"),
)
