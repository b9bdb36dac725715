"""Bare-metal images for tests: assembled and linked with the project's own tools."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from guest.assembler.assembler import assemble_source
from loader.link.linker import link
from loader.link.options import LinkInput, LinkOptions

IMAGES = Path(__file__).parent / "images"
BASE = 0x8000_0000

_SCRIPT = """
ENTRY(_start)
SECTIONS
{
  . = BASE;
  .text : { *(.text.start) *(.text) *(.text.*) }
  . = ALIGN(0x1000);
  .data : { *(.data) *(.data.*) *(.rodata) *(.rodata.*) }
  .bss : { *(.bss) *(.bss.*) *(COMMON) }
}
"""


@cache
def build_image(name: str, base: int = BASE, definitions: tuple[tuple[str, int], ...] = ()) -> bytes:
    """The linked ELF of `images/<name>.S`, at `base`; `definitions` are symbols set before the source."""
    path = IMAGES / f"{name}.S"
    prefix = "".join(f".set {symbol}, {value:#x}\n" for symbol, value in definitions)
    data = assemble_source(prefix + path.read_text(), str(path), [IMAGES], c64=False)
    options = LinkOptions(
        static=True, board=True, script=_SCRIPT.replace("BASE", hex(base)), script_name="board.ld"
    )
    return link(options, [LinkInput(f"{name}.o", data)])
