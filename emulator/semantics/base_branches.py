"""Branches, exception generation and return of the base instruction set."""

from __future__ import annotations

from emulator.faults import FaultKind
from emulator.semantics.conditions import CONDITIONS
from emulator.semantics.jump import integer_jump, offset_jump, write_link
from emulator.semantics.site import Action, Site
from emulator.state.registers import NZCV_SLOT
from morello_isa import base


def branch(site: Site, insn: base.Branch) -> Action:
    """B, BL: PCC := CapAdd(PCC, offset)."""
    jump = offset_jump(site, insn.offset)
    if not insn.link:
        return jump
    set_link = write_link(site, capability_branch=False)

    def action() -> None:
        set_link()
        jump()

    return action


def branch_conditional(site: Site, insn: base.BranchConditional) -> Action:
    """B.cond."""
    jump, holds, x = offset_jump(site, insn.offset), CONDITIONS[insn.cond], site.x

    def action() -> None:
        if holds[x[NZCV_SLOT] >> 28]:
            jump()

    return action


def compare_branch(site: Site, insn: base.CompareBranch) -> Action:
    """CBZ, CBNZ."""
    jump, x, t, nonzero = offset_jump(site, insn.offset), site.x, insn.t, insn.nonzero
    mask = (1 << insn.width) - 1

    def action() -> None:
        if bool(x[t] & mask) == nonzero:
            jump()

    return action


def test_branch(site: Site, insn: base.TestBranch) -> Action:
    """TBZ, TBNZ."""
    jump, x, t, nonzero = offset_jump(site, insn.offset), site.x, insn.t, insn.nonzero
    mask = 1 << insn.bit

    def action() -> None:
        if bool(x[t] & mask) == nonzero:
            jump()

    return action


def branch_register(site: Site, insn: base.BranchRegister) -> Action:
    """BR, BLR, RET Xn: the integer target, within PCC."""
    jump, x, n = integer_jump(site), site.x, insn.n
    if insn.kind != "BLR":
        return lambda: jump(x[n])
    set_link = write_link(site, capability_branch=False)

    def action() -> None:
        target = x[n]
        set_link()
        jump(target)

    return action


_GENERATED = {
    "SVC": FaultKind.SVC,
    "HVC": FaultKind.HVC,
    "SMC": FaultKind.SMC,
    "BRK": FaultKind.BRK,
    "HLT": FaultKind.HLT,
}


def exception_generation(site: Site, insn: base.ExceptionGeneration) -> Action:
    """SVC, HVC, SMC, BRK; HLT and DCPSn are UNDEFINED outside Debug state (HLT is told by its kind)."""
    kind = _GENERATED.get(insn.kind)
    if kind is None:
        return site.undefined_action()

    def action() -> None:
        if not _call_allowed(site, insn.kind):
            raise site.undefined()
        raise site.fault(kind, immediate=insn.imm, target_el=_call_target(site, insn.kind))

    return action


def _call_allowed(site: Site, kind: str) -> bool:
    """The UNDEFINED cases of HVC and SMC."""
    values, el = site.pe.sysregs.values, site.context.el
    scr, hcr = values.get("SCR_EL3", 0), values.get("HCR_EL2", 0)
    if kind == "HVC":
        secure = el < 3 and not scr & 1
        return el != 0 and not (el == 1 and secure) and bool(scr >> 8 & 1)
    if kind == "SMC":
        trapped = el == 1 and scr & 1 and hcr >> 19 & 1
        return el != 0 and (bool(trapped) or not scr >> 7 & 1)
    return True


def _call_target(site: Site, kind: str) -> int | None:
    """The level of HVC and SMC; None leaves it to the general routing."""
    values, el = site.pe.sysregs.values, site.context.el
    if kind == "HVC":
        return 3 if el == 3 else 2
    if kind == "SMC":
        trapped = el == 1 and values.get("SCR_EL3", 0) & 1 and values.get("HCR_EL2", 0) >> 19 & 1
        return 2 if trapped else 3
    return None
