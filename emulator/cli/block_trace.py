"""`morello run --trace blocks[=FILE] [--json]`: what the fast engine made of it, and how often it ran."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.linux.kernel import EngineFactory
    from emulator.linux.session import Session
    from emulator.pictures.output import OutputFile

_MOST_ON_STDERR = 30


class BlockTrace:
    """`engines` makes counting engines; `write` tells what they did, however the run ended."""

    def __init__(self, file: OutputFile | None, as_json: bool) -> None:
        from emulator.engine.translate.observed import Census
        from emulator.insight.owners import Owners

        self._owners = Owners()
        self._census = Census(self._owners.of)
        self._file = file
        self._json = as_json

    @property
    def engines(self) -> EngineFactory:
        """For the session."""
        return self._census.make

    def attach(self, session: Session) -> None:
        """The session is complete."""
        self._owners.kernel = session.kernel

    def write(self, session: Session) -> None:
        """The listing: the hottest blocks on stderr, or all in the file."""
        from emulator.insight.blocks import BlockListing

        listing = BlockListing(self._census, self._owners, session.kernel.instructions)
        most = _MOST_ON_STDERR if self._file is None else None
        if self._json:
            text = json.dumps(listing.json(), indent=1) + "\n"
        else:
            text = "".join(f"{line}\n" for line in listing.text(most))
        if self._file is None:
            sys.stderr.write(text)
            return
        with self._file as file:
            file.stream.write(text.encode(errors="replace"))


class BoardBlockTrace:
    """Of a board's image, whose symbols are at their own addresses."""

    def __init__(self, data: bytes, name: str) -> None:
        from emulator.engine.translate.observed import Census
        from emulator.insight.board_sides import image_owner
        from emulator.insight.owners import Owners

        self._owners = Owners()
        self._owners.only = image_owner(data, name)
        self._census = Census(self._owners.of)
        self.engines = self._census.make

    def text(self, instructions: int) -> str:
        """The listing of all blocks."""
        from emulator.insight.blocks import BlockListing

        listing = BlockListing(self._census, self._owners, instructions)
        return "".join(f"{line}\n" for line in listing.text())


def block_trace(arguments: argparse.Namespace) -> BlockTrace | None:
    """The trace that the options ask for. UserError where they make no sense."""
    if arguments.trace is None:
        if arguments.json:
            raise UserError("run: --json belongs to --trace blocks", EXIT_EMULATOR_ERROR)
        return None
    what, equals, name = arguments.trace.partition("=")
    if what != "blocks" or (equals and not name):
        raise UserError(
            f"run: --trace takes 'blocks' or 'blocks=FILE', not '{arguments.trace}'", EXIT_EMULATOR_ERROR
        )
    if arguments.engine != "fast":
        raise UserError(
            "run: --trace blocks shows the fast engine's blocks, not --engine reference's",
            EXIT_EMULATOR_ERROR,
        )
    if arguments.debug_on_fault:
        raise UserError("run: --trace blocks doesn't go with --debug-on-fault", EXIT_EMULATOR_ERROR)
    from emulator.pictures.output import OutputFile

    return BlockTrace(OutputFile(name) if name else None, arguments.json)
