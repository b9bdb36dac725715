"""Small programs made with the project's assembler and linker, and runs inside the test process."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator.linux.abi import Profile
from emulator.linux.kernel import Kernel, Options, Outcome
from emulator.linux.session import Request, Session
from guest.assembler.assembler import assemble_source
from loader.link import cli as linker

Assemble = Callable[..., Path]
Run = Callable[..., "Result"]

MACROS = """
    .macro syscall number
    mov x8, #\\number
    svc #0
    .endm
    .macro exit_with register
    mov x0, \\register
    syscall 94
    .endm
    .macro require_errno number
    cmn x0, #\\number
    b.ne failed
    .endm
"""
FAILED = """
    .text
failed:
    mov x0, #99
    syscall 94
"""


@dataclass
class Result:
    """How a run ended and what it left."""

    outcome: Outcome
    out: str
    err: str
    kernel: Kernel

    @property
    def status(self) -> int:
        """As the shell shows it."""
        return 128 + self.outcome.signal if self.outcome.signal else self.outcome.status


@pytest.fixture
def assemble(tmp_path: Path) -> Assemble:
    """`assemble(text)`: a static executable; `purecap=False` makes a plain AArch64 one."""

    def make(text: str, name: str = "program", purecap: bool = True) -> Path:
        source = f"{MACROS}\n.text\n.globl _start\n.type _start, %function\n_start:\n{text}\n{FAILED}"
        target = tmp_path / f"{name}.o"
        target.write_bytes(assemble_source(source, f"{name}.S", c64=purecap))
        program = tmp_path / name
        assert linker.main([str(target), "-o", str(program)]) == 0
        program.chmod(0o755)
        return program

    return make


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run(program, arguments…)` in this process; standard output goes to a file."""

    def start(
        program: Path,
        *arguments: str,
        profile: str = "full",
        stdin: bytes = b"",
        trace: bool = False,
        request: dict[str, object] | None = None,
        **options: object,
    ) -> Result:
        source, target = tmp_path / "stdin", tmp_path / "stdout"
        source.write_bytes(stdin)
        errors = io.StringIO()
        with source.open("rb") as reader, target.open("wb") as writer:
            streams = (reader.fileno(), writer.fileno(), writer.fileno())
            session = Session(
                Request(str(program), arguments, **(request or {})),  # type: ignore[arg-type]
                Options(profile=Profile(profile), **options),  # type: ignore[arg-type]
                errors=errors,
                trace=trace,
                streams=streams,
            )
            from emulator.cli.run import explain_fatal_signals

            explain_fatal_signals(session)
            outcome = session.kernel.run()
            os.fsync(writer.fileno())
        return Result(
            outcome, target.read_bytes().decode(errors="replace"), errors.getvalue(), session.kernel
        )

    return start
