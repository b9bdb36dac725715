"""The order of the optimisation passes."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.passes.cleanup import (
    clean_control_flow,
    forward_into_copies,
    remove_dead,
    remove_unused,
    thread_known_branches,
)
from guest.cc.backend.passes.extensions import fuse_extensions
from guest.cc.backend.passes.inline import inline_functions
from guest.cc.backend.passes.loops import hoist_invariants, rotate
from guest.cc.backend.passes.values import number_values

VALUE_ROUNDS = 2


def optimize_module(module: ir.Module) -> None:
    """Passes over the whole module: what crosses functions."""
    for function in module.functions:
        clean_control_flow(function)
        _scalar(function, rounds=1)
    inline_functions(module)


def optimize_function(function: ir.Function) -> None:
    """Passes over one function, after inlining."""
    clean_control_flow(function)
    _scalar(function, VALUE_ROUNDS)
    hoist_invariants(function)
    rotate(function)
    clean_control_flow(function)
    _scalar(function, rounds=1)
    remove_dead(function)
    forward_into_copies(function)
    remove_unused(function)


def _scalar(function: ir.Function, rounds: int) -> None:
    for _ in range(rounds):
        changed = number_values(function)
        remove_unused(function)
        fuse_extensions(function)
        forward_into_copies(function)
        thread_known_branches(function)
        clean_control_flow(function)
        if not changed:
            break
