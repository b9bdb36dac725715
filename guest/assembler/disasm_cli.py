"""`morello disasm`: words to instructions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from guest.assembler.asm_cli import number
from morello_isa.disassemble import disassemble
from morello_isa.errors import EXIT_DIAGNOSTICS, UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Wrong options: one line, exit status 1."""
        raise UserError(f"disasm: {message}", EXIT_DIAGNOSTICS)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="morello disasm", description="Print the instructions of 32-bit words.")
    parser.add_argument("word", nargs="*", help="hexadecimal word; without any, words of standard input")
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--c64", dest="c64", action="store_true", default=True, help="C64 state (default)")
    state.add_argument("--a64", dest="c64", action="store_false", help="A64 state")
    parser.add_argument(
        "--pc", type=number, metavar="ADDR", help="address of the first word; targets become addresses"
    )
    parser.add_argument(
        "--row", action="store_true", help="name the Morello encoding behind each instruction"
    )
    return parser


def _word(text: str) -> int:
    try:
        word = int(text, 16)
    except ValueError:
        raise UserError(f"disasm: '{text}' is not a hexadecimal word", EXIT_DIAGNOSTICS) from None
    if not 0 <= word < 1 << 32:
        raise UserError(f"disasm: '{text}' doesn't fit in 32 bits", EXIT_DIAGNOSTICS)
    return word


def main(argv: Sequence[str]) -> int:
    """Exit status 0; UserError for a word that is none."""
    try:
        options = _parser().parse_args(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    pc = options.pc
    for text in options.word or sys.stdin.read().split():
        word = _word(text)
        line = disassemble(word, pc, options.c64)
        if options.row:
            from morello_isa.decode import decode

            insn = decode(word)
            line += f"  // {insn.row.id}" if insn is not None else ""
        sys.stdout.write(line + "\n")
        pc = None if pc is None else pc + 4
    return 0
