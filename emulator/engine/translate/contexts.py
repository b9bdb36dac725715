"""Which contexts translated code can run under, and what may be assumed in them."""

from __future__ import annotations

from emulator.engine.context import Context
from morello_isa.capability import OTYPE_FIELD


def plain_ddc(context: Context) -> bool:
    """A64 code: DDC covers whatever can be mapped (addresses from 2^48 on never are)."""
    return (
        context.ddc_tag
        and not context.ddc_hi & OTYPE_FIELD
        and context.ddc_base == 0
        and context.ddc_limit >= 1 << 48
        and context.tbi0
        and not context.cctlr & 4
    )
