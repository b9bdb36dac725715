"""The registers that a GDB sees: their description in XML, their numbers, reading and writing them.

The capability feature is that of Arm's GDB for Morello: registers c0 to cid in this order, then `tag_map` and
`cctlr`, as in Linux's `struct user_morello_state` (its tag_map has PCC's tag in bit 31 and CSP's in bit 32).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug import registers
from emulator.state.pstate import SPSR_C64
from emulator.state.registers import FPCR_SLOT, FPSR_SLOT
from morello_isa.capability import Capability
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.debug.target import Thread

_GENERAL = tuple(f"c{n}" for n in range(31))
_OTHERS = ("ddc", "ctpidr", "rcsp", "rddc", "rctpidr", "cid")
CAPABILITIES = (*_GENERAL, "csp", "pcc", *_OTHERS)
"""Registers of the capability feature, 128 bits each."""
TAG_MAP = (*_GENERAL, "pcc", "csp", *_OTHERS)
"""Bit k of `tag_map` is the tag of the k-th of these."""
SYSTEM = (
    *("CNTVCT_EL0", "CNTFRQ_EL0", "SCTLR_EL1", "CPACR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1"),
    *("ESR_EL1", "FAR_EL1", "PAR_EL1", "SPSR_EL1", "CCTLR_EL1", "HCR_EL2", "CPTR_EL2", "SCR_EL3", "CPTR_EL3"),
)
"""64-bit system registers of the system feature, to be read only."""


@dataclass(frozen=True, slots=True)
class Row:
    """One register: `bits` wide, of a GDB type, in a feature."""

    name: str
    bits: int
    type: str
    feature: str
    group: str = ""


CORE, FPU, TLS, CAPABILITY = (f"org.gnu.gdb.aarch64.{name}" for name in ("core", "fpu", "tls", "capability"))
SYSTEM_FEATURE = "org.morello.system"
ROWS = (
    *(Row(f"x{n}", 64, "int", CORE) for n in range(31)),
    Row("sp", 64, "data_ptr", CORE),
    Row("pc", 64, "code_ptr", CORE),
    Row("cpsr", 32, "cpsr_flags", CORE),
    *(Row(f"v{n}", 128, "aarch64v", FPU) for n in range(32)),
    Row("fpsr", 32, "int", FPU, "float"),
    Row("fpcr", 32, "int", FPU, "float"),
    *(Row(name, 128, "uint128", CAPABILITY, "capability") for name in CAPABILITIES),
    Row("tag_map", 64, "uint64", CAPABILITY, "capability"),
    Row("cctlr", 64, "uint64", CAPABILITY, "capability"),
    Row("tpidr", 64, "data_ptr", TLS, "system"),
    Row("ecsp", 128, "uint128", SYSTEM_FEATURE, "system"),
    *(Row(name.lower(), 64, "uint64", SYSTEM_FEATURE, "system") for name in SYSTEM),
)
NUMBERS = {row.name: number for number, row in enumerate(ROWS)}
_FPU_TYPES = """
<vector id="v2d" type="ieee_double" count="2"/><vector id="v2u" type="uint64" count="2"/>
<vector id="v4f" type="ieee_single" count="4"/><vector id="v4u" type="uint32" count="4"/>
<vector id="v8u" type="uint16" count="8"/><vector id="v16u" type="uint8" count="16"/>
<vector id="v1u" type="uint128" count="1"/>
<union id="aarch64v"><field name="d" type="v2d"/><field name="u64" type="v2u"/><field name="f" type="v4f"/>
<field name="u32" type="v4u"/><field name="u16" type="v8u"/><field name="u8" type="v16u"/>
<field name="u" type="v1u"/></union>
"""
_FLAGS = (
    *(("SP", 0), ("F", 6), ("I", 7), ("A", 8), ("D", 9), ("IL", 20), ("PAN", 22), ("UAO", 23)),
    *(("DIT", 24), ("C64", 26), ("V", 28), ("C", 29), ("Z", 30), ("N", 31)),
)
_CORE_TYPES = (
    '<flags id="cpsr_flags" size="4">'
    + "".join(f'<field name="{name}" start="{bit}" end="{bit}"/>' for name, bit in _FLAGS)
    + '<field name="EL" start="2" end="3"/></flags>\n'
)
_EXECUTE = int(Perm.EXECUTE)
_SLOTS = {"fpsr": FPSR_SLOT, "fpcr": FPCR_SLOT}
_SYSTEM_NAMES = {"cctlr": "CCTLR_EL0", **{name.lower(): name for name in SYSTEM}}


def target_xml(is_linux: bool) -> str:
    """The target description."""
    features = {CORE: _CORE_TYPES, FPU: _FPU_TYPES, CAPABILITY: "", TLS: "", SYSTEM_FEATURE: ""}
    for number, row in enumerate(ROWS):
        group = f' group="{row.group}"' if row.group else ""
        features[row.feature] += (
            f'<reg name="{row.name}" bitsize="{row.bits}" type="{row.type}" regnum="{number}"{group}/>\n'
        )
    body = "".join(f'<feature name="{name}">\n{text}</feature>\n' for name, text in features.items())
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n'
        f'<target version="1.0">\n<architecture>aarch64</architecture>\n'
        f"{'<osabi>GNU/Linux</osabi>' if is_linux else ''}\n{body}</target>\n"
    )


def read(task: Thread, row: Row) -> bytes:
    """The register, little-endian."""
    return _value(task, row).to_bytes(row.bits // 8, "little")


def _value(task: Thread, row: Row) -> int:
    pe = task.pe
    if row.name == "cpsr":
        return pe.pstate.to_spsr(pe.nzcv)
    if row.name in _SLOTS:
        return pe.file.x[_SLOTS[row.name]] & 0xFFFF_FFFF
    if row.name == "tag_map":
        values = (registers.read(task, name) for name in TAG_MAP)
        return sum(1 << k for k, v in enumerate(values) if isinstance(v, Capability) and v.tag)
    if row.name in _SYSTEM_NAMES:
        return pe.sysregs.read(_SYSTEM_NAMES[row.name])
    if row.name == "x30":
        return _link(pe.read_c(30))
    value = registers.read(task, "ctpidr" if row.name == "tpidr" else row.name)
    if isinstance(value, Capability):
        return value.bits if row.bits == 128 else value.value
    return value


def _link(link: Capability) -> int:
    """x30 without the bit that says that the caller is C64 code, if it holds code; c30 has it.

    A stock GDB finds callers by x30, and would look for them at odd addresses.
    """
    return link.value & ~1 if link.tag and link.has(_EXECUTE) else link.value


def write(task: Thread, row: Row, data: bytes) -> None:
    """Change a register. A changed capability register loses its tag; `tag_map` can only clear tags.

    ValueError for registers that can only be read, and for too few bytes.
    """
    if len(data) < row.bits // 8:
        raise ValueError(f"{row.name} has {row.bits} bits")
    value = int.from_bytes(data[: row.bits // 8], "little")
    if value == _value(task, row):
        return
    pe = task.pe
    if row.name == "cpsr":
        pe.nzcv = value >> 28
        pe.pstate.c64 = bool(value & SPSR_C64)
        pe.context_stale = True
    elif row.name in _SLOTS:
        pe.file.x[_SLOTS[row.name]] = value
    elif row.name == "tag_map":
        for bit, name in enumerate(TAG_MAP):
            capability = registers.read(task, name)
            if isinstance(capability, Capability) and capability.tag and not value >> bit & 1:
                registers.write(task, name, capability.with_tag(False))
    elif row.name in _SYSTEM_NAMES:
        raise ValueError(f"{row.name} can't be written")
    elif row.bits == 128 and row.feature != FPU:
        registers.write(task, row.name, Capability.from_bits(value, False))
    else:
        registers.write(task, "ctpidr" if row.name == "tpidr" else row.name, value)
