"""One run of a bare-metal image on a board, in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulator.board.boards import BOARDS, Board
from emulator.board.console import StreamConsole
from emulator.board.image import load_elf, read_file
from emulator.board.outcome import Outcome, OutcomeKind
from emulator.board.system import System
from emulator.cli.boot import default_board, exit_status
from emulator.debug.provenance import Recorder
from emulator.engine.api import Engine
from emulator.faults import PeFault
from emulator.linux.process import LoadedImage
from emulator.state.pe import Pe
from emulator.testing.decode import NO_FAULTS, FaultLog, listing, place_of
from emulator.testing.faults import kind_name
from emulator.testing.history import TAIL, History
from emulator.testing.process import OUTPUT_LIMIT, rare_collections
from emulator.testing.replay import provenance
from emulator.testing.result import Evidence, Result
from emulator.testing.settings import MorelloError, Settings, is_for_the_user

__tracebackhide__ = is_for_the_user


@dataclass(frozen=True, slots=True)
class Boot:
    """Everything that a run depends on. `level` is the exception level to start at, None: the board's."""

    image: str
    settings: Settings
    board: str | None = None
    level: int | None = None
    stdin: bytes = b""


class _WatchedSystem(System):
    """A board that tells of faults before they are taken."""

    def __init__(
        self, board: Board, console: StreamConsole, engine: str, told: Callable[[PeFault], None]
    ) -> None:
        self._told = told
        super().__init__(board, consoles={0: console}, engine=engine or None)

    def _on_exception(self, pe: Pe, fault: PeFault) -> None:
        if fault.kind not in NO_FAULTS:
            self._told(fault)
        super()._on_exception(pe, fault)


class _Output:
    """What the console prints, up to a limit."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> int:
        self.data += data[: max(OUTPUT_LIMIT - len(self.data), 0)]
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


class _Core:
    """The board's core as the recorder of provenance sees it."""

    tid = 0

    def __init__(self, pe: Pe) -> None:
        self.pe = pe
        self.kernel = pe
        """What counts instructions is the core itself."""


class BoardRun:
    """An image loaded on a new board. UserError for images that can't be.

    `record`: every instruction is looked at, and `at_fault` has the lines of a report about the last fault
    (but not about fetches that fail in its wake).
    """

    def __init__(self, boot: Boot, folder: Path, record: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._boot = boot
        self._input = folder / "stdin"
        self._input.write_bytes(boot.stdin)
        self.output = _Output()
        self.log = FaultLog()
        self._recorder = Recorder() if record else None
        self.history = History(self._record if record else None)
        self.at_fault: list[str] = []

    def run(self) -> Outcome:
        """Until it ends. The last instructions before the limit are noted."""
        boot = self._boot
        board = BOARDS[boot.board] if boot.board else default_board(boot.image)
        with self._input.open("rb") as stream, rare_collections():
            console = StreamConsole(self.output, stream.fileno() if boot.stdin else None)
            system = self.system = _WatchedSystem(board, console, boot.settings.engine, self._fault)
            loaded = load_elf(system.physical, read_file(boot.image), boot.image)
            self.images = [LoadedImage(loaded.elf, 0, boot.image)] if loaded.elf is not None else []
            system.start(loaded.entry, boot.level)
            if boot.stdin:
                system.poll = lambda: _discard(console.poll())
                system.wait_for_input = console.poll
            self._core = _Core(system.pe)
            if self._recorder is not None:
                self.history.attach(system.engine)
            limit = boot.settings.max_instructions
            outcome = system.run(max(limit - TAIL, 1))
            if outcome.kind is OutcomeKind.LIMIT and limit > TAIL:
                self.history.attach(system.engine)
                outcome = system.run(TAIL)
                if outcome.kind is OutcomeKind.LIMIT:
                    outcome = Outcome(OutcomeKind.LIMIT, f"{limit:,} instructions were executed")
            return outcome

    def _record(self, _: Engine, pc: int, word: int) -> None:
        if self._recorder is not None:
            self._recorder(self._core, pc, word)

    def _fault(self, fault: PeFault) -> None:
        self.log.add(fault, self.images, self.system.pe.instructions)
        if self._recorder is not None and not (fault.is_fetch and self.at_fault):
            self.at_fault = [
                f"last instructions before the {kind_name(fault.kind)} fault:",
                *(f"  {line}" for line in self.last()),
                *provenance(self._recorder, self._core, fault, self._where),
            ]

    def _where(self, address: int) -> str:
        _, symbol, offset = place_of(self.images, address)
        return f"{symbol}+{offset:#x}" if offset else symbol

    def last(self) -> tuple[str, ...]:
        """The last instructions that were noted."""
        return tuple(listing(self.history.tail(), self.images))


def _discard(_: object) -> None:
    return


def boot_image(boot: Boot, new_folder: Callable[[], Path], replay_limit: int) -> Result:
    """Boot it and tell what came of it. UserError when it can't be loaded."""
    if boot.board is not None and boot.board not in BOARDS:
        raise MorelloError(f"there is no board '{boot.board}'; there are {', '.join(BOARDS)}")
    folder = new_folder()
    run = BoardRun(boot, folder)
    outcome = run.run()
    status, message = exit_status(outcome)
    limited = outcome.kind is OutcomeKind.LIMIT
    count = run.system.pe.instructions

    def repeat() -> list[str]:
        if limited:
            return []
        if count > replay_limit:
            reason = f"{count:,} instructions, and --morello-replay allows {replay_limit:,}"
            return [f"(last instructions are missing: {reason})"]
        again = BoardRun(boot, new_folder(), record=True)
        again.run()
        return again.at_fault or ["last instructions:", *(f"  {line}" for line in again.last())]

    return Result(
        bytes(run.output.data),
        b"",
        status,
        None,
        limited,
        count,
        run.system.engine.crossings,
        0,
        run.log.faults(),
        f"morello boot: {message}\n" if message else "",
        folder,
        Evidence(Path(boot.image).name, last=run.last() if limited else (), repeat=repeat),
    )
