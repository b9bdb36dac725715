"""Writes tests/golden/disassembly.txt: two words of every Morello row, as text in both states.

Run it from the top of the repository after a deliberate change of the syntax, and read the diff:
python tests/isa/make_disassembly_golden.py
"""

from __future__ import annotations

import random
from pathlib import Path

from morello_isa.disassemble import disassemble
from morello_isa.encodings.table import ROWS

GOLDEN = Path(__file__).parent.parent / "golden" / "disassembly.txt"


def lines() -> list[str]:
    """`row word | C64 text | A64 text`."""
    out = []
    for row in ROWS:
        source = random.Random(f"golden {row.id}")
        found: list[int] = []
        while len(found) < 2:
            word = row.match | source.getrandbits(32) & ~row.mask
            if row.is_allocated(word):
                found.append(word)
        for word in dict.fromkeys(found):
            out.append(f"{row.id} {word:08x} | {disassemble(word)} | {disassemble(word, c64=False)}")
    return out


def main() -> None:
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text("\n".join(lines()) + "\n")


if __name__ == "__main__":
    main()
