"""Turns loaded libraries into a compartment: every relocated slot is re-derived without Executive.

Works on any address space that offers `SlotMemory` (an image in isolation, a running process), after the
library has been relocated. Nothing is edited in place: each new value is derived from a root.

    report = Patcher(memory, root).patch([PatchTarget(image, "libiwasm.so", bias)])
    print(dump_program_headers(targets, root), dump_relocations(targets, memory), report.lines())

Slots that DT_INIT, DT_FINI and the init/fini arrays occupy stay as they are, because the dynamic linker
calls those functions in Executive. IRELATIVE slots hold what a resolver returned and TLS descriptors their
resolver: both are called by compartment code and therefore patched, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loader.capabilities import executive, format_capability, restricted
from loader.elf import ElfImage, Relocation
from loader.elf_constants import DT
from loader.fragments import CapReloc
from loader.loaded import GuestMemoryError
from loader.relocations import DYNAMIC, R_MORELLO_RELATIVE, DynamicRelocation
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.permissions import ObjectType, Perm

EXEMPT_SIZE = 16
TABLE_NAMES = (".rel(a).plt", ".rela.dyn", "__cap_relocs")


class SlotMemory(Protocol):
    """What patching needs of an address space."""

    def read_capability(self, address: int) -> Capability:
        """The 16-byte aligned capability with its tag."""

    def write_capability(self, address: int, capability: Capability) -> None:
        """Store a capability with its tag, whatever the page protection."""


@dataclass(frozen=True, slots=True)
class PatchTarget:
    """A loaded object: address = unbiased + `bias`."""

    image: ElfImage
    path: str
    bias: int

    @property
    def span(self) -> tuple[int, int]:
        """[low, high) of its LOAD segments."""
        low, high = self.image.span()
        return low + self.bias, high + self.bias


@dataclass(frozen=True, slots=True)
class Patch:
    """What happened to one slot; `reason` is "" when it was patched, else why it was skipped."""

    target: PatchTarget
    offset: int
    type_name: str
    address: int
    old: Capability
    new: Capability
    reason: str = ""

    @property
    def is_patched(self) -> bool:
        """Whether a new value was stored."""
        return not self.reason

    def lines(self) -> Iterator[str]:
        """As `-v=6` prints it: the slot, the old value, the new one or the reason."""
        head = f"{self.offset:#x} {self.type_name} at {self.address:#x}"
        if self.reason:
            yield f"{head}: skipped, {self.reason}"
        else:
            yield f"{head}: {format_capability(self.old)}"
            yield f"{head}: -> {format_capability(self.new)}"


@dataclass(slots=True)
class PatchReport:
    """All slots that were looked at, in order."""

    patches: list[Patch] = field(default_factory=list)

    @property
    def patched(self) -> list[Patch]:
        """Slots that got a new value."""
        return [p for p in self.patches if p.is_patched]

    @property
    def skipped(self) -> list[Patch]:
        """Slots that were left alone."""
        return [p for p in self.patches if not p.is_patched]

    def reasons(self) -> Counter[str]:
        """How often each reason for skipping occurred."""
        return Counter(p.reason for p in self.skipped)

    def lines(self) -> list[str]:
        """The whole report, object by object, with a summary line each."""
        out: list[str] = []
        current: PatchTarget | None = None
        for patch in self.patches:
            if patch.target is not current:
                current = patch.target
                out.append(f"{current.path}: patching relocated slots")
            out.extend("  " + line for line in patch.lines())
        out.append(self.summary())
        return out

    def before(self) -> SlotMemory:
        """The slots as they were, for a dump that is asked for later."""
        return _SlotsBefore({p.address: p.old for p in self.patches if p.reason != UNREACHABLE})

    def summary(self) -> str:
        """`512 slots made Restricted, 6 skipped (4 no capability, 2 run in Executive)`."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons().items()))
        skipped = f"{len(self.skipped)} skipped" + (f" ({reasons})" if reasons else "")
        return f"{len(self.patched)} slots made Restricted, {skipped}"


