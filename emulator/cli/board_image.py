"""`--image FILE` of `morello diff` and `morello profile`: a board's ELF image instead of a program."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emulator.cli.run import positive_count

if TYPE_CHECKING:
    from emulator.insight.board_sides import BoardSubject


def is_image(argv: Sequence[str]) -> bool:
    """The arguments begin with an option for images: what follows is no program."""
    return bool(argv) and argv[0].split("=")[0] in ("--image", "--board", "--el")


def add_image_options(p: argparse.ArgumentParser) -> None:
    """What to run and where."""
    from emulator.board.boards import BOARDS

    p.add_argument("--image", metavar="FILE", required=True, help="an ELF image for a board")
    p.add_argument("--board", choices=tuple(BOARDS), help="default: morello, or testboard for its images")
    p.add_argument("--el", type=int, choices=(1, 2, 3), help="exception level to start at")
    p.add_argument("--max-instructions", metavar="N", type=positive_count, help="N instructions at most")


def image_subject(arguments: argparse.Namespace, sink: Callable[[bytes], None]) -> BoardSubject:
    """The image that the options name; what it writes goes to `sink`."""
    from emulator.board.boards import BOARDS
    from emulator.board.image import read_file
    from emulator.cli.boot import default_board
    from emulator.insight.board_sides import BoardSubject

    board = BOARDS[arguments.board] if arguments.board else default_board(arguments.image)
    level = arguments.el if arguments.el is not None else board.start_el
    data, limit = read_file(arguments.image), arguments.max_instructions
    return BoardSubject(board, data, arguments.image, level, limit, sink)


def write_all(number: int, data: bytes) -> None:
    """What the guest writes, to one of our own streams."""
    while data:
        data = data[os.write(number, data) :]
