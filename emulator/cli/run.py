"""`morello run`: run a Linux program for Morello (or plain AArch64) in process mode."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_INTERRUPTED, EXIT_LIMIT, UserError

if TYPE_CHECKING:
    from emulator.linux.kernel import Options, Outcome
    from emulator.linux.process import Process
    from emulator.linux.session import Request, Session
    from emulator.linux.signals import SignalInfo

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line and exit status 125."""

    def error(self, message: str) -> NoReturn:
        """One sentence on stderr."""
        raise UserError(f"{self.prog.split()[-1]}: {message}", EXIT_EMULATOR_ERROR)


def parser() -> argparse.ArgumentParser:
    """The options of `morello run`."""
    p = Parser(prog="morello run", description=__doc__, allow_abbrev=False)
    p.add_argument("--debug-on-fault", action="store_true", help="enter the debugger at the first fault")
    p.add_argument("--stats-json", metavar="FILE", help="the counters of --stats as JSON into FILE")
    p.add_argument(
        "--trace",
        metavar="blocks[=FILE]",
        help="at the end: guest code, the code made of it and counts, the hottest on stderr or all into FILE",
    )
    p.add_argument("--json", action="store_true", help="the listing of --trace as JSON")
    add_options(p)
    return p


def add_options(p: argparse.ArgumentParser) -> None:
    """Options and arguments that say what to run and how; shared with `morello debug`."""
    p.add_argument("--root", metavar="DIR", help="the guest's / is DIR (read-write)")
    p.add_argument(
        "--dir", metavar="HOST[:GUEST]", action="append", default=[], help="grant a directory read-write"
    )
    p.add_argument("--env", metavar="NAME=VALUE", action="append", default=[], help="set a guest variable")
    p.add_argument("--abi", choices=("full", "transitional", "newer"), default="full", help="purecap ABI")
    p.add_argument("--engine", choices=("fast", "reference"), default="fast", help="how instructions execute")
    p.add_argument("--no-cache", action="store_true", help="neither read nor keep translations on disk")
    p.add_argument(
        "--max-instructions", metavar="N", type=positive_count, help="stop with status 124 after N"
    )
    p.add_argument("--stats", action="store_true", help="counters on stderr at the end")
    p.add_argument("--strace", action="store_true", help="system calls on stderr, capabilities decoded")
    refusal = p.add_mutually_exclusive_group()
    refusal.add_argument(
        "--strict-restricted",
        action="store_const",
        const="eperm",
        default="",
        help="refuse system calls from Restricted code with EPERM",
    )
    # A name of its own: with an optional value the option would swallow PROGRAM.
    refusal.add_argument(
        "--strict-restricted=fault",
        dest="strict_restricted",
        action="store_const",
        const="fault",
        help="refuse them with SIGSYS",
    )
    p.add_argument(
        "--library-path",
        metavar="P",
        action="append",
        default=[],
        help="where libraries are looked for first",
    )
    p.add_argument("--memory", metavar="SIZE", type=_size, help="memory limit of the guest (default 2G)")
    p.add_argument("--real-time", action="store_true", help="the host's clocks and random numbers")
    p.add_argument("program", metavar="PROGRAM")
    p.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER)


def take_trailing(arguments: argparse.Namespace, option: str) -> str | None:
    """FILE when the program's arguments end with `option FILE`; the two are not the program's then."""
    rest = arguments.arguments
    if len(rest) < 2 or rest[-2] != option:
        return None
    arguments.arguments, name = rest[:-2], str(rest[-1])
    return name


def refuse_reports(command: str, arguments: argparse.Namespace) -> None:
    """UserError for the reports that `morello run` alone writes."""
    for option in ("strace", "stats"):
        if getattr(arguments, option):
            raise UserError(f"{command}: --{option} belongs to 'morello run'", EXIT_EMULATOR_ERROR)


def positive_count(text: str) -> int:
    """A number from 1, `_` allowed between digits, for `type=` of argparse."""
    digits = text.replace("_", "")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 20 or int(digits) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1")
    return int(digits)


