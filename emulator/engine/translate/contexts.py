"""What translated code may take for granted about a context: which contexts it can run under at all, which of
them it may pass between, and how A64 code's addresses become addresses of Unicorn's.

All of it is decided by the PE's state, nothing by the instruction.
"""

from __future__ import annotations

from emulator.engine.context import CCTLR_DDCBO, Context
from emulator.engine.translate import encode as a64
from morello_isa.capability import OTYPE_FIELD, PERMISSIONS_SHIFT

_LOW_56 = (1 << 56) - 1


def is_translatable(context: Context) -> bool:
    """Blocks can be translated under this context; otherwise the reference engine executes everything.

    An illegal state has no instructions. A top byte ignored in the upper half only has no short sequence.
    """
    return not context.illegal and (context.c64 or context.tbi0 or not context.tbi1)


def family_of(context: Context, space: int, plain: bool, exact: bool) -> tuple[object, ...]:
    """Contexts that translated code may pass between have equal families: only PCC and C64 differ.

    `space` is the code space that the code is in (see `Memory.code_spaces`); `plain` and `exact` see `Frame`.
    """
    return (
        space, plain, exact, context.el, context.bank, context.restricted, context.cctlr, context.cap_trap,
        context.fp_trap, context.check_sp, context.check_alignment, context.device_memory,
        context.unprivileged, context.tbi0, context.tbi1, context.high_kept, context.ddc_tag, context.ddc_hi,
        context.ddc_base, context.ddc_limit,
    )  # fmt: skip


def is_canonical(address: int) -> bool:
    """Bits 63:55 are equal, so that the address is a PC whatever TBI says."""
    return address >> 55 in (0, 0x1FF)


def demands_alignment(context: Context) -> bool:
    """Loads and stores have to be aligned to their elements."""
    return context.check_alignment or context.device_memory


def plain_permissions(context: Context) -> int:
    """A64 code: permissions with which everything can be accessed that is mapped (0: not translated).

    DDC then covers all addresses that `clean_address` lets through.
    """
    whole = context.ddc_limit == 1 << 64 or (_is_low_only(context) and context.ddc_limit >= 1 << 48)
    if not context.ddc_tag or context.ddc_hi & OTYPE_FIELD or context.cctlr & CCTLR_DDCBO:
        return 0
    return context.ddc_hi >> PERMISSIONS_SHIFT if whole and context.ddc_base == 0 else 0


def _is_low_only(context: Context) -> bool:
    """EL0 with its top byte ignored: addresses of the upper half are left to the reference engine."""
    return context.el == 0 and context.tbi0


def clean_address(context: Context, result: int, at: int, scratch: int) -> list[int]:
    """Host X`result` := guest address X`at` of A64 code as Unicorn's TLB sees it; X`scratch` is lost.

    Addresses that translation takes for equal become equal; all that it refuses stay outside the two
    ranges that are ever mapped (bits 63:48 all equal) and outside the translator's own memory (layout.py).
    """
    if _is_low_only(context):
        return [a64.and_imm(result, at, _LOW_56)]
    if context.tbi0 and context.tbi1:
        return [a64.sbfx(result, at, 0, 56)]
    if context.tbi0:
        # Bit 55 clear: the top byte goes. Set: all stays, and a wrong top byte is refused.
        return [
            a64.sbfx(scratch, at, 55, 1),
            a64.orr_imm(scratch, scratch, _LOW_56),
            a64.and_(result, at, scratch),
        ]
    # A right top byte is that of the sign extension: all stays. A wrong one stays, too, and is refused; so
    # that it can't be the translator's, which have bit 62 set and bit 53 clear, bit 62 goes to bit 53, too.
    return [a64.sbfx(scratch, at, 0, 56), a64.eor(scratch, scratch, at), a64.orr_lsr(result, at, scratch, 9)]
