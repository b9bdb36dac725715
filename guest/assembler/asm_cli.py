"""`morello asm`: instructions on the command line to words."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from morello_isa.assemble import AssemblyError, assemble
from morello_isa.errors import EXIT_DIAGNOSTICS, UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Wrong options: one line, exit status 1."""
        raise UserError(f"asm: {message}", EXIT_DIAGNOSTICS)


def number(text: str) -> int:
    """An address option, in any base."""
    return int(text, 0)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="morello asm", description="Print the words of instructions (one per argument or line)."
    )
    parser.add_argument("text", nargs="*", help="instruction; without any, lines of standard input")
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--c64", dest="c64", action="store_true", default=True, help="C64 state (default)")
    state.add_argument("--a64", dest="c64", action="store_false", help="A64 state")
    parser.add_argument("--pc", type=number, default=0, metavar="ADDR", help="address of the first one")
    parser.add_argument("--hex", action="store_true", help="print bytes in memory order instead of words")
    return parser


def statements(lines: Iterable[str]) -> list[str]:
    """Instructions of the lines: comments stripped, cut at semicolons, empty ones dropped."""
    parts = (part.strip() for line in lines for part in line.partition("//")[0].split(";"))
    return [part for part in parts if part]


def main(argv: Sequence[str]) -> int:
    """Exit status 0, or 1 when an instruction can't be assembled (the others are still printed)."""
    try:
        options = _parser().parse_args(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    pc, status = options.pc, 0
    for text in statements(options.text or sys.stdin):
        try:
            encoded = assemble(text, pc, options.c64)
        except AssemblyError as error:
            sys.stderr.write(f"morello: {text}: {error.message}\n")
            status = EXIT_DIAGNOSTICS
            continue
        if options.hex:
            line = encoded.word.to_bytes(4, "little").hex(" ")
        else:
            line = f"{encoded.word:#010x}"
        for kind, symbol, addend in encoded.relocations:
            line += f"  // {kind} {symbol}{f'{addend:+d}' if addend else ''}"
        sys.stdout.write(line + "\n")
        pc += 4
    return status
