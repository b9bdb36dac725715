"""`morello gdbserver`: run a Linux program for a GDB that connects."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
from collections.abc import Sequence

from emulator.cli.debug import check
from emulator.cli.run import Parser, add_options, options_of, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError


def parser() -> argparse.ArgumentParser:
    """The options of `morello gdbserver`: its own, and those of `morello run`."""
    p = Parser(prog="morello gdbserver", description=__doc__, allow_abbrev=False)
    p.add_argument("--once", action="store_true", help="end when the first connection does")
    p.add_argument(
        "address", metavar="[HOST:]PORT", type=_address, help="where to listen (default 127.0.0.1)"
    )
    add_options(p)
    return p


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        raise argparse.ArgumentTypeError(f"'{text}' is not [HOST:]PORT")
    return host or "127.0.0.1", int(port)


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl-C, or one connection with --once; 0."""
    arguments = parser().parse_args(argv)
    check(arguments, "gdbserver")
    from emulator.debug.rsp.server import Server
    from emulator.debug.session import Debugger

    debugger = Debugger(request_of(arguments), options_of(arguments))
    debugger.start()
    host, port = arguments.address
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        debugger.close()
        raise UserError(f"can't listen on {host}:{port}: {error.strerror}", EXIT_EMULATOR_ERROR) from None
    server = Server(debugger)
    place = listener.getsockname()
    sys.stderr.write(f"morello: waiting for gdb on {place[0]}:{place[1]}\n")
    with contextlib.suppress(KeyboardInterrupt), listener:
        while True:
            link, _ = listener.accept()
            with link:
                server.serve(link)
            if arguments.once:
                break
            if debugger.stop.is_end:
                debugger.start()
    debugger.close()
    return 0
