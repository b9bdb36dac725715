"""Order of work for one module: optimise, select, allocate, lay out, print."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend import autoindex, dispatch, dwarf, emit, flow, frame, layout, pairs, regalloc, wrap
from guest.cc.backend.mir import MFunction, Templates
from guest.cc.backend.options import Options
from guest.cc.backend.passes.cleanup import clean_control_flow
from guest.cc.backend.passes.pipeline import optimize_function, optimize_module
from guest.cc.backend.passes.switches import lower_switches
from guest.cc.backend.select import select_function


def compile_module(module: ir.Module, options: Options | None = None) -> str:
    """Assembly text (C64 purecap, LLVM's Morello syntax) of `module`. The module is consumed."""
    options = options or Options()
    templates = Templates()
    files = emit.Files()
    body: list[str] = []
    described: list[dwarf.FunctionInfo] = []
    if options.optimize:
        optimize_module(module)
    for function in module.functions:
        dispatch.merge_indirect_jumps(function)
        if options.optimize:
            optimize_function(function)
        machine, info = compile_function(function, options, templates)
        described.append(info)
        body += emit.function_text(function, machine, options, files)
    for data in module.data:
        body += emit.data_text(data, options)
    if options.debug:
        body += dwarf.debug_sections(module.name, described, module.debug_types, module.data)
    return "\n".join([*_header(module, files), *body, *_footer(module, options)]) + "\n"


def compile_function(
    function: ir.Function, options: Options, templates: Templates
) -> tuple[MFunction, dwarf.FunctionInfo]:
    """Machine code of one function, all registers physical, and where its variables are."""
    clean_control_flow(function)
    lower_switches(function)
    machine, selector = select_function(function, options, templates)
    layout.drop_unreachable(machine)
    if options.optimize:
        dispatch.hoist_table_addresses(machine)
        autoindex.form_indexed(machine, templates)
    _set_frequencies(machine)
    regalloc.allocate(machine, templates)
    wrap.place_frame(machine, templates, shrink=options.optimize > 0)
    layout_of_frame = frame.lower_frame(machine, templates)
    if options.optimize:
        pairs.form_pairs(machine, templates)
        dispatch.duplicate_dispatch(machine)
        layout.arrange(machine)
    layout.fall_through(machine, templates)
    layout.extend_reach(machine, templates)
    info = dwarf.describe_function(function, machine, layout_of_frame, selector.register_map)
    return machine, info


def _set_frequencies(machine: MFunction) -> None:
    graph = flow.analyse([b.successors for b in machine.blocks])
    cold = {
        n
        for n, b in enumerate(machine.blocks)
        if not b.successors and b.code and b.code[-1].t.mnemonic in ("brk", "bl", "blr")
    }
    for block, frequency in zip(machine.blocks, flow.frequencies(graph, cold), strict=True):
        block.frequency = frequency


def _header(module: ir.Module, files: emit.Files) -> list[str]:
    lines = [f'\t.file "{module.name}"', "\t.arch morello+c64"]
    lines += [f'\t.file {number} "{name}"' for name, number in files.numbers.items()]
    return lines + module.top_level_asm


def _footer(module: ir.Module, options: Options) -> list[str]:  # noqa: ARG001
    lines = []
    for name, target in module.aliases.items():
        lines += [f"\t.globl {name}", f"\t.set {name}, {target}"]
    lines += [f"\t.weak {name}" for name in module.undefined_weak]
    for section, functions in (
        (".init_array", module.init_functions),
        (".fini_array", module.fini_functions),
    ):
        for function in functions:
            lines += [f'\t.section {section},"aw",%{section[1:]}', "\t.p2align 4", f"\t.chericap {function}"]
    return lines
