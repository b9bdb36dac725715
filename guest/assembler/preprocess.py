"""The C preprocessor over `.S` files, by pcpp."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from pcpp import Preprocessor

from guest.assembler.diagnostics import AssemblyFailure, Diagnostic, Place

PREDEFINED = (
    "__ASSEMBLER__ 1",
    "__aarch64__ 1",
    "__ARM_ARCH 8",
    "__AARCH64EL__ 1",
    "__ELF__ 1",
    "__linux__ 1",
    "__LP64__ 1",
)
PREDEFINED_C64 = (
    "__CHERI__ 1",
    "__CHERI_PURE_CAPABILITY__ 2",
    "__CHERI_CAPABILITY_WIDTH__ 128",
    "__ARM_FEATURE_C64 1",
    "__ARM_FEATURE_MORELLO 1",
)


class _Preprocessor(Preprocessor):  # type: ignore[misc]
    """Collects errors instead of printing them."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[Diagnostic] = []

    def on_error(self, file: str, line: int, msg: str) -> None:
        """Called by pcpp for every error."""
        self.failures.append(Diagnostic(Place(file, line, ""), 1, msg))
        self.return_code += 1


def preprocess(
    text: str, name: str, include_dirs: Sequence[Path], defines: Sequence[str], c64: bool = True
) -> str:
    """The expanded text with line markers. `defines` are "NAME" or "NAME=VALUE".

    Raises AssemblyFailure with the preprocessor's errors.
    """
    preprocessor = _Preprocessor()
    for definition in (*PREDEFINED, *(PREDEFINED_C64 if c64 else ())):
        preprocessor.define(definition)
    for definition in defines:
        macro, equals, value = definition.partition("=")
        preprocessor.define(f"{macro} {value if equals else 1}")
    for directory in include_dirs:
        preprocessor.add_path(str(directory))
    out = io.StringIO()
    preprocessor.parse(text, name)
    preprocessor.write(out)
    if preprocessor.failures:
        raise AssemblyFailure(preprocessor.failures)
    return out.getvalue()
