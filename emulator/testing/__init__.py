"""Tests of Morello programs under pytest: the fixture `morello`, its marker, and `*.morello.toml` files.

`pip install` registers the plugin (`emulator.testing.plugin`); docs/testing.md tells how to use it. The names
here are for type annotations and `pytest.raises`.
"""

from __future__ import annotations

from emulator.testing.faults import Fault, FaultPattern
from emulator.testing.result import Result
from emulator.testing.settings import MorelloError

__all__ = ["Fault", "FaultPattern", "MorelloError", "Result"]
