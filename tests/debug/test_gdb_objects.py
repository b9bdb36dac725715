"""The link map that a dynamic linker inside the guest keeps, as the server reads it; whole or broken."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.debug import Debugger, Request
from emulator.debug.rsp.objects import libraries
from emulator.linux.kernel import Options
from loader.elf_constants import DT, PT

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
POINTER = 16


@pytest.fixture
def debugger(tmp_path: Path, run_morello: RunMorello) -> Iterator[Debugger]:
    """A dynamic program with one library, which the built-in linker has loaded."""
    (tmp_path / "twice.c").write_text("int twice(int x)\n{\n    return 2 * x;\n}\n")
    (tmp_path / "start.c").write_text("int twice(int);\nvoid _start(void)\n{\n    twice(3);\n}\n")
    library, program = tmp_path / "libtwice.so", tmp_path / "start"
    done = run_morello("cc", "-shared", "-fPIC", tmp_path / "twice.c", "-o", library)
    assert done.returncode == 0, done.stderr
    done = run_morello(
        *("cc", "-nostdlib", "-pie", tmp_path / "start.c", library, "-o", program),
        "-Wl,-dynamic-linker,/lib/ld-not-there.so",
    )
    assert done.returncode == 0, done.stderr
    found = Debugger(Request(str(program), libraries=[str(tmp_path)]), Options(library_path=[str(tmp_path)]))
    found.start()
    yield found
    found.close()


class GuestLinker:
    """Writes what a dynamic linker in the guest would: DT_DEBUG, r_debug and link maps, on the stack's page."""

    def __init__(self, debugger: Debugger) -> None:
        self.process = debugger.process
        self._page = debugger.task.pe.read_csp().value & -4096
        main = self.process.images[0]
        segment = main.image.segment_of_type(PT.DYNAMIC)
        assert segment is not None
        self._slot = next(
            at + 8
            for at in range(segment.vaddr + main.bias, segment.vaddr + main.bias + segment.memsz, 16)
            if self.read(at) == DT.DEBUG
        )

    def read(self, address: int) -> int:
        """A 64-bit number."""
        return int.from_bytes(self.process.space.peek(address, 8), "little")

    def write(self, address: int, *values: int) -> None:
        """Pointer-sized slots, of which the lower half counts."""
        for index, value in enumerate(values):
            self.process.space.poke(address + POINTER * index, value.to_bytes(8, "little") + bytes(8))

    def rendezvous(self, first: int) -> None:
        """r_debug with its first link map."""
        self.process.space.poke(self._slot, self._page.to_bytes(8, "little"))
        self.write(self._page, 1, first)

    def link(self, number: int, name: str, bias: int, dynamic: int, following: int) -> int:
        """One link map; its address."""
        at = self._page + 0x100 * number
        self.process.space.poke(at + 0x80, name.encode() + b"\0")
        self.write(at, bias, at + 0x80, dynamic, following)
        return at


def _rows(debugger: Debugger) -> list[tuple[str | None, ...]]:
    root = ElementTree.fromstring(libraries(debugger.process))
    return [tuple(row.get(key) for key in ("name", "lm", "l_addr", "l_ld")) for row in root]


def test_libraries_of_the_built_in_linker(debugger: Debugger, tmp_path: Path) -> None:
    ((name, lm, bias, dynamic),) = _rows(debugger)
    loaded = debugger.process.images[1]
    assert name == str(tmp_path / "libtwice.so") and bias == hex(loaded.bias)
    assert lm == dynamic and int(dynamic or "", 16) > loaded.bias
    main = ElementTree.fromstring(libraries(debugger.process)).get("main-lm")
    assert main is not None and int(main, 16) > debugger.process.images[0].bias


def test_the_guest_s_own_link_map_comes_first(debugger: Debugger) -> None:
    linker = GuestLinker(debugger)
    own = linker.link(3, "/lib/<strange>&.so", 0x5000_0000, 0x5000_1000, 0)
    same = linker.link(2, "/lib/libtwice.so", debugger.process.images[1].bias, 0x1234, own)
    linker.rendezvous(linker.link(1, "", debugger.process.images[0].bias, 0x42, same))
    assert _rows(debugger) == [
        ("/lib/libtwice.so", hex(same), hex(debugger.process.images[1].bias), "0x1234"),
        ("/lib/<strange>&.so", hex(own), "0x50000000", "0x50001000"),
    ]


def test_a_broken_link_map_does_no_harm(debugger: Debugger) -> None:
    linker = GuestLinker(debugger)
    linker.rendezvous(0xDEAD_0000_0000)
    assert len(_rows(debugger)) == 1
    unnamed = linker.link(1, "x", 1, 2, 0x10)
    linker.rendezvous(unnamed)
    assert _rows(debugger)[0][0] == "x"
    endless = linker.link(1, "again", 1, 2, unnamed)
    linker.rendezvous(endless)
    assert 2 <= len(_rows(debugger)) <= 1001
    linker.link(1, "\x01\x02" * 8, 1, 2, 0)
    assert _rows(debugger)[0][0] == "??" * 8, "XML has no such characters"
