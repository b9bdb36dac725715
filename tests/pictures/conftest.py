"""Programs to take pictures of, and a browser to look at pages with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pictures.browser import EXECUTABLE, Page

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "images"
RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
DEMO = (str(IMAGES / "iwasm"), f"--wamr-lib={IMAGES / 'libiwasm.so'}", str(IMAGES / "hello.wasm"))
HELLO = "Hello from WebAssembly inside a Morello compartment\n"


@pytest.fixture(scope="session")
def compiled(run_morello: RunMorello, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`compiled(SOURCE)`: the program made of a C file of the repository, built once."""
    folder = tmp_path_factory.mktemp("programs")

    def build(source: Path) -> Path:
        program = folder / source.stem
        if not program.exists():
            done = run_morello("cc", "-g", source, "-o", program)
            assert done.returncode == 0, done.stderr
        return program

    return build


@pytest.fixture(scope="session")
def overflowing(run_morello: RunMorello, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library in libiwasm.so's place that breaks its bounds when a module is loaded."""
    library = tmp_path_factory.mktemp("library") / "liboverflow.so"
    done = run_morello(
        *(
            "cc",
            "-w",
            "-g",
            "-O1",
            "-shared",
            "-nostdlib",
            "-Wl,-soname,liboverflow.so",
            "-Wl,-z,now",
            "-Wl,-Bsymbolic",
        ),
        *("-o", library, REPOSITORY / "tests" / "debug" / "compartment" / "overflow.c"),
        REPOSITORY / "guest" / "compartment" / "entry.S",
    )
    assert done.returncode == 0, done.stderr
    return library


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A page of a headless Chromium; skips where none is installed. No page may report an error or fetch anything."""
    if EXECUTABLE is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    browser = Page(tmp_path / "profile")
    try:
        yield browser
        assert browser.errors == []
        assert [url for url in browser.requests if not url.startswith(("file:", "about:"))] == []
    finally:
        browser.close()
