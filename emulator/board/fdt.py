"""Flattened device trees (Devicetree Specification 0.4): writing one for a board, checking a given one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from emulator.board.boards import PPI, SPI, Board, Device
from morello_isa.errors import EXIT_CANNOT_EXECUTE, UserError

MAGIC = 0xD00D_FEED
_BEGIN_NODE, _END_NODE, _PROPERTY, _NOP, _END = 1, 2, 3, 4, 9
_HEADER_BYTES = 40
_LEVEL_HIGH, _EDGE_RISING = 4, 1
_PHANDLE_GIC, _PHANDLE_CLOCK = 1, 2


@dataclass(slots=True)
class Node:
    """One node; property values are bytes."""

    name: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def add(self, name: str) -> Node:
        """A new child."""
        child = Node(name)
        self.children.append(child)
        return child

    def cells(self, name: str, *values: int) -> None:
        """A property of 32-bit cells."""
        self.properties[name] = struct.pack(f">{len(values)}I", *values)

    def strings(self, name: str, *values: str) -> None:
        """A property of NUL-terminated strings."""
        self.properties[name] = b"".join(v.encode() + b"\0" for v in values)

    def reg(self, *regions: tuple[int, int]) -> None:
        """`reg` with two cells each for address and size."""
        self.properties["reg"] = b"".join(struct.pack(">QQ", base, size) for base, size in regions)

    def flag(self, name: str) -> None:
        """An empty property."""
        self.properties[name] = b""


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


class _Strings:
    """The strings block: each property name once."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._offsets: dict[str, int] = {}

    def offset(self, name: str) -> int:
        if name not in self._offsets:
            self._offsets[name] = len(self.data)
            self.data += name.encode() + b"\0"
        return self._offsets[name]


def _flatten(node: Node, strings: _Strings) -> bytes:
    parts = [struct.pack(">I", _BEGIN_NODE), _pad(node.name.encode() + b"\0")]
    for name, value in node.properties.items():
        parts.append(struct.pack(">III", _PROPERTY, len(value), strings.offset(name)))
        parts.append(_pad(value))
    parts += [_flatten(child, strings) for child in node.children]
    parts.append(struct.pack(">I", _END_NODE))
    return b"".join(parts)


def to_blob(root: Node) -> bytes:
    """The tree in its binary form, version 17."""
    strings = _Strings()
    structure = _flatten(root, strings) + struct.pack(">I", _END)
    reserve = bytes(16)
    at_reserve = _HEADER_BYTES
    at_structure = at_reserve + len(reserve)
    at_strings = at_structure + len(structure)
    total = at_strings + len(strings.data)
    header = struct.pack(
        ">10I",
        MAGIC,
        total,
        at_structure,
        at_strings,
        at_reserve,
        17,
        16,
        0,
        len(strings.data),
        len(structure),
    )
    return header + reserve + structure + bytes(strings.data)


def check_blob(data: bytes, name: str) -> None:
    """UserError 126 if `data` is no well-formed device tree."""
    if len(data) < _HEADER_BYTES or struct.unpack_from(">I", data)[0] != MAGIC:
        raise UserError(f"{name} is not a device tree blob", EXIT_CANNOT_EXECUTE)
    total, structure, strings, _, version, compatible, _, strings_size, structure_size = struct.unpack_from(
        ">9I", data, 4
    )
    if total > len(data):
        text = f"{name} is a device tree that ends early ({len(data)} of {total} bytes)"
        raise UserError(text, EXIT_CANNOT_EXECUTE)
    if compatible > 17 or version < 16:
        raise UserError(f"{name} is a device tree of version {version}, not 17", EXIT_CANNOT_EXECUTE)
    inside = structure % 4 == 0 and structure + structure_size <= total and strings + strings_size <= total
    if not inside or not _balanced(data[structure : structure + structure_size]):
        raise UserError(f"{name} is a damaged device tree", EXIT_CANNOT_EXECUTE)


def _balanced(structure: bytes) -> bool:
    """Whether the tokens of a structure block nest correctly."""
    position, depth = 0, 0
    while position + 4 <= len(structure):
        (token,) = struct.unpack_from(">I", structure, position)
        position += 4
        if token == _BEGIN_NODE:
            end = structure.find(b"\0", position)
            if end < 0:
                return False
            position = (end + 4) & ~3
            depth += 1
        elif token == _END_NODE:
            depth -= 1
            if depth < 0:
                return False
        elif token == _PROPERTY:
            if position + 8 > len(structure):
                return False
            (size,) = struct.unpack_from(">I", structure, position)
            position += 8 + (size + 3 & ~3)
        elif token == _END:
            return depth == 0
        elif token != _NOP:
            return False
    return False


