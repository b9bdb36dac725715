"""What an instruction accesses, read off its text, against what it then does to memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from emulator.debug.accesses import SVC, Extent, _address, extent_of
from emulator.debug.provenance import effective_address, shape_of
from emulator.engine.api import Engine, ExceptionHandler
from emulator.linux.kernel import Options
from emulator.linux.session import Request, Session, reference_engine
from emulator.memory.interface import Memory
from emulator.state.pe import Pe
from guest.assembler.assembler import assemble_source
from loader.link import cli as linker
from morello_isa.disassemble import disassemble
from tests.debug.golden import REPOSITORY

_TOP_BYTES = (0x08, 0x48, 0x0C, 0x0D, 0x38, 0xF8, 0xA2, 0xC2, 0x62, 0xE2, 0xA4, 0xA5, 0xE4, 0xE5, 0x85, 0xD5)
"""Loads, stores and their neighbours, SVE's among them."""
PROGRAM = """
    .text
    .globl _start
    .type _start, %function
_start:
    sub csp, csp, #1024
    mov c20, csp
    mov x1, #16
    mov x2, #32
    mov w3, #2
    str x1, [c20]
    str w1, [c20, #4]
    strh w1, [c20, x2]
    strb w1, [c20, w3, sxtw]
    str c20, [c20, #48]
    ldr c4, [c20, w3, uxtw #4]
    ldrb w5, [c20, #1]
    ldrsb x5, [c20, #1]
    ldrsh w5, [c20, #2]
    ldrsw x5, [c20, #4]
    ldur x5, [c20, #3]
    stur w5, [c20, #5]
    mov c21, c20
    ldr x5, [c21], #8
    ldr w5, [c21, #4]!
    str x5, [c21, #-12]!
    stp x1, x2, [c20, #32]
    ldp w1, w2, [c20, #32]
    ldpsw x6, x7, [c20, #32]
    stp c20, c20, [c20, #64]
    ldp c6, c7, [c20, #64]
    stnp x6, x7, [c20, #96]
    ldnp x6, x7, [c20, #96]
    ldr q0, [c20]
    str q0, [c20, #16]
    str d0, [c20, #8]
    str s0, [c20, #4]
    str h0, [c20, #2]
    ldr b0, [c20, #1]
    stp q0, q0, [c20, #96]
    ldp d0, d1, [c20, #96]
    add c22, c20, #128
    ldxr x5, [c22]
    stxr w6, x5, [c22]
    ldaxrb w5, [c22]
    stlxrb w6, w5, [c22]
    ldxp x5, x7, [c22]
    stxp w6, x5, x7, [c22]
    ldxr c5, [c22]
    stxr w6, c5, [c22]
    ldar x5, [c22]
    stlr w5, [c22]
    ldarh w5, [c22]
    ldadd x5, x6, [c22]
    ldclral w5, w6, [c22]
    swpb w5, w6, [c22]
    swp c5, c6, [c22]
    cas x5, x6, [c22]
    casah w5, w6, [c22]
    cas c5, c6, [c22]
    .inst 0x48287eca  // casp x8, x9, x10, x11, [c22]
    stadd w5, [c22]
    ld1 {v0.16b, v1.16b}, [c22]
    st1 {v0.8b}, [c22]
    st1 {v0.s}[1], [c22]
    ld1r {v0.4h}, [c22]
    st4 {v0.4s, v1.4s, v2.4s, v3.4s}, [c22]
    ld2 {v0.b, v1.b}[3], [c22]
    ldr x5, value
    prfm pldl1keep, [c22]
    dc zva, c22
    mov x0, #7
    mov x8, #94
    svc #0
    .balign 8
value:
    .quad 1
"""


