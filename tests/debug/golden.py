"""Makes the test program, and scripts with the output that they must have: golden/NAME.txt.

A golden file is what `morello debug --batch` prints; its lines behind a prompt are the script. After a change that
should change output: `python -m tests.debug.golden` in the repository writes them anew; read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
REPOSITORY = HERE.parents[1]
PROMPT = "(morello) "
PROMPTS = (PROMPT, "        > ")
"""Before a command, and before a line of a block."""
ARGUMENT = re.compile(r"# arguments: (.*)")


def build(folder: Path) -> Path:
    """The program `walk` in `folder`, with its source beside it."""
    from guest.assembler.assembler import assemble_source
    from loader.link import cli as linker

    objects = []
    for name in ("start", "walk"):
        text = (HERE / "program" / f"{name}.S").read_text()
        target = folder / f"{name}.o"
        target.write_bytes(assemble_source(text, f"{name}.S", c64=True))
        objects.append(str(target))
    program = folder / "walk"
    assert linker.main([*objects, "-o", str(program)]) == 0
    program.chmod(0o755)
    build_board(folder)
    (folder / "commands").write_text("# sourced\nprint csp\nnonsense\npython print(1,\n")
    (folder / "commands.py").write_text('def ask():\n    return machine.x[99]\n\nprint("asking")\nask()\n')
    (folder / "itself").write_text("source itself\n")
    (folder / "walk.c").write_text((HERE / "program" / "walk.c").read_text())
    return program


def build_board(folder: Path) -> Path:
    """The image `board.elf` in `folder`."""
    from guest.assembler.assembler import assemble_source
    from loader.link import cli as linker

    text = (HERE / "program" / "board.S").read_text()
    (folder / "board.o").write_bytes(assemble_source(text, "board.S", c64=True))
    image = folder / "board.elf"
    assert linker.main(["--board", str(folder / "board.o"), "-o", str(image)]) == 0
    return image


def debug(folder: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """`morello debug ARGUMENTS` in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "emulator.cli.main", "debug", *arguments],
        cwd=folder,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ, PYTHONPATH=str(REPOSITORY), COLUMNS="200"),
    )


def replay(golden: Path, folder: Path, engine: str = "reference") -> str:
    """What the script of a golden file prints now."""
    lines = golden.read_text(encoding="utf-8").splitlines()
    arguments = ARGUMENT.match(lines[0]).group(1).split()
    script = [line.partition(prompt)[2] for line in lines for prompt in PROMPTS if line.startswith(prompt)]
    (folder / "script").write_text("\n".join(script) + "\n")
    arguments.insert(arguments[0] == "--boot", f"--engine={engine}")
    done = debug(folder, "--batch", "-x", "script", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return f"{lines[0]}\n{done.stdout}{done.stderr}# status {done.returncode}\n"


def main() -> None:
    """Write all golden files anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        for golden in sorted(GOLDEN.glob("*.txt")):
            golden.write_text(replay(golden, folder), encoding="utf-8")
            print(golden.name)


if __name__ == "__main__":
    main()
