"""What a translation depends on and what it results in: values without behaviour of their own.

Used by the walker (`translation.py`), the attribute rules (`attributes.py`) and the MMU.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessType:
    """How memory is touched, as far as translation cares (AccType plus the iswrite arguments)."""

    write: bool = False
    fetch: bool = False
    read_write: bool = False
    unprivileged: bool = False
    address_translation: bool = False
    privileged_at_with_pan: bool = False
    valid_capability: bool = False
    aligned: bool = True
    zero_block: bool = False


@dataclass(frozen=True, slots=True)
class TranslationContext:
    """Register values which decide about translations at exception level `el`.

    `sctlr`, `tcr`, `ttbr0`, `ttbr1`, `mair` and `tgen` (bit 0: TGEN0, bit 1: TGEN1) belong to the
    stage 1 regime of `el`; a 32-bit TCR is zero-extended.
    """

    el: int
    in_host: bool
    secure: bool
    pan: bool
    sctlr: int
    tcr: int
    ttbr0: int
    ttbr1: int
    mair: int
    tgen: int
    hcr: int
    scr: int
    vtcr: int
    vttbr: int
    sctlr_el2: int
    has_stage2: bool

    @property
    def two_ranges(self) -> bool:
        """True if the regime has TTBR0 and TTBR1 (EL1&0, or EL2&0 with HCR_EL2.E2H)."""
        return self.el <= 1 or self.in_host

    @property
    def stage2_enabled(self) -> bool:
        """HCR_EL2.VM or DC, where a second stage exists for this EL."""
        return self.has_stage2 and bool(self.hcr & 1 or self.hcr >> 12 & 1)

    @property
    def stage1_enabled(self) -> bool:
        """Spec: AArch64_IsStageOneEnabled."""
        if self.has_stage2 and (self.hcr >> 27 & 1 or self.hcr >> 12 & 1):
            return False
        return bool(self.sctlr & 1)

    def address_top(self, va: int) -> int:
        """Most significant address bit used for `va`: 55 with TBI, else 63. Spec: AddrTop."""
        if self.two_ranges:
            tbi = self.tcr >> (38 if va >> 55 & 1 else 37) & 1
        else:
            tbi = self.tcr >> 20 & 1
        return 55 if tbi else 63


@dataclass(frozen=True, slots=True)
class Translation:
    """Where an address leads: `pa` (bytes), memory type and the rules for tags.

    `attributes` has the format of a MAIR byte (0x00, 0x04, 0x08, 0x0C: Device). `tag_store_updates`:
    storing a valid capability makes the hardware set SC in a descriptor.
    """

    pa: int
    attributes: int
    shareability: int
    tags_read_zero: bool = False
    tag_load_faults: bool = False
    tag_store_faults: bool = False
    tag_store_fault_stage2: bool = False
    tag_store_updates: bool = False
    non_secure: bool = False

    @property
    def is_device(self) -> bool:
        """True for any Device memory type."""
        return self.attributes & 0xF0 == 0
