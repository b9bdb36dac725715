"""The compiler's back end: IR modules to Morello assembly text (see docs/compiler-backend.md)."""

from __future__ import annotations

from guest.cc.backend.driver import compile_module
from guest.cc.backend.options import Options

__all__ = ["Options", "compile_module"]
