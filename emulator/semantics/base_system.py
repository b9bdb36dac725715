"""System instructions: MRS, MSR, SYS, PSTATE fields, hints, barriers, ERET."""

from __future__ import annotations

from typing import cast

from emulator.exceptions import exception_return
from emulator.faults import FaultKind, MemoryAbort, PeFault, fault_of_abort
from emulator.memory.interface import Access, SystemMemory
from emulator.semantics import access_rules
from emulator.semantics.access import LOAD, STORE, authorise
from emulator.semantics.indexed_registers import find_indexed, find_reserved
from emulator.semantics.register_access import (
    read_capability,
    read_register,
    write_capability,
    write_register,
)
from emulator.semantics.site import Action, Site
from emulator.state import levels
from morello_isa import base
from morello_isa.capability import MASK64, Capability
from morello_isa.decode import Instruction
from morello_isa.sysregs import SystemRegister, find_register

LINE_BYTES = 64


def MRS_C_I_C(site: Site, insn: Instruction) -> Action:
    """Ct := capability system register."""
    register = _capability_register(insn)
    if register is None:
        return site.undefined_action()
    write, pe = site.write_c(insn.Ct), site.pe

    def action() -> None:
        name = access_rules.check(site, register, is_read=True)
        write(read_capability(pe, name))

    return action


def MSR_C_I_C(site: Site, insn: Instruction) -> Action:
    """Capability system register := Ct."""
    register = _capability_register(insn)
    if register is None:
        return site.undefined_action()
    read, pe = site.read_c(insn.Ct), site.pe

    def action() -> None:
        name = access_rules.check(site, register, is_read=False)
        write_capability(pe, name, read())

    return action


def _capability_register(insn: Instruction) -> SystemRegister | None:
    return find_register((2 + insn.o0, insn.op1, insn.CRn, insn.CRm, insn.op2), "capability")


def register_move(site: Site, insn: base.SystemRegisterMove) -> Action:
    """MRS and MSR of 64-bit registers."""
    register = find_register(insn.key, "integer") or find_indexed(insn.key) or find_reserved(insn.key)
    pe, x, t = site.pe, site.x, insn.t
    if insn.is_read:
        write = site.write_x(t)

        def read_action() -> None:
            name = access_rules.check_integer(site, insn, register)
            write(read_register(pe, name))

        return read_action

    def write_action() -> None:
        name = access_rules.check_integer(site, insn, register)
        write_register(pe, name, x[t])

    return write_action


# --- PSTATE ---------------------------------------------------------------------------------------------


_PSTATE_FIELDS = {
    (0, 3): "UAO",
    (0, 4): "PAN",
    (0, 5): "SPSel",
    (3, 1): "SSBS",
    (3, 6): "DAIFSet",
    (3, 7): "DAIFClr",
}


def pstate_immediate(site: Site, insn: base.PstateImmediate) -> Action:
    """MSR SPSel, DAIFSet, DAIFClr, PAN, UAO, SSBS, #imm."""
    field = _PSTATE_FIELDS.get((insn.op1, insn.op2))
    if field is None or (insn.op1 == 0 and site.context.el == 0):
        return site.undefined_action()
    pe, imm = site.pe, insn.imm

    def action() -> None:
        state = pe.pstate
        if field in ("DAIFSet", "DAIFClr"):
            if state.el == 0:
                access_rules.check_daif_at_el0(site)
            state.daif = state.daif | imm if field == "DAIFSet" else state.daif & ~imm
        else:
            shift = {"UAO": 23, "PAN": 22, "SPSel": 0, "SSBS": 12}[field]
            write_register(pe, field, (imm & 1) << shift)

    return action


# --- hints, barriers ------------------------------------------------------------------------------------


def _nothing() -> None:
    return None


def hint(site: Site, insn: base.Hint) -> Action:
    """WFI idles the machine, WFE only consumes the event; both may trap. The other hints do nothing."""
    pe = site.pe
    if insn.number in (4, 5):  # SEV, SEVL

        def send_event() -> None:
            pe.event = True

        return send_event
    if insn.number not in (2, 3):
        return _nothing
    is_wfe = insn.number == 2

    def action() -> None:
        if is_wfe and pe.event:
            pe.event = False
            return
        if not is_wfe and (pe.irq_line or pe.fiq_line or pe.serror_line):
            return
        _check_wfx_trap(site, is_wfe)
        if not is_wfe:
            pe.waiting = True

    return action


