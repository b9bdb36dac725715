"""The recorded sessions of docs/ are what the debugger prints, byte for byte."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from loader.elf import ElfImage
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


def test_the_library_is_the_real_one_and_one_function_more() -> None:
    if shutil.which("make") is None or importlib.util.find_spec("ziglang") is None:
        pytest.skip("make and ziglang build what is debugged")
    build()

    def functions(path: Path) -> dict[str, int]:
        image = ElfImage.from_bytes(path.read_bytes(), str(path))
        return {s.name: s.size for s in image.symbols if s.is_function and s.is_defined}

    real = functions(REPOSITORY / "images" / "libiwasm.so")
    debugged = functions(REPOSITORY / "guest" / "build" / "session" / "libiwasm.so")
    assert set(debugged) - set(real) == {"shout", "upper", "upper_copy"}
    changed = {name for name, size in real.items() if debugged.get(name) != size}
    assert changed == {"compartment_start_runtime"}
