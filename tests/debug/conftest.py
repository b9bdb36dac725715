"""The test program, built once per module."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.debug.golden import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program `walk` and its source."""
    path = tmp_path_factory.mktemp("walk")
    build(path)
    return path