EXEMPT = "called by the dynamic linker in Executive"
NO_CAPABILITY = "holds no capability"
SEALED = "sealed with an object type of its own"
OUT_OF_ROOT = "reaches outside the root"
UNREACHABLE = "not an aligned slot in mapped memory"


class _SlotsBefore:
    """Memory that holds only the slots of a report."""

    def __init__(self, slots: dict[int, Capability]) -> None:
        self._slots = slots

    def read_capability(self, address: int) -> Capability:
        """See `SlotMemory.read_capability`."""
        found = self._slots.get(address)
        if found is None:
            raise GuestMemoryError(f"no slot was looked at at {address:#x}")
        return found

    def write_capability(self, address: int, capability: Capability) -> None:
        """See `SlotMemory.write_capability`."""
        self._slots[address] = capability


def _read(memory: SlotMemory, address: int) -> Capability | None:
    """The capability in a slot, None where there can't be one."""
    try:
        return memory.read_capability(address) if address % 16 == 0 else None
    except GuestMemoryError:
        return None


class Patcher:
    """Re-derives slots from `root`, which must cover the objects and have their permissions.

    `dropped` are the permissions that no slot keeps; Perm.SYSTEM may be added to Executive. With
    `make_executive` the work is undone, for libraries that are about to be finalised.
    """

    def __init__(
        self,
        memory: SlotMemory,
        root: Capability,
        make_executive: bool = False,
        dropped: int = Perm.EXECUTIVE,
    ) -> None:
        self._memory = memory
        self._root = root
        self._make_executive = make_executive
        self._dropped = dropped | Perm.EXECUTIVE

    def patch(self, targets: Sequence[PatchTarget]) -> PatchReport:
        """Patch every object, in lexicographic order of path."""
        report = PatchReport()
        spans = [t.span for t in targets]
        for target in sorted(targets, key=lambda t: t.path):
            exempt = exempt_ranges(target)
            for relocation, row in capability_relocations(target.image):
                report.patches.append(self._patch_slot(target, relocation, row, exempt, spans))
        return report

    def _patch_slot(
        self,
        target: PatchTarget,
        relocation: Relocation,
        row: DynamicRelocation,
        exempt: Sequence[tuple[int, int]],
        spans: Sequence[tuple[int, int]],
    ) -> Patch:
        address = relocation.offset + target.bias
        found = _read(self._memory, address)
        old = found if found is not None else CAP_NULL
        new, reason = old, "" if found is not None else UNREACHABLE
        if reason:
            return Patch(target, relocation.offset, row.name, address, old, old, reason)
        if any(low < address + 16 and address < high for low, high in exempt):
            reason = EXEMPT
        elif not old.tag:
            reason = NO_CAPABILITY
        elif old.is_sealed and old.otype != ObjectType.RB:
            reason = SEALED
        else:
            new = self._derived(old, spans)
            reason = "" if new.tag else OUT_OF_ROOT
        if not reason:
            self._memory.write_capability(address, new)
        return Patch(target, relocation.offset, row.name, address, old, new if not reason else old, reason)

    def _derived(self, old: Capability, spans: Sequence[tuple[int, int]]) -> Capability:
        if self._make_executive:
            return executive(old, self._root)
        return restricted(old, self._root, _limit(old, spans), self._dropped)


