"""PSTATE as SPSR carries it."""

from __future__ import annotations

from dataclasses import dataclass

SPSR_C64 = 1 << 26
SPSR_TCO = 1 << 25
SPSR_DIT = 1 << 24
SPSR_UAO = 1 << 23
SPSR_PAN = 1 << 22
SPSR_SS = 1 << 21
SPSR_IL = 1 << 20
SPSR_SSBS = 1 << 12

DAIF_D, DAIF_A, DAIF_I, DAIF_F = 8, 4, 2, 1


@dataclass(slots=True)
class PState:
    """Processor state other than NZCV (which lives in the register buffer).

    `daif` is 4 bits D:A:I:F; `sp` is SPSel's bit, kept also while Restricted hides it.
    """

    el: int = 3
    sp: int = 1
    c64: bool = False
    daif: int = 0xF
    pan: bool = False
    uao: bool = False
    dit: bool = False
    ssbs: bool = False
    il: bool = False
    ss: bool = False

    def to_spsr(self, nzcv: int) -> int:
        """The SPSR image of an exception taken from AArch64 (Sail: GetPSRFromPSTATE)."""
        return (
            nzcv << 28
            | (SPSR_C64 if self.c64 else 0)
            | (SPSR_DIT if self.dit else 0)
            | (SPSR_UAO if self.uao else 0)
            | (SPSR_PAN if self.pan else 0)
            | (SPSR_SS if self.ss else 0)
            | (SPSR_IL if self.il else 0)
            | (SPSR_SSBS if self.ssbs else 0)
            | self.daif << 6
            | self.el << 2
            | self.sp
        )
