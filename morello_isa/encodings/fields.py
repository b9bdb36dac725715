"""Reading and writing the fields of a capability: bounds, flags, permissions, value, tag."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("BICFLGS_C_CI_C", "flags", "bicflgs", "Cd|CSP Cn|CSP #imm8", "11000010111 imm8:8 000 Cn:5 Cd:5"),
    Row("BICFLGS_C_CR_C", "flags", "bicflgs", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 opc=00 1010 Cn:5 Cd:5"),
    Row("CLRPERM_C_CR_C", "permissions", "clrperm", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 101000 Cn:5 Cd:5"),
    Row("EORFLGS_C_CI_C", "flags", "eorflgs", "Cd|CSP Cn|CSP #imm8", "11000010111 imm8:8 100 Cn:5 Cd:5"),
    Row("EORFLGS_C_CR_C", "flags", "eorflgs", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 opc=10 1010 Cn:5 Cd:5"),
    Row("CFHI_R_C_C", "get", "cfhi", "Xd Cn|CSP", "11000010110000010 opc=10 100 Cn:5 Rd:5"),
    Row("GCBASE_R_C_C", "get", "gcbase", "Xd Cn|CSP", "1100001011000000 opc=000 100 Cn:5 Rd:5"),
    Row("GCVALUE_R_C_C", "get", "gcvalue", "Xd Cn|CSP", "1100001011000000 opc=010 100 Cn:5 Rd:5"),
    Row("GCLEN_R_C_C", "get", "gclen", "Xd Cn|CSP", "1100001011000000 opc=001 100 Cn:5 Rd:5"),
    Row("GCLIM_R_C_C", "get", "gclim", "Xd Cn|CSP", "11000010110000010 opc=00 100 Cn:5 Rd:5"),
    Row("GCOFF_R_C_C", "get", "gcoff", "Xd Cn|CSP", "1100001011000000 opc=011 100 Cn:5 Rd:5"),
    Row("GCPERM_R_C_C", "get", "gcperm", "Xd Cn|CSP", "1100001011000000 opc=110 100 Cn:5 Rd:5"),
    Row("GCSEAL_R_C_C", "get", "gcseal", "Xd Cn|CSP", "1100001011000000 opc=101 100 Cn:5 Rd:5"),
    Row("GCTAG_R_C_C", "get", "gctag", "Xd Cn|CSP", "1100001011000000 opc=100 100 Cn:5 Rd:5"),
    Row("GCTYPE_R_C_C", "get", "gctype", "Xd Cn|CSP", "1100001011000000 opc=111 100 Cn:5 Rd:5"),
    Row("GCFLGS_R_C_C", "get", "gcflgs", "Xd Cn|CSP", "11000010110000010 opc=01 100 Cn:5 Rd:5"),
    Row("ORRFLGS_C_CI_C", "flags", "orrflgs", "Cd|CSP Cn|CSP #imm8", "11000010111 imm8:8 010 Cn:5 Cd:5"),
    Row("ORRFLGS_C_CR_C", "flags", "orrflgs", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 opc=01 1010 Cn:5 Cd:5"),
    Row("SCVALUE_C_CR_C", "value", "scvalue", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 0 opc=10 000 Cn:5 Cd:5"),
    Row("SCOFF_C_CR_C", "value", "scoff", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 0 opc=11 000 Cn:5 Cd:5"),
    Row("SCTAG_C_CR_C", "value", "sctag", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 100000 Cn:5 Cd:5"),
    Row("SCFLGS_C_CR_C", "flags", "scflgs", "Cd|CSP Cn|CSP Xm", "11000010110 Rm:5 111000 Cn:5 Cd:5"),
    Row(
        "CLRPERM_C_CI_C",
        "permissions",
        "clrperm",
        "Cd|CSP Cn|CSP perm",
        "1100001011000110 perm:3 100 Cn:5 Cd:5",
    ),
)
