"""The whole tool chain as a function for tests: C text to a program, run on the emulator, or by gcc."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

from guest.cc import cli

GCC = shutil.which("gcc")
GCC_FLAGS = ["-w", "-O1", "-funsigned-char", "-fwrapv", "-ffp-contract=off", "-fno-strict-aliasing"]
INSTRUCTION_LIMIT = 40_000_000


def morello(*arguments, cwd=None, timeout=240, **kwargs):
    command = [sys.executable, "-m", "emulator.cli.main", *map(str, arguments)]
    root = str(Path(__file__).parents[2])
    env = dict(os.environ, PYTHONPATH=root)
    return subprocess.run(
        command, capture_output=True, timeout=timeout, cwd=cwd, check=False, env=env, **kwargs
    )


def build(folder, text, *options, name="program"):
    """Compile and link one C text; returns the program's path."""
    source, program = Path(folder) / f"{name}.c", Path(folder) / name
    source.write_text(text)
    messages = io.StringIO()
    with contextlib.redirect_stderr(
        messages
    ):  # in this process: starting another takes longer than compiling
        status = cli.main(["-w", *options, str(source), "-o", str(program)])
    assert status == 0, messages.getvalue()
    return program


def run_emulated(folder, text, *options):
    """(stdout, exit status, stderr) of a C text compiled by the project and run on the emulator."""
    program = build(folder, text, *options)
    done = morello("run", "--max-instructions", INSTRUCTION_LIMIT, program)
    return done.stdout, done.returncode, done.stderr.decode()


def run_gcc(folder, text):
    """(stdout, exit status) of the same text compiled and run by the host."""
    source, program = Path(folder) / "host.c", Path(folder) / "host"
    source.write_text(text)
    subprocess.run([GCC, *GCC_FLAGS, "-o", program, source, "-lm"], check=True, timeout=120)
    done = subprocess.run([program], capture_output=True, timeout=20, check=False)
    return done.stdout, done.returncode
