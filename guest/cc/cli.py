"""`morello cc`: the C compiler's command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from guest.cc.options import parse_command

HELP = """usage: morello cc [options] file…

Compiles C (.c), assembles (.s, .S) and links (.o, .a, .so) for Morello purecap. Options are gcc's:

  -E  -S  -c             stop after preprocessing, compiling, assembling
  -o FILE                output (a.out)
  -O0 -O1 -O2 -Os        optimise (-O0 is the default)
  -g                     debugging information
  -D NAME[=VALUE]  -U NAME  -I DIR  -isystem DIR  -include FILE  -nostdinc
  -MD -MMD -M -MM -MF FILE -MT TARGET -MP
  -Werror  -w            warnings are errors; no warnings
  -fPIC -shared -static -pie -static-pie
  -nostdlib -nostartfiles -nodefaultlibs
  -L DIR  -l NAME  -T SCRIPT  -Wl,OPTION…  -Xlinker OPTION  -s
  --board                link for the bare board
  -ffile-prefix-map=OLD=NEW
  -x c|assembler|assembler-with-cpp|none
  -std=… -W… -f… -m…     accepted
"""


def main(argv: Sequence[str]) -> int:
    """Exit status 0, or 1 after diagnostics."""
    command = parse_command(argv)
    if command.show_help:
        sys.stdout.write(HELP)
        return 0
    if command.show_version:
        sys.stdout.write("morello cc (C99, Morello purecap)\n")
        return 0
    from guest.cc.driver import run

    return run(command)
