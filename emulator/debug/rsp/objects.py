"""The objects of qXfer packets: what GDB reads as a whole, as bytes.

Libraries are listed as the host knows them, so also those that the built-in linker or the loader service has
loaded (libiwasm.so in its compartment), for which the guest has no link map.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from emulator.faults import MemoryAbort
from emulator.linux.signals import SignalInfo, fault_signal
from emulator.memory.interface import GRANULE
from loader.elf_constants import DT, PT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from emulator.debug.stops import Stop
    from emulator.debug.target import Program
    from emulator.linux.process import LoadedImage, Process

USER_SPACE = 1 << 48
_MAX_LIBRARIES = 1000
_PAIR = 16
_STATUS_OFFSET = 24


def memory_map() -> bytes:
    """User space as one piece: mappings change while the program runs, and GDB reads this once."""
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" '
        '"http://sourceware.org/gdb/gdb-memory-map.dtd">\n'
        f'<memory-map><memory type="ram" start="0x0" length="{USER_SPACE:#x}"/></memory-map>\n'
    ).encode()


def auxv(process: Process) -> bytes:
    """The auxiliary vector as pairs of 64-bit numbers, also for purecap programs (whose slots are wider)."""
    data = process.auxv
    if not process.abi.is_purecap:
        return data
    wide = 2 * _PAIR
    return b"".join(
        data[at : at + 8] + data[at + 16 : at + 24] for at in range(0, len(data) - wide + 1, wide)
    )


def threads(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """Threads: their ids in the protocol, names and what they do."""
    body = "".join(
        f"<thread id={quoteattr(identifier)} name={_attribute(name)}>{escape(activity)}</thread>\n"
        for identifier, name, activity in rows
    )
    return f'<?xml version="1.0"?>\n<threads>\n{body}</threads>\n'.encode()


def libraries(process: Process) -> bytes:
    """Loaded libraries in the form of a SVR4 link map.

    A library's `lm` is the address of its link map where the guest has one, else that of its dynamic section.
    """
    main = process.images[0] if process.images else None
    rows = list(_link_map(process, main))
    known = {bias for _, _, bias, _ in rows}
    for image in process.images[1:]:
        if image.bias not in known:
            dynamic = _dynamic_address(image)
            rows.append((path_of(process, image), dynamic or image.start, image.bias, dynamic))
    main_lm = _dynamic_address(main) if main is not None else 0
    attribute = f' main-lm="{main_lm:#x}"' if main_lm else ""
    body = "".join(
        f'<library name={_attribute(name)} lmid="0x0" lm="{lm:#x}" l_addr="{bias:#x}" l_ld="{dynamic:#x}"/>\n'
        for name, lm, bias, dynamic in rows
    )
    return f'<library-list-svr4 version="1.0"{attribute}>\n{body}</library-list-svr4>\n'.encode()


def _attribute(text: str) -> str:
    """Text in an attribute; XML has no control characters."""
    return quoteattr("".join(letter if letter.isprintable() else "?" for letter in text))


def path_of(process: Process, image: LoadedImage) -> str:
    """The guest's absolute path of an image."""
    return posixpath.normpath(posixpath.join(process.cwd, image.path))


def _dynamic_address(image: LoadedImage) -> int:
    segment = image.image.segment_of_type(PT.DYNAMIC)
    return segment.vaddr + image.bias if segment is not None else 0


def _link_map(process: Process, main: LoadedImage | None) -> Iterator[tuple[str, int, int, int]]:
    """(name, link map, bias, dynamic section) as a dynamic linker inside the guest tells, by DT_DEBUG."""
    if main is None:
        return
    try:
        found = _rendezvous(process, main)
        if not found:
            return
        pointer = 16 if process.abi.is_purecap else 8
        link = _number(process, found + pointer)
        for _ in range(_MAX_LIBRARIES):
            if not link:
                return
            bias = _number(process, link)
            name = _string(process, _number(process, link + pointer))
            dynamic = _number(process, link + 2 * pointer)
            if name:
                yield name, link, bias, dynamic
            link = _number(process, link + 3 * pointer)
    except MemoryAbort:
        return


def _rendezvous(process: Process, main: LoadedImage) -> int:
    """The address of `r_debug`, which the guest's dynamic linker writes into DT_DEBUG; 0 without one."""
    segment = main.image.segment_of_type(PT.DYNAMIC)
    if segment is None:
        return 0
    # ElfXX_Dyn has 64-bit members in both ABIs.
    for at in range(segment.vaddr + main.bias, segment.vaddr + main.bias + segment.memsz - 15, 16):
        if _number(process, at) == DT.DEBUG:
            return _number(process, at + 8)
    return 0


def _number(process: Process, address: int) -> int:
    return int.from_bytes(process.space.peek(address, 8), "little")


def _string(process: Process, address: int) -> str:
    data = b""
    while address and b"\0" not in data and len(data) < 4096:
        data += process.space.peek(address + len(data), 1)
    return data.partition(b"\0")[0].decode(errors="replace")


def capability(process: Program, address: int) -> bytes:
    """The tag as one byte, and the 16 bytes of the granule. MemoryAbort, ValueError."""
    if address % GRANULE:
        raise ValueError(f"{address:#x} is not a multiple of {GRANULE}")
    hi, lo, tag = process.space.peek_cap(address)
    return bytes((tag,)) + lo.to_bytes(8, "little") + hi.to_bytes(8, "little")


def signal_information(stop: Stop) -> bytes:
    """`siginfo_t` of the signal that the program was stopped with. ValueError when it was none."""
    if stop.fault is not None:
        return fault_signal(stop.fault).pack(_STATUS_OFFSET)
    if stop.signal:
        return SignalInfo(stop.signal).pack(_STATUS_OFFSET)
    raise ValueError("the program wasn't stopped by a signal")
