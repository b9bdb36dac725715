"""`morello profile`: hot functions and blocks of a program, where time goes, and a flame graph's data."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.board_image import add_image_options, image_subject, is_image, write_all
from emulator.cli.run import (
    Parser,
    add_options,
    exit_status,
    explain_fatal_signals,
    options_of,
    positive_count,
    refuse_reports,
    request_of,
)
from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_INTERRUPTED, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.engine.api import Engine, ExceptionHandler
    from emulator.insight.profile import Profile
    from emulator.linux.process import Task
    from emulator.memory.interface import Memory
    from emulator.pictures.output import OutputFile
    from emulator.state.pe import Pe


def parser() -> argparse.ArgumentParser:
    """The options of `morello profile`: its own, and those of `morello run`."""
    p = Parser(prog="morello profile", description=__doc__, allow_abbrev=False)
    _add_results(p)
    p.add_argument(
        "--flame",
        metavar="FILE",
        help="call stacks into FILE: for speedscope if it ends in .json, else for flamegraph.pl and the like",
    )
    p.add_argument("--period", metavar="N", type=positive_count, help="--flame: a stack every N instructions")
    p.add_argument(
        "--image",
        metavar="FILE",
        help="as the first option: a board's image instead of a program; 'morello profile --image X --help'",
    )
    add_options(p)
    return p


def image_parser() -> argparse.ArgumentParser:
    """The options of `morello profile --image FILE`."""
    p = Parser(prog="morello profile", description=__doc__, allow_abbrev=False)
    add_image_options(p)
    _add_results(p)
    p.set_defaults(flame=None)
    return p


def _add_results(p: argparse.ArgumentParser) -> None:
    p.add_argument("-o", dest="output", metavar="FILE", help="write the tables to FILE instead of stderr")
    p.add_argument("--top", metavar="N", type=positive_count, default=15, help="rows of each table (15)")
    p.add_argument("--json", metavar="FILE", help="everything as JSON into FILE")


def main(argv: Sequence[str]) -> int:
    """Profile a program or an image; the exit status is that of `morello run` or `morello boot`."""
    if is_image(argv):
        arguments = image_parser().parse_args(argv)
        return _with_files(arguments, _run_image)
    arguments = parser().parse_args(argv)
    if arguments.image is not None:
        raise UserError("profile: --image comes first, without a program", EXIT_EMULATOR_ERROR)
    refuse_reports("profile", arguments)
    if arguments.engine != "fast":
        raise UserError(
            "profile: it is the fast engine's time that is shown, not --engine reference's",
            EXIT_EMULATOR_ERROR,
        )
    if arguments.period and not arguments.flame:
        raise UserError("profile: --period belongs to --flame", EXIT_EMULATOR_ERROR)
    return _with_files(arguments, _run)


def _with_files(
    arguments: argparse.Namespace, run: Callable[[argparse.Namespace, dict[str, OutputFile]], int]
) -> int:
    names = [name for name in (arguments.output, arguments.json, arguments.flame) if name]
    if len(set(names)) < len(names):
        raise UserError("profile: -o, --json and --flame need files of their own", EXIT_EMULATOR_ERROR)
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(_file(name)) for name in names}
        return run(arguments, files)


def _file(name: str) -> OutputFile:
    from emulator.pictures.output import OutputFile

    return OutputFile(name)


class _Run:
    """Engines that are measured and sampled."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from emulator.engine.translate.profiled import ProfiledCensus, Timing
        from emulator.insight.owners import Owners
        from emulator.insight.sampling import Sampler

        self.owners = Owners()
        self.census = ProfiledCensus(self.owners.of)
        self.timing = self.census.timing = Timing()
        self.sampler = Sampler(self._task_of, arguments.period) if arguments.flame is not None else None
        if self.sampler is not None:
            from emulator.engine.translate.profiled import SAMPLING

            self.sampler.take = self.timing.clock.timed(SAMPLING, self.sampler.take)  # type: ignore[method-assign]

    def engine(self, pe: Pe, memory: Memory, handler: ExceptionHandler) -> Engine:
        """For the session."""
        engine = self.census.make(pe, memory, handler)
        if self.sampler is not None:
            self.sampler.attach(engine)
        return engine

    def _task_of(self, engine: Engine) -> Task | None:
        kernel = self.owners.kernel
        tasks = kernel.tasks.values() if kernel is not None else ()
        return next((task for task in tasks if task.engine is engine), None)

    def profile(self, instructions: int, seconds: float, startup: float) -> Profile:
        """What there is at the end."""
        from emulator.insight.profile import ProfileMaker

        return ProfileMaker(self.census, self.timing, self.owners).make(instructions, seconds, startup)


