"""The session of docs/debugging.md: an overflow inside a compartment, from the fault back to what bounded it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.debug.golden import REPOSITORY

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
HERE = Path(__file__).resolve().parent
COMMANDS = (
    "run",
    "backtrace",
    "whence c0",
    "compartments",
    "rstepi 3",
    "print to",
    "rfinish",
    "continue",
    "continue",
)


def test_an_overflow_in_a_compartment(run_morello: RunMorello, tmp_path: Path) -> None:
    library = tmp_path / "liboverflow.so"
    done = run_morello(
        *("cc", "-w", "-g", "-O1", "-shared", "-nostdlib", "-Wl,-soname,liboverflow.so", "-Wl,-z,now"),
        *("-Wl,-Bsymbolic", "-o", library, HERE / "compartment" / "overflow.c"),
        REPOSITORY / "guest" / "compartment" / "entry.S",
    )
    assert done.returncode == 0, done.stderr
    images = REPOSITORY / "images"
    options = [part for command in COMMANDS for part in ("-ex", command)]
    done = run_morello(
        *("debug", "--batch", "--source", HERE / "compartment", *options),
        *(images / "iwasm", f"--wamr-lib={library}", images / "hello.wasm"),
        stdin=subprocess.DEVNULL,
    )
    answers = dict(re.findall(r"^\(morello\) ([^\n]+)\n(.*?)(?=^\(morello\)|\Z)", done.stdout, re.M | re.S))
    assert re.search(
        r"stopped: capability bounds fault: strb w\d+, \[c0\], #1 at .*liboverflow.so`copy_name.*"
        r"1 byte at 0x\w+ is past the end by 1",
        answers["run"],
    )
    assert "while ((*to++ = *from++) != 0)" in answers["run"]
    assert "C64, Restricted" in answers["run"]
    for place in ("copy_name", "wasm_runtime_load", "CompartmentEntryPoint", "compartment_call", "_start"):
        assert place in answers["backtrace"]
    assert answers["backtrace"].count("compartment boundary: Executive below") == 1
    assert re.search(r"← scbndse.*liboverflow.so`malloc.*4 KiB → 16 bytes", answers["whence c0"])
    assert re.search(r"\(16 times\)", answers["whence c0"])
    assert re.search(r"liboverflow.so .*Restricted", answers["compartments"])
    assert "stopped: back at instruction" in answers["rstepi 3"]
    assert "rwRW tagged" in answers["print to"]
    assert re.search(r"→ .*bl .*<copy_name>", answers["rfinish"])
    assert "stopped: exited with status 70" in answers["continue"]
    assert "capability bounds fault" in done.stderr, "what the manager says"
