"""C and assembly compiled for a test: once per session and content, also with many xdist workers."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emulator.testing.settings import MorelloError, is_for_the_user

__tracebackhide__ = is_for_the_user

SECONDS = 600
"""After which the compiler is given up."""
_FOLDER_OPTIONS = ("-isystem", "-iquote", "-idirafter", "-I", "-L", "-T")
_HEADERS = (".h", ".inc")
_COMMAND = (
    "import sys; sys.path = list(filter(None, sys.path)); "
    "from emulator.cli.main import main; sys.exit(main(sys.argv[1:]))"
)
"""The compiler's process must not import what lies in the current folder."""

TEXT = "<text>"
"""The folder of source that was given as text, in file names of messages and debugging information."""
Source = str | os.PathLike[str]


class Compiler:
    """Builds programs into `folder`, which all workers of a session share. `root` is pytest's."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root

    def build(
        self,
        sources: Sequence[Source],
        flags: str | Sequence[str],
        base: Path,
        *,
        suffix: str = ".c",
        name: str = "program",
    ) -> Path:
        """The built file. MorelloError with the compiler's diagnostics when it doesn't compile.

        A text with a line break is source itself, anything else names a file relative to `base`, as do -I and
        -L. What was built from the same source, flags and headers (beside the source and in -I folders) is
        used again. `-g` is always there.
        """
        options = list(_absolute(_words(flags), base))
        if any(option == "-o" or (option.startswith("-o") and len(option) > 2) for option in options):
            raise MorelloError("-o can't be given: the test plugin decides where programs go; use name=…")
        if Path(name).name != name or not name:
            raise MorelloError(f"'{name}' is not a file name")
        inputs = [_source(source, base) for source in sources]
        if not inputs:
            raise MorelloError("there is nothing to compile")
        target = self._folder / _key(inputs, options, base, suffix, name)
        program = target / name
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not program.exists():
                self._compile(target, inputs, options, base, suffix, name)
        return program

    def _compile(
        self,
        target: Path,
        inputs: Sequence[Path | str],
        options: Sequence[str],
        base: Path,
        suffix: str,
        name: str,
    ) -> None:
        """Into a folder of its own, which then takes its place at once."""
        making = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            files = []
            for number, item in enumerate(inputs):
                if isinstance(item, str):
                    path = making / (f"{Path(name).stem}{number or ''}{suffix}")
                    path.write_text(item, encoding="utf-8")
                    files.append(path)
                else:
                    files.append(item)
            # __FILE__ and debugging information say the same wherever the session's folder is.
            maps = [
                f"-ffile-prefix-map={old}={new}" for new, old in source_folders(making, self._root).items()
            ]
            command = [
                "cc",
                "-g",
                *maps,
                "-I",
                str(base),
                *options,
                *map(str, files),
                "-o",
                str(making / name),
            ]
            done = _run(command, making)
            if done.returncode:
                text = (done.stderr + done.stdout).replace(f"{TEXT}/", "").strip()
                raise MorelloError(f"{_title(inputs, name, suffix)} does not compile:\n{text}")
            making.rename(target)
        finally:
            shutil.rmtree(making, ignore_errors=True)


def source_folders(built: Path, root: Path) -> dict[str, Path]:
    """From the folders that programs name to those of the host: `built` has the sources given as text."""
    return {TEXT: built, ".": root}


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [sys.executable, "-c", _COMMAND, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MorelloError(f"the compiler took more than {SECONDS} seconds") from None


def _title(inputs: Sequence[Path | str], name: str, suffix: str) -> str:
    return " ".join(f"{name}{suffix}" if isinstance(item, str) else item.name for item in inputs)


def _words(flags: str | Sequence[str]) -> list[str]:
    return shlex.split(flags) if isinstance(flags, str) else [str(flag) for flag in flags]


def _absolute(options: Iterable[str], base: Path) -> Iterator[str]:
    """Relative folders of options are meant relative to the test."""
    follows = False
    for option in options:
        joined = next((o for o in _FOLDER_OPTIONS if option.startswith(o) and len(option) > len(o)), None)
        if follows:
            yield str(base / option)
        elif joined is not None:
            yield joined + str(base / option[len(joined) :].lstrip("="))
        else:
            yield option
        follows = not follows and option in _FOLDER_OPTIONS


def _source(source: Source, base: Path) -> Path | str:
    """The text, or the path of an existing file."""
    if isinstance(source, str) and "\n" in source:
        return source
    path = Path(os.path.normpath(base / source))
    if not path.is_file():
        hint = " (source text has a line break in it)" if isinstance(source, str) else ""
        raise MorelloError(f"there is no source file {path}{hint}")
    return path


def _key(inputs: Sequence[Path | str], options: Sequence[str], base: Path, suffix: str, name: str) -> str:
    digest = hashlib.sha256(repr((options, str(base), suffix, name)).encode(errors="surrogateescape"))
    folders = {str(base)}
    for item in inputs:
        content = item.encode(errors="surrogateescape") if isinstance(item, str) else item.read_bytes()
        label = "text" if isinstance(item, str) else str(item)
        digest.update(f"{label}\0{len(content)}\0".encode(errors="surrogateescape") + content)
        if isinstance(item, Path):
            folders.add(str(item.parent))
    for option in options:
        path = Path(option.removeprefix("-I"))
        if path.is_absolute() and path.is_dir():
            folders.add(str(path))
        elif path.is_absolute() and path.is_file():
            digest.update(path.read_bytes())
    for folder in sorted(folders):
        for header in sorted(p for p in Path(folder).glob("*") if p.suffix in _HEADERS and p.is_file()):
            digest.update(f"{header}\0".encode(errors="surrogateescape") + header.read_bytes())
    return digest.hexdigest()[:32]
