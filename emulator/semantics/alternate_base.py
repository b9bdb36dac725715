"""Loads and stores through the alternate base: Cn in A64, Xn (authorised by DDC) in C64.

One line per row: all of them are a size, an extension and a register file.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.semantics.capability_memory import where
from emulator.semantics.site import Action, Site
from emulator.semantics.transfers import (
    load,
    load_capability,
    load_x,
    sign_extension,
    store,
    store_capability,
    store_x,
)
from morello_isa.decode import Instruction

Semantics = Callable[[Site, Instruction], Action]


def _capability_load(site: Site, insn: Instruction) -> Action:
    return load_capability(site, where(site, insn, True), insn.Ct)


def _capability_store(site: Site, insn: Instruction) -> Action:
    return store_capability(site, where(site, insn, True), insn.Ct)


def _load(size: int, signed_to: int = 0) -> Semantics:
    """`size` bytes to Xt, zero-extended or sign-extended to `signed_to` bits."""
    extend = sign_extension(size, signed_to) if signed_to else None

    def bind(site: Site, insn: Instruction) -> Action:
        return load_x(site, where(site, insn, True), size, insn.Rt, extend=extend)

    return bind


def _store(size: int) -> Semantics:
    """The low `size` bytes of Xt."""

    def bind(site: Site, insn: Instruction) -> Action:
        return store_x(site, where(site, insn, True), size, insn.Rt)

    return bind


def _vector_load(size: int) -> Semantics:
    """`size` bytes to Vt, upper part zero."""

    def bind(site: Site, insn: Instruction) -> Action:
        if site.context.fp_trap is not None:
            return site.fp_trap_action()
        write_v, t = site.pe.file.write_v, insn.Rt
        return load(site, where(site, insn, True), size, lambda value: write_v(t, value))

    return bind


def _vector_store(size: int) -> Semantics:
    """The low `size` bytes of Vt."""
    mask = (1 << 8 * size) - 1

    def bind(site: Site, insn: Instruction) -> Action:
        if site.context.fp_trap is not None:
            return site.fp_trap_action()
        read_v, t = site.pe.file.read_v, insn.Rt
        return store(site, where(site, insn, True), size, lambda: read_v(t) & mask)

    return bind


ALDUR_C_RI_C = ALDR_C_RUI_C = ALDR_C_RRB_C = _capability_load
ASTUR_C_RI_C = ASTR_C_RUI_C = ASTR_C_RRB_C = _capability_store

ALDURB_R_RI_32 = ALDRB_R_RUI_B = ALDRB_R_RRB_B = _load(1)
ALDURH_R_RI_32 = ALDRH_R_RRB_32 = _load(2)
ALDUR_R_RI_32 = ALDR_R_RUI_32 = ALDR_R_RRB_32 = _load(4)
ALDUR_R_RI_64 = ALDR_R_RUI_64 = ALDR_R_RRB_64 = _load(8)
ALDURSB_R_RI_32 = ALDRSB_R_RRB_32 = _load(1, 32)
ALDURSB_R_RI_64 = ALDRSB_R_RRB_64 = _load(1, 64)
ALDURSH_R_RI_32 = ALDRSH_R_RRB_32 = _load(2, 32)
ALDURSH_R_RI_64 = ALDRSH_R_RRB_64 = _load(2, 64)
ALDURSW_R_RI_64 = _load(4, 64)

ASTURB_R_RI_32 = ASTRB_R_RUI_B = ASTRB_R_RRB_B = _store(1)
ASTURH_R_RI_32 = ASTRH_R_RRB_32 = _store(2)
ASTUR_R_RI_32 = ASTR_R_RUI_32 = ASTR_R_RRB_32 = _store(4)
ASTUR_R_RI_64 = ASTR_R_RUI_64 = ASTR_R_RRB_64 = _store(8)

ALDUR_V_RI_B = _vector_load(1)
ALDUR_V_RI_H = _vector_load(2)
ALDUR_V_RI_S = ALDR_V_RRB_S = _vector_load(4)
ALDUR_V_RI_D = ALDR_V_RRB_D = _vector_load(8)
ALDUR_V_RI_Q = _vector_load(16)
ASTUR_V_RI_B = _vector_store(1)
ASTUR_V_RI_H = _vector_store(2)
ASTUR_V_RI_S = ASTR_V_RRB_S = _vector_store(4)
ASTUR_V_RI_D = ASTR_V_RRB_D = _vector_store(8)
ASTUR_V_RI_Q = _vector_store(16)
