"""`morello demo`: the whole system in one command.

Runs a WASI program in `libiwasm.so` (Restricted) under `iwasm` (Executive) and sums up what happened.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from emulator.images import image_path


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
    arguments = [str(image_path("iwasm")), f"--wamr-lib={image_path('libiwasm.so')}", str(program)]
    print("$ morello run " + " ".join(_shown(a) for a in arguments), flush=True)
    status = run.main(["--stats", *arguments])
    sys.stderr.flush()
    return status


def _shown(argument: str) -> str:
    """Paths below the working directory without its prefix."""
    return argument.replace(f"{Path.cwd()}/", "")
