"""One PE with memory and an engine: what users of the library, boards and debuggers hold."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.api import ExceptionHandler
from emulator.engine.reference import ReferenceEngine
from emulator.exceptions import take_exception
from emulator.faults import PeFault, StopKind, StopReason
from emulator.memory.interface import Access, Memory
from emulator.state.pe import Pe
from morello_isa.capability import Capability

__all__ = ["Machine", "StopKind", "StopReason", "stop_at_fault"]


class Machine:
    """`pe`, `memory`, `engine`, and the everyday operations on them.

    `on_exception` decides what an exception does: the architecture's entry by default; `stop_at_fault`
    makes `run` return with the `PeFault` as the reason's detail.

    >>> from emulator.memory.plain import PlainMemory
    >>> machine = Machine(PlainMemory(1 << 16))
    >>> machine.load(0x1000, [0xD2800540])          # mov x0, #42
    >>> machine.start(0x1000)
    >>> _ = machine.step()
    >>> machine.read_register("x0")
    42
    """

    def __init__(
        self, memory: Memory, pe: Pe | None = None, on_exception: ExceptionHandler = take_exception
    ) -> None:
        self.pe = pe if pe is not None else Pe()
        self.memory = memory
        self.engine = ReferenceEngine(self.pe, memory, on_exception)
        self.breakpoints: set[int] = set()

    # --- running -----------------------------------------------------------------------------------

    def start(self, address: int, c64: bool = False) -> None:
        """Point PCC at an address, keeping its metadata."""
        self.pe.pcc = self.pe.pcc.set_value(address)
        self.pe.pstate.c64 = c64
        self.pe.context_stale = True

    def step(self) -> StopReason:
        """One instruction or exception."""
        return self.engine.step()

    def run(self, max_instructions: int | None = None) -> StopReason:
        """Until a stop, the limit, or a breakpoint (which is reported before its instruction executes)."""
        if not self.breakpoints:
            return self.engine.run(max_instructions)
        limit = None if max_instructions is None else self.pe.instructions + max_instructions
        while limit is None or self.pe.instructions < limit:
            reason = self.engine.step()
            if reason.kind is not StopKind.LIMIT:
                return reason
            if self.pe.pc in self.breakpoints:
                return StopReason(StopKind.BREAKPOINT, self.pe.pc)
        return StopReason(StopKind.LIMIT)

    def stop(self, detail: object = None) -> None:
        """Make `run` return REQUESTED."""
        self.engine.request_stop(detail)

    # --- memory ------------------------------------------------------------------------------------

    def load(self, address: int, words: list[int]) -> None:
        """Store instruction words."""
        for i, word in enumerate(words):
            self.memory.write(address + 4 * i, 4, word, Access.NORMAL)

    def read_capability(self, address: int) -> Capability:
        """The capability at a 16-byte aligned address."""
        hi, lo, tag = self.memory.read_cap(address, Access.NORMAL)
        return Capability(tag, hi, lo)

    # --- registers by name -------------------------------------------------------------------------

    def read_register(self, name: str) -> int | Capability:
        """`x0`…`x30`, `sp`, `pc`, `nzcv`, `v0`… as numbers; `c0`…, `csp`, `pcc`, `ddc` as capabilities."""
        pe = self.pe
        special: dict[str, Callable[[], int | Capability]] = {
            "sp": lambda: pe.read_csp().value,
            "pc": lambda: pe.pc,
            "nzcv": lambda: pe.nzcv,
            "csp": pe.read_csp,
            "pcc": lambda: pe.pcc,
            "ddc": lambda: pe.ddc,
        }
        if name in special:
            return special[name]()
        read: dict[str, Callable[[int], int | Capability]] = {
            "x": pe.read_x,
            "c": pe.read_c,
            "v": pe.read_v,
        }
        if name[:1] in read and name[1:].isdecimal() and int(name[1:]) < (32 if name[0] == "v" else 31):
            return read[name[0]](int(name[1:]))
        raise KeyError(f"there is no register {name}")


def stop_at_fault(stop: Callable[[object], None]) -> ExceptionHandler:
    """An exception handler that doesn't enter the vector but stops with the fault as the detail."""

    def handler(_: Pe, fault: PeFault) -> None:
        stop(fault)

    return handler
