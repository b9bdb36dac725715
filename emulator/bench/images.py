"""A loop as a bare-metal image: assembled by `morello as`, linked by `morello ld`, an ordinary ELF file.

The image starts at EL3 of the board `morello` with the number of repetitions in x0 and ends by the
semihosting exit. In C64 it runs as purecap code does: PCC bounded to the program, sealed links (CCTLR.SBL),
function pointers as sentries, DDC null. In A64 it is plain AArch64 code, which raw Unicorn runs as well.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from emulator.bench.loops import Loop
from emulator.cli import main as command
from loader.elf import ElfImage

BASE = 0x8000_0000
HEAP, HEAP_BYTES = 0x9000_0000, 64 << 20

_SCRIPT = """
ENTRY(_start)
SECTIONS
{
  . = 0x80000000;
  .text : { *(.text) }
  . = ALIGN(0x10000);
  .got : { *(.got.bench) }
  . = ALIGN(0x10000);
  program_end = .;
  .library : { *(.library) }
  . = ALIGN(0x10000);
  .data : { *(.data) }
}
"""

# Registers in C64: every capability is derived from the root in DDC, which is dropped in the end.
_START_C64 = """
        .arch   morello+c64
        .text
        .globl  _start
        .type   _start, %function
_start: mov     x28, x0
        mov     x0, #0x200              // CPTR_EL3.EC: capability instructions don't trap
        msr     cptr_el3, x0
        mov     x0, #0x80               // CCTLR_EL3.SBL: links are sentries
        msr     CCTLR_EL3, x0
        isb
        mrs     c27, DDC
        .macro  object register, symbol, size
        ldr     x0, =\\symbol
        scvalue \\register, c27, x0
        ldr     x0, =\\size
        scbnds  \\register, \\register, x0
        .endm
        object  c10, source, 0x1000
        object  c11, destination, 0x1000
        object  c12, HEAP, HEAP_BYTES
        object  c14, stack, 0x2000
        add     c14, c14, #2, lsl #12
        mov     csp, c14
        object  c15, slot, 16
        adr     c26, #0                 // PCC, unbounded so far
        ldr     x0, =remote
        scvalue c16, c26, x0
        mov     x0, #0x1000
        scbnds  c16, c16, x0
        add     c16, c16, #1            // C64
        seal    c16, c16, rb
        str     c16, [c15]
        ldr     x0, =_start
        scvalue c26, c26, x0
        ldr     x0, =program_end
        sub     x0, x0, x26
        scbnds  c26, c26, x0
        ldr     x0, =leaf
        scvalue c13, c26, x0
        add     c13, c13, #1
        seal    c13, c13, rb
        ldr     x0, =go
        scvalue c26, c26, x0
        add     c26, c26, #1
        seal    c26, c26, rb
        msr     DDC, czr
        isb
        br      c26
        .ltorg
"""

_START_A64 = """
        .arch   morello
        .text
        .globl  _start
        .type   _start, %function
_start: mov     x28, x0
        ldr     x10, =source
        ldr     x11, =destination
        ldr     x12, =HEAP
        ldr     x14, =stack + 0x2000
        mov     sp, x14
        ldr     x15, =slot
        ldr     x16, =remote
        str     x16, [x15]
        ldr     x13, =leaf
        b       go
        .ltorg
"""

# madd by these is the generator of Knuth's MMIX.
_LOOP = """
go:     ldr     x5, =6364136223846793005
        ldr     x6, =1442695040888963407
        mov     x4, #1
        .p2align 6
again:
{body}
        subs    x28, x28, #1
        b.ne    again
done:   ldr     x0, =0x20026
        stp     x0, xzr, [{csp}, #-16]!
        mov     {c}1, {csp}
        mov     w0, #0x18               // semihosting: exit
        hlt     #0xf000
        b       .
        .ltorg
        .p2align 6
{functions}
        .section .got.bench, "aw"
        .p2align 4
slot:   .zero   16
        .section .library, "ax"
        .p2align 6
{library}
        .data
        .p2align 12
source: .rept 512
        .quad   0x3ff0000000000000
        .endr
destination: .rept 512
        .quad   0x3fe0000000000000
        .endr
stack:  .zero 0x2000
"""


@dataclass(frozen=True, slots=True)
class Image:
    """A built loop: the file, its parsed form and the addresses that runners need."""

    loop: Loop
    c64: bool
    data: bytes
    elf: ElfImage
    done: int
    """Where the code is after the last repetition."""


def source_of(loop: Loop, c64: bool) -> str:
    """The assembler source of a loop."""
    letters = {"c": "c" if c64 else "x", "csp": "csp" if c64 else "sp"}

    def code(text: str, otherwise: str) -> str:
        lines = (text or otherwise).format(**letters).split(";")
        return "\n".join(f"        {line.strip()}" for line in lines if line.strip())

    functions = loop.functions if "leaf:" in loop.functions else f"{loop.functions}; leaf: ret {{c}}30"
    head = f"        .set HEAP, {HEAP:#x}\n        .set HEAP_BYTES, {HEAP_BYTES:#x}\n"
    body = _LOOP.format(
        body=code(loop.body, ""),
        functions=code(functions, ""),
        library=code(loop.library, "remote: ret {c}30"),
        **letters,
    )
    return head + (_START_C64 if c64 else _START_A64) + body


def build(loop: Loop, c64: bool) -> Image:
    """Assemble and link one."""
    with tempfile.TemporaryDirectory(prefix="morello-bench-") as name:
        source, obj, script, out = (Path(name) / n for n in ("loop.s", "loop.o", "loop.ld", "loop.elf"))
        source.write_text(source_of(loop, c64), encoding="utf-8")
        script.write_text(_SCRIPT, encoding="utf-8")
        _tool("as", "--c64" if c64 else "--a64", str(source), "-o", str(obj))
        _tool("ld", "--board", "-static", "-T", str(script), str(obj), "-o", str(out))
        data = out.read_bytes()
    elf = ElfImage.from_bytes(data, loop.name)
    done = next(symbol.value for symbol in elf.symbols if symbol.name == "done")
    return Image(loop, c64, data, elf, done & ~1)


def _tool(*arguments: str) -> None:
    status = command.main(arguments)
    assert status == 0, f"{arguments[0]} failed on a source of our own"
