"""What a command raises when it can't do what was asked."""

from __future__ import annotations


class CommandError(Exception):
    """One line for the user."""
