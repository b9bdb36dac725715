"""Dynamic purecap programs whose interpreter is absent, and the loader service of static ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from guest.assembler.assembler import assemble_source
from loader.link import cli as linker
from morello_isa.errors import UserError

LIBRARY = """
    .text
    .globl bump
    .type bump, %function
bump:
    adrp c1, :got:counter
    ldr c1, [c1, :got_lo12:counter]
    ldr w2, [c1]
    add w0, w0, w2
    str w0, [c1]
    ret c30
    .size bump, .-bump
    .type start_up, %function
start_up:
    adrp c1, :got:counter
    ldr c1, [c1, :got_lo12:counter]
    mov w2, #30
    str w2, [c1]
    ret c30
    .size start_up, .-start_up
    .data
    .globl counter
    .type counter, %object
counter: .word 5
    .size counter, 4
    .section .init_array,"aw",%init_array
    .balign 16
    .chericap start_up
"""
PROGRAM = """
    .text
    .globl _start
    .type _start, %function
_start:
    mov w0, #1
    bl bump
    mov w0, #2
    bl bump
    mov x8, #94
    svc #0
    .size _start, .-_start
"""
SERVICE = """
    mov c20, c1
    mov x0, #0
    ldr c1, [c20, #16]
    mov x2, #2
    mov x3, #-1
    movz x8, #0x4d4c
    svc #0
    tbnz x0, #63, refused
    mov x19, x0
    mov x1, x19
    mov x2, #0
    mov x0, #3
    movz x8, #0x4d4c
    svc #0
    gctag x1, c0
    cbz x1, failed
    blr c0
    mov x1, x19
    adr c2, name
    mov x0, #1
    movz x8, #0x4d4c
    svc #0
    mov c21, c0
    mov w0, #4
    blr c21
    mov x22, x0
    mov x1, x19
    mov x0, #5
    movz x8, #0x4d4c
    svc #0
    cbz x0, failed
    mov x1, x19
    adr c2, name
    mov x0, #1
    movz x8, #0x4d4c
    svc #0
    gcperm x1, c0
    tbnz x1, #1, failed
    mov x0, x22
    syscall 94
refused:
    neg x0, x0
    syscall 94
name: .asciz "bump"
    .balign 4
"""


def link(folder: Path, name: str, source: str, *options: str) -> Path:
    target = folder / f"{name}.o"
    target.write_bytes(assemble_source(source, f"{name}.S"))
    output = folder / name
    assert linker.main([str(target), *options, "-o", str(output)]) == 0
    output.chmod(0o755)
    return output


@pytest.fixture
def library(tmp_path) -> Path:
    folder = tmp_path / "lib"
    folder.mkdir()
    return link(folder, "libcount.so", LIBRARY, "-shared", "-soname", "libcount.so")


@pytest.fixture
def program(tmp_path, library) -> Path:
    options = ["-pie", f"-L{library.parent}", "-l:libcount.so", "-dynamic-linker", "/lib/ld-not-there.so"]
    return link(tmp_path, "program", PROGRAM, *options)


@pytest.mark.parametrize("profile", ["full", "transitional"])
def test_host_side_linking_with_constructors(run, program, library, profile) -> None:
    where = str(library.parent)
    result = run(program, request={"libraries": [where]}, library_path=[where], profile=profile)
    assert (result.status, result.err) == (33, "")


def test_missing_library_is_named(run, program) -> None:
    with pytest.raises(UserError, match=r"needs libcount\.so, not found") as caught:
        run(program)
    assert caught.value.status == 127


def test_loader_service_opens_and_restricts(assemble, run, library) -> None:
    """dlopen with a constructor (counter = 30), a call (+4), then the symbol without Executive."""
    assert run(assemble(SERVICE), str(library)).status == 34


def test_loader_service_refuses_what_is_no_library(assemble, run, tmp_path) -> None:
    text = tmp_path / "text"
    text.write_text("no library")
    assert run(assemble(SERVICE), str(text)).status == 8
    assert run(assemble(SERVICE), str(tmp_path / "missing")).status == 2


def test_loaded_libraries_are_named_in_explanations(assemble, run, library) -> None:
    crash = SERVICE.replace("mov w0, #4\n    blr c21", "scbnds c21, c21, #4\n    blr c21")
    result = run(assemble(crash), str(library))
    assert result.status == 139 and "bump in libcount.so" in result.err
