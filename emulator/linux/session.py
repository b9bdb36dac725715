"""A run from the outside: grants, the first process, standard streams. Used by `morello run` and by tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from emulator.engine.api import Engine, ExceptionHandler
from emulator.faults import MemoryAbort
from emulator.linux.abi import COMPAT64
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import View, canonical
from emulator.linux.handles import HostFile, Open
from emulator.linux.kernel import EngineFactory, Kernel, Options
from emulator.linux.observer import Observer
from emulator.linux.process import DescriptorTable, Process, Task
from emulator.linux.start import find_program, load_program
from emulator.linux.strace import Tracer
from emulator.memory.address_space import AddressSpace
from emulator.memory.interface import Memory
from emulator.state.pe import Pe
from morello_isa.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, UserError

if TYPE_CHECKING:
    from emulator.engine.translate.cache import TranslationCache

HOST_ONLY = ("/proc/", "/dev/", "/sys/")
"""Naming a file there grants nothing: the guest has its own."""
DEFAULT_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/", "TERM": "dumb"}


@dataclass(frozen=True)
class Recorded:
    """What an earlier run saw of its host, to be seen again: grants as (guest path, host path, writable)."""

    grants: Sequence[tuple[str, str, bool]]
    directory: str
    """Guest path of the working directory."""
    place: str
    """Guest path of the program."""


@dataclass
class Request:
    """What to run: a host path, arguments after argv[0], and what of the host the guest may see."""

    program: str
    arguments: Sequence[str] = ()
    root: str | None = None
    directories: Sequence[tuple[str, str | None]] = ()
    """(host, guest or None for the same path) pairs, read-write."""
    libraries: Sequence[str] = ()
    """Host directories searched for shared libraries, visible read-only."""
    environment: Mapping[str, str] = field(default_factory=dict)
    readable: Sequence[tuple[str, str]] = ()
    """(host, guest) pairs of files and directories, read-only."""
    place: str | None = None
    """Guest path at which the program appears; None: its host path, or where the root shows it."""
    name: str | None = None
    """argv[0]; None: `program` as it was given."""
    cwd: str | None = None
    """Guest directory to start in; None: the host's, or / with a root. With one, arguments grant no files."""
    recorded: Recorded | None = None
    """Given, it replaces what the other fields say about files."""


def reference_engine(pe: Pe, memory: Memory, on_exception: ExceptionHandler) -> Engine:
    """The engine that executes one instruction at a time."""
    from emulator.engine.reference import ReferenceEngine

    return ReferenceEngine(pe, memory, on_exception)


def fast_engine(pe: Pe, memory: Memory, on_exception: ExceptionHandler) -> Engine:
    """The engine that translates; process mode's memory is an address space."""
    from emulator.engine.translate.engine import FastEngine

    assert isinstance(memory, AddressSpace)
    return FastEngine(pe, memory, on_exception)


ENGINES = {"reference": reference_engine, "fast": fast_engine}


def build_view(request: Request) -> View:
    """The granted view.

    With a root: everything below it, read-write, as `/`. Without: the program and every existing regular
    file that an argument names (also the FILE of `--option=FILE`), read-only, at the host's own paths.
    Directories granted with `--dir` come on top, read-write.
    """
    view = View()
    if request.recorded is not None:
        for place, source, writable in request.recorded.grants:
            view.grant(source, place, writable)
        view.add_directory(request.recorded.directory)
        return view
    if request.root is not None:
        if not Path(request.root).is_dir():
            raise UserError(f"--root {request.root} is not a directory")
        view.grant(request.root, "/", True)
    for host, guest in request.directories:
        if not Path(host).is_dir():
            raise UserError(f"--dir {host} is not a directory")
        view.grant(host, guest if guest is not None else host_guest_path(host), True)
    for host in request.libraries:
        if Path(host).is_dir():
            view.grant(host, host_guest_path(host), False)
    for host, guest in request.readable:
        view.grant(host, guest, False)
    if request.place is not None:
        view.grant(request.program, request.place, False)
    if request.cwd is not None:
        view.add_directory(request.cwd)
    elif request.root is None:
        view.add_directory(host_guest_path("."))
        for name in (request.program, *named_files(request.arguments)):
            if Path(name).is_file() and view.guest_path(name) != host_guest_path(name):
                view.grant(name, host_guest_path(name), False)
    elif not _program_in_root(view, request):
        view.grant(request.program, host_guest_path(request.program), False)
    return view


def _program_in_root(view: View, request: Request) -> bool:
    if not Path(request.program).is_file():
        return True
    return view.guest_path(request.program) is not None


def host_guest_path(host: str) -> str:
    """The guest path equal to a host path: absolute, with links left as they are."""
    return canonical(os.path.normpath(Path.cwd() / host))