def _run(arguments: argparse.Namespace, files: dict[str, OutputFile]) -> int:
    from emulator.engine.translate.profiled import KERNEL
    from emulator.linux.session import Session

    run = _Run(arguments)
    session = Session(request_of(arguments), options_of(arguments), engines=run.engine)
    run.owners.kernel = session.kernel
    explain_fatal_signals(session)
    startup = _age()
    started = time.perf_counter()
    # What the first process's constructors did while it was loaded is part of the start.
    run.timing.clock.seconds.clear()
    error: UserError | None = None
    status = EXIT_INTERRUPTED
    try:
        with run.timing.clock.activity(KERNEL):
            outcome = session.kernel.run()
        status = exit_status(session, outcome)
    except KeyboardInterrupt:
        pass
    except UserError as ended:
        # What was measured is worth having, most of all then.
        error, status = ended, ended.status
    seconds = startup + time.perf_counter() - started
    profile = run.profile(session.kernel.instructions, seconds, startup)
    _write(arguments, files, run, profile)
    if error is not None:
        sys.stderr.write(f"morello: {error.message}\n")
    return status


def _run_image(arguments: argparse.Namespace, files: dict[str, OutputFile]) -> int:
    from emulator.board.outcome import Outcome, OutcomeKind
    from emulator.cli import boot
    from emulator.insight.board_sides import BoardSide

    run = _Run(arguments)

    def sink(data: bytes) -> None:
        write_all(1, data)

    side = BoardSide(image_subject(arguments, sink), run.engine, sink)
    side.attach(run.owners)
    startup = _age()
    started = time.perf_counter()
    try:
        outcome = side.system.run(arguments.max_instructions)
    except KeyboardInterrupt:
        outcome = Outcome(OutcomeKind.USER)
    seconds = startup + time.perf_counter() - started
    _write(arguments, files, run, run.profile(side.instructions, seconds, startup))
    status, message = boot.exit_status(outcome)
    if message:
        sys.stderr.write(f"morello boot: {message}\n")
    return status


def _write(arguments: argparse.Namespace, files: dict[str, OutputFile], run: _Run, profile: Profile) -> None:
    from emulator.insight.sampling import collapsed, speedscope

    text = "".join(f"{line}\n" for line in profile.text(arguments.top))
    if arguments.output:
        files[arguments.output].stream.write(text.encode(errors="replace"))
    else:
        sys.stderr.write(text)
    if arguments.json:
        files[arguments.json].stream.write((json.dumps(profile.json(), indent=1) + "\n").encode())
    if run.sampler is not None:
        stacks = run.sampler.stacks
        is_json = arguments.flame.endswith(".json")
        title = Path(arguments.program).name
        content = speedscope(stacks, title) if is_json else collapsed(stacks)
        files[arguments.flame].stream.write(content.encode(errors="replace"))
        viewer = "https://www.speedscope.app" if is_json else "flamegraph.pl or https://www.speedscope.app"
        sys.stderr.write(f"── {arguments.flame}: {run.sampler.samples:,} stacks · open it with {viewer}\n")


def _age() -> float:
    """Seconds since this process was started."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.process_time()
