"""Memory attributes: types in MAIR format, their combination over two stages, capability-load faults."""

from __future__ import annotations

from emulator.memory.context import AccessType, Translation, TranslationContext


def load_fault(context: TranslationContext, va: int, lc: int) -> bool:
    """True if loading a valid capability through LC value `lc` faults now (LC 10: TGEN 1, 11: TGEN 0)."""
    if not lc & 2:
        return False
    tgen = context.tgen >> 1 & 1 if context.two_ranges and va >> 55 & 1 else context.tgen & 1
    return tgen == (lc & 1) ^ 1


def stage1_attributes(context: TranslationContext, index: int, access: AccessType) -> int:
    """MAIR byte of a stage 1 leaf; reserved values count as Device-nGnRnE. Spec: AArch64_S1AttrDecode."""
    value = context.mair >> 8 * index & 0xFF
    if value & 0xF0 == 0:
        return value if value & 3 == 0 else 0
    if value & 0x0F == 0:
        return 0
    cacheable = context.sctlr >> (12 if access.fetch else 2) & 1
    return value if cacheable else 0x44


def stage2_attributes(memattr: int) -> int:
    """MemAttr[3:0] of stage 2 in MAIR format. Spec: S2AttrDecode."""
    if memattr & 0xC == 0:
        return (memattr & 3) << 2
    nibbles = (0x4, 0x4, 0xB, 0xF)
    return nibbles[memattr >> 2] << 4 | nibbles[memattr & 3]


def shareability(attributes: int, sh: int) -> int:
    """Effective SH[1:0]: Device and non-cacheable memory is outer shareable. Spec: MemAttrDefaults."""
    return 2 if attributes & 0xF0 == 0 or attributes == 0x44 else sh


def _combine_nibble(first: int, second: int) -> int:
    """Cacheability of one level from both stages; hints from stage 1. Spec: CombineS1S2AttrHints."""
    if 4 in (first, second):
        return 4
    through = first & 0xC in (0x0, 0x8) or second & 0xC in (0x0, 0x8)
    transient = first & 8 == 0
    kind = (0x0 if transient else 0x8) if through else (0x4 if transient else 0xC)
    return kind | (first & 3)


def combine(first: Translation, second: Translation) -> Translation:
    """Spec: AArch64_CombineS1S2Desc, with CombineS1S2LCSC as intended (not reset afterwards)."""
    if first.is_device or second.is_device:
        if first.is_device and second.is_device:
            attributes = min(first.attributes, second.attributes)
        else:
            attributes = first.attributes if first.is_device else second.attributes
    else:
        attributes = _combine_nibble(first.attributes >> 4, second.attributes >> 4) << 4 | _combine_nibble(
            first.attributes & 0xF, second.attributes & 0xF
        )
    outer = 2 in (first.shareability, second.shareability)
    shareable = first.shareability >> 1 | second.shareability >> 1
    return Translation(
        pa=second.pa,
        attributes=attributes,
        shareability=shareability(attributes, 2 if outer else 3 if shareable else 0),
        tags_read_zero=first.tags_read_zero or second.tags_read_zero,
        tag_load_faults=first.tag_load_faults and not second.tags_read_zero,
        tag_store_faults=first.tag_store_faults or second.tag_store_faults,
        tag_store_fault_stage2=not first.tag_store_faults and second.tag_store_faults,
        tag_store_updates=first.tag_store_updates or second.tag_store_updates,
        non_secure=True,
    )
