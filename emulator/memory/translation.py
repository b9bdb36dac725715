"""Translation table walks and permission checks: functions of register values and memory, nothing else.

`TranslationContext` is a snapshot of everything that the translation of an address depends on; `translate`
turns a virtual address into a `Translation` or raises `MemoryAbort`. The MMU (`memory/mmu.py`) builds
contexts from a PE and caches results; tests use this module alone.

Spec: AArch64_FullTranslateWithTag and everything below it (FirstStageTranslateWithTag,
SecondStageTranslate, TranslationTableWalk, CheckPermission, CheckS2Permission,
CheckAndUpdateDescriptor, CombineS1S2Desc). Two deliberate differences from the Sail model are explained
in docs/memory.md: LC/SC results survive the combination with stage 2, and tables outside memory give an
external abort on the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from emulator.faults import FaultKind, MemoryAbort
from emulator.memory.attributes import (
    combine,
    load_fault,
    shareability,
    stage1_attributes,
    stage2_attributes,
)
from emulator.memory.context import AccessType, Translation, TranslationContext
from emulator.memory.physical import BusError

PA_BITS = 48


class WalkMemory(Protocol):
    """Physical memory as table walks need it: 8-byte little-endian reads and writes; raises BusError."""

    def read(self, address: int, size: int) -> int: ...

    def write(self, address: int, size: int, value: int) -> None: ...


@dataclass(frozen=True, slots=True)
class _Controls:
    """One half of one stage of one regime, decoded from its registers."""

    enabled: bool
    granule_bits: int
    input_bits: int
    level: int
    base: int
    output_bits: int
    big_endian: bool
    update_af: bool
    update_ap: bool
    hierarchy_disabled: bool
    single_privilege: bool
    lookup_secure: bool
    hwu: int
    first_block_level: int


@dataclass(slots=True)
class _Leaf:
    """Result of one table walk: the leaf descriptor and what it says (TLBRecord)."""

    descriptor: int
    address: int
    level: int
    pa: int
    update_af: bool
    update_ap: bool
    update_sc: bool
    writable: bool
    user: bool
    xn: bool
    pxn: bool
    non_secure: bool
    hwu: int


_OUTPUT_BITS = (32, 36, 40, 42, 44, 48, 48, 48)
_GRANULE_TTBR0 = {0: 12, 1: 16, 2: 14, 3: 12}
_GRANULE_TTBR1 = {0: 12, 1: 14, 2: 12, 3: 16}


def _stage1_controls(context: TranslationContext, va: int) -> _Controls:
    """The controls of the half of the address space that `va` is in."""
    tcr = context.tcr
    top = context.address_top(va)
    upper = context.two_ranges and bool(va >> top & 1)
    if upper:
        granule = _GRANULE_TTBR1[tcr >> 30 & 3]
        size_field = tcr >> 16 & 0x3F
    else:
        granule = _GRANULE_TTBR0[tcr >> 14 & 3]
        size_field = tcr & 0x3F
    input_bits = max(64 - size_field, 25)
    maximum = 52 if granule == 16 else 48
    checked = va & ((1 << (top + 1)) - 1)
    rest = checked >> min(input_bits, top + 1)
    if upper:
        found = rest == (1 << max(top + 1 - input_bits, 0)) - 1
    else:
        found = rest == 0
    if context.two_ranges:
        disabled = tcr >> (23 if upper else 7) & 1
        hpd = tcr >> (42 if upper else 41) & 1
        hwu = tcr >> (47 if upper else 43) & 0xF
        output_field = tcr >> 32 & 7
        af, ap = tcr >> 39 & 1, tcr >> 40 & 1
    else:
        disabled = 0
        hpd = tcr >> 24 & 1
        hwu = tcr >> 25 & 0xF
        output_field = tcr >> 16 & 7
        af, ap = tcr >> 21 & 1, tcr >> 22 & 1
    stride = granule - 3
    return _Controls(
        enabled=found and input_bits <= maximum and not disabled,
        granule_bits=granule,
        input_bits=input_bits,
        level=4 - (1 + (input_bits - granule - 1) // stride),
        base=context.ttbr1 if upper else context.ttbr0,
        output_bits=min(_OUTPUT_BITS[output_field], PA_BITS),
        big_endian=bool(context.sctlr >> 25 & 1),
        update_af=bool(af),
        update_ap=bool(af and ap),
        hierarchy_disabled=bool(hpd),
        single_privilege=not context.two_ranges,
        lookup_secure=context.el == 3 or (context.el <= 1 and not context.in_host and context.secure),
        hwu=hwu if hpd else 0,
        first_block_level=1 if granule == 12 else 2,
    )


def _stage2_controls(context: TranslationContext, ipa: int) -> _Controls:
    """Controls of stage 2. Spec: the secondstage half of AArch64_TranslationTableWalk."""
    vtcr = context.vtcr
    granule = _GRANULE_TTBR0[vtcr >> 14 & 3]
    input_bits = min(max(64 - (vtcr & 0x3F), 25), 48)
    start = vtcr >> 6 & 3
    level = (2 if granule == 12 else 3) - start
    stride = granule - 3
    found = ipa >> input_bits == 0
    if level < 0 or (level == 0 and granule != 12):
        found = False
    start_bits = input_bits - ((3 - level) * stride + granule)
    if start_bits < 1 or start_bits > stride + 4:
        found = False
    af = vtcr >> 21 & 1
    return _Controls(
        enabled=found,
        granule_bits=granule,
        input_bits=input_bits,
        level=level,
        base=context.vttbr,
        output_bits=min(_OUTPUT_BITS[vtcr >> 16 & 7], PA_BITS),
        big_endian=bool(context.sctlr_el2 >> 25 & 1),
        update_af=bool(af),
        update_ap=bool(af and vtcr >> 22 & 1),
        hierarchy_disabled=True,
        single_privilege=True,
        lookup_secure=False,
        hwu=vtcr >> 25 & 0xF,
        first_block_level=1 if granule == 12 else 2,
    )


def _swap64(value: int) -> int:
    return int.from_bytes(value.to_bytes(8, "little"), "big")


class Translator:
    """Walks tables in `memory` for one access at a time; holds no state between calls."""

    def __init__(self, memory: WalkMemory, trace: Callable[[str], None] | None = None) -> None:
        self._memory = memory
        self._trace = trace

    def translate(self, context: TranslationContext, va: int, access: AccessType) -> Translation:
        """Both stages. Raises MemoryAbort. Spec: AArch64_FullTranslateWithTag."""
        first = self.first_stage(context, va, access)
        if not context.stage2_enabled:
            return first
        valid = access.valid_capability and not first.tag_store_faults
        second = self._second_stage(
            context, va, first.pa, replace(access, valid_capability=valid), s2fs1walk=False, update_walk=False
        )
        return combine(first, second)

    def leaf_size(self, context: TranslationContext, va: int) -> int:
        """Bytes around `va` that one stage 1 descriptor maps. Raises MemoryAbort where none does."""
        controls = _stage1_controls(context, va)
        leaf = self._walk(context, controls, va, va, AccessType(), second_stage=False, s2fs1walk=False)
        return 1 << controls.granule_bits + (3 - leaf.level) * (controls.granule_bits - 3)

    def first_stage(self, context: TranslationContext, va: int, access: AccessType) -> Translation:
        """Stage 1 only (flat when it is off). Spec: AArch64_FirstStageTranslateWithTag."""
        if not context.stage1_enabled:
            result = _stage1_off(context, va, access)
            if result.is_device and (not access.aligned or access.zero_block) and not access.fetch:
                raise MemoryAbort(FaultKind.ALIGNMENT, va, access.write)
            return result
        controls = _stage1_controls(context, va)
        leaf = self._walk(context, controls, va, va, access, second_stage=False, s2fs1walk=False)
        attributes = stage1_attributes(context, leaf.descriptor >> 2 & 7, access)
        fault: MemoryAbort | None = None
        if attributes & 0xF0 == 0 and ((not access.aligned and not access.fetch) or access.zero_block):
            fault = MemoryAbort(FaultKind.ALIGNMENT, va, access.write)
        if fault is None:
            fault = _check_stage1_permission(context, leaf, va, access)
        if attributes & 0xF0 == 0 and access.fetch:
            attributes = 0x44
        self._update_descriptor(
            context, controls, leaf, va, access, fault, second_stage=False, s2fs1walk=False, update_walk=False
        )
        if fault is not None:
            raise fault
        descriptor, hwu = leaf.descriptor, leaf.hwu
        return Translation(
            pa=leaf.pa,
            attributes=attributes,
            shareability=shareability(attributes, descriptor >> 8 & 3),
            tags_read_zero=(hwu >> 2 & descriptor >> 61 & 3) == 0,
            tag_load_faults=load_fault(context, va, hwu >> 2 & descriptor >> 61 & 3),
            tag_store_faults=(hwu & descriptor >> 59 & 3) == 0,
            tag_store_updates=leaf.update_sc,
            non_secure=leaf.non_secure,
        )

    def _second_stage(
        self,
        context: TranslationContext,
        va: int,
        ipa: int,
        access: AccessType,
        *,
        s2fs1walk: bool,
        update_walk: bool,
    ) -> Translation:
        """Spec: AArch64_SecondStageTranslate with stage 2 enabled."""
        controls = _stage2_controls(context, ipa)
        leaf = self._walk(context, controls, ipa, va, access, second_stage=True, s2fs1walk=s2fs1walk)
        memattr = leaf.descriptor >> 2 & 0xF
        attributes = stage2_attributes(memattr)
        device = attributes & 0xF0 == 0
        fault: MemoryAbort | None = None
        if device and ((not access.aligned and not access.fetch) or access.zero_block) and not s2fs1walk:
            fault = MemoryAbort(FaultKind.ALIGNMENT, va, access.write, stage2=True)
        if fault is None:
            fault = _check_stage2_permission(context, leaf, va, ipa, access, s2fs1walk, update_walk)
        if fault is None and s2fs1walk and context.hcr >> 2 & 1 and device:
            fault = _stage2_fault(FaultKind.PERMISSION, leaf.level, access, va, ipa, s2fs1walk)
        if device and access.fetch and not s2fs1walk:
            attributes = 0x44
        self._update_descriptor(
            context,
            controls,
            leaf,
            va,
            access,
            fault,
            second_stage=True,
            s2fs1walk=s2fs1walk,
            update_walk=update_walk,
        )
        if fault is not None:
            raise fault
        store_faults = (leaf.hwu & leaf.descriptor >> 59 & 3) == 0
        return Translation(
            pa=leaf.pa,
            attributes=attributes,
            shareability=shareability(attributes, leaf.descriptor >> 8 & 3),
            tags_read_zero=not (leaf.hwu >> 2 & leaf.descriptor >> 61 & 1),
            tag_store_faults=store_faults,
            tag_store_fault_stage2=store_faults,
            tag_store_updates=leaf.update_sc,
            non_secure=True,
        )

    def _walk(
        self,
        context: TranslationContext,
        controls: _Controls,
        address: int,
        va: int,
        access: AccessType,
        *,
        second_stage: bool,
        s2fs1walk: bool,
    ) -> _Leaf:
        """Follows the tables to the leaf of `address`. Spec: AArch64_TranslationTableWalk."""

        def fault(kind: FaultKind, level: int) -> MemoryAbort:
            if second_stage:
                return _stage2_fault(kind, level, access, va, address, s2fs1walk)
            return MemoryAbort(kind, va, access.write, level=level)

        if not controls.enabled:
            raise fault(FaultKind.TRANSLATION, 0)
        output_bits, granule = controls.output_bits, controls.granule_bits
        base_register = controls.base & ((1 << 48) - 1)
        if base_register >> output_bits:
            raise fault(FaultKind.ADDRESS_SIZE, 0)
        stride = granule - 3
        level = controls.level
        low = 3 + controls.input_bits - ((3 - level) * stride + granule)
        base = base_register >> low << low
        top = controls.input_bits
        ns_table = not controls.lookup_secure
        ap_table = xn_table = pxn_table = 0
        while True:
            bottom = (3 - level) * stride + granule
            index = (address & ((1 << top) - 1)) >> bottom
            descriptor_address = base | index << 3
            descriptor = self._read_descriptor(
                context, controls, descriptor_address, va, access, level, second_stage, s2fs1walk
            )
            kind = descriptor & 3
            if not kind & 1 or (kind == 1 and level == 3):
                raise fault(FaultKind.TRANSLATION, level)
            next_base = descriptor & ((1 << 48) - 1)
            if kind == 1 or level == 3:
                break
            if next_base >> output_bits:
                raise fault(FaultKind.ADDRESS_SIZE, level)
            base = next_base >> granule << granule
            if not second_stage:
                ns_table = ns_table or bool(descriptor >> 63)
                if not controls.hierarchy_disabled:
                    ap_table |= descriptor >> 61 & (2 if controls.single_privilege else 3)
                    xn_table |= descriptor >> 60 & 1
                    if not controls.single_privilege:
                        pxn_table |= descriptor >> 59 & 1
            level += 1
            top = bottom
        if level < controls.first_block_level:
            raise fault(FaultKind.TRANSLATION, level)
        if next_base >> output_bits:
            raise fault(FaultKind.ADDRESS_SIZE, level)
        if not descriptor >> 10 & 1 and not controls.update_af:
            raise fault(FaultKind.ACCESS_FLAG, level)
        return _leaf(
            controls,
            descriptor,
            descriptor_address,
            level,
            (next_base >> bottom << bottom) | (address & ((1 << bottom) - 1)),
            (ap_table, xn_table, pxn_table, ns_table),
            second_stage,
        )

    def _read_descriptor(
        self,
        context: TranslationContext,
        controls: _Controls,
        address: int,
        va: int,
        access: AccessType,
        level: int,
        second_stage: bool,
        s2fs1walk: bool,
    ) -> int:
        if not second_stage and context.stage2_enabled:
            address = self._second_stage(context, va, address, access, s2fs1walk=True, update_walk=False).pa
        try:
            descriptor = self._memory.read(address, 8)
        except BusError:
            raise MemoryAbort(
                FaultKind.EXTERNAL_ON_WALK,
                va,
                access.write,
                level=level,
                stage2=second_stage,
                s1ptw=s2fs1walk,
            ) from None
        if self._trace is not None:
            stage = 2 if second_stage else 1
            self._trace(f"walk stage {stage} level {level} va {va:#x} [{address:#x}] = {descriptor:#018x}")
        return _swap64(descriptor) if controls.big_endian else descriptor

    def _update_descriptor(
        self,
        context: TranslationContext,
        controls: _Controls,
        leaf: _Leaf,
        va: int,
        access: AccessType,
        fault: MemoryAbort | None,
        *,
        second_stage: bool,
        s2fs1walk: bool,
        update_walk: bool,
    ) -> None:
        """Hardware updates of AF, AP (dirty state) and SC. Spec: AArch64_CheckAndUpdateDescriptor.

        The access flag is set even when the access faults (constraint AFUPDATE is TRUE).
        """
        write = (access.write or access.read_write) and not s2fs1walk
        set_bits = 0
        ap = sc = False
        if fault is None:
            ap = leaf.update_ap and ((write and not access.address_translation) or update_walk)
            sc = leaf.update_sc and access.valid_capability and write
        if leaf.update_af:
            set_bits |= 1 << 10
        if sc:
            set_bits |= 1 << 60
        clear_bits = 0
        if ap:
            if second_stage:
                set_bits |= 1 << 7
            else:
                clear_bits = 1 << 7
        if not set_bits and not clear_bits:
            return
        address = leaf.address
        if not second_stage and context.stage2_enabled:
            address = self._second_stage(context, va, address, access, s2fs1walk=True, update_walk=True).pa
        try:
            descriptor = self._memory.read(address, 8)
            if controls.big_endian:
                descriptor = _swap64(descriptor)
            descriptor = (descriptor | set_bits) & ~clear_bits
            self._memory.write(address, 8, _swap64(descriptor) if controls.big_endian else descriptor)
        except BusError:
            raise MemoryAbort(
                FaultKind.EXTERNAL_ON_WALK, va, access.write, level=leaf.level, stage2=second_stage
            ) from None


def _leaf(
    controls: _Controls,
    descriptor: int,
    address: int,
    level: int,
    pa: int,
    tables: tuple[int, int, int, bool],
    second_stage: bool,
) -> _Leaf:
    """Decodes a leaf descriptor together with the hierarchical attributes found above it."""
    ap_table, xn_table, pxn_table, ns_table = tables
    update_ap = False
    if controls.update_ap and descriptor >> 51 & 1:
        if second_stage:
            update_ap = not descriptor >> 7 & 1
        else:
            update_ap = bool(descriptor >> 7 & 1)
        if update_ap:
            descriptor ^= 1 << 7
    cdbm = controls.hwu & 1 & descriptor >> 59
    sc = controls.hwu >> 1 & 1 & descriptor >> 60
    ap2, ap1 = descriptor >> 7 & 1, descriptor >> 6 & 1
    if second_stage:
        writable, user = bool(ap2), bool(ap1)
    else:
        writable = not (ap2 or ap_table >> 1 & 1)
        user = not controls.single_privilege and bool(ap1) and not ap_table & 1
    return _Leaf(
        descriptor=descriptor,
        address=address,
        level=level,
        pa=pa,
        update_af=not descriptor >> 10 & 1,
        update_ap=update_ap,
        update_sc=bool(cdbm and not sc),
        writable=writable,
        user=user,
        xn=bool(descriptor >> 54 & 1 or xn_table),
        pxn=bool(not controls.single_privilege and (descriptor >> 53 & 1 or pxn_table))
        if not second_stage
        else bool(descriptor >> 53 & 1),
        non_secure=bool(descriptor >> 5 & 1) or ns_table,
        hwu=controls.hwu,
    )


def _stage1_off(context: TranslationContext, va: int, access: AccessType) -> Translation:
    """Flat translation. Spec: AArch64_TranslateAddressS1Off."""
    top = context.address_top(va)
    if (va & ((1 << (top + 1)) - 1)) >> PA_BITS:
        raise MemoryAbort(FaultKind.ADDRESS_SIZE, va, access.write)
    sh = 2
    if context.has_stage2 and context.hcr >> 12 & 1:
        attributes, sh = 0xFF, 0
    elif not access.fetch:
        attributes = 0x00
    else:
        attributes = 0xAA if context.sctlr >> 12 & 1 else 0x44
    return Translation(
        pa=va & ((1 << PA_BITS) - 1),
        attributes=attributes,
        shareability=shareability(attributes, sh),
        non_secure=not (context.secure or context.el == 3),
    )


def _is_privileged(context: TranslationContext, access: AccessType) -> bool:
    """Spec: AArch64_AccessIsPrivileged."""
    return context.el != 0 and not access.unprivileged


def _check_stage1_permission(
    context: TranslationContext, leaf: _Leaf, va: int, access: AccessType
) -> MemoryAbort | None:
    """Spec: AArch64_CheckPermission."""
    wxn = bool(context.sctlr >> 19 & 1)
    if context.two_ranges:
        user_readable = leaf.user
        user_writable = leaf.user and leaf.writable
        privileged_readable, privileged_writable = True, leaf.writable
        privileged = _is_privileged(context, access)
        load_store = not access.address_translation and not access.fetch
        pan_applies = load_store or access.privileged_at_with_pan
        if context.pan and user_readable and privileged and pan_applies:
            privileged_readable = privileged_writable = False
        if privileged:
            readable, writable = privileged_readable, privileged_writable
            xn = leaf.pxn or (privileged_writable and wxn) or user_writable
        else:
            readable, writable = user_readable, user_writable
            xn = leaf.xn or (user_writable and wxn)
    else:
        readable, writable = True, leaf.writable
        xn = leaf.xn or (writable and wxn)
    if (context.secure or context.el == 3) and leaf.non_secure and context.scr >> 9 & 1:
        xn = True
    if access.fetch:
        fails, failed_read = xn, True
    elif access.read_write:
        fails, failed_read = not readable or not writable, not readable
    elif access.write:
        fails, failed_read = not writable, False
    else:
        fails, failed_read = not readable, True
    if fails:
        return MemoryAbort(FaultKind.PERMISSION, va, not failed_read, level=leaf.level)
    return None


def _check_stage2_permission(
    context: TranslationContext,
    leaf: _Leaf,
    va: int,
    ipa: int,
    access: AccessType,
    s2fs1walk: bool,
    update_walk: bool,
) -> MemoryAbort | None:
    """Spec: AArch64_CheckS2Permission (with the extended execute-never extension)."""
    readable, writable = leaf.user, leaf.writable
    xn, xxn = bool(leaf.descriptor >> 54 & 1), bool(leaf.descriptor >> 53 & 1)
    if xxn:
        never = context.el == (0 if xn else 1)
    else:
        never = xn
    failed_read = not access.write
    if access.fetch and not s2fs1walk:
        fails, failed_read = never, True
    elif access.read_write and not s2fs1walk:
        fails, failed_read = not readable or not writable, not readable
    elif access.write and not s2fs1walk:
        fails, failed_read = not writable, False
    elif update_walk:
        fails = not writable
    else:
        fails = not readable
    if not fails:
        return None
    return MemoryAbort(
        FaultKind.PERMISSION, va, not failed_read, level=leaf.level, stage2=True, ipa=ipa, s1ptw=s2fs1walk
    )


def _stage2_fault(
    kind: FaultKind, level: int, access: AccessType, va: int, ipa: int, s2fs1walk: bool
) -> MemoryAbort:
    return MemoryAbort(kind, va, access.write, level=level, stage2=True, ipa=ipa, s1ptw=s2fs1walk)
