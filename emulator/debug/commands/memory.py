"""Memory with its tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emulator.debug.commands import Takes, command
from emulator.debug.commands.breakpoints import address_and_size
from emulator.debug.context import code_lines, granule_line
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell
from emulator.faults import MemoryAbort

if TYPE_CHECKING:
    from collections.abc import Iterator

_FORMAT = re.compile(r"/(\d*)([xduotcsia]?)([bhwg]?)([xduotcsia]?)$")
_SIZES = {"b": 1, "h": 2, "w": 4, "g": 8}
MAX_ITEMS = 4096
MAX_RANGE = 1 << 24


@command("x", category="memory", takes=Takes.EXPRESSION)
def x(shell: Shell, arguments: str) -> None:
    """Memory in a format.

    x/FMT [ADDRESS]: FMT is a count, a format (x d u o t a c s i) and a size (b h w g), or gc for
    capabilities with their tags: x/4gc csp, x/8xw c0, x/s c0, x/6i pc. Without ADDRESS it goes on.
    """
    form, address_text = "/", arguments
    if arguments.startswith("/"):
        form, _, address_text = arguments.partition(" ")
    match = _FORMAT.match(form)
    if match is None:
        raise CommandError(f"'{form}' is not a format; 'help x' tells them")
    count = int(match[1] or 1)
    kind, size = match[2] or match[4] or "x", match[3]
    if not 1 <= count <= MAX_ITEMS:
        raise CommandError(f"{count} is not a count from 1 to {MAX_ITEMS}")
    if address_text.strip():
        address = shell.debugger.number(address_text)
    elif shell.next_memory is not None:
        address = shell.next_memory[0]
    else:
        raise CommandError("an address is missing")
    shell.next_memory = (_show(shell, address, count, kind, size), form)


def _show(shell: Shell, address: int, count: int, kind: str, size: str) -> int:
    """Print; returns the address after the last item."""
    if kind == "i":
        for line in code_lines(shell.debugger, address & ~3, count, shell.style):
            shell.write("  " + line)
        return (address & ~3) + 4 * count
    if kind == "s":
        return _strings(shell, address, count)
    if kind == "c" and size == "g":
        for at in range(address & -16, (address & -16) + 16 * count, 16):
            shell.write(
                "  " + granule_line(shell.debugger, at, shell.debugger.peek_capability(at), shell.style)
            )
        return (address & -16) + 16 * count
    step = 8 if kind == "a" else _SIZES[size or ("b" if kind == "c" else "g")]
    data = shell.debugger.peek(address, step * count)
    per_line = max(16 // step, 1) if kind != "a" else 1
    for first in range(0, count, per_line):
        items = range(first, min(first + per_line, count))
        texts = [_item(shell, data[i * step : i * step + step], kind) for i in items]
        shell.write(f"  {shell.style('address', f'{address + first * step:#x}')}  {'  '.join(texts)}")
    return address + step * count


def _item(shell: Shell, data: bytes, kind: str) -> str:
    value = int.from_bytes(data, "little")
    if kind == "d":
        return str(int.from_bytes(data, "little", signed=True))
    if kind == "u":
        return str(value)
    if kind == "o":
        return f"0{value:o}"
    if kind == "t":
        return f"{value:0{8 * len(data)}b}"
    if kind == "c":
        return repr(chr(value & 0x7F)) if 32 <= value < 127 else f"{value:#04x}"
    if kind == "a":
        return f"{value:#x} {shell.debugger.names.where(shell.debugger.process, value & ~1)}".rstrip()
    return f"{value:#0{2 + 2 * len(data)}x}"


def _strings(shell: Shell, address: int, count: int) -> int:
    for _ in range(count):
        data = bytearray()
        while len(data) < 256:
            byte = shell.debugger.peek(address + len(data), 1)
            if byte == b"\0":
                break
            data += byte
        text = data.decode("utf-8", errors="replace")
        shell.write(
            f"  {shell.style('address', f'{address:#x}')}  {text!r}" + ("…" if len(data) == 256 else "")
        )
        address += len(data) + (len(data) < 256)
    return address


@command("tags", category="memory", takes=Takes.EXPRESSION)
def tags(shell: Shell, arguments: str) -> None:
    """Where tags are set.

    tags START END, or tags START SIZE when the second number is the smaller: one mark per 16 bytes.
    """
    start, end = _range(shell, arguments, 1024)
    total = 0
    for line in range(start, end, 16 * 64):
        marks = []
        for address in range(line, min(line + 16 * 64, end), 16):
            tag = _tag(shell, address)
            total += tag == "●"
            marks.append(shell.style("tag", tag) if tag == "●" else tag)
        shell.write(f"  {shell.style('address', f'{line:#x}')}  {''.join(marks)}")
    shell.write(f"  {total} tagged of {(end - start) // 16} granules")


def _tag(shell: Shell, address: int) -> str:
    try:
        return "●" if shell.debugger.process.space.peek_cap(address)[2] else "·"
    except MemoryAbort:
        return " "


@command("ptrs", category="memory", takes=Takes.EXPRESSION)
def ptrs(shell: Shell, arguments: str) -> None:
    """What capabilities lie in a range, and where they point.

    ptrs START END, or ptrs START SIZE
    """
    start, end = _range(shell, arguments, 1024)
    found = 0
    for address in _tagged(shell, start, end):
        shell.write(
            "  " + granule_line(shell.debugger, address, shell.debugger.peek_capability(address), shell.style)
        )
        found += 1
    if not found:
        shell.write(f"  no capabilities in [{start:#x},{end:#x})")


def _tagged(shell: Shell, start: int, end: int) -> Iterator[int]:
    return (address for address in range(start, end, 16) if _tag(shell, address) == "●")


def _range(shell: Shell, arguments: str, default: int) -> tuple[int, int]:
    first, second = address_and_size(shell, arguments, default)
    start, end = first & -16, (second if second > first else first + second) + 15 & -16
    if end - start > MAX_RANGE:
        raise CommandError(f"the range is longer than {MAX_RANGE:#x} bytes")
    return start, end