@dataclass(frozen=True, slots=True)
class BootInfo:
    """What a kernel is told: command line, initrd range, memory."""

    arguments: str = ""
    initrd: tuple[int, int] | None = None


def _interrupt(intid: int, level: int = _LEVEL_HIGH) -> tuple[int, int, int]:
    """GIC specifier: type (0 SPI, 1 PPI), number, flags."""
    return (0, intid - SPI, level) if intid >= SPI else (1, intid - PPI, level)


def board_tree(board: Board, info: BootInfo, present: Sequence[str]) -> Node:
    """The device tree of a board; `present` are the names of its devices that exist in this run."""
    root = Node("")
    root.cells("#address-cells", 2)
    root.cells("#size-cells", 2)
    root.strings("compatible", *board.compatible)
    root.strings("model", board.model)
    if board.gic is not None:
        root.cells("interrupt-parent", _PHANDLE_GIC)
    _add_chosen(root, board, info)
    memory = root.add(f"memory@{next(r.base for r in board.ram if r.os):x}")
    memory.strings("device_type", "memory")
    memory.reg(*((r.base, r.size) for r in board.ram if r.os))
    _add_cpu(root)
    _add_interrupts_and_timer(root, board)
    clock = root.add("apb-pclk")
    clock.strings("compatible", "fixed-clock")
    clock.cells("#clock-cells", 0)
    clock.cells("clock-frequency", 50_000_000)
    clock.cells("phandle", _PHANDLE_CLOCK)
    for device in board.devices:
        describe = _DESCRIPTIONS.get(device.kind)
        if device.name in present and describe is not None:
            describe(root, device)
    return root


def _add_chosen(root: Node, board: Board, info: BootInfo) -> None:
    chosen = root.add("chosen")
    if info.arguments:
        chosen.strings("bootargs", info.arguments)
    console = next((d for d in board.devices if d.kind == "pl011" and d.console == 0), None)
    if console is not None:
        chosen.strings("stdout-path", f"/uart@{console.base:x}")
    if info.initrd is not None:
        start, end = info.initrd
        chosen.properties["linux,initrd-start"] = struct.pack(">Q", start)
        chosen.properties["linux,initrd-end"] = struct.pack(">Q", end)


def _add_cpu(root: Node) -> None:
    cpus = root.add("cpus")
    cpus.cells("#address-cells", 1)
    cpus.cells("#size-cells", 0)
    cpu = cpus.add("cpu@0")
    cpu.strings("device_type", "cpu")
    cpu.strings("compatible", "arm,rainier", "arm,armv8")
    cpu.cells("reg", 0)
    cpu.strings("enable-method", "psci")
    psci = root.add("psci")
    psci.strings("compatible", "arm,psci-1.0", "arm,psci-0.2")
    psci.strings("method", "smc")


def _add_interrupts_and_timer(root: Node, board: Board) -> None:
    if board.gic is None:
        return
    gic = root.add(f"interrupt-controller@{board.gic.distributor:x}")
    gic.strings("compatible", "arm,gic-v3")
    gic.cells("#interrupt-cells", 3)
    gic.flag("interrupt-controller")
    gic.reg((board.gic.distributor, 0x1_0000), (board.gic.redistributor, 0x2_0000))
    gic.cells("phandle", _PHANDLE_GIC)
    timer = root.add("timer")
    timer.strings("compatible", "arm,armv8-timer")
    timer.cells("interrupts", *(cell for intid in (29, 30, 27, 26) for cell in _interrupt(intid)))
    timer.flag("always-on")


def _device(root: Node, kind: str, device: Device, *compatible: str) -> Node:
    node = root.add(f"{kind}@{device.base:x}")
    node.strings("compatible", *compatible)
    node.reg((device.base, device.size))
    if device.interrupt is not None:
        node.cells("interrupts", *_interrupt(device.interrupt))
    return node


def _primecell(root: Node, kind: str, device: Device, compatible: str) -> None:
    node = _device(root, kind, device, compatible, "arm,primecell")
    count = 2 if kind == "uart" else 1
    node.cells("clocks", *[_PHANDLE_CLOCK] * count)
    node.strings("clock-names", *["uartclk", "apb_pclk"][-count:])


def _virtio(root: Node, device: Device) -> None:
    node = _device(root, "virtio", device, "virtio,mmio")
    assert device.interrupt is not None
    node.cells("interrupts", *_interrupt(device.interrupt, _EDGE_RISING))
    node.flag("dma-coherent")


_DESCRIPTIONS = {
    "pl011": lambda root, device: _primecell(root, "uart", device, "arm,pl011"),
    "pl031": lambda root, device: _primecell(root, "rtc", device, "arm,pl031"),
    "virtio_block": _virtio,
    "virtio_console": _virtio,
}
