"""One run of a Linux program, in this process: its machine is made for it and gone afterwards."""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from emulator.debug.changes import FileChanges
from emulator.linux.abi import Profile
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.explain_signal import explain
from emulator.linux.handles import HostFile, Open
from emulator.linux.kernel import EngineFactory, Kernel, Options, Outcome
from emulator.linux.session import Request, Session, host_guest_path
from emulator.linux.signals import SignalInfo, Signals, signal_name
from emulator.testing.decode import FaultLog, backtrace, listing
from emulator.testing.history import TAIL, History
from emulator.testing.result import Evidence, Result
from emulator.testing.settings import MorelloError, Settings, is_for_the_user
from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_LIMIT, UserError

if TYPE_CHECKING:
    from emulator.linux.process import Process, Task

__tracebackhide__ = is_for_the_user

WORK = "/work"
"""Guest path of the run's own folder, and its working directory."""
OUTPUT_LIMIT = 64 << 20
"""Bytes that a guest may write to its standard streams together."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that a run depends on, so that it can be repeated.

    `program` is the host's file, `place` where the guest sees it (None: where the root shows it), `name` its
    argv[0]. `files` are contents of /work; `readable` and `directories` are (host, guest)
    pairs that are granted read-only and read-write.
    """

    program: str
    place: str | None
    name: str
    arguments: tuple[str, ...]
    settings: Settings
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    readable: tuple[tuple[str, str], ...] = ()
    directories: tuple[tuple[str, str], ...] = ()
    root: str | None = None
    libraries: tuple[str, ...] = ()

    def request(self, folder: Path) -> Request:
        """The request for a run whose /work is `folder`."""
        return Request(
            self.program,
            self.arguments,
            self.root,
            [*self.directories, (str(folder), WORK)],
            self.libraries,
            self.settings.env,
            readable=self.readable,
            place=self.place,
            name=self.name,
            cwd=WORK,
        )

    def options(self) -> Options:
        """The options of the run, a new object each time."""
        settings = self.settings
        options = Options(
            max_instructions=settings.max_instructions,
            memory_limit=settings.memory,
            profile=Profile(settings.abi),
            strict_restricted=settings.strict_restricted,
            library_path=[host_guest_path(part) for part in self.libraries],
        )
        return replace(options, engine=settings.engine) if settings.engine else options


class _LimitedOutput(HostFile):
    """A standard stream into a file; what is beyond the limit is refused with EFBIG."""

    def __init__(self, descriptor: int, name: str, left: list[int]) -> None:
        super().__init__(descriptor, name, Open.WRONLY, owned=False)
        self._left = left

    def write(self, task: Task, data: bytes) -> int:
        """Write if there is room."""
        if len(data) > self._left[0]:
            raise SyscallError(Errno.EFBIG)
        self._left[0] -= len(data)
        return super().write(task, data)


class _WatchedSignals(Signals):
    """Signals that tell of faults before they are delivered."""

    def __init__(self, kernel: Kernel, told: Callable[[Task, SignalInfo], None]) -> None:
        super().__init__(kernel)
        self._told = told

    def force(self, task: Task, info: SignalInfo) -> None:
        """See `Signals.force`."""
        if info.fault is not None:
            self._told(task, info)
        super().force(task, info)


