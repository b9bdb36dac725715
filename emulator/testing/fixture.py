"""The object behind the fixture `morello`: runs and builds programs for one test."""

from __future__ import annotations

import os
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from emulator.testing.compile import Compiler, Source, source_folders
from emulator.testing.faults import Fault, FaultPattern
from emulator.testing.result import Result
from emulator.testing.settings import MorelloError, Settings, is_for_the_user
from emulator.testing.snapshots import Snapshot, SnapshotStore, snapshot_path

__tracebackhide__ = is_for_the_user

HOST = "/host"
"""Guest folder where files that a test passes as paths appear."""
RUNTIMES = ("iwasm", "iwasm-plain")
Argument = str | os.PathLike[str] | int
Content = str | bytes | os.PathLike[str]


@dataclass(slots=True)
class Workshop:
    """What all tests of one process share: the session's folder, built programs, snapshots."""

    folder: Path
    root: Path
    """Pytest's rootdir: sources below it are named relative to it."""
    snapshots: SnapshotStore
    replay_limit: int
    compiler: Compiler = field(init=False)

    def __post_init__(self) -> None:
        self.compiler = Compiler(self.folder / "built", self.root)

    def new_folder(self) -> Path:
        """A new empty folder for one run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))


@dataclass(slots=True)
class ExpectedFault:
    """What `morello.faults` gives: after the block, the fault and the run that it belongs to."""

    pattern: FaultPattern
    _value: Fault | None = None
    _result: Result | None = None

    @property
    def value(self) -> Fault:
        """The fault. MorelloError before the end of the block."""
        if self._value is None:
            raise MorelloError("the fault is known after the block of 'with morello.faults(…)'")
        return self._value

    @property
    def result(self) -> Result:
        """The run."""
        if self._result is None:
            raise MorelloError("the run is known after the block of 'with morello.faults(…)'")
        return self._result

    def settle(self, results: Sequence[Result]) -> None:
        """Look for the fault in the last of the runs; AssertionError when it isn't there."""
        if not results:
            raise AssertionError(f"expected {self.pattern}, but nothing was run in the block")
        self._result = results[-1]
        self._value = self._result.match(self.pattern)


