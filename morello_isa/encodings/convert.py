"""Between capabilities and pointers relative to DDC or PCC."""

from __future__ import annotations

from morello_isa.encodings.row import Row

ROWS = (
    Row("CVT_R_CC_C", "convert", "cvt", "Xd Cn|CSP Cm", "11000010110 Cm:5 110000 Cn:5 Rd:5"),
    Row("CVTD_R_C_C", "convert", "cvtd", "Xd Cn|CSP", "11000010110001010 opc=00 100 Cn:5 Rd:5"),
    Row("CVTP_R_C_C", "convert", "cvtp", "Xd Cn|CSP", "11000010110001010 opc=01 100 Cn:5 Rd:5"),
    Row("CVTD_C_R_C", "convert", "cvtd", "Cd Xn", "11000010110001011 opc=00 100 Rn:5 Cd:5"),
    Row("CVTP_C_R_C", "convert", "cvtp", "Cd Xn", "11000010110001011 opc=01 100 Rn:5 Cd:5"),
    Row("CVTDZ_C_R_C", "convert", "cvtdz", "Cd Xn", "11000010110001011 opc=10 100 Rn:5 Cd:5"),
    Row("CVTPZ_C_R_C", "convert", "cvtpz", "Cd Xn", "11000010110001011 opc=11 100 Rn:5 Cd:5"),
    Row("CVT_C_CR_C", "convert", "cvt", "Cd Cn|CSP Xm", "11000010111 Rm:5 000110 Cn:5 Cd:5"),
    Row("CVTZ_C_CR_C", "convert", "cvtz", "Cd Cn|CSP Xm", "11000010111 Rm:5 010110 Cn:5 Cd:5"),
)
