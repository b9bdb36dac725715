"""Colours of the terminal; plain text everywhere else."""

from __future__ import annotations

_CODES = {
    "title": "1;34",
    "name": "36",
    "address": "33",
    "tag": "1;32",
    "changed": "1;31",
    "source": "37",
    "error": "31",
    "dim": "2",
    "arrow": "1;32",
}


class Style:
    """`style("name", text)` is the text, coloured when colours are on."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, kind: str, text: str) -> str:
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if self.on and text else text
