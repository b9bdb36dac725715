"""Inline assembly: GNU operands become holes of a template."""

from __future__ import annotations

import re

from guest.cc import ir
from guest.cc.backend.mir import FIRST_V, LR, VIEW_OF_TYPE, Operand
from guest.cc.backend.select.core import Selector, selects

_REFERENCE = re.compile(r"%([wxcbhsdqva]?)(\d+|\[\w+\])|%%")
_CLOBBER = re.compile(r"([xwcvqds])(\d+)$")
_PINNED = re.compile(r"\{([xwcvqds])(\d+)\}")


def clobbered(name: str) -> int | None:
    """Physical register of a clobber, None for "memory" and "cc"."""
    match = _CLOBBER.match(name)
    if match is None:
        return None
    number = int(match.group(2))
    return number + (FIRST_V if match.group(1) in "vqds" else 0)


def _pinned(constraint: str) -> int | None:
    match = _PINNED.search(constraint)
    return clobbered(match.group(1) + match.group(2)) if match else None


def _memory(constraint: str) -> bool:
    return "m" in constraint or "Q" in constraint


@selects(ir.Asm)
def select_asm(s: Selector, op: ir.Asm) -> None:
    """Numbering: outputs first, then inputs; tied inputs share their output's register."""
    registers: list[Operand] = []
    views: list[str] = []
    modes: list[str] = []
    after: list[tuple[int, int, str]] = []
    pinned_uses: list[int] = []
    tied_outputs = set(op.tied.values())
    for n, (constraint, vreg) in enumerate(op.outputs):
        register, view = s.reg(vreg), VIEW_OF_TYPE[vreg.ty]
        fixed = _pinned(constraint)
        if fixed is not None:
            after.append((register, fixed, view))
            register = fixed
        registers.append(register)
        views.append(view)
        modes.append("+" if n in tied_outputs else ("&" if "&" in constraint else "="))
    for n, (constraint, operand) in enumerate(op.inputs):
        _bind_input(s, op, n, constraint, operand, registers, views, modes, pinned_uses)
    template, ops = _fill(op.template, registers, views, modes, [c for c, _ in (*op.outputs, *op.inputs)])
    instruction = s.emit(template, *ops)
    clobbers = [r for r in map(clobbered, op.clobbers) if r is not None]
    instruction.implicit_defs = tuple(clobbers)
    instruction.busy = tuple(clobbers)
    if LR in clobbers:
        s.out.has_calls = True
    for register, fixed, view in after:
        s.copy(register, fixed, view)


def _bind_input(
    s: Selector,
    op: ir.Asm,
    n: int,
    constraint: str,
    operand: ir.Operand,
    registers: list[Operand],
    views: list[str],
    modes: list[str],
    pinned_uses: list[int],
) -> None:
    if isinstance(operand, ir.Imm) and n not in op.tied and not set(constraint) & set("rwC{"):
        registers.append(operand.value)
        views.append("#")
        modes.append("")
        return
    view = VIEW_OF_TYPE[operand.ty] if isinstance(operand, ir.VReg) else "x"
    register = s.gpr(operand, view, zero_ok=False)
    if n in op.tied:
        output = registers[op.tied[n]]
        assert isinstance(output, int)
        s.copy(output, register, view)
        register = output
        modes.append("tied")
    else:
        fixed = _pinned(constraint)
        if fixed is not None:
            s.copy(fixed, register, view)
            pinned_uses.append(fixed)
            register = fixed
        modes.append("")
    registers.append(register)
    views.append(view)


def _fill(
    template: str, registers: list[Operand], views: list[str], modes: list[str], constraints: list[str]
) -> tuple[str, list[Operand]]:
    """Template source: all operands are declared in a first, silent line; the text repeats them."""
    order: list[Operand] = []
    number: dict[int, int] = {}
    declared = ""
    for n, (register, view, mode) in enumerate(zip(registers, views, modes, strict=True)):
        if mode == "tied":
            continue
        number[n] = len(order)
        order.append(register)
        declared += f"~{mode}${view}"
    for n, mode in enumerate(modes):
        if mode == "tied":
            number[n] = next(k for k in number if registers[k] == registers[n] and modes[k] == "+")
            number[n] = number[number[n]]

    def reference(match: re.Match[str]) -> str:
        if match.group(0) == "%%":
            return "%"
        which = int(match.group(2))
        view = match.group(1) or views[which]
        if view == "a" or (_memory(constraints[which]) and not match.group(1)):
            return f"[@{number[which]}c]"
        return f"@{number[which]}{view if views[which] != '#' else '#'}"

    return declared + _REFERENCE.sub(reference, template), order
