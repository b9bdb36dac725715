"""`morello trace`: what a program does, as lines of text or as a timeline for https://ui.perfetto.dev."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.cli.run import (
    Parser,
    add_options,
    exit_status,
    explain_fatal_signals,
    options_of,
    positive_count,
    refuse_reports,
    request_of,
    take_trailing,
)
from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_INTERRUPTED, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from emulator.pictures.recorder import Recorder


def parser() -> argparse.ArgumentParser:
    """The options of `morello trace`: its own, and those of `morello run`."""
    p = Parser(prog="morello trace", description=__doc__, allow_abbrev=False)
    p.add_argument(
        "--timeline",
        metavar="FILE",
        help="write a timeline: Chrome's JSON when FILE ends in .json, else Perfetto's format; may also be "
        "the last option of all",
    )
    p.add_argument("-o", dest="output", metavar="FILE", help="write the text to FILE instead of stderr")
    p.add_argument("--instructions", action="store_true", help="text: also every instruction and its effects")
    p.add_argument(
        "--max-events", metavar="N", type=positive_count, help="record at most N events (default 1,000,000)"
    )
    add_options(p)
    return p


def main(argv: Sequence[str]) -> int:
    """Trace a program; the exit status is that of `morello run`."""
    arguments = parser().parse_args(argv)
    refuse_reports("trace", arguments)
    if arguments.timeline is None:
        arguments.timeline = take_trailing(arguments, "--timeline")
    if arguments.timeline and (arguments.output or arguments.instructions):
        other = "-o" if arguments.output else "--instructions"
        raise UserError(f"trace: {other} is for the text trace, not for --timeline", EXIT_EMULATOR_ERROR)
    with _stream(arguments) as stream:
        return _run(arguments, stream)


@contextlib.contextmanager
def _stream(arguments: argparse.Namespace) -> Iterator[BinaryIO | None]:
    """Where the result goes; None is stderr."""
    from emulator.pictures.output import OutputFile

    name = arguments.timeline or arguments.output
    if name is None:
        yield None
        return
    with OutputFile(name) as file:
        yield file.stream


def _run(arguments: argparse.Namespace, stream: BinaryIO | None) -> int:
    from emulator.pictures.chrome_json import ChromeJsonSink
    from emulator.pictures.perfetto import PerfettoSink
    from emulator.pictures.recorder import DEFAULT_LIMIT, Recorder
    from emulator.pictures.text import TextSink
    from emulator.pictures.tracing import TracedRun

    limit = arguments.max_events or DEFAULT_LIMIT
    text = None
    if arguments.timeline:
        assert stream is not None
        is_json = arguments.timeline.endswith(".json")
        recorder = Recorder(ChromeJsonSink(stream) if is_json else PerfettoSink(stream), limit)
    else:
        text = TextSink(_writer(stream))
        recorder = Recorder(text, limit)
    run = TracedRun(
        request_of(arguments),
        options_of(arguments),
        recorder,
        text.instruction if text is not None and arguments.instructions else None,
    )
    session = run.session
    explain_fatal_signals(session)
    error: UserError | None = None
    try:
        status = exit_status(session, session.kernel.run())
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except UserError as ended:
        # What was recorded is worth having, most of all then.
        error, status = ended, ended.status
    run.finish()
    _tell(arguments, recorder, session.kernel.instructions)
    if error is not None:
        sys.stderr.write(f"morello: {error.message}\n")
    return status


def _writer(stream: BinaryIO | None) -> Callable[[str], object]:
    if stream is None:
        return sys.stderr.write
    return lambda text: stream.write(text.encode(errors="replace"))


def _tell(arguments: argparse.Namespace, recorder: Recorder, instructions: int) -> None:
    name = arguments.timeline or arguments.output
    if recorder.stopped_at is not None:
        sys.stderr.write(
            f"morello: recording stopped at instruction {recorder.stopped_at:,} of {instructions:,}, "
            f"after {recorder.limit:,} events (--max-events)\n"
        )
    if name is not None:
        count = min(recorder.events, recorder.limit)
        where = " · open it at https://ui.perfetto.dev" if arguments.timeline else ""
        sys.stderr.write(f"── {name}: {count:,} events, {instructions:,} instructions{where}\n")
