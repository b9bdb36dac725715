"""morello as, asm, disasm and objdump as a user sees them."""

from __future__ import annotations

import io

import pytest

from emulator.cli.main import main as morello

SOURCE = """\
    .globl f
    .type f, %function
f:  stp c29, c30, [csp, #-32]!
    bl puts
    adrp c0, message
    add c0, c0, :lo12:message
    ldp c29, c30, [csp], #32
    ret
    .size f, .-f
    .word 0x11223344
    .data
message: .asciz "hello"
"""

LISTING = """\
{name}:\tfile format elf64-littleaarch64 (purecap)

Disassembly of section .text:

0000000000000000 <f>:
       0: 62bf7bfd\tstp\tc29, c30, [csp, #-32]!
       4: 94000000\tbl\t0x4 <f+0x4>
\t\t0000000000000004:  R_MORELLO_CALL26 puts
       8: 90800000\tadrp\tc0, 0x0 <f>
\t\t0000000000000008:  R_MORELLO_ADR_PREL_PG_HI20 message
       c: 02000000\tadd\tc0, c0, #0
\t\t000000000000000c:  R_AARCH64_ADD_ABS_LO12_NC message
      10: 22c17bfd\tldp\tc29, c30, [csp], #32
      14: c2c253c0\tret\tc30
      18: 11223344\t.word 0x11223344
"""

SYMBOLS = """\

SYMBOL TABLE:
0000000000000000 l notype  .text\t0000000000000000 $c
0000000000000018 l notype  .text\t0000000000000000 $d
0000000000000000 l notype  .data\t0000000000000000 message
0000000000000001 g func    .text\t0000000000000018 f
0000000000000000 g notype  *UND*\t0000000000000000 puts
"""


@pytest.fixture
def object_file(tmp_path):
    (tmp_path / "f.s").write_text(SOURCE)
    assert morello(["as", "-o", str(tmp_path / "f.o"), str(tmp_path / "f.s")]) == 0
    return tmp_path / "f.o"


def test_objdump_of_an_assembled_file(object_file, capsys):
    assert morello(["objdump", "-d", "-r", str(object_file)]) == 0
    assert capsys.readouterr().out == LISTING.format(name=object_file)


def test_objdump_symbols_and_contents(object_file, capsys):
    assert morello(["objdump", "-t", str(object_file)]) == 0
    assert capsys.readouterr().out.partition("\n")[2] == SYMBOLS
    assert morello(["objdump", "-s", "-j", ".data", str(object_file)]) == 0
    assert " 000000 68656c6c 6f00                        hello.\n" in capsys.readouterr().out
    assert morello(["objdump", "-h", str(object_file)]) == 0
    assert "  1 .text                000000000000001c 0000000000000000    1  AX\n" in capsys.readouterr().out
    assert morello(["objdump", "-r", str(object_file)]) == 0
    assert (
        "RELOCATION RECORDS FOR [.text]:\n0000000000000004 R_MORELLO_CALL26 puts\n" in capsys.readouterr().out
    )


def test_as_prints_all_errors_and_writes_nothing(tmp_path, capsys):
    source, output = tmp_path / "bad.s", tmp_path / "bad.o"
    source.write_text("nop\nfrob c0\nadd x0, x1\n")
    assert morello(["as", "-o", str(output), str(source)]) == 1
    assert capsys.readouterr().err == (
        f"{source}:2:1: error: there is no instruction 'frob'\n    frob c0\n    ^\n"
        f"{source}:3:1: error: 'add' doesn't take these operands\n    add x0, x1\n    ^\n"
    )
    assert not output.exists()


def test_as_preprocesses_capital_s(tmp_path, capsys):
    source = tmp_path / "x.S"
    source.write_text("#ifdef BIG\nmov x0, #SIZE /* a */\n#endif\n")
    assert morello(["as", "-DBIG", "-D", "SIZE=7", "-o", str(tmp_path / "x.o"), str(source)]) == 0
    assert morello(["objdump", "-d", str(tmp_path / "x.o")]) == 0
    assert "mov\tx0, #7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["as", "/no/such.s"], 127, "morello: /no/such.s does not exist\n"),
        (["as", "--zork", "x.s"], 1, "morello: as: unrecognized arguments: --zork\n"),
        (["as"], 1, "morello: as: the following arguments are required: FILE\n"),
        (["disasm", "zz"], 1, "morello: disasm: 'zz' is not a hexadecimal word\n"),
        (["disasm", "123456789"], 1, "morello: disasm: '123456789' doesn't fit in 32 bits\n"),
        (["objdump", "/dev/null"], 1, "morello: objdump: one of -d, -D, -r, -t, -s and -h is needed\n"),
        (["asm", "add x0"], 1, "morello: add x0: 'add' doesn't take these operands\n"),
    ],
)
def test_bad_input_is_one_sentence(arguments, status, message, capsys):
    assert morello(arguments) == status
    assert capsys.readouterr().err == message


def test_objdump_of_a_foreign_file(tmp_path, capsys):
    (tmp_path / "text").write_text("not an ELF file")
    assert morello(["objdump", "-d", str(tmp_path / "text")]) == 126
    assert capsys.readouterr().err.count("\n") == 1


def test_asm_and_disasm(capsys, monkeypatch):
    assert morello(["asm", "ldr c0, [c1]; ret", "b 0x10", "bl f+4"]) == 0
    assert (
        capsys.readouterr().out == "0xc2400020\n0xc2c253c0\n0x14000002\n0x94000000  // R_MORELLO_CALL26 f+4\n"
    )
    assert morello(["asm", "--a64", "--hex", "ret"]) == 0
    assert capsys.readouterr().out == "c0 03 5f d6\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("nop // comment\n\n brk #1\n"))
    assert morello(["asm"]) == 0
    assert capsys.readouterr().out == "0xd503201f\n0xd4200020\n"
    assert morello(["disasm", "0xc2400020", "f9400420", "--row"]) == 0
    assert capsys.readouterr().out == "ldr c0, [c1]  // LDR_C_RUIB_C\nldr x0, [c1, #8]\n"
    assert morello(["disasm", "--a64", "--pc", "0x1000", "f9400420", "14000001"]) == 0
    assert capsys.readouterr().out == "ldr x0, [x1, #8]\nb 0x1008\n"
