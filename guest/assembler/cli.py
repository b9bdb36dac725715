"""`morello as`: one assembler source to one object file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from guest.assembler.assembler import assemble_source
from guest.assembler.diagnostics import AssemblyFailure
from morello_isa.errors import EXIT_DIAGNOSTICS, EXIT_NOT_FOUND, UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Wrong options: one line, exit status 1."""
        raise UserError(f"as: {message}", EXIT_DIAGNOSTICS)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="morello as",
        description="Assemble AArch64 and Morello source (LLVM syntax) to an ELF object. "
        "A file whose name ends in .S goes through the C preprocessor first.",
    )
    parser.add_argument("file", metavar="FILE", help="source file, - for standard input")
    parser.add_argument("-o", dest="output", metavar="OUT", help="object file (default: a.out)")
    parser.add_argument("-I", dest="include", metavar="DIR", action="append", default=[], help="include path")
    parser.add_argument(
        "-D", dest="define", metavar="X[=V]", action="append", default=[], help="define a macro"
    )
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--c64", dest="c64", action="store_true", default=True, help="start in C64 (default)")
    state.add_argument("--a64", dest="c64", action="store_false", help="start in A64")
    return parser


def main(argv: Sequence[str]) -> int:
    """Exit status 0, or 1 after printing the errors of the source."""
    try:
        options = _parser().parse_args(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    include = [Path(directory) for directory in options.include]
    name = "<stdin>" if options.file == "-" else options.file
    text = sys.stdin.read() if options.file == "-" else read_source(Path(options.file))
    try:
        if name.endswith(".S") or options.define:
            from guest.assembler.preprocess import preprocess

            text = preprocess(text, name, [Path(name).parent, *include], options.define, options.c64)
        data = assemble_source(text, name, include, options.c64)
    except AssemblyFailure as failure:
        sys.stderr.write(failure.render())
        return EXIT_DIAGNOSTICS
    output = Path(options.output or "a.out")
    try:
        output.write_bytes(data)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{output} can't be written: {reason}", EXIT_DIAGNOSTICS) from None
    return 0


def read_source(path: Path) -> str:
    """The text of a source file; UserError when it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", EXIT_NOT_FOUND) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file", EXIT_DIAGNOSTICS) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path} can't be read: {reason}", EXIT_DIAGNOSTICS) from None
