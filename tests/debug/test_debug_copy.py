"""The copies of ELF files that a stock GDB gets: symbols, call frames, variables."""

from __future__ import annotations

import io
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from emulator.debug.rsp.debug_copy import debug_copy, plain_symbols
from emulator.debug.rsp.plain_variables import plain_variables
from guest.assembler.assembler import assemble_source
from loader.elf import ElfImage
from loader.link import cli as linker
from morello_isa.errors import UserError
from tests.debug.golden import HERE, REPOSITORY

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
SP, FP, LR = 31, 29, 30


def _copy(image: ElfImage) -> ElfImage:
    return ElfImage.from_bytes(debug_copy(image), "copy")


def _frames(data: bytes) -> dict[int, list[dict[object, object]]]:
    """Rows of call frames by the function's address, as pyelftools reads them."""
    dwarf = ELFFile(io.BytesIO(data)).get_dwarf_info()
    found = {}
    for entry in dwarf.CFI_entries():
        if isinstance(entry, FDE):
            found[entry.header["initial_location"]] = entry.get_decoded().table
    return found


def test_function_symbols_are_even_and_nothing_else_changes() -> None:
    image = ElfImage.from_file(REPOSITORY / "images" / "libiwasm.so")
    copy = _copy(image)
    pairs = list(zip(image.symbols, copy.symbols, strict=True))
    assert any(old.is_c64 for old, _ in pairs)
    for old, new in (*pairs, *zip(image.dynamic_symbols, copy.dynamic_symbols, strict=True)):
        assert new == old._replace(value=old.address)
    assert copy.header._replace(shoff=0, shnum=0) == image.header._replace(shoff=0, shnum=0)
    assert [s.name for s in copy.sections] == [*(s.name for s in image.sections), ".debug_frame"]
    changed = {
        s.name for s in image.sections if copy.section_data(copy.section(s.name)) != image.section_data(s)
    }
    assert changed == {".symtab", ".dynsym", ".shstrtab"}


def _image(tmp_path: Path, body: str) -> ElfImage:
    text = f".text\n.globl f\n.type f, %function\nf:\n{body}\n.size f, . - f\n"
    target = tmp_path / "f.o"
    target.write_bytes(assemble_source(text, "f.S", c64=True))
    assert linker.main([str(target), "-shared", "-o", str(tmp_path / "f.so")]) == 0
    return ElfImage.from_file(tmp_path / "f.so")


def _rows(image: ElfImage) -> list[tuple[int, int, int]]:
    """(offset in `f`, register, offset) of the CFA, row by row."""
    (rows,) = _frames(debug_copy(image)).values()
    start = next(s.address for s in image.symbols if s.name == "f")
    return [(row["pc"] - start, row["cfa"].reg, row["cfa"].offset) for row in rows]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("mov x0, #1\nret c30", [(0, SP, 0)]),
        (
            "stp c29, c30, [csp, #-96]!\nmov c29, csp\nstp c19, c20, [csp, #32]\nbl f\n"
            "ldp c19, c20, [csp, #32]\nldp c29, c30, [csp], #96\nret c30",
            [(0, SP, 0), (4, SP, 96), (8, FP, 96), (12, FP, 96), (24, SP, 0)],
        ),
        (
            "sub csp, csp, #80\nstp c29, c30, [csp, #16]\nadd c29, csp, #16\nbl f\n"
            "ldp c29, c30, [csp, #16]\nadd csp, csp, #80\nret c30\nmov x0, #2\nb f",
            [(0, SP, 0), (4, SP, 80), (8, SP, 80), (12, FP, 64), (20, SP, 80), (24, SP, 0), (28, FP, 64)],
        ),
        (
            "str c30, [csp, #-16]!\nbl f\nldr c30, [csp], #16\nret c30",
            [(0, SP, 0), (4, SP, 16), (12, SP, 0)],
        ),
        ("sub csp, csp, #32\nblr c16\nbr c19", [(0, SP, 0), (4, SP, 32), (8, SP, 32)]),
        ("str x0, [csp, #-16]!\nadd csp, csp, #16\nret c30", [(0, SP, 0), (4, SP, 16), (8, SP, 0)]),
    ],
)
def test_frames_of_prologues(tmp_path: Path, body: str, rows: list[tuple[int, int, int]]) -> None:
    assert _rows(_image(tmp_path, body)) == rows


def test_saved_registers(tmp_path: Path) -> None:
    body = "stp c29, c30, [csp, #-96]!\nmov c29, csp\nstp c19, c20, [csp, #32]\nbl f\nret c30"
    (rows,) = _frames(debug_copy(_image(tmp_path, body))).values()
    last = rows[-1]
    assert (last[FP].arg, last[19].arg, last[20].arg) == (-96, -64, -48)
    # CFA - 80, loaded, bit 0 cleared.
    assert bytes(last[LR].arg) == bytes((0x11, 0xB0, 0x7F, 0x22, 0x06, 0x31, 0x20, 0x1A))


def test_variables(tmp_path: Path, run_morello: RunMorello) -> None:
    program = tmp_path / "list"
    assert run_morello("cc", "-g", HERE / "program" / "list.c", "-o", program).returncode == 0
    image = ElfImage.from_file(program)
    sizes, registers = [], []
    for unit in ELFFile(io.BytesIO(debug_copy(image))).get_dwarf_info().iter_CUs():
        for entry in unit.iter_DIEs():
            if entry.tag == "DW_TAG_pointer_type":
                sizes.append(entry.attributes["DW_AT_byte_size"].value)
            place = entry.attributes.get("DW_AT_location")
            if place is not None and place.value[0] == 0x90:
                registers.append(place.value[1] & 0x7F | place.value[2] << 7)
    assert sizes and set(sizes) == {8}
    assert registers and max(registers) < 32


def test_what_has_no_c64_code_stays_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "f.o"
    target.write_bytes(assemble_source(".text\n.globl f\n.type f, %function\nf: ret\n", "f.S", c64=False))
    assert linker.main([str(target), "-shared", "-o", str(tmp_path / "f.so")]) == 0
    image = ElfImage.from_file(tmp_path / "f.so")
    assert debug_copy(image) == image.data


def test_damaged_files_give_copies_or_nothing_worse(tmp_path: Path, run_morello: RunMorello) -> None:
    program = tmp_path / "list"
    assert run_morello("cc", "-g", HERE / "program" / "list.c", "-o", program).returncode == 0
    good, rng = program.read_bytes(), random.Random(7)
    header = struct.unpack_from("<Q", good, 40)[0]
    tried = 0
    for _ in range(60):
        data = bytearray(good)
        for _ in range(rng.choice((1, 4, 40))):
            at = rng.choice((rng.randrange(len(data)), rng.randrange(header, len(data))))
            data[at] = rng.randrange(256)
        try:
            image = ElfImage.from_bytes(bytes(data), "damaged")
        except UserError:
            continue
        tried += 1
        assert len(debug_copy(image)) >= len(data)
        assert len(plain_symbols(image)) == len(plain_variables(bytes(data), image)) == len(data)
    assert tried > 20
