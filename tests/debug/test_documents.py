"""The recorded sessions of docs/ are what the debugger prints, byte for byte."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from tests.debug.documents import DOCUMENTS, build, replay
from tests.debug.golden import REPOSITORY


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_session_is_what_it_was(name: str) -> None:
    if shutil.which("make") is None or importlib.util.find_spec("ziglang") is None:
        pytest.skip("make and ziglang build what is debugged")
    build()
    text = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    assert replay(text, DOCUMENTS[name]) == text
    for wanted in ("capability bounds fault", "iwasm`malloc", "compartment boundary", "Restricted", "scbnds"):
        assert wanted in text
