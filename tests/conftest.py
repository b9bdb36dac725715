"""What every test folder shares: where the reference material is, and how to run the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference images and modules beside the checkout; skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not there")
    return SHARED


@pytest.fixture(scope="session")
def run_morello() -> RunMorello:
    """`run_morello("run", program, …)`: the command in a process of its own, output captured as text."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "emulator.cli.main", *map(str, arguments)]
        settings: dict[str, object] = {"capture_output": True, "text": True, "check": False, "timeout": 300}
        return subprocess.run(command, **(settings | options))  # type: ignore[call-overload,no-any-return]

    return run
