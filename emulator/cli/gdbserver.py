"""`morello gdbserver`: run a Linux program, or with --boot a board, for a GDB that connects."""

from __future__ import annotations

import argparse
import contextlib
import select
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.cli.debug import board_debugger, check
from emulator.cli.run import Parser, add_options, options_of, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.debug.session import DebuggerCore


def parser() -> argparse.ArgumentParser:
    """The options of `morello gdbserver`: its own, and those of `morello run`."""
    p = Parser(prog="morello gdbserver", description=__doc__, allow_abbrev=False)
    _add_server_options(p)
    p.add_argument(
        "--allow-repeat", action="store_true", help="going back may repeat the program's changes to files"
    )
    add_options(p)
    return p


def board_parser() -> argparse.ArgumentParser:
    """The options of `morello gdbserver … --boot`: its own, and those of `morello boot`."""
    from emulator.cli.boot import add_boot_options

    p = Parser(prog="morello gdbserver", description=__doc__, allow_abbrev=False)
    _add_server_options(p)
    add_boot_options(p)
    return p


def _add_server_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--once", action="store_true", help="end when the first connection does")
    p.add_argument(
        "address", metavar="[HOST:]PORT", type=_address, help="where to listen (default 127.0.0.1)"
    )
    p.add_argument(
        "--boot", action="store_true", help="debug a board: IMAGE and the options of 'morello boot' follow"
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        raise argparse.ArgumentTypeError(f"'{text}' is not [HOST:]PORT")
    return host or "127.0.0.1", int(port)


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl-C, or one connection with --once; 0."""
    arguments, debugger = debugger_of(argv)
    debugger.start()
    host, port = arguments.address
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        debugger.close()
        raise UserError(f"can't listen on {host}:{port}: {error.strerror}", EXIT_EMULATOR_ERROR) from None
    place = listener.getsockname()
    _say(f"waiting for gdb on {place[0]}:{place[1]}")
    with contextlib.suppress(KeyboardInterrupt), listener:
        _serve(debugger, listener, arguments.once)
    debugger.close()
    return 0


def debugger_of(argv: Sequence[str]) -> tuple[argparse.Namespace, DebuggerCore]:
    """The options, and the debugger that they ask for, not started. Raises UserError."""
    first = Parser(add_help=False, allow_abbrev=False)
    first.add_argument("--once", action="store_true")
    first.add_argument("--boot", action="store_true")
    first.add_argument("rest", nargs=argparse.REMAINDER)
    if first.parse_known_args(argv)[0].boot or list(argv[1:2]) == ["--boot"]:
        arguments = board_parser().parse_intermixed_args(argv)
        return arguments, board_debugger(arguments)
    arguments = parser().parse_args(argv)
    return arguments, _program_debugger(arguments)


def _program_debugger(arguments: argparse.Namespace) -> DebuggerCore:
    check(arguments, "gdbserver")
    if arguments.boot:
        raise UserError("gdbserver: --boot comes right before or after PORT", EXIT_EMULATOR_ERROR)
    from emulator.debug.session import Debugger

    debugger = Debugger(request_of(arguments), options_of(arguments), arguments.engine)
    debugger.allow_repeat = arguments.allow_repeat
    return debugger


def _serve(debugger: DebuggerCore, listener: socket.socket, once: bool) -> None:
    """One client after the other."""
    from emulator.debug.rsp.server import End, Server

    server = Server(debugger)
    while True:
        link, _ = listener.accept()
        with link:
            end = server.serve(link)
        if end is End.DETACHED and not debugger.stop.is_end:
            _run_alone(debugger, listener, once)
        if debugger.stop.is_end:
            _say(f"the program {debugger.stop.text}")
        if once:
            return
        if debugger.stop.is_end or end is End.KILLED:
            debugger.start()


def _run_alone(debugger: DebuggerCore, listener: socket.socket, once: bool) -> None:
    """After a detach the program goes on; a new client stops it where it then is."""
    from emulator.debug.guest import Plan

    if not once:
        debugger.guest.poll = lambda: bool(select.select([listener], [], [], 0)[0])
    try:
        debugger.resume(Plan(stop_at_faults=False))
    finally:
        debugger.guest.poll = None


def _say(text: str) -> None:
    sys.stderr.write(f"morello: {text}\n")
