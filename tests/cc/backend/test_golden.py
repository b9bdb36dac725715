"""One listing per optimisation: C above, the code of `f` below. A changed listing is printed whole."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("compiled", Path(__file__).with_name("compiled.py"))
compiled = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(compiled)

LISTINGS = sorted((Path(__file__).parent / "golden").glob("*.txt"))


@pytest.mark.parametrize("path", LISTINGS, ids=lambda p: p.stem)
def test_listing(path):
    source, expected = path.read_text().split("\n----\n")
    got = "\n".join(compiled.body(source)) + "\n"
    assert got == expected, f"{source}\n---- now:\n{got}"
