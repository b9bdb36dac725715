"""What `info` tells about a board, line by line."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.debug.board_session import BoardDebugger
from emulator.debug.text import size
from emulator.memory.context import AccessType
from emulator.memory.physical import DeviceWindow, RamRegion

_ACKNOWLEDGING = ("ICC_IAR0_EL1", "ICC_IAR1_EL1")
"""Reading one of these takes an interrupt; a debugger doesn't."""
_MAX_TLB = 200


def maps(debugger: BoardDebugger) -> Iterator[str]:
    """Physical memory map, and how addresses are translated now."""
    system = debugger.guest.system
    context = system.mmu.context_at(system.pe.pstate.el)
    regions: list[RamRegion | DeviceWindow] = [*system.physical.ram, *system.physical.devices]
    for region in sorted(regions, key=lambda r: r.base):
        kind = "device"
        if isinstance(region, RamRegion):
            kind = "ram" if region.writable else "flash"
        yield f"{region.base:#x}-{region.limit:#x} {kind:<6} {size(region.size):<9} {region.name}"
    state = "on" if context.stage1_enabled else "off"
    second = ", stage 2 on" if context.stage2_enabled else ""
    yield f"translation at EL{context.el}: {state}{second}" + (
        f"  ttbr0 {context.ttbr0:#x}  ttbr1 {context.ttbr1:#x}  tcr {context.tcr:#x}" if state == "on" else ""
    )


def files(debugger: BoardDebugger) -> Iterator[str]:
    """What was loaded."""
    request = debugger.request
    yield f"image    {request.name}"
    for name in ("initrd", "dtb", "drive"):
        if name in request.names:
            copy = "  (changes stay in memory)" if name == "drive" else ""
            yield f"{name:<8} {request.names[name]}{copy}"
    for number, console in sorted(request.consoles.items()):
        source = "no input" if console.descriptor is None else f"input from descriptor {console.descriptor}"
        yield f"console{number} {source}"


def threads(debugger: BoardDebugger) -> Iterator[str]:
    """The one core."""
    pe = debugger.task.pe
    where = debugger.names.where(debugger.process, pe.pc)
    activity = "waits for an interrupt" if pe.waiting else "runs"
    yield f"→ core 0  EL{pe.pstate.el}  {pe.pc:#x}  {where}  {activity}"


def tlb(debugger: BoardDebugger) -> Iterator[str]:
    """Translations that the MMU has at hand for the present context."""
    count = 0
    for count, (page, access, translation) in enumerate(debugger.guest.system.mmu.cached(), 1):
        if count > _MAX_TLB:
            continue
        kind = "device" if translation.is_device else f"normal {translation.attributes:#04x}"
        rules = [
            text
            for on, text in (
                (translation.tags_read_zero, "tags read as zero"),
                (translation.tag_load_faults, "capability loads fault"),
                (translation.tag_store_faults, "capability stores fault"),
                (translation.tag_store_updates, "first capability store sets SC"),
            )
            if on
        ]
        secure = "" if translation.non_secure else "  secure"
        tail = "  " + ", ".join(rules) if rules else ""
        yield f"{page:#x} → {translation.pa & ~0xFFF:#x} {_name(access):<16} {kind}{secure}{tail}"
    if count > _MAX_TLB:
        yield f"… and {count - _MAX_TLB} more"
    yield f"{count} entries of the context at EL{debugger.task.pe.pstate.el}"


def _name(access: AccessType) -> str:
    """`unprivileged write`, `capability write`."""
    words = []
    if access.unprivileged:
        words.append("user")
    if access.valid_capability:
        words.append("capability")
    words.append(
        "fetch" if access.fetch else "atomic" if access.read_write else "write" if access.write else "read"
    )
    return " ".join(words)


def devices(debugger: BoardDebugger) -> Iterator[str]:
    """Device windows with their interrupts."""
    system = debugger.guest.system
    lines = {row.name: row.interrupt for row in system.board.devices}
    for window in system.physical.devices:
        interrupt = lines.get(window.name)
        number = f"  interrupt {interrupt}" if interrupt is not None else ""
        kind = type(window.device).__name__
        yield f"{window.base:#x}-{window.limit:#x} {window.name:<17} {kind}{number}"
    pe = debugger.task.pe
    waiting = [n for on, n in ((pe.irq_line, "IRQ"), (pe.fiq_line, "FIQ"), (pe.serror_line, "SError")) if on]
    yield f"pending at the core: {', '.join(waiting) if waiting else 'nothing'}"
    yield f"counter {system.clock.ticks():,} at {system.clock.frequency:,} Hz"


def state_registers(debugger: BoardDebugger) -> Iterator[tuple[str, str]]:
    """PSTATE and banked stack pointers, which are no system registers in `Pe`."""
    pe = debugger.task.pe
    yield "CurrentEL", f"EL{pe.pstate.el}"
    yield "SPSel", str(pe.pstate.sp)
    yield (
        "DAIF",
        "".join(n if pe.pstate.daif >> b & 1 else "-" for n, b in zip("DAIF", (3, 2, 1, 0), strict=True)),
    )
    yield "PAN", str(int(pe.pstate.pan))


def readable(name: str) -> bool:
    """Reading the register has no effect."""
    return name not in _ACKNOWLEDGING
