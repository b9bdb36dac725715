"""ADR, ADRP, ADRDP: capability results in C64, 64-bit results in A64."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("ADR_C_I_C", "pc-relative", "adr", "Rd:adr label21", "op=0 immlo:2 10000 P:1 immhi:18 Rd:5"),
    Row("ADRP_C_I_C", "pc-relative", "adrp", "Rd:adr page", "op=1 immlo:2 10000 P:1 immhi:18 Rd:5"),
    Row("ADRP_C_IP_C", "pc-relative", "adrp", "Rd:adr page", "op=1 immlo:2 10000 P=1 immhi:18 Rd:5"),
    Row("ADRDP_C_ID_C", "pc-relative", "adrdp", "Rd:adr pagedp", "op=1 immlo:2 10000 P=0 immhi:18 Rd:5"),
)
