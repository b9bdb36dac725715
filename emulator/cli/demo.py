"""`morello demo`: the whole system in one command.

Runs a WASI program in `libiwasm.so` (Restricted) under `iwasm` (Executive) and sums up what happened.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from emulator.images import image_path
from morello_isa.errors import EXIT_NOT_FOUND, UserError


def main(argv: Sequence[str]) -> int:
    """Run the demonstration; returns the program's own exit status."""
    parser = argparse.ArgumentParser(
        prog="morello demo", description="run a WebAssembly program inside a Morello compartment"
    )
    parser.add_argument(
        "wasm", nargs="?", type=Path, help="a WASI program of your own (default: images/hello.wasm)"
    )
    options = parser.parse_args(argv)
    from emulator.cli import run

    program = options.wasm if options.wasm is not None else image_path("hello.wasm")
    if not program.is_file():
        raise UserError(f"{program} does not exist", EXIT_NOT_FOUND)
    guests = image_path("iwasm"), image_path("libiwasm.so")
    arguments = [str(guests[0]), f"--wamr-lib={guests[1]}", str(program)]
    print("$ morello run " + " ".join(_shown(a) for a in arguments), flush=True)
    status = run.main(["--stats", *arguments])
    images = (f"{path.name} {path.stat().st_size:,} bytes" for path in (*guests, program))
    sys.stderr.write("── " + " · ".join(images) + f" · exit status {status}\n")
    return status


def _shown(argument: str) -> str:
    """Paths below the working directory without its prefix."""
    return argument.replace(f"{Path.cwd()}/", "")
