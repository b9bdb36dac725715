"""Instruction selection: IR functions to machine form. One module per kind of operation."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.mir import MFunction, Templates
from guest.cc.backend.options import Options
from guest.cc.backend.select import arithmetic, assembly, atomic, calls, capability, control, floating, memory
from guest.cc.backend.select.core import Selector

__all__ = [
    "arithmetic",
    "assembly",
    "atomic",
    "calls",
    "capability",
    "control",
    "floating",
    "memory",
    "select_function",
]


def select_function(
    function: ir.Function, options: Options, templates: Templates
) -> tuple[MFunction, Selector]:
    """Machine form of `function` on virtual registers, and the selector (for debug information)."""
    selector = Selector(function, options, templates)
    selector.out.locals_ = capability.slot_layout(function)
    return selector.run(calls.receive_parameters), selector