def named_files(arguments: Sequence[str]) -> list[str]:
    """Arguments that name existing regular files, and the files of `--option=FILE`."""
    found = []
    for argument in arguments:
        candidates = [argument]
        if argument.startswith("-") and "=" in argument:
            candidates.append(argument.split("=", 1)[1])
        found += [name for name in candidates if name and "\0" not in name and _is_file(name)]
    return found


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file() and not os.path.realpath(name).startswith(HOST_ONLY)
    except OSError:
        return False


class Session:
    """A kernel with its first process loaded, ready to run."""

    def __init__(
        self,
        request: Request,
        options: Options | None = None,
        *,
        errors: TextIO | None = None,
        trace: bool = False,
        observer: Observer | None = None,
        streams: tuple[int, int, int] = (0, 1, 2),
        engines: EngineFactory | None = None,
    ) -> None:
        self.errors = errors if errors is not None else sys.stderr
        self.start: Recorded
        """What of the host the program sees."""
        self.view = build_view(request)
        tracer = Tracer(self.errors) if trace else observer
        options = options or Options()
        self.translations: TranslationCache | None = None
        if engines is None and options.engine == "fast" and options.translations is not None:
            engines = self._engines_with_cache(options.translations, request.program)
        engines = engines or ENGINES[options.engine]
        self.kernel = Kernel(self.view, engines, options, self.errors, tracer)
        self.process = self._first_process(request, streams)

    def _engines_with_cache(self, folder: Path, program: str) -> EngineFactory:
        """Fast engines that share the translations of this program on disk."""
        from emulator.engine.translate.cache import TranslationCache
        from emulator.engine.translate.engine import FastEngine

        try:
            content = Path(program).read_bytes()
        except OSError:  # a path of the guest
            content = program.encode()
        cache = self.translations = TranslationCache(folder, content)

        def make(pe: Pe, memory: Memory, on_exception: ExceptionHandler) -> Engine:
            assert isinstance(memory, AddressSpace)
            engine = FastEngine(pe, memory, on_exception)
            engine.cache = cache
            return engine

        return make

    def _first_process(self, request: Request, streams: tuple[int, int, int]) -> Process:
        kernel = self.kernel
        table = DescriptorTable()
        for number, (descriptor, name) in enumerate(zip(streams, ("stdin", "stdout", "stderr"), strict=True)):
            try:
                flags = Open.RDWR if number == 0 and os.isatty(descriptor) else (0, Open.WRONLY)[number > 0]
                table.put(number, HostFile(descriptor, f"/dev/{name}", flags, owned=False))
            except OSError:
                continue
        pid = kernel.new_pid()
        profile = kernel.options.profile
        process = Process(
            pid, None, AddressSpace(kernel.pool), COMPAT64, profile, table, group=pid, session=pid
        )
        if request.recorded is not None:
            self.start = request.recorded
        else:
            directory = request.cwd or (host_guest_path(".") if request.root is None else "/")
            grants = [(g.guest, g.host, g.writable) for g in self.view.grants]
            self.start = Recorded(grants, directory, self._program_path(request))
        process.cwd, place = self.start.directory, self.start.place
        kernel.add_process(process)
        name = request.name if request.name is not None else request.program
        arguments = [os.fsencode(name), *(os.fsencode(a) for a in request.arguments)]
        environment = [
            os.fsencode(f"{k}={v}") for k, v in {**DEFAULT_ENVIRONMENT, **request.environment}.items()
        ]
        try:
            where = kernel.view.walk(place, process.cwd, True, kernel.synthetic(process))
            program = find_program(kernel, process, where, arguments)
        except SyscallError as error:
            raise _cannot_run(request.program, error.errno) from None
        try:
            pe = load_program(kernel, process, program, environment, profile)
        except MemoryAbort:
            limit = kernel.options.memory_limit
            raise UserError(
                f"{request.program} does not fit into {limit:,} bytes of memory (--memory)"
            ) from None
        kernel.add_task(Task(kernel, process, pid, pe))
        return process

    def _program_path(self, request: Request) -> str:
        """The guest path of the program: of the host file if that is visible, else as given (with --root)."""
        name = request.program
        if Path(name).is_dir():
            raise UserError(f"{name} is a directory, not a program", EXIT_CANNOT_EXECUTE)
        if Path(name).is_file():
            visible = self.view.guest_path(name)
            return visible if visible is not None else host_guest_path(name)
        if request.root is None:
            raise UserError(f"{name} does not exist", EXIT_NOT_FOUND)
        return name


def _cannot_run(name: str, errno: Errno) -> UserError:
    if errno in (Errno.ENOENT, Errno.ENOTDIR):
        return UserError(f"{name} does not exist", EXIT_NOT_FOUND)
    reason = {
        Errno.EACCES: "permission denied",
        Errno.ENOEXEC: "its first line names no interpreter",
        Errno.ELOOP: "too many levels of links or scripts",
    }.get(errno, errno.name)
    return UserError(f"{name} can't be executed: {reason}", EXIT_CANNOT_EXECUTE)
