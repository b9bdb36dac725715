from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.elf import ElfImage
from loader.link.linker import link
from loader.link.options import LinkInput, LinkOptions
from morello_isa.errors import UserError
from tests.loader.builder import RO, RW, ObjectBuilder


def program(**options: object) -> bytes:
    builder = ObjectBuilder().text(0xD503201F, 0xC2C253C0)
    builder.function("_start", size=8).function("helper", value=4, size=4)
    builder.section(".data", bytes(48), RW).symbol("table", ".data", 16, 32)
    builder.section(".rodata", b"text", RO, 1).symbol("text", ".rodata", 0, 4)
    return link(LinkOptions(**options), [LinkInput("a.o", builder.build())])  # type: ignore[arg-type]


PROGRAM = program()
LIBRARY = program(shared=True, soname="libx.so", rpaths=["/a", "$ORIGIN"])


def message(data: bytes, name: str = "app") -> tuple[str, int]:
    with pytest.raises(UserError) as info:
        image = ElfImage.from_bytes(data, name)
        _ = (image.symbols, image.dynamic_symbols, image.relocations, image.notes)
    return info.value.message, info.value.status


def test_text_file() -> None:
    assert message(b"# Shopping\n", "notes.txt") == (
        'notes.txt is not an ELF file (starts with "# Sho")',
        126,
    )


def test_empty_and_binary_files() -> None:
    assert message(b"") == ("app is not an ELF file (it is empty)", 126)
    assert message(b"\0asm\1\0")[0] == "app is not an ELF file (starts with bytes 00 61 73 6d)"


@pytest.mark.parametrize(("machine", "kind"), [(62, "x86-64"), (243, "RISC-V"), (9999, "machine type 9999")])
def test_foreign_machines(machine: int, kind: str) -> None:
    data = PROGRAM[:18] + struct.pack("<H", machine) + PROGRAM[20:]
    expected = f"app is for {kind}; this board runs AArch64 and Morello programs"
    assert message(data) == (expected, 126)


def test_other_classes_and_byte_orders() -> None:
    assert "32-bit" in message(PROGRAM[:4] + b"\1" + PROGRAM[5:])[0]
    big = bytearray(PROGRAM)
    big[5] = 2
    big[18:20] = struct.pack(">H", 183)
    assert "big-endian" in message(bytes(big))[0]


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    for path, status in ((tmp_path / "none", 127), (tmp_path, 126)):
        with pytest.raises(UserError) as info:
            ElfImage.from_file(path)
        assert info.value.status == status
        assert str(path) in info.value.message


def test_program_is_read_back() -> None:
    image = ElfImage.from_bytes(PROGRAM, "app")
    start = image.find_symbol("_start")
    assert image.is_purecap and image.header.type == 2
    assert start is not None and start.is_c64
    assert image.entry == start.value == start.address | 1
    assert image.symbol_at(start.address + 4) == (image.find_symbol("helper"), 0)
    table = image.find_symbol("table")
    assert table is not None and image.symbol_at(table.address + 31) == (table, 31)
    assert image.read_vaddr(start.address, 8) == struct.pack("<II", 0xD503201F, 0xC2C253C0)
    assert image.build_id is not None and len(image.build_id) == 40
    assert image.dynamic is None and image.needed == ()


def test_library_is_read_back() -> None:
    image = ElfImage.from_bytes(LIBRARY, "libx.so")
    assert image.is_position_independent and image.dynamic is not None
    assert image.dynamic.soname == "libx.so" and image.dynamic.runpath == "/a:$ORIGIN"
    names = {s.name for s in image.dynamic_symbols if s.is_defined}
    assert names == {"_start", "helper", "table", "text"}


@pytest.mark.parametrize("data", [PROGRAM, LIBRARY], ids=["program", "library"])
def test_truncation_is_told_in_one_sentence(data: bytes) -> None:
    """A file cut anywhere either still parses or gives a UserError with status 126; never anything else."""
    for length in (*range(1, 700), *range(700, len(data), 37)):
        try:
            image = ElfImage.from_bytes(data[:length], "cut")
            _ = (image.symbols, image.dynamic_symbols, image.relocations, image.notes, image.sections)
        except UserError as error:
            assert error.status == 126
            assert error.message.startswith("cut is") and "\n" not in error.message


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, len(LIBRARY) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_files_never_crash(changes: list[tuple[int, int]]) -> None:
    data = bytearray(LIBRARY)
    for position, value in changes:
        data[position % 0x600] = value
    try:
        image = ElfImage.from_bytes(bytes(data), "bad")
        _ = (image.symbols, image.dynamic_symbols, image.relocations, image.notes, image.interp, image.tls)
        image.symbol_at(0x10000)
    except UserError as error:
        assert error.status == 126