def _check_wfx_trap(site: Site, is_wfe: bool) -> None:
    """AArch64_CheckForWFxTrap for EL1, EL2, EL3 in turn."""
    pe, el = site.pe, site.context.el
    values = pe.sysregs.values
    target = None
    if el == 0 and not levels.sctlr(pe) >> (18 if is_wfe else 16) & 1:
        target = 1
    elif (
        el <= 1
        and levels.el2_enabled(pe)
        and not levels.el_is_in_host(pe, el)
        and values.get("HCR_EL2", 0) >> (14 if is_wfe else 13) & 1
    ):
        target = 2
    elif el < 3 and values.get("SCR_EL3", 0) >> (13 if is_wfe else 12) & 1:
        target = 3
    if target is not None:
        raise site.fault(FaultKind.WFX_TRAP, target_el=target, syndrome=int(is_wfe))


def barrier(site: Site, insn: base.Barrier) -> Action:
    """CLREX clears the monitor; memory is always in order here."""
    if insn.op2 != 2:
        return _nothing
    pe = site.pe

    def action() -> None:
        pe.exclusive = None

    return action


def eret(site: Site, insn: base.ExceptionReturn) -> Action:
    """ERET; UNDEFINED at EL0. DRPS is UNDEFINED outside Debug state."""
    if site.context.el == 0 or insn.kind != "ERET":
        return site.undefined_action()
    return lambda: exception_return(site.pe, site.pc)


# --- SYS ------------------------------------------------------------------------------------------------


def system_instruction(site: Site, insn: base.SystemInstruction) -> Action:
    """DC, IC, AT, TLBI and the prediction restrictions."""
    register = None if insn.is_read else find_register(insn.key, "operation")
    if register is None:
        return lambda: _raise(access_rules.unallocated(site, 1, insn.crn))
    row = register
    kind = {7: "cache", 8: "tlbi"}.get(insn.crn, "")
    if kind == "cache" and insn.crm in (8, 9):
        kind = "at"
    x, t, memory = site.x, insn.t, site.memory
    by_address = insn.is_address_operation
    operand = site.read_c(t)

    def action() -> None:
        access_rules.check(site, row, is_read=False)
        if by_address:
            _cache_by_address(site, row.name, operand(), t)
        elif kind == "tlbi":
            _system_memory(site).tlb_maintenance(row.name, x[t])
        elif kind == "at":
            _translate(site, row.name, x[t])
        elif row.name in ("IALLU", "IALLUIS"):
            memory.on_code_change()

    return action


def _translate(site: Site, name: str, address: int) -> None:
    """AT: the result or the fault goes to PAR_EL1; an abort of the walk itself is taken, with CM set."""
    try:
        par = _system_memory(site).address_translate(name, address)
    except MemoryAbort as abort:
        fault = fault_of_abort(abort, site.pc, site.word)
        fault.cache_maintenance = True
        raise fault from None
    site.pe.sysregs.values["PAR_EL1"] = par


def _raise(fault: PeFault) -> None:
    raise fault


def _system_memory(site: Site) -> SystemMemory:
    """The board's MMU. Process memory has neither TLBI nor AT, but EL0 can't reach them."""
    return cast(SystemMemory, site.memory)


def _cache_by_address(site: Site, name: str, operand: Capability, t: int) -> None:
    """DC and IC by address: authority over the line, then translation; ZVA writes zeros."""
    if site.context.c64:
        authority, address, register = operand, operand.value, f"c{t}" if t != 31 else "czr"
    else:
        authority, register = site.pe.ddc, "ddc"
        rebase = site.context.ddc_base if site.context.cctlr & 4 else 0
        address = operand.value + rebase & MASK64
    permissions = STORE if name in ("ZVA", "IVAC") else LOAD
    line = levels.bounds_address(site.pe, address, site.context.el) & ~(LINE_BYTES - 1)
    try:
        authorise(site, authority, register, line, LINE_BYTES, permissions)
        _maintain(site, name, address)
    except PeFault as fault:
        fault.address = address
        fault.cache_maintenance = name != "ZVA"
        raise
    except MemoryAbort as abort:
        refused = fault_of_abort(abort, site.pc, site.word)
        refused.address = address
        refused.cache_maintenance = name != "ZVA"
        raise refused from None


def _maintain(site: Site, name: str, address: int) -> None:
    """What the operation does: ZVA writes zeros, the others only have to be able to reach the address."""
    memory = site.memory
    if name == "ZVA":
        memory.write(address & ~(LINE_BYTES - 1), LINE_BYTES, 0, Access.NORMAL)
    elif name == "IVAC":
        memory.check(address, 1, True, Access.NORMAL)
    else:
        memory.check(address, 1, False, Access.CACHE)
    if name == "IVAU":
        memory.on_code_change()
