"""How a run of a board ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class OutcomeKind(Enum):
    """The value is the sentence for the user."""

    REPORTED = "the image reported its result"
    EXIT = "the image ended with an exit status"
    POWER_OFF = "the guest switched the power off"
    RESET = "the guest asked for a reset"
    WATCHDOG = "the watchdog expired"
    LIMIT = "instruction limit reached"
    STUCK = "the guest can't make progress"
    USER = "ended by the user"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`detail` is a sentence; for REPORTED the bytes that the trickbox got, for EXIT the status."""

    kind: OutcomeKind
    detail: object = ""


class Quit(Exception):
    """Raised by a console when the user asks to leave."""
