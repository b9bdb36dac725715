"""`morello ld`, `ar`, `readelf` and linker scripts."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from loader import readelf_cli
from loader import relocations as rel
from loader.elf import ElfImage
from loader.elf_constants import PT
from loader.link import ar_cli, cli
from loader.link.archive import read_archive, write_archive
from loader.link.errors import LinkError
from loader.link.linker import link_with_report
from loader.link.options import LinkInput, LinkOptions
from morello_isa.errors import UserError
from tests.loader.builder import RO, RW, ObjectBuilder

R = rel.NUMBER_OF
BL, RET = 0x94000000, 0xC2C253C0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    main = (
        ObjectBuilder()
        .text(BL, RET)
        .function("_start", size=8)
        .reloc(".text", 0, R["R_MORELLO_CALL26"], "help")
    )
    (tmp_path / "main.o").write_bytes(main.build())
    (tmp_path / "help.o").write_bytes(ObjectBuilder().text(RET).function("help").build())
    return tmp_path


def test_ld_and_ar_work_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ar_cli.main(["rcs", "libhelp.a", "help.o"]) == 0
    assert ar_cli.main(["t", "libhelp.a"]) == 0
    assert capsys.readouterr().out == "help.o\n"
    assert cli.main(["-o", "app", "main.o", "-L.", "-lhelp", "-Map", "app.map"]) == 0
    image = ElfImage.from_file(folder / "app")
    assert image.find_symbol("help") is not None
    assert (folder / "app").stat().st_mode & 0o111
    assert "libhelp.a(help.o):(.text)" in (folder / "app.map").read_text()


def test_ld_makes_libraries_and_programs_that_need_them(folder: Path) -> None:
    assert cli.main(["-shared", "-soname", "libhelp.so", "-o", "libhelp.so", "help.o"]) == 0
    assert cli.main(["-o", "app", "main.o", "-L", ".", "-l", "help", "-rpath=/x", "-z", "now"]) == 0
    image = ElfImage.from_file(folder / "app")
    assert image.needed == ("libhelp.so",) and image.dynamic is not None and image.dynamic.runpath == "/x"
    assert cli.main(["-static", "-o", "app", "main.o", "-L.", "-lhelp"]) == 1, "only libhelp.so is there"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["main.o"], "undefined symbol 'help', referenced by main.o:(.text+0x0) in _start"),
        (["none.o"], "none.o can't be read: no such file or directory"),
        (["main.o", "--frobnicate"], "there is no option --frobnicate"),
        (["main.o", "-lmissing"], "library -lmissing not found (libmissing.so or libmissing.a"),
        ([], "no input files"),
        (["-o"], "option -o needs a value"),
        (["main.o", "help.o", "-e", "begin"], "undefined symbol"),
        (["main.o", "help.o", "-Ttext", "xyz"], "'xyz' is not an address"),
    ],
)
def test_ld_says_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert folder and cli.main(arguments) == 1
    error = capsys.readouterr().err
    if arguments[-1:] != ["begin"]:
        assert error.startswith("morello ld: error: ") and text in error
    assert error.count("\n") == 1


def test_defsym_and_entry(folder: Path) -> None:
    assert (
        cli.main(["-o", "a", "main.o", "--defsym", "help=_start", "--defsym=limit=0x4000", "-e", "_start"])
        == 0
    )
    image = ElfImage.from_file(folder / "a")
    help_, limit = image.find_symbol("help"), image.find_symbol("limit")
    assert help_ is not None and help_.value == image.entry and limit is not None and limit.value == 0x4000


def test_archive_bytes_are_reproducible_and_long_names_survive() -> None:
    members = [("a_very_long_member_name.o", b"12345"), ("b.o", b"67"), ("c.o", b"")]
    data = write_archive(members)
    assert data == write_archive(members)
    assert [(m.name, m.data) for m in read_archive(data, "x.a")] == members
    with pytest.raises(LinkError, match="broken archive"):
        list(read_archive(data[:-8] + b"garbage!", "x.a"))


@pytest.mark.parametrize("arguments", [["rcs"], ["zz", "x.a"], ["t", "none.a"], ["x", "main.o"]])
def test_ar_says_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert folder and ar_cli.main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_readelf_lists_capability_relocations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builder = ObjectBuilder().text(RET).function("_start").section(".data", bytes(32), RW, 16)
    builder.symbol("table", ".data", 0, 32).reloc(".data", 0, R["R_MORELLO_CAPINIT"], "_start")
    builder.reloc(".data", 16, R["R_MORELLO_CAPINIT"], "table", 4)
    (folder / "t.o").write_bytes(builder.build())
    assert cli.main(["-o", "static", "t.o"]) == 0
    assert cli.main(["-pie", "-o", "pie", "t.o"]) == 0
    assert readelf_cli.main(["--json", "static"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert [(c["kind"], c["target"], c["size"] == "0x20") for c in listing["cap-relocs"]] == [
        ("code", "_start", False),
        ("rw", "table", True),
    ]
    assert listing["file-header"][0]["starts in"] == "C64" and listing["file-header"][0]["abi"] == "purecap"
    assert readelf_cli.main(["-r", "pie"]) == 0
    text = capsys.readouterr().out
    assert "R_MORELLO_RELATIVE" in text and ") exec" in text and ") rw" in text
    assert readelf_cli.main(["-r", "t.o"]) == 0
    assert "R_MORELLO_CAPINIT" in capsys.readouterr().out
    assert readelf_cli.main(["-a", "static", "pie"]) == 0
    with pytest.raises(UserError) as info:
        readelf_cli.main(["missing"])
    assert info.value.status == 127


# --- linker scripts and bare metal ----------------------------------------------------------------------


def linked(builder: ObjectBuilder, **options: object) -> ElfImage:
    result = link_with_report(LinkOptions(**options), [LinkInput("a.o", builder.build())])  # type: ignore[arg-type]
    return ElfImage.from_bytes(result.data, "out")


def bare() -> ObjectBuilder:
    builder = ObjectBuilder().text(RET, RET).function("_start", size=8)
    builder.section(".text.boot", struct.pack("<I", 0x14000000), 6, 4).function("boot", ".text.boot")
    builder.section(".rodata", b"read only", RO, 1).section(".data", b"data" * 4, RW, 16)
    builder.symbol("words", ".data", 0, 16)
    return builder.bss(size=100).symbol("zero", ".bss", 0, 100)


def test_board_defaults() -> None:
    image = linked(bare(), board=True)
    assert image.load_segments[0].vaddr == 0x8000_0000 and image.load_segments[0].flags == 5
    assert image.segment_of_type(PT.PHDR) is None and image.section(".note.gnu.build-id") is None
    text = image.section(".text")
    assert text is not None and text.addr == 0x8000_0000
    assert image.read_vaddr(0x8000_0000, 4) == image.section_data(text)[:4]


def test_section_addresses() -> None:
    image = linked(bare(), board=True, section_addresses={".text": 0x10000, ".data": 0x40000})
    text, data = image.section(".text"), image.section(".data")
    assert text is not None and data is not None and (text.addr, data.addr) == (0x10000, 0x40000)
    assert image.read_vaddr(0x40000, 4) == b"data"


SCRIPT = """
/* two memories */
ENTRY(boot)
MEMORY { rom (rx) : ORIGIN = 0x1000, LENGTH = 64K  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 1M }
stack_size = 4K;
SECTIONS {
  .text : { KEEP(*(.text.boot)) *(.text .text.*) *(.rodata*) . = ALIGN(16); text_end = .; } > rom
  .data : { data_start = .; *(.data*) LONG(0x11223344) . = ALIGN(8); data_end = .; } > ram AT> rom
  data_load = LOADADDR(.data);
  .bss (NOLOAD) : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(16); bss_end = .; } > ram
  PROVIDE(stack_top = ORIGIN(ram) + LENGTH(ram) - (stack_size << 1));
  PROVIDE(unused_name = 1);
  /DISCARD/ : { *(.comment) }
  ASSERT(SIZEOF(.data) >= 20, "data is too small")
}
"""


def script_object() -> ObjectBuilder:
    builder = bare().section(".comment", b"made by hand", RO, 1)
    for name in ("text_end", "data_start", "data_end", "data_load", "bss_start", "bss_end", "stack_top"):
        builder.undefined(name)
    return builder


def test_linker_script_places_sections_and_symbols() -> None:
    image = linked(script_object(), script=SCRIPT)
    value = {s.name: s.address for s in image.symbols}
    boot = image.find_symbol("boot")
    assert boot is not None and image.entry == boot.value == 0x1001
    assert value["text_end"] % 16 == 0 and value["_start"] > 0x1000
    assert value["data_start"] == 0x20000000 and value["data_end"] == 0x20000018
    assert value["data_load"] >= value["text_end"]
    assert value["bss_end"] - value["bss_start"] == 112 and value["stack_top"] == 0x20100000 - 0x2000
    assert "unused_name" not in value and image.section(".comment") is None
    data = image.section(".data")
    assert data is not None and image.section_data(data)[16:20] == bytes.fromhex("44332211")
    ram = next(s for s in image.load_segments if s.vaddr == 0x20000000)
    assert ram.paddr == value["data_load"] and ram.filesz == 24 and ram.memsz >= 24
    assert image.read_vaddr(0x1000, 4) == struct.pack("<I", 0x14000000)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("SECTIONS { .text : { *(.text*) } > nowhere }", "there is no memory region 'nowhere'"),
        ("SECTIONS {\n . = missing;\n}", "script:2: symbol 'missing' is not defined"),
        ("SECTIONS { .text : { *(.text*) }", "unexpected end of the script"),
        ("INPUT(a.o)", "script:1: 'INPUT' is not supported"),
        ('SECTIONS { ASSERT(0, "never") .text : { *(.text*) } }', "never"),
        (
            "MEMORY { m : ORIGIN = 0, LENGTH = 4 } SECTIONS { .text : { *(.text*) } > m }",
            "section .text is 8 bytes too big for region m",
        ),
    ],
)
def test_script_errors(script: str, text: str) -> None:
    with pytest.raises(LinkError) as info:
        linked(bare(), script=script, script_name="script")
    assert text in info.value.message


def test_script_expressions() -> None:
    script = """
    SECTIONS {
      a = 2 + 3 * 4 - 6 / 2; b = (1 << 4) | 1; c = a > 10 ? 0x10 : 0x20; d = ~0 & 0xff;
      . = 0x4000; .text : { *(.text*) } e = ADDR(.text) + SIZEOF(.text); f = MAX(a, b); f += 1;
      .rest : { *(*) }
    }"""
    builder = bare()
    for name in "abcdef":
        builder.undefined(name)
    value = {s.name: s.value for s in linked(builder, script=script).symbols}
    assert [value[n] for n in "abcd"] == [11, 17, 0x10, 0xFF]
    assert value["e"] == 0x4000 + 12 and value["f"] == 18
