"""`morello run`: run a Linux program for Morello (or plain AArch64) in process mode."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_LIMIT, UserError

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
    p.add_argument("--max-instructions", metavar="N", type=_count, help="stop with status 124 after N")
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


def _count(text: str) -> int:
    value = int(text.replace("_", ""))
    if value <= 0:
        raise ValueError
    return value


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
    from emulator.linux.session import Session

    session = Session(request_of(arguments), options_of(arguments), trace=arguments.strace)
    explain_fatal_signals(session)
    started = time.perf_counter()
    if sys.stdout is not None:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
    try:
        outcome = session.kernel.run()
    except KeyboardInterrupt:
        return 130
    if arguments.stats:
        sys.stderr.write(statistics(session, time.perf_counter() - started))
    return exit_status(session, outcome)


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


def options_of(arguments: argparse.Namespace) -> Options:
    """How to run it, from the command line."""
    from emulator.linux.abi import Profile
    from emulator.linux.kernel import Options
    from emulator.linux.session import host_guest_path

    options = Options(
        engine=arguments.engine,
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


def statistics(session: Session, seconds: float) -> str:
    """The lines of `--stats`."""
    kernel = session.kernel
    count = kernel.instructions
    rate = count / seconds / 1e6 if seconds > 0 else 0.0
    parts = [f"{_amount(count)} instructions, {seconds:.2f} s ({rate:.2f} MIPS)"]
    if kernel.statistics.crossings:
        parts.append(f"{kernel.statistics.crossings:,} compartment crossings")
    if kernel.statistics.restricted_slots:
        parts.append(f"{kernel.statistics.restricted_slots:,} relocated slots made Restricted")
    parts.append(f"{kernel.statistics.syscalls:,} system calls")
    if kernel.statistics.faults:
        parts.append(f"{kernel.statistics.faults:,} faults")
    return "── " + " · ".join(parts) + "\n"


def _amount(count: int) -> str:
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1e6:.1f} M" if count < 1e9 else f"{count / 1e9:.2f} G"
