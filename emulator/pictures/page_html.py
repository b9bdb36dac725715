"""Puts the page together: one file, nothing fetched, and nothing of the guest's ever taken for markup.

What the guest chose is in one JSON block whose `<`, `>` and `&` are escapes, and the scripts only ever make
text nodes of it. A content security policy names the page's own script and style by hash and forbids
all else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

SCRIPTS = ("model.js", "filters.js", "tooltip.js", "map.js", "details.js", "table.js", "main.js")
_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def page_html(data: dict[str, Any]) -> str:
    """The whole page."""
    folder = files("emulator.pictures") / "page"
    style = (folder / "page.css").read_text(encoding="utf-8")
    parts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"
    page = (folder / "page.html").read_text(encoding="utf-8")
    for mark, text in (
        ("{{script-hash}}", _hash(script)),
        ("{{style-hash}}", _hash(style)),
        ("{{style}}", style),
        ("{{script}}", script),
        ("{{data}}", embedded(data)),
    ):
        page = page.replace(mark, text, 1)
    return page


def embedded(data: dict[str, Any]) -> str:
    """JSON that can stand in a script element: ASCII, without characters that mean something to HTML."""
    return json.dumps(data, separators=(",", ":")).translate(_ESCAPES)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
