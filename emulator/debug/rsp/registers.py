"""The registers that a GDB sees: their description in XML, their numbers, reading and writing them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug import registers
from emulator.state.registers import FPCR_SLOT, FPSR_SLOT
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

CAPABILITIES = (
    *(f"c{n}" for n in range(31)),
    "csp",
    "pcc",
    "ddc",
    "ctpidr",
    "rcsp",
    "rddc",
    "rctpidr",
    "cid",
)
"""Registers of the capability feature, 128 bits each; bit k of `tag_map` is the tag of the k-th."""


@dataclass(frozen=True, slots=True)
class Row:
    """One register: `bits` wide, of a GDB type, in a feature."""

    name: str
    bits: int
    type: str
    feature: str
    group: str = ""


CORE, FPU, CAPABILITY = (f"org.gnu.gdb.aarch64.{name}" for name in ("core", "fpu", "capability"))
ROWS = (
    *(Row(f"x{n}", 64, "int", CORE) for n in range(31)),
    Row("sp", 64, "data_ptr", CORE),
    Row("pc", 64, "code_ptr", CORE),
    Row("cpsr", 32, "int", CORE),
    *(Row(f"v{n}", 128, "aarch64v", FPU) for n in range(32)),
    Row("fpsr", 32, "int", FPU, "float"),
    Row("fpcr", 32, "int", FPU, "float"),
    *(Row(name, 128, "uint128", CAPABILITY, "capability") for name in CAPABILITIES),
    Row("tag_map", 64, "uint64", CAPABILITY, "capability"),
)
_FPU_TYPES = """
<vector id="v2d" type="ieee_double" count="2"/><vector id="v2u" type="uint64" count="2"/>
<vector id="v4f" type="ieee_single" count="4"/><vector id="v4u" type="uint32" count="4"/>
<vector id="v8u" type="uint16" count="8"/><vector id="v16u" type="uint8" count="16"/>
<vector id="v1u" type="uint128" count="1"/>
<union id="aarch64v"><field name="d" type="v2d"/><field name="u64" type="v2u"/><field name="f" type="v4f"/>
<field name="u32" type="v4u"/><field name="u16" type="v8u"/><field name="u8" type="v16u"/>
<field name="u" type="v1u"/></union>
"""
SLOTS = {"fpsr": FPSR_SLOT, "fpcr": FPCR_SLOT}
C64_BIT = 1 << 26
"""PSTATE.C64 in `cpsr`, as in SPSR."""


def target_xml() -> str:
    """The target description."""
    features = {CORE: "", FPU: _FPU_TYPES, CAPABILITY: ""}
    for number, row in enumerate(ROWS):
        group = f' group="{row.group}"' if row.group else ""
        features[row.feature] += (
            f'<reg name="{row.name}" bitsize="{row.bits}" type="{row.type}" regnum="{number}"{group}/>\n'
        )
    body = "".join(f'<feature name="{name}">\n{text}</feature>\n' for name, text in features.items())
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n'
        f'<target version="1.0">\n<architecture>aarch64</architecture>\n'
        f"<osabi>GNU/Linux</osabi>\n{body}</target>\n"
    )


def read(task: Task, row: Row) -> bytes:
    """The register, little-endian."""
    return _value(task, row).to_bytes(row.bits // 8, "little")


def read_all(task: Task) -> bytes:
    """All, in the order of their numbers."""
    return b"".join(read(task, row) for row in ROWS)


def _value(task: Task, row: Row) -> int:
    pe = task.pe
    if row.name == "cpsr":
        return pe.nzcv << 28 | (C64_BIT if pe.pstate.c64 else 0)
    if row.name in SLOTS:
        return pe.file.x[SLOTS[row.name]] & 0xFFFF_FFFF
    if row.name == "tag_map":
        values = (registers.read(task, name) for name in CAPABILITIES)
        return sum(1 << k for k, v in enumerate(values) if isinstance(v, Capability) and v.tag)
    value = registers.read(task, row.name)
    return value.bits if isinstance(value, Capability) else value


def write(task: Task, row: Row, data: bytes) -> None:
    """Change a register. A changed capability register loses its tag; `tag_map` can only clear tags."""
    value = int.from_bytes(data[: row.bits // 8], "little")
    if value == _value(task, row):
        return
    if row.name == "cpsr":
        task.pe.nzcv = value >> 28
    elif row.name in SLOTS:
        task.pe.file.x[SLOTS[row.name]] = value
    elif row.name == "tag_map":
        for bit, name in enumerate(CAPABILITIES):
            capability = registers.read(task, name)
            if isinstance(capability, Capability) and capability.tag and not value >> bit & 1:
                registers.write(task, name, capability.with_tag(False))
    elif row.feature == CAPABILITY:
        registers.write(task, row.name, Capability.from_bits(value, False))
    else:
        registers.write(task, row.name, value)