def _size(text: str) -> int:
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    value = int(number) * UNITS[unit] if unit in UNITS else 0
    if not 16 << 20 <= value <= 1 << 38:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size from 16M to 256G")
    return value


def main(argv: Sequence[str]) -> int:
    """Run a program; the result is the exit status documented in the README."""
    arguments = parser().parse_args(argv)
    if arguments.debug_on_fault:
        from emulator.cli.debug import run_until_fault

        return run_until_fault(arguments)
    from emulator.cli.block_trace import block_trace
    from emulator.linux.session import Session

    blocks = block_trace(arguments)
    session = Session(
        request_of(arguments),
        options_of(arguments),
        trace=arguments.strace,
        engines=blocks.engines if blocks is not None else None,
    )
    if blocks is not None:
        blocks.attach(session)
    explain_fatal_signals(session)
    started, cpu_started = time.perf_counter(), time.process_time()
    if sys.stdout is not None:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
    try:
        outcome = session.kernel.run()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    finally:
        if blocks is not None:
            blocks.write(session)
        if session.translations is not None:
            session.translations.save()
    if arguments.stats or arguments.stats_json:
        from emulator.cli import statistics

        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        if arguments.stats:
            sys.stderr.write(statistics.statistics(session.kernel, seconds))
        if arguments.stats_json:
            _write_json(arguments.stats_json, statistics.data(session.kernel, seconds, cpu_seconds))
    return exit_status(session, outcome)


def _write_json(name: str, content: dict[str, object]) -> None:
    import json

    try:
        Path(name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{name} can't be written: {reason}", EXIT_EMULATOR_ERROR) from None


def request_of(arguments: argparse.Namespace) -> Request:
    """What to run, from the command line."""
    from emulator.linux.session import Request

    environment = {}
    for item in arguments.env:
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise UserError(f"run: --env {item} is not of the form NAME=VALUE")
        environment[name] = value
    directories = []
    for item in arguments.dir:
        host, _, guest = item.partition(":")
        if guest and not guest.startswith("/"):
            raise UserError(f"run: --dir {item}: the guest's path must start with /")
        directories.append((host, guest or None))
    return Request(
        arguments.program,
        arguments.arguments,
        arguments.root,
        directories,
        _library_directories(arguments),
        environment,
    )


def _library_directories(arguments: argparse.Namespace) -> list[str]:
    return [part for item in arguments.library_path for part in item.split(":") if part]


def _cache_folder() -> Path:
    from emulator.engine.translate.cache import default_folder

    return default_folder()


def options_of(arguments: argparse.Namespace) -> Options:
    """How to run it, from the command line."""
    from emulator.linux.abi import Profile
    from emulator.linux.kernel import Options
    from emulator.linux.session import host_guest_path

    options = Options(
        engine=arguments.engine,
        translations=None if arguments.no_cache or arguments.engine != "fast" else _cache_folder(),
        max_instructions=arguments.max_instructions,
        real_time=arguments.real_time,
        profile=Profile(arguments.abi),
        strict_restricted=arguments.strict_restricted,
        library_path=[host_guest_path(part) for part in _library_directories(arguments)],
    )
    if arguments.memory is not None:
        options.memory_limit = arguments.memory
    return options


def exit_status(session: Session, outcome: Outcome) -> int:
    """The guest's status, 128+n for a signal, 124 for the limit (told on stderr)."""
    if outcome.limited:
        limit = session.kernel.options.max_instructions
        sys.stderr.write(f"morello: stopped after {limit:,} instructions (--max-instructions)\n")
        return EXIT_LIMIT
    return 128 + outcome.signal if outcome.signal else outcome.status


def explain_fatal_signals(session: Session) -> None:
    """A process killed by a signal is explained on stderr."""
    from emulator.linux.explain_signal import explain

    def tell(process: Process, info: SignalInfo) -> None:
        session.errors.write(explain(process, info))

    session.kernel.fatal = tell