class Watched:
    """A reference engine whose memory accesses are compared with `extent_of`, instruction by instruction."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.compared: dict[str, int] = {}
        self._done: list[tuple[int, int, bool]] = []
        self._expected: tuple[str, Extent | None, int] | None = None

    def make(self, pe: Pe, memory: Memory, handler: ExceptionHandler) -> Engine:
        """See `emulator.linux.kernel.EngineFactory`."""
        engine = reference_engine(pe, memory, handler)
        for name, is_write, fixed in (
            *(("read", False, 0), ("write", True, 0)),
            *(("read_cap", False, 16), ("write_cap", True, 16)),
        ):
            setattr(memory, name, self._noting(getattr(memory, name), is_write, fixed))

        def before(pc: int, word: int) -> None:
            self.account()
            # Without windows every access comes by the methods that are watched.
            memory.read_pages.clear()
            memory.write_pages.clear()
            c64 = pe.pstate.c64
            extent = extent_of(word, pc, c64)
            address = _address(pe, word, pc) if extent is not None else 0
            self._expected = None if word == SVC else (disassemble(word, pc, c64), extent, address)

        engine.before_instruction = before
        return engine

    def _noting(self, method: object, is_write: bool, fixed: int) -> object:
        def access(va: int, *arguments: int) -> object:
            self._done.append((va, fixed or arguments[0], is_write))
            return method(va, *arguments)  # type: ignore[operator]

        return access

    def account(self) -> None:
        """Compare what the last instruction has done."""
        if self._expected is not None and (self._done or self._expected[1] is not None):
            text, extent, address = self._expected
            mnemonic = text.partition(" ")[0]
            self.compared[mnemonic] = self.compared.get(mnemonic, 0) + 1
            start = min((va for va, _, _ in self._done), default=0)
            limit = max((va + size for va, size, _ in self._done), default=0)
            kinds = {is_write for _, _, is_write in self._done}
            found = (start, limit - start, False in kinds, True in kinds)
            wanted = extent and (address, extent.size, extent.is_read, extent.is_write)
            if found != wanted:
                self.wrong.append(f"{text}: {wanted} but {found}")
        self._done.clear()


def _run(request: Request, limit: int) -> tuple[Watched, int]:
    watched = Watched()
    session = Session(request, Options(max_instructions=limit), engines=watched.make)
    outcome = session.kernel.run()
    return watched, outcome.status


def test_every_kind_of_access(tmp_path: Path) -> None:
    target = tmp_path / "program.o"
    target.write_bytes(assemble_source(PROGRAM, "program.S", c64=True))
    assert linker.main([str(target), "-o", str(tmp_path / "program")]) == 0
    (tmp_path / "program").chmod(0o755)
    watched, status = _run(Request(str(tmp_path / "program")), 1000)
    assert status == 7
    assert watched.wrong == []
    assert len(watched.compared) > 35


def test_a_compartment_s_accesses() -> None:
    images = REPOSITORY / "images"
    request = Request(
        str(images / "iwasm"), [f"--wamr-lib={images / 'libiwasm.so'}", str(images / "hello.wasm")]
    )
    watched, _ = _run(request, 20_000)
    assert watched.wrong == []
    assert sum(watched.compared.values()) > 4000


@pytest.mark.parametrize("word", [0xD503201F, 0x00000000, 0xFFFFFFFF, 0xD2800020])
def test_other_instructions_access_nothing(word: int) -> None:
    assert extent_of(word, 0x1000, True) is None


def test_no_word_is_too_strange() -> None:
    """Provenance and watchpoints look at a word before it executes, also at one that is UNDEFINED."""
    pe, rng = Pe(), random.Random(5)
    for number in range(20_000):
        word = rng.getrandbits(32) if number % 2 else rng.getrandbits(24) | rng.choice(_TOP_BYTES) << 24
        pe.pstate.c64 = bool(number & 4)
        assert 0 <= effective_address(pe, shape_of(word, 0x1000, pe.pstate.c64)) < 1 << 64
        if extent_of(word, 0x1000, pe.pstate.c64) is not None:
            assert 0 <= _address(pe, word, 0x1000) < 1 << 64
