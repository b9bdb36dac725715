"""A C program compiled against wasi-libc (by ziglang, where it is installed) that uses files, directories and the heap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.guest.wasm_native import DRIVERS, build

EXPECTED = """argc 2 env hello
1000 lines, sum 71357.143, size 19120
regular 1 size 19120
link -> renamed
entry .
entry ..
entry link
entry renamed
outside -1 No such file or directory
above -1 Capabilities insufficient
unlink 0
unlink 0
rmdir 0
big x
"""


@pytest.mark.slow
def test_files(tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    module = tmp_path / "files.wasm"
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-Os", "-s"]
    subprocess.run([*zig, str(DRIVERS / "files.c"), "-o", str(module)], check=True, timeout=500)
    (tmp_path / "box").mkdir()
    command = [str(build("plain_main.c", ("-O1",))), "--dir=box", "--env=GREETING=hello", str(module), "box"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (9, EXPECTED, "")
    assert list((tmp_path / "box").iterdir()) == []
