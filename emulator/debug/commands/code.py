"""Code: instructions and source lines."""

from __future__ import annotations

from emulator.board.image import read_file
from emulator.debug.commands import Needs, Takes, command
from emulator.debug.commands.breakpoints import address_and_size
from emulator.debug.context import code_lines
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell
from emulator.linux.process import LoadedImage
from loader.elf import ElfImage

MAX_LINES = 2000
AROUND = 5


@command("disas", aliases=("disassemble",), category="code", takes=Takes.EXPRESSION)
def disas(shell: Shell, arguments: str) -> None:
    """Instructions.

    disas: the function at PC; disas ADDRESS [COUNT]: from there, the whole function if no count is given.
    """
    debugger = shell.debugger
    address, count = address_and_size(shell, arguments, 0) if arguments else (debugger.task.pe.pc, 0)
    address &= ~3
    if count == 0:
        address, count = _function(shell, address)
    if count > MAX_LINES:
        raise CommandError(f"{count} instructions are too many (at most {MAX_LINES})")
    for line in code_lines(debugger, address, count, shell.style):
        shell.write("  " + line)


@command("symbols", category="code", needs=Needs.NOTHING, takes=Takes.FILE)
def symbols(shell: Shell, arguments: str) -> None:
    """Take symbols and lines from an ELF file, for code that has none of its own.

    symbols FILE [OFFSET]: what is added to the file's addresses (default 0); a kernel's vmlinux, for one
    """
    path, _, offset = arguments.partition(" ")
    if not path:
        raise CommandError("symbols of which file?")
    image = ElfImage.from_bytes(read_file(path), path)
    bias = shell.debugger.number(offset) if offset.strip() else 0
    shell.debugger.names.extra.append(LoadedImage(image, bias, path))
    shell.debugger.points.resolve()
    count = len(shell.debugger.names.of(shell.debugger.names.extra[-1]).symbols)
    shell.write(f"{path}: {count} symbols")


def _function(shell: Shell, address: int) -> tuple[int, int]:
    """(start, instructions) of the function at an address, or 16 instructions from it."""
    debugger = shell.debugger
    function = debugger.names.function(debugger.process, address)
    if function is None:
        return address, 16
    start = count = function[0]
    end = start
    while end - start < 4 * MAX_LINES and debugger.names.function(debugger.process, end) == function:
        end += 4
    count = (end - start) // 4
    return start, count


@command("list", aliases=("l",), category="code", takes=Takes.PLACE)
def list_(shell: Shell, arguments: str) -> None:
    """Source lines around a place.

    list [PLACE]: a symbol, FILE:LINE, LINE or *ADDRESS; where the selected frame is if not given.
    """
    debugger = shell.debugger
    if arguments:
        addresses = debugger.points.places(arguments)
        if not addresses:
            raise CommandError(f"there is no place '{arguments}'")
        address = addresses[0]
    else:
        stack = debugger.frames()
        frame = stack[min(shell.frame, len(stack) - 1)]
        address = frame.pc - (4 if frame.number else 0)
    row = debugger.names.line(debugger.process, address)
    if row is None:
        raise CommandError(f"no line table covers {address:#x}")
    lines = debugger.names.source(row.file)
    if not lines:
        raise CommandError(f"{row.file}:{row.line}; the file is not there")
    for number in range(max(row.line - AROUND, 1), min(row.line + AROUND, len(lines)) + 1):
        arrow = shell.style("arrow", "→") if number == row.line else " "
        shell.write(f" {arrow} {number:>5}  {lines[number - 1]}")
