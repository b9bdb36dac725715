"""System registers that come in numbers: DBGBVR<n>_EL1, PMEVCNTR<n>_EL0, ICC_AP1R<n>_EL1 and their like.

The register table has single registers only. Of these the encoding holds the number; a family has as many as
the identification registers say (ID_AA64DFR0_EL1, PMCR_EL0.N) or the interrupt controller has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from morello_isa.sysregs import Key, SystemRegister


@dataclass(frozen=True, slots=True)
class Family:
    """Register n is at (op0, op1, CRn, CRm + high bits of n, op2 + low bits of n), `per_row` to a CRm."""

    stem: str
    level: str
    op0: int
    op1: int
    crn: int
    crm: int
    op2: int
    count: int
    per_row: int

    def register(self, n: int) -> SystemRegister:
        """The row of register n. All of them need System permission."""
        crm, op2 = self.crm + n // self.per_row, self.op2 + n % self.per_row
        name = f"{self.stem}{n}_{self.level}"
        return SystemRegister(name, "integer", self.op0, self.op1, self.crn, crm, op2, "system", "system")


FAMILIES = (
    Family("DBGBVR", "EL1", 2, 0, 0, 0, 4, count=6, per_row=1),
    Family("DBGBCR", "EL1", 2, 0, 0, 0, 5, count=6, per_row=1),
    Family("DBGWVR", "EL1", 2, 0, 0, 0, 6, count=4, per_row=1),
    Family("DBGWCR", "EL1", 2, 0, 0, 0, 7, count=4, per_row=1),
    Family("PMEVCNTR", "EL0", 3, 3, 14, 8, 0, count=6, per_row=8),
    Family("PMEVTYPER", "EL0", 3, 3, 14, 12, 0, count=6, per_row=8),
    Family("ICC_AP0R", "EL1", 3, 0, 12, 8, 4, count=4, per_row=4),
    Family("ICC_AP1R", "EL1", 3, 0, 12, 9, 0, count=4, per_row=4),
    Family("ICH_AP0R", "EL2", 3, 4, 12, 8, 0, count=4, per_row=4),
    Family("ICH_AP1R", "EL2", 3, 4, 12, 9, 0, count=4, per_row=4),
    Family("ICH_LR", "EL2", 3, 4, 12, 12, 0, count=16, per_row=8),
)
_NAME = re.compile(rf"({'|'.join(f.stem for f in FAMILIES)})\d+_(EL\d)$")


@lru_cache(maxsize=1)
def _index() -> dict[Key, SystemRegister]:
    registers = [f.register(n) for f in FAMILIES for n in range(f.count)]
    return {register.key: register for register in registers}


def find_indexed(key: Key) -> SystemRegister | None:
    """The numbered register with this encoding, or None."""
    return _index().get(key)


def find_reserved(key: Key) -> SystemRegister | None:
    """An unallocated register of the identification space (3, 0, c0, c1..c7, x), which reads as zero.

    The Arm ARM reserves the space as RAZ, so that software can ask for later features; the specification's
    model has only the registers that it names.
    """
    op0, op1, crn, crm, op2 = key
    if (op0, op1, crn) != (3, 0, 0) or not 1 <= crm <= 7:
        return None
    return SystemRegister(f"S3_0_C0_C{crm}_{op2}", "integer", *key, "system", "-")


def family(name: str) -> str:
    """The name without its number: `DBGBVR_EL1` for `DBGBVR3_EL1`; other names unchanged."""
    match = _NAME.match(name)
    return f"{match.group(1)}_{match.group(2)}" if match else name
