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
from emulator.faults import PeFault
from emulator.linux.process import LoadedImage
from emulator.state.pe import Pe
from emulator.testing.decode import NO_FAULTS, Executed, FaultLog, listing
from emulator.testing.history import TAIL, History
from emulator.testing.process import OUTPUT_LIMIT, rare_collections
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

    def __init__(self, board: Board, console: StreamConsole, told: Callable[[PeFault], None]) -> None:
        self._told = told
        super().__init__(board, consoles={0: console})

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


class BoardRun:
    """An image loaded on a new board. UserError for images that can't be."""

    def __init__(self, boot: Boot, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._boot = boot
        self._input = folder / "stdin"
        self._input.write_bytes(boot.stdin)
        self.output = _Output()
        self.log = FaultLog()
        self.history = History()
        self.at_fault: tuple[Executed, ...] = ()
        """The last instructions before the last fault."""

    def run(self, watched: bool = False) -> Outcome:
        """Until it ends; `watched`: the last instructions are noted from the beginning."""
        boot = self._boot
        board = BOARDS[boot.board] if boot.board else default_board(boot.image)
        with self._input.open("rb") as stream, rare_collections():
            console = StreamConsole(self.output, stream.fileno() if boot.stdin else None)
            system = self.system = _WatchedSystem(board, console, self._fault)
            loaded = load_elf(system.physical, read_file(boot.image), boot.image)
            self.images = [LoadedImage(loaded.elf, 0, boot.image)] if loaded.elf is not None else []
            system.start(loaded.entry, boot.level)
            if boot.stdin:
                system.poll = lambda: _discard(console.poll())
                system.wait_for_input = console.poll
            if watched:
                self.history.attach(system.engine)
            limit = boot.settings.max_instructions
            outcome = system.run(max(limit - TAIL, 1))
            if outcome.kind is OutcomeKind.LIMIT and limit > TAIL:
                self.history.attach(system.engine)
                outcome = system.run(TAIL)
                if outcome.kind is OutcomeKind.LIMIT:
                    outcome = Outcome(OutcomeKind.LIMIT, f"{limit:,} instructions were executed")
            return outcome

    def _fault(self, fault: PeFault) -> None:
        self.log.add(fault, self.images, self.system.pe.instructions)
        self.at_fault = self.history.tail()

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
        again = BoardRun(boot, new_folder())
        again.run(watched=True)
        if again.at_fault:
            shown = listing(again.at_fault, again.images)
            return ["last instructions before the fault:", *(f"  {line}" for line in shown)]
        return ["last instructions:", *(f"  {line}" for line in again.last())]

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
