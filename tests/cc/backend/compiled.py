"""C text through the front end and the back end, onto the bench."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from guest.cc.backend import Options, compile_module
from guest.cc.compile import compile_c
from guest.cc.errors import Diagnostics
from guest.cc.preprocess import PreprocessOptions


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


machine = _load("machine")
random_c = _load("random_c")


def front(text, name="t.c"):
    """IR of a translation unit."""
    diagnostics = Diagnostics()
    module, _ = compile_c(text, name, PreprocessOptions(), diagnostics)
    assert module is not None, diagnostics.messages
    return module


def assembly(text, **options):
    """Assembly text of a translation unit."""
    return compile_module(front(text), Options(**options))


def run(text, optimize=2, function="main", x=(), v=()):
    """(result, output, bench) of a call."""
    bench = machine.Bench(assembly(text, optimize=optimize))
    result = bench.call(function, x, v)
    return result, bytes(bench.out), bench


def body(text, function="f", **options):
    """Instruction lines of one function, labels included."""
    listing = assembly(text, **options)
    start = listing.index(f"\n{function}:\n") + len(function) + 3
    lines = listing[start : listing.index(f".Lend.{function}:")].splitlines()
    return [line.strip() for line in lines if line.strip() != f".L{function}.entry:"]
