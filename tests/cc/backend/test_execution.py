"""Compiled programs run on the engine and do what gcc's do."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("compiled", Path(__file__).with_name("compiled.py"))
compiled = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(compiled)

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.c"))
GCC = ["gcc", "-w", "-O1", "-fwrapv", "-fsigned-char"]
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def emulated(text, optimize):
    status, out, _ = compiled.run(text, optimize)
    return out + b"status %d\n" % (status & 255)


def native(path, tmp_path):
    subprocess.run([*GCC, "-o", tmp_path / "program", path], check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, check=False, timeout=20)
    return done.stdout + b"status %d\n" % done.returncode


@pytest.mark.parametrize("optimize", [0, 2])
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_program(path, optimize):
    assert emulated(path.read_text(), optimize).decode() == path.with_suffix(".expected").read_text()


@needs_gcc
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_expected_output_is_gccs(path, tmp_path):
    assert native(path, tmp_path).decode() == path.with_suffix(".expected").read_text()


@needs_gcc
@pytest.mark.parametrize("seed", range(5000, 5008))
def test_random_program(seed, tmp_path):
    text = compiled.random_c.Program(seed).text()
    path = tmp_path / "random.c"
    path.write_text(text)
    expected = native(path, tmp_path)
    for optimize in (0, 2):
        assert emulated(text, optimize) == expected, f"seed {seed} at -O{optimize}"


@pytest.mark.slow
def test_far_branches():
    """A function beyond the reach of TBZ (32 KiB)."""
    steps = "\n".join(f"x = x * {2 * n + 3}u + g[{n % 64}] + (x >> {n % 31 + 1});" for n in range(1100))
    text = (
        f"unsigned g[64]; unsigned f(unsigned x) {{ if (x & 64) {{ {steps} }} else {{ {steps} }} return x; }}"
    )
    assert any("Lnear" in line for line in compiled.body(text))
    bench = compiled.machine.Bench(compiled.assembly(text))
    for start in (1, 64):
        x = start
        for n in range(1100):
            x = (x * (2 * n + 3) + (x >> (n % 31 + 1))) & 0xFFFFFFFF
        assert bench.call("f", (start,)) & 0xFFFFFFFF == x


ATOMICS = """
typedef unsigned long u64;
u64 word = 5; unsigned char byte = 250; short half = -3; int cells[2]; int *shared = cells;
u64 f(void) {
    u64 r = __atomic_fetch_add(&word, 10, 5);                    /* 5, word 15 */
    r = r * 100 + __atomic_fetch_sub(&byte, 251, 5);             /* 250, byte 255 */
    r = r * 10 + (__atomic_exchange_n(&half, 7, 5) == -3);
    r = r * 10 + (__atomic_exchange_n(&shared, cells + 1, 5) == cells);
    *shared = 9;
    r = r * 10 + (u64)cells[1];
    u64 expected = 15;
    r = r * 10 + __atomic_compare_exchange_n(&word, &expected, 77, 0, 5, 5);
    expected = 1;
    r = r * 10 + __atomic_compare_exchange_n(&word, &expected, 78, 0, 5, 5);
    r = r * 100 + expected;
    r = r * 1000 + (__atomic_fetch_or(&byte, 1, 5) & __atomic_fetch_and(&byte, 0xf0, 5));
    return r * 1000 + byte + __atomic_load_n(&half, 5);
}
"""


@pytest.mark.parametrize("optimize", [0, 2])
def test_atomics(optimize):
    result, _, _ = compiled.run(ATOMICS, optimize, "f")
    r = 5 * 100 + 250
    for factor, value in ((10, 1), (10, 1), (10, 9), (10, 1), (10, 0), (100, 77), (1000, 255)):
        r = r * factor + value
    assert result == r * 1000 + 0xF0 + 7


def test_bounds_of_locals():
    """One element past an address-taken local faults; a spilled capability keeps its tag."""
    text = """
    void *keep[2];
    __attribute__((noinline)) void put(int *p, int n) { p[n] = 1; }
    int f(int n) { int a[3]; a[0] = 0; put(a, n); return a[0]; }
    """
    bench = compiled.machine.Bench(compiled.assembly(text))
    assert bench.call("f", (0,)) == 1
    with pytest.raises(compiled.machine.Fault, match="capability bounds"):
        bench.call("f", (3,))


def test_interpreter_loop_keeps_its_variables_in_registers():
    """No load or store of a spill slot in the handlers of a byte-code loop that also calls."""
    text = """
    extern unsigned long grow(unsigned long);
    unsigned long f(const int *pc, unsigned long *sp, unsigned long *fp, unsigned long limit) {
        for (;;) switch (*pc++) {
        case 0: *sp++ = (unsigned)*pc++; break;
        case 1: *sp++ = fp[*pc++]; break;
        case 2: sp--; sp[-1] = (unsigned)(sp[-1] + sp[0]); break;
        case 3: if (*--sp) pc += *pc; else pc++; break;
        case 4: limit = grow(sp[-1]); sp[-1] = limit; break;
        case 5: if (sp[-1] > limit) return 0; break;
        default: return sp[-1];
        }
    }
    """
    lines = compiled.body(text)
    call = lines.index("bl grow")
    loop = [n for n, line in enumerate(lines) if line.startswith("br c")]
    assert len(loop) >= 5, "the dispatch is copied into the handlers"
    hot = lines[loop[0] : call - 4]
    assert not any("csp" in line for line in hot), hot