class ProcessRun:
    """A program loaded in a new machine. `told` hears of every fault, before the guest's handlers do."""

    def __init__(
        self,
        launch: Launch,
        folder: Path,
        engines: EngineFactory | None = None,
        told: Callable[[Task, SignalInfo], None] | None = None,
        watch_from: int | None = None,
    ) -> None:
        """`folder` must be new. The last instructions are noted from `watch_from` on, a count of all threads'
        instructions; None: shortly before the limit, so that a guest that hangs shows where."""
        self._launch = launch
        self.work = folder / "work"
        self._folder = folder
        self._told = told
        self._engines = engines
        self._watch_from = watch_from
        self.log = FaultLog()
        self.changes = FileChanges()
        self.messages = io.StringIO()
        self.history = History()
        self.backtrace: list[str] = []
        self.session: Session
        _write_files(self.work, launch.files)
        (folder / "stdin").write_bytes(launch.stdin)

    @property
    def kernel(self) -> Kernel:
        """The run's kernel."""
        return self.session.kernel

    def run(self) -> Outcome | UserError:
        """Until the end. UserError as a value: the program could be loaded but not run on (a deadlock).

        Raises UserError for a program that can't be loaded.
        """
        with contextlib.ExitStack() as stack:
            streams: list[BinaryIO] = [stack.enter_context((self._folder / "stdin").open("rb"))]
            streams += [
                stack.enter_context((self._folder / name).open("wb")) for name in ("stdout", "stderr")
            ]
            stack.enter_context(rare_collections())
            numbers = [stream.fileno() for stream in streams]
            self.session = Session(
                self._launch.request(self.work),
                self._launch.options(),
                errors=self.messages,
                streams=(numbers[0], numbers[1], numbers[2]),
                engines=self._engines,
            )
            self._watch(numbers)
            try:
                return self._run()
            except UserError as error:
                return error
            finally:
                self.kernel.end_everything()

    def _watch(self, numbers: Sequence[int]) -> None:
        kernel = self.kernel
        kernel.tracer = self.changes
        kernel.signals = _WatchedSignals(kernel, self._fault)
        kernel.fatal = self._fatal
        left = [OUTPUT_LIMIT]
        for number, name in ((1, "/dev/stdout"), (2, "/dev/stderr")):
            self.session.process.descriptors.put(number, _LimitedOutput(numbers[number], name, left))

    def _run(self) -> Outcome:
        kernel, limit = self.kernel, self._launch.settings.max_instructions
        quiet = max(self._watch_from if self._watch_from is not None else limit - TAIL, 1)
        kernel.options.max_instructions = min(quiet, limit)
        outcome = kernel.run()
        if outcome.limited and quiet < limit:
            for task in kernel.tasks.values():
                self.history.attach(task.engine)
            kernel.options.max_instructions = limit
            outcome = kernel.run()
            if outcome.limited:
                self.backtrace = [line for task in self._running() for line in backtrace(task)]
        return outcome

    def _running(self) -> list[Task]:
        return [task for task in self.kernel.tasks.values() if task.engine is self.history.last]

    def _fault(self, task: Task, info: SignalInfo) -> None:
        assert info.fault is not None
        images = task.process.images
        self.log.add(info.fault, images, self.kernel.instructions, signal_name(info.number))
        if self._told is not None:
            self._told(task, info)

    def _fatal(self, process: Process, info: SignalInfo) -> None:
        self.messages.write(explain(process, info))
        if process is self.kernel.first:
            if info.fault is not None:
                self.log.killed(info.fault)
            if len(process.tasks) == 1:
                self.backtrace = backtrace(process.tasks[0])

    def output(self, name: str) -> bytes:
        """What went to "stdout" or "stderr"."""
        return (self._folder / name).read_bytes()


def _write_files(work: Path, files: Mapping[str, bytes]) -> None:
    work.mkdir(parents=True)
    for name, content in files.items():
        target = work / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise MorelloError(f"the file '{name}' is outside the run's folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Garbage is collected as rarely as the command `morello` does: bound code is many small objects."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def run_program(launch: Launch, new_folder: Callable[[], Path], replay_limit: int) -> Result:
    """Run it and tell what came of it. UserError when it can't be loaded.

    A failure report may repeat runs of up to `replay_limit` instructions.
    """
    run = ProcessRun(launch, new_folder())
    outcome = run.run()
    kernel = run.kernel
    messages, status, signal, limited = run.messages.getvalue(), EXIT_EMULATOR_ERROR, None, False
    if isinstance(outcome, UserError):
        messages += f"morello: {outcome.message}\n"
    elif outcome.limited:
        status, limited = EXIT_LIMIT, True
    elif outcome.signal:
        status, signal = 128 + outcome.signal, signal_name(outcome.signal)
    else:
        status = outcome.status
    images = run.session.process.images
    result = Result(
        run.output("stdout"),
        run.output("stderr"),
        status,
        signal,
        limited,
        kernel.instructions,
        kernel.statistics.crossings,
        kernel.statistics.syscalls,
        run.log.faults(),
        messages,
        run.work,
        Evidence(
            " ".join((launch.name, *launch.arguments)),
            backtrace=tuple(run.backtrace),
            last=tuple(listing(run.history.tail(), images)) if limited else (),
        ),
    )
    if not limited:
        refusal = _why_not_repeated(launch, run, replay_limit)
        result.evidence = replace(
            result.evidence, repeat=lambda: _repeat(launch, new_folder(), result, refusal, replay_limit)
        )
    return result


def _why_not_repeated(launch: Launch, run: ProcessRun, replay_limit: int) -> str:
    if not replay_limit:
        return "--morello-replay=0"
    if run.changes.first and (launch.root is not None or launch.directories):
        return f"it changed files ({run.changes.first}) and may write to folders of the host"
    return ""


def _repeat(launch: Launch, folder: Path, result: Result, refusal: str, replay_limit: int) -> list[str]:
    if refusal:
        return [f"(last instructions and provenance are missing: {refusal})"]
    from emulator.testing.replay import repeat

    return repeat(launch, folder, result, replay_limit)
