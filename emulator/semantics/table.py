"""From a row id or a base record to its semantics function."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from emulator.semantics import (
    alternate_base,
    arithmetic,
    base_branches,
    base_memory,
    base_system,
    branches,
    capability_atomics,
    capability_memory,
    compare,
    convert,
    copy,
    fields,
    seal,
)
from emulator.semantics.site import Action, Site
from morello_isa import base
from morello_isa.decode import Instruction
from morello_isa.encodings.table import ROWS

_MODULES: tuple[ModuleType, ...] = (
    arithmetic,
    copy,
    fields,
    seal,
    convert,
    compare,
    branches,
    capability_memory,
    alternate_base,
    capability_atomics,
    base_system,
)


def _collect() -> dict[str, Callable[[Site, Instruction], Action]]:
    """Every row's function, found by its name; a row without one is an error at import."""
    functions = {}
    for row in ROWS:
        for module in _MODULES:
            function = vars(module).get(row.id)
            if function is not None:
                functions[row.id] = function
                break
        else:
            raise LookupError(f"no semantics for {row.id}")
    return functions


ROW_SEMANTICS = _collect()

BASE_SEMANTICS: dict[type, Callable[[Site, Any], Action]] = {
    base.LoadStore: base_memory.load_store,
    base.LoadStorePair: base_memory.load_store_pair,
    base.LoadLiteral: base_memory.load_literal,
    base.Prefetch: base_memory.prefetch,
    base.Exclusive: base_memory.exclusive,
    base.Ordered: base_memory.ordered,
    base.CompareAndSwap: base_memory.compare_and_swap,
    base.Atomic: base_memory.atomic,
    base.SimdMultiple: base_memory.simd_multiple,
    base.SimdSingle: base_memory.simd_single,
    base.Branch: base_branches.branch,
    base.BranchConditional: base_branches.branch_conditional,
    base.CompareBranch: base_branches.compare_branch,
    base.TestBranch: base_branches.test_branch,
    base.BranchRegister: base_branches.branch_register,
    base.ExceptionReturn: base_system.eret,
    base.ExceptionGeneration: base_branches.exception_generation,
    base.SystemRegisterMove: base_system.register_move,
    base.SystemInstruction: base_system.system_instruction,
    base.PstateImmediate: base_system.pstate_immediate,
    base.Hint: base_system.hint,
    base.Barrier: base_system.barrier,
}

# After these the engine looks at the PE's state again before it goes on.
BLOCK_ENDS = (
    base.Branch,
    base.BranchConditional,
    base.CompareBranch,
    base.TestBranch,
    base.BranchRegister,
    base.ExceptionReturn,
    base.ExceptionGeneration,
    base.SystemRegisterMove,
    base.SystemInstruction,
    base.PstateImmediate,
    base.Hint,
    base.Barrier,
)
ROW_GROUPS_ENDING_BLOCKS = frozenset(("branch", "branch-load", "system"))
# ADR, ADRP and ADRDP work although capabilities may be disabled.
ROW_GROUP_NEVER_TRAPPED = "pc-relative"
