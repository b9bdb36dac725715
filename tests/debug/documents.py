"""Sessions in docs/: what `(morello) …` lines of a page say, and what they print now.

A page has fenced blocks. `$ morello debug …` in one starts a session, each `(morello) …` line in the blocks after it is
a command, and what follows it up to the next is its output. `python -m tests.debug.documents` writes the output anew.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.debug.golden import PROMPT, REPOSITORY

DOCUMENTS = {"session-heap-overflow.md": REPOSITORY / "guest" / "build" / "session"}
"""Pages, and where their sessions take place."""
START = "$ morello debug "
FENCE = "```"


def build() -> None:
    """What the sessions debug; one process at a time builds it."""
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    make = ["make", "-s", "-C", str(REPOSITORY / "guest"), f"PYTHON={sys.executable}", "session"]
    lock = REPOSITORY / "guest" / "build" / "session.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = subprocess.run(make, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr


def commands(text: str) -> Iterator[tuple[str, bool]]:
    """(line, is it a command) of the fenced blocks."""
    fenced = False
    for line in text.splitlines():
        if line.startswith(FENCE):
            fenced = not fenced
        elif fenced:
            yield line, line.startswith(PROMPT)


def replay(text: str, folder: Path) -> str:
    """The page with the output as it is now."""
    lines = list(commands(text))
    (start,) = (line for line, _ in lines if line.startswith(START))
    script = [line.removeprefix(PROMPT) for line, is_command in lines if is_command]
    options = [part for command in script for part in ("-ex", command)]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "emulator.cli.main",
            "debug",
            "--batch",
            *options,
            *start.removeprefix(START).split(),
        ],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
        env=dict(os.environ, PYTHONPATH=str(REPOSITORY)),
    )
    assert "Traceback" not in done.stdout, done.stdout
    outputs = _outputs(done.stdout, script)
    kept: list[str] = []
    fenced = answered = False
    for line in text.splitlines():
        if line.startswith(FENCE):
            fenced, answered = not fenced, False
        elif fenced and line.startswith(PROMPT):
            kept += [line, *next(outputs)]
            answered = True
            continue
        if not (fenced and answered):
            kept.append(line)
    return "\n".join(kept) + "\n"


def _outputs(printed: str, script: list[str]) -> Iterator[list[str]]:
    """What each command of a script printed."""
    lines = printed.splitlines()
    for command, following in zip(script, [*script[1:], None], strict=True):
        assert lines and lines[0] == PROMPT + command, (command, lines[:1])
        end = len(lines) if following is None else lines.index(PROMPT + following, 1)
        yield lines[1:end]
        lines = lines[end:]


def main() -> None:
    """Write the sessions of all pages anew."""
    build()
    for name, folder in DOCUMENTS.items():
        page = REPOSITORY / "docs" / name
        page.write_text(replay(page.read_text(encoding="utf-8"), folder), encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