class Morello:
    """Everything that a test asks for. Each run has a machine of its own; `runs` are those of this test.

    Paths in arguments and relative names are meant relative to the test's file.
    """

    def __init__(self, workshop: Workshop, settings: Settings, test_file: Path, test_name: str) -> None:
        self._workshop = workshop
        self.settings = settings
        self._file = test_file
        self._base = test_file.parent
        self._name = test_name
        self._snapshots = 0
        self.runs: list[Result] = []
        self._folders: list[Path] = []

    def close(self) -> None:
        """The test is over: the folders of its runs go."""
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _new_folder(self) -> Path:
        self._folders.append(self._workshop.new_folder())
        return self._folders[-1]

    def __repr__(self) -> str:
        return "morello"

    # -- running -----------------------------------------------------------------------------------------

    def run(
        self,
        program: str | os.PathLike[str],
        *arguments: Argument,
        stdin: str | bytes = b"",
        files: Mapping[str, Content] | None = None,
        root: str | os.PathLike[str] | None = None,
        dirs: Mapping[str, str | os.PathLike[str]] | None = None,
        libraries: Sequence[str | os.PathLike[str]] = (),
        name: str | None = None,
        **options: object,
    ) -> Result:
        """Run a Linux program to its end.

        A path among the arguments is a file or folder of the host: the guest sees it, read-only, as
        `/host/NAME`. The working directory is /work, new for each run, with `files` in it. `dirs` grants
        folders of the host read-write: {guest path: host path}; `root` makes one the guest's /. `name` is
        argv[0]. `options` are those of the marker. MorelloError when the program can't be loaded.
        """
        from emulator.testing.process import Launch, run_program

        settings = self.settings.changed(options, "morello.run")
        path = self._existing(program, "program")
        shown = _Shown(self._base)
        inside = _below(path, self._base / root) if root is not None else None
        launch = Launch(
            str(path),
            None if inside is not None else f"/bin/{path.name}",
            name or inside or path.name,
            tuple(shown.argument(argument) for argument in arguments),
            settings,
            _bytes(stdin),
            {file: self._content(content) for file, content in (files or {}).items()},
            tuple(shown.grants.items()),
            tuple((str(self._base / host), guest) for guest, host in (dirs or {}).items()),
            str(self._base / root) if root is not None else None,
            tuple(str(self._base / folder) for folder in libraries),
        )
        limit = self._workshop.replay_limit
        return self._finished(path, lambda: run_program(launch, self._new_folder, limit))

    def boot(
        self,
        image: str | os.PathLike[str],
        *,
        board: str | None = None,
        el: int | None = None,
        stdin: str | bytes = b"",
        **options: object,
    ) -> Result:
        """Boot a bare-metal image; the first console is `stdout`. The status is that of `morello boot`."""
        from emulator.testing.board import Boot, boot_image

        settings = self.settings.changed(options, "morello.boot")
        path = self._existing(image, "image")
        if el not in (None, 1, 2, 3):
            raise MorelloError(f"morello.boot: el = {el!r} is not 1, 2 or 3")
        boot = Boot(str(path), settings, board, el, _bytes(stdin))
        limit = self._workshop.replay_limit
        return self._finished(path, lambda: boot_image(boot, self._new_folder, limit))

    def wasm(
        self,
        module: str | bytes | os.PathLike[str],
        *arguments: Argument,
        function: str | None = None,
        runtime: str = "iwasm",
        library: str | os.PathLike[str] | None = None,
        iwasm_options: Sequence[str] = (),
        files: Mapping[str, Content] | None = None,
        **run: object,
    ) -> Result:
        """Run a WebAssembly module (a file, or its bytes) through `iwasm`, in a compartment.

        `runtime="iwasm-plain"` does without one. `function` is called instead of main. With `files` the
        module may use its working directory. `library` takes the place of libiwasm.so; `iwasm_options` are
        iwasm's own.
        """
        from emulator.images import image_path
        from morello_isa.errors import UserError

        if runtime not in RUNTIMES:
            raise MorelloError(f"there is no runtime '{runtime}'; there are {', '.join(RUNTIMES)}")
        if library is not None and runtime != "iwasm":
            raise MorelloError(f"{runtime} has its runtime inside and takes no library")
        contents = dict(files or {})
        command: list[Argument] = list(iwasm_options)
        try:
            program = image_path(runtime)
            if runtime == "iwasm":
                path = image_path("libiwasm.so") if library is None else self._existing(library, "library")
                command.append(_Joined("--wamr-lib=", path))
        except UserError as error:
            raise MorelloError(error.message) from None
        command += ["--dir=."] if contents else []
        command += ["-f", function] if function is not None else []
        if isinstance(module, bytes):
            contents["module.wasm"] = module
            command.append("module.wasm")
        else:
            command.append(self._existing(module, "module"))
        return self.run(program, *command, *arguments, files=contents, **run)  # type: ignore[arg-type]

    def _finished(self, program: Path, start: Callable[[], Result]) -> Result:
        from morello_isa.errors import UserError

        try:
            result = start()
        except UserError as error:
            raise MorelloError(error.message) from None
        folders = source_folders(program.parent, self._workshop.root)
        result.evidence = replace(result.evidence, folders=folders)
        self.runs.append(result)
        return result

    # -- building ----------------------------------------------------------------------------------------

    def cc(self, *sources: Source, flags: str | Sequence[str] = (), name: str = "program") -> Path:
        """Compile C: source text (with a line break in it) or files. The program's path.

        Compiled once per session for the same source, headers and flags. MorelloError with the diagnostics
        when it doesn't compile.
        """
        return self._workshop.compiler.build(sources, flags, self._base, name=name)

    def asm(self, *sources: Source, flags: str | Sequence[str] = (), name: str = "program") -> Path:
        """Assemble and link without the C library. A text that has no `_start` becomes the body of one."""
        options = flags.split() if isinstance(flags, str) else list(flags)
        texts = [_with_start(s) if isinstance(s, str) and "\n" in s else s for s in sources]
        return self._workshop.compiler.build(
            texts, ["-nostdlib", *options], self._base, suffix=".S", name=name
        )

    # -- asserting ---------------------------------------------------------------------------------------

    @contextmanager
    def faults(
        self,
        kind: str | None = None,
        *,
        register: str | None = None,
        symbol: str | None = None,
        address: int | None = None,
        file: str | None = None,
        line: int | None = None,
        restricted: bool | None = None,
    ) -> Iterator[ExpectedFault]:
        """The last run in the block must have taken such a fault (see `Result.expect_fault`)."""
        expected = ExpectedFault(FaultPattern(kind, register, symbol, address, file, line, restricted))
        before = len(self.runs)
        yield expected
        expected.settle(self.runs[before:])

    def snapshot(self, name: str | None = None) -> Snapshot:
        """Compares equal to the stored text: `assert result.stdout == morello.snapshot()`.

        Without a name it is the test's next one.
        """
        self._snapshots += 1
        number = f".{self._snapshots}" if self._snapshots > 1 else ""
        full = f"{self._name}.{name}" if name is not None else f"{self._name}{number}"
        return Snapshot(self._workshop.snapshots, snapshot_path(self._file, full))

    # -- paths -------------------------------------------------------------------------------------------

    def _existing(self, name: str | os.PathLike[str], what: str) -> Path:
        path = (self._base / name).absolute()
        if not path.exists():
            raise MorelloError(f"the {what} {path} does not exist")
        return path

    def _content(self, content: Content) -> bytes:
        if isinstance(content, os.PathLike):
            return self._existing(content, "file").read_bytes()
        return _bytes(content)


@dataclass(frozen=True, slots=True)
class _Joined(os.PathLike[str]):
    """An option with a path in it."""

    option: str
    path: Path

    def __fspath__(self) -> str:
        return str(self.path)


class _Shown:
    """Files of the host that a run's arguments name, under guest paths that don't depend on the host."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self.grants: dict[str, str] = {}
        """Host path -> guest path."""

    def argument(self, argument: Argument) -> str:
        """The text that the guest gets."""
        if isinstance(argument, _Joined):
            return argument.option + self._guest(argument.path)
        if isinstance(argument, os.PathLike):
            return self._guest(self._base / argument)
        return str(argument)

    def _guest(self, path: Path) -> str:
        host = os.path.normpath(path.absolute())
        if not path.exists():
            raise MorelloError(f"the argument {path} does not exist")
        if host not in self.grants:
            guest = posixpath.join(HOST, posixpath.basename(host))
            if guest in self.grants.values():
                guest = posixpath.join(HOST, str(len(self.grants)), posixpath.basename(host))
            self.grants[host] = guest
        return self.grants[host]


def _bytes(text: str | bytes | os.PathLike[str]) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode(errors="surrogateescape")


def _below(path: Path, root: Path) -> str | None:
    """The guest's name of a file in its root, links left as they are; None outside."""
    inside = os.path.relpath(path, root)
    return None if inside.startswith("..") else f"/{inside}"


def _with_start(text: str) -> str:
    if any(line.split("//")[0].strip().startswith("_start:") for line in text.splitlines()):
        return text
    # On the same line, so that the numbers of lines stay those of the text.
    return f".text; .globl _start; .type _start, %function; _start: {text}"
