"""Capability-wide system registers."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("MRS_C_I_C", "system", "mrs", "Ct sysreg", "11000010100 L=1 o0:1 op1:3 CRn:4 CRm:4 op2:3 Ct:5"),
    Row("MSR_C_I_C", "system", "msr", "sysreg Ct", "11000010100 L=0 o0:1 op1:3 CRn:4 CRm:4 op2:3 Ct:5"),
)
