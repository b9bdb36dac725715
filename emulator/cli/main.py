"""`morello SUBCOMMAND …`: finds the subcommand's module and hands the arguments over."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_INTERRUPTED, UserError

EXIT_BROKEN_PIPE = 141


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One row of `morello help`: `module` has `main(argv: Sequence[str]) -> int`, imported on use."""

    name: str
    module: str
    summary: str


SUBCOMMANDS = (
    Subcommand("run", "emulator.cli.run", "run a Morello (or plain AArch64) Linux program"),
    Subcommand("debug", "emulator.cli.debug", "debug a Linux program, also back in time"),
    Subcommand("trace", "emulator.cli.trace", "trace a Linux program as text or as a Perfetto timeline"),
    Subcommand("profile", "emulator.cli.profile", "show where a Linux program's time goes"),
    Subcommand("diff", "emulator.cli.diff", "run a Linux program on both engines and compare them"),
    Subcommand("capmap", "emulator.cli.capmap", "draw a Linux program's memory and capabilities as a page"),
    Subcommand("gdbserver", "emulator.cli.gdbserver", "run a Linux program for a GDB that connects"),
    Subcommand("boot", "emulator.cli.boot", "boot a bare-metal image on the board"),
    Subcommand("conformance", "emulator.cli.conformance", "run a folder of conformance images"),
    Subcommand("bench", "emulator.cli.bench", "measure instructions per second"),
    Subcommand("demo", "emulator.cli.demo", "run a WebAssembly program inside a Morello compartment"),
    Subcommand("asm", "guest.assembler.asm_cli", "assemble instructions to words"),
    Subcommand("disasm", "guest.assembler.disasm_cli", "disassemble words"),
    Subcommand("objdump", "guest.assembler.objdump_cli", "disassemble an ELF file"),
    Subcommand("cc", "guest.cc.cli", "compile C for Morello purecap"),
    Subcommand("as", "guest.assembler.cli", "assemble a source file to an object"),
    Subcommand("ld", "loader.link.cli", "link objects to an executable or library"),
    Subcommand("ar", "loader.link.ar_cli", "create and list archives"),
    Subcommand("readelf", "loader.readelf_cli", "headers, symbols and Morello relocations of an ELF file"),
)


def _usage() -> str:
    width = max(len(s.name) for s in SUBCOMMANDS)
    rows = "\n".join(f"  {s.name:<{width}}  {s.summary}" for s in SUBCOMMANDS)
    return f"usage: morello SUBCOMMAND …   (morello SUBCOMMAND --help tells more)\n\n{rows}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns its exit status. `UserError` becomes one sentence on stderr."""
    # Bound code is many small objects that live long; collecting every 700 of them costs a third of a run.
    gc.set_threshold(50_000, 20, 100)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        sys.stderr.write(_usage())
        return EXIT_EMULATOR_ERROR
    name, rest = arguments[0], arguments[1:]
    if name in ("-h", "--help", "help"):
        print(_usage(), end="")
        return 0
    if name in ("-V", "--version"):
        from importlib.metadata import version

        print(f"morello {version('morello-emulator')}")
        return 0
    for row in SUBCOMMANDS:
        if row.name == name:
            try:
                status: int = import_module(row.module).main(rest)
            except UserError as error:
                sys.stderr.write(f"morello: {error.message}\n")
                return error.status
            except KeyboardInterrupt:
                return EXIT_INTERRUPTED
            return status
    sys.stderr.write(f"morello: there is no subcommand '{name}'; 'morello help' lists them\n")
    return EXIT_EMULATOR_ERROR


def command() -> NoReturn:
    """The installed command: `main`, and an end of the process without the interpreter's clean-up.

    Freeing the objects of a run one by one takes up to 0.1 s and has no effect that anybody sees: files are
    closed where they are used. A reader of our output who goes away is no error of ours: no message.
    """
    try:
        status = main()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except BrokenPipeError:
        status = EXIT_BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        status = EXIT_EMULATOR_ERROR
        sys.stderr.write("morello: the output can't be written: no space left on device\n")
    os._exit(status)


if __name__ == "__main__":
    command()
