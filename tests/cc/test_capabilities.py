"""What is special about C on capabilities: bounds, tags, provenance, traps. Runs on the emulator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import chain

HERE = Path(__file__).parent

EXPECTED = """\
16 8 16
20 12
6
store 1 0
tls 7 4
77 1
tag 1
plain 0
abc 5 def 1
1 1
0
100
sentry 1 sealed 1
1 1 1 1
8 0
1 100
1 1
1
0 12360
-5 1
52
1
"""


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_bounds_tags_and_provenance(tmp_path, level):
    out, status, err = chain.run_emulated(tmp_path, (HERE / "capabilities.c").read_text(), level)
    assert (out.decode(), status) == (EXPECTED, 0), err


PREAMBLE = """
#include <stdlib.h>
static void use(volatile char *p, long i) { p[i] = 1; }
static int sum(int n, ...) { __builtin_va_list ap; __builtin_va_start(ap, n); int s = 0;
  for (int i = 0; i < n; i++) s += __builtin_va_arg(ap, int); return s; }
int main(void) {
  char *heap = malloc(40);
"""
SIGSEGV_STATUS = 139
KINDS = (
    "local struct member global constant thread big vla alloca heap literal compound arguments parameter"
).split()


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_accesses_inside_and_past_each_end(tmp_path, level):
    """First byte, last byte, one past the end, one before the start: the latter two fault."""
    out, status, err = chain.run_emulated(tmp_path, (HERE / "bounds.c").read_text(), level)
    expected = "".join(f"{kind} 0011\n" for kind in KINDS) + "write 110\n"
    assert (out.decode(), status) == (expected, 0), err


def test_read_only_literal_and_missing_argument(tmp_path):
    _out, status, err = chain.run_emulated(tmp_path, PREAMBLE + 'use((char *)"text", 0); return 0; }')
    assert status == SIGSEGV_STATUS and "permission" in err, err
    _out, status, err = chain.run_emulated(tmp_path, PREAMBLE + "return sum(2, 5); }")
    assert status == SIGSEGV_STATUS and "bounds" in err, err


def test_integer_made_pointer_has_no_tag(tmp_path):
    text = PREAMBLE + "*(volatile char *)(unsigned long)heap = 1; return 0; }"
    _, status, err = chain.run_emulated(tmp_path, text)
    assert status == SIGSEGV_STATUS and "tag" in err, err


def test_bounds_fault_names_function_and_line_of_the_access(tmp_path):
    text = "int a[4];\nvoid fill(int *p) { p[4] = 1; }\nint main(void) { fill(a); return 0; }\n"
    _, status, err = chain.run_emulated(tmp_path, text, "-O0")
    assert status == SIGSEGV_STATUS
    assert "fill" in err and "bounds" in err