def _limit(old: Capability, spans: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The span that code of one object may keep; data and code elsewhere keep their bounds."""
    if not old.has(Perm.EXECUTE):
        return None
    address = old.value & ~1
    for low, high in spans:
        if low <= address < high:
            outside = old.base < low - _rounding(high - low) or old.limit > high + _rounding(high - low)
            return (low, high) if outside else None
    return None


def _rounding(length: int) -> int:
    """Bounds of a whole object may be rounded by this much (bytes) without reaching anything else."""
    return max(0x1000, length >> 10)


def exempt_ranges(target: PatchTarget) -> list[tuple[int, int]]:
    """Address ranges that stay Executive: DT_INIT and DT_FINI, the init and fini arrays."""
    info = target.image.dynamic
    if info is None:
        return []
    ranges = [
        (info.get(tag) + target.bias, info.get(tag) + target.bias + EXEMPT_SIZE)
        for tag in (DT.INIT, DT.FINI)
        if tag in info.tags
    ]
    arrays = (
        (DT.PREINIT_ARRAY, DT.PREINIT_ARRAYSZ),
        (DT.INIT_ARRAY, DT.INIT_ARRAYSZ),
        (DT.FINI_ARRAY, DT.FINI_ARRAYSZ),
    )
    for tag, size_tag in arrays:
        if tag in info.tags and info.get(size_tag):
            start = info.get(tag) + target.bias
            ranges.append((start, start + info.get(size_tag)))
    return ranges


def capability_relocations(image: ElfImage) -> Iterator[tuple[Relocation, DynamicRelocation]]:
    """Relocations whose slot starts with a capability: PLT first, then the others, then `__cap_relocs`."""
    for relocation in (*image.plt_relocations, *image.dynamic_relocations):
        row = DYNAMIC.get(relocation.type)
        if row is not None and row.patched:
            yield relocation, row
    section = image.section("__cap_relocs") if image.dynamic is None else None
    if section is not None:
        for record in CapReloc.unpack_all(image.section_data(section)):
            relocation = Relocation(record.location, R_MORELLO_RELATIVE, 0, record.offset)
            yield relocation, DYNAMIC[R_MORELLO_RELATIVE]


# --- the dump of -v=6 -------------------------------------------------------------------------------


def dump_program_headers(targets: Sequence[PatchTarget], root: Capability) -> list[str]:
    """`Dump libs phdrs:` and one braced line per program header of each object."""
    lines = ["Dump libs phdrs:"]
    for target in targets:
        low, high = target.span
        base = root.set_value(low).set_bounds(high - low, exact=False)
        lines.append(f"{target.path}: base {format_capability(base)}")
        lines += [
            f"  {{ Type: {s.type_name}, Flags: {s.flags:#x}, Offset: {s.offset:#x}, vaddr: {s.vaddr:#x}, "
            f"paddr: {s.paddr:#x}, filesz: {s.filesz:#x}, memsz: {s.memsz:#x}, alignment: {s.align:#x} }}"
            for s in target.image.segments
        ]
    return lines


def dump_relocations(targets: Sequence[PatchTarget], memory: SlotMemory) -> list[str]:
    """`Dump reloc tables:` and one line per entry; tables that are not there print nothing."""
    lines = ["Dump reloc tables:"]
    for target in targets:
        image = target.image
        lines.append(f"{target.path}:")
        for name, table in (
            (TABLE_NAMES[0], image.plt_relocations),
            (TABLE_NAMES[1], image.dynamic_relocations),
        ):
            if table:
                lines.append(f"{name} [")
                lines += [_entry(target, relocation, memory) for relocation in table]
                lines.append("]")
    return lines


def _entry(target: PatchTarget, relocation: Relocation, memory: SlotMemory) -> str:
    row = DYNAMIC.get(relocation.type)
    is_patched = row is not None and row.patched
    info = relocation.symbol << 32 | relocation.type
    address = relocation.offset + target.bias
    found = _read(memory, address) if is_patched else None
    value = format_capability(found) if found is not None else "-"
    kind = row.name if row is not None and is_patched else "(not patched)"
    return (
        f"  r_offset: {relocation.offset:#x}, slot: {address:#x} = {value}, r_info: {info:#x}, "
        f"type: {kind}, r_addend: {relocation.addend & (1 << 64) - 1:#x}"
    )
