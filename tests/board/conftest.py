"""Boards on both engines: `pytestmark = pytest.mark.usefixtures("both_engines")` in a module."""

from __future__ import annotations

import pytest

from emulator.board.system import ENGINES


@pytest.fixture(params=ENGINES)
def both_engines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every `System` of the test runs on that engine unless it says otherwise."""
    monkeypatch.setattr("emulator.board.system.DEFAULT_ENGINE", request.param)
    return str(request.param)
