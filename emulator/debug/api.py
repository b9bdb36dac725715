"""The debugger for Python programs: what the prompt does, with values instead of text.

    from emulator.debug import debug

    with debug("walk", "a", "b") as machine:
        machine.break_at("fill", condition="x1 > 8")
        machine.run()
        print(machine.c[0].length, machine.memory[machine.c[0].base :: 16])
        stop = machine.resume()
        if stop.fault is not None:
            print(machine.explain())
            for link in machine.whence("c0"):
                print(link.text, machine.where(link.pc))
            machine.rstepi(3)

In the prompt, `python` has the same object as `machine`. Addresses and sizes are in bytes. What can't be done
raises `CommandError`, a program that can't be loaded `UserError`; nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.debug import registers
from emulator.debug.board_session import BoardDebugger
from emulator.debug.errors import CommandError
from emulator.debug.expression import Value, number
from emulator.debug.provenance import Node
from emulator.debug.questions import Loss, whence, wholost
from emulator.debug.reach import Reach, reach
from emulator.debug.roots import roots_of
from emulator.debug.saving import save
from emulator.debug.session import Debugger, DebuggerCore
from emulator.debug.stops import Breakpoint, Catch, CatchKind, Stop, Watch, WatchKind
from emulator.debug.unwind import Frame
from emulator.linux.kernel import Options
from emulator.linux.session import Request
from morello_isa.capability import Capability
from morello_isa.disassemble import disassemble

if TYPE_CHECKING:
    from types import TracebackType

INSTRUCTION = 4


class Registers:
    """`registers["csp"]` by the names of the prompt; capability registers give a `Capability`, others an int.

    Assigning a number to a capability register changes its value as SCVALUE does; assigning a tagged
    capability forges one, which is noted in `Machine.warnings`.
    """

    def __init__(self, debugger: DebuggerCore) -> None:
        self._debugger = debugger

    def __getitem__(self, name: str) -> Value:
        self._debugger.need_process()
        try:
            return registers.read(self._debugger.task, name)
        except KeyError:
            raise CommandError(f"there is no register '{name}'") from None

    def __setitem__(self, name: str, value: Value) -> None:
        self._debugger.set_register(name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(registers.NAMES)


class Bank:
    """`c[0]`, `x[1]`: numbered registers."""

    def __init__(self, letter: str, every: Registers) -> None:
        self._letter = letter
        self._every = every

    def __getitem__(self, index: int) -> Value:
        return self._every[f"{self._letter}{index}"]

    def __setitem__(self, index: int, value: Value) -> None:
        self._every[f"{self._letter}{index}"] = value


class Capabilities(Bank):
    """`c[0]` is a `Capability`; c[31] is the stack pointer."""

    def __getitem__(self, index: int) -> Capability:
        value = self._every["csp" if index == 31 else f"c{index}"]
        return value if isinstance(value, Capability) else Capability.from_int(value)


class Memory:
    """`memory[address]` is a byte, `memory[start:limit]` bytes, `memory[start::size]` the same by size.

    Assigning bytes clears the tags of what they touch. Where nothing is mapped: CommandError.
    """

    def __init__(self, debugger: DebuggerCore) -> None:
        self._debugger = debugger

    def __getitem__(self, where: int | slice) -> bytes | int:
        self._debugger.need_process()
        start, size = _extent(where)
        data = self._debugger.peek(start, size)
        return data[0] if isinstance(where, int) else data

    def __setitem__(self, where: int | slice, data: bytes | int) -> None:
        self._debugger.need_process()
        start, size = _extent(where)
        raw = bytes((data,)) if isinstance(data, int) else bytes(data)
        if isinstance(where, slice) and where.stop is None and where.step is None:
            size = len(raw)
        if len(raw) != size:
            raise CommandError(f"{len(raw)} bytes don't fill {size}")
        self._debugger.poke(start, raw)


def _extent(where: int | slice) -> tuple[int, int]:
    if isinstance(where, int):
        return where, 1
    start = where.start or 0
    size = where.step if where.stop is None and where.step is not None else (where.stop or start) - start
    if size < 0:
        raise CommandError("the range ends before it begins")
    return start, size


class Machine:
    """One debugged program or board, as `debug`, `boot` and `load` make it."""

    def __init__(self, debugger: DebuggerCore) -> None:
        self.debugger = debugger
        self.registers = Registers(debugger)
        self.c = Capabilities("c", self.registers)
        self.x = Bank("x", self.registers)
        self.v = Bank("v", self.registers)
        self.memory = Memory(debugger)

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the guest."""
        self.debugger.close()

    # -- where it is -----------------------------------------------------------------------------------

    @property
    def stop(self) -> Stop:
        """The last stop: cause, position, pc, fault, status."""
        return self.debugger.stop

    @property
    def position(self) -> int:
        """Instructions executed before this stop, by all threads."""
        return self.debugger.position

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        self.debugger.need_process()
        return self.debugger.task.pe.pc

    @property
    def is_restricted(self) -> bool:
        """Restricted code runs."""
        self.debugger.need_process()
        return self.debugger.task.pe.is_restricted

    @property
    def warnings(self) -> list[str]:
        """What the user should know about what was done; empty it when it was read."""
        return self.debugger.warnings

    def explain(self) -> str:
        """The stop in one sentence."""
        return self.debugger.explain(self.debugger.stop)

    # -- running ---------------------------------------------------------------------------------------

    def run(self) -> Stop:
        """From the beginning to the first stop."""
        if self.debugger.position or self.debugger.stop.is_end:
            self.debugger.start()
        return self.debugger.resume()

    def resume(self) -> Stop:
        """On to the next stop."""
        return self.debugger.resume()

    def stepi(self, count: int = 1) -> Stop:
        """`count` instructions of this thread."""
        self.debugger.need_process()
        return self.debugger.stepi(count)

    def nexti(self) -> Stop:
        """One instruction; a call runs to its return."""
        self.debugger.need_process()
        return self.debugger.nexti()

    def step(self) -> Stop:
        """To another source line, also in a called function."""
        self.debugger.need_process()
        return self.debugger.step(into=True)

    def next(self) -> Stop:
        """To another source line of this function."""
        self.debugger.need_process()
        return self.debugger.step(into=False)

    def finish(self) -> Stop:
        """Until this function has returned."""
        return self.debugger.finish()

    def until(self, place: str) -> Stop:
        """Until a place is reached."""
        self.debugger.need_process()
        addresses = self.debugger.points.places(place)
        if not addresses:
            raise CommandError(f"there is no place '{place}'")
        return self.debugger.run_to(addresses, text=f"at {place}")

    # -- back ------------------------------------------------------------------------------------------

    def rstepi(self, count: int = 1) -> Stop:
        """Back by `count` instructions."""
        return self.debugger.rstepi(count)

    def rcontinue(self) -> Stop:
        """Back to the last stop before this position, or to the beginning."""
        return self.debugger.rcontinue()

    def rfinish(self) -> Stop:
        """Back to the call of this function."""
        return self.debugger.rfinish()

    def goto(self, position: int) -> Stop:
        """To an instruction count, forwards or back."""
        return self.debugger.goto(position)

    def save(self, path: str) -> int:
        """Write the machine to a file, for `load` or `morello debug`; its size."""
        self.debugger.need_process()
        return save(self.debugger, path)

    # -- what to stop at -------------------------------------------------------------------------------

    def break_at(
        self, place: str | int, condition: str = "", *, count: int = 1, temporary: bool = False
    ) -> Breakpoint:
        """A breakpoint at a symbol, `file:line`, or address; it stops from the `count`th hit on."""
        text = place if isinstance(place, str) else f"*{place:#x}"
        return self.debugger.points.add_breakpoint(text, condition, temporary, max(count - 1, 0))

    def watch(self, address: Value, size: int = 8, kind: WatchKind = WatchKind.DATA) -> Watch:
        """Stop after the instruction that changes data, a tag or a capability."""
        place = number(address)
        return self.debugger.points.add_watch(kind, f"{place:#x}", place, size)

    def catch(self, kind: CatchKind, *names: str) -> Catch:
        """Stop at events."""
        return self.debugger.points.add_catch(kind, frozenset(names))

    def delete(self, point: Breakpoint | Watch | Catch) -> None:
        """Stop there no longer."""
        self.debugger.points.delete(point.number)

    # -- values ----------------------------------------------------------------------------------------

    def evaluate(self, expression: str) -> Value:
        """An expression of the prompt."""
        self.debugger.need_process()
        return self.debugger.evaluate(expression)

    def capability(self, address: int) -> Capability:
        """The capability in memory at a multiple of 16, with its tag."""
        self.debugger.need_process()
        return self.debugger.peek_capability(address)

    def set_capability(self, address: int, value: Capability) -> None:
        """Store one with its tag; a tagged one is forged, which is noted in `warnings`."""
        self.debugger.need_process()
        self.debugger.poke_capability(address, value)
        if value.tag:
            self.warnings.append(f"memory at {address:#x} holds a forged capability")

    def tags(self, start: int, limit: int) -> list[int]:
        """Addresses in [start, limit) that hold tagged capabilities."""
        self.debugger.need_process()
        return list(self.debugger.process.space.tagged_granules(start, limit))

    def whence(self, what: str | int) -> list[Node]:
        """Where the capability in a register or at an address came from, newest link first."""
        self.debugger.need_process()
        return whence(self.debugger, what if isinstance(what, str) else f"{what:#x}").links

    def wholost(self, address: int) -> Loss | None:
        """The instruction that cleared the tag at an address, if one did."""
        self.debugger.need_process()
        return wholost(self.debugger, address)[0]

    def reach(self, *roots: str) -> Reach:
        """What memory can be reached from the named registers or expressions, or from all registers."""
        self.debugger.need_process()
        if not roots:
            return reach(self.debugger.process.space, roots_of(self.debugger.task))
        values = {text: self.debugger.evaluate(text) for text in roots}
        capabilities = {text: value for text, value in values.items() if isinstance(value, Capability)}
        return reach(self.debugger.process.space, capabilities)

    # -- names and code --------------------------------------------------------------------------------

    def symbol(self, name: str) -> int | None:
        """Address of a symbol."""
        self.debugger.need_process()
        return self.debugger.names.symbol(self.debugger.process, name)

    def where(self, address: int) -> str:
        """`library`function+0x10`, or ""."""
        return self.debugger.names.where(self.debugger.process, address)

    def frames(self) -> list[Frame]:
        """Call frames, innermost first."""
        return self.debugger.frames()

    def disassemble(self, address: int, count: int = 1) -> list[str]:
        """`count` instructions."""
        self.debugger.need_process()
        data = self.debugger.peek(address, INSTRUCTION * count)
        c64 = self.debugger.task.pe.pstate.c64
        return [
            disassemble(int.from_bytes(data[at : at + INSTRUCTION], "little"), address + at, c64)
            for at in range(0, len(data), INSTRUCTION)
        ]

    def command(self, line: str) -> str:
        """What a command of the prompt prints. CommandError when it fails."""
        from emulator.debug.shell import Shell

        output: list[str] = []
        if not Shell(self.debugger, output.append).execute(line):
            raise CommandError(output[-1].removeprefix("error: ") if output else "interrupted")
        return "".join(text + "\n" for text in output)


def debug(
    program: str,
    *arguments: str,
    request: Request | None = None,
    options: Options | None = None,
    engine: str = "fast",
) -> Machine:
    """A Linux program, stopped before its first instruction; `request` may say more than its name.

    `engine` "fast": translated code between stops, which pays for long runs.
    """
    request = request if request is not None else Request(program, arguments)
    debugger = Debugger(request, options, engine)
    debugger.start()
    return Machine(debugger)


def boot(*arguments: str) -> Machine:
    """A board, stopped before its first instruction; arguments as those of `morello boot`."""
    from emulator.cli.debug import board_debugger, board_parser

    debugger: BoardDebugger = board_debugger(board_parser().parse_args(arguments))
    debugger.start()
    return Machine(debugger)


def load(path: str) -> Machine:
    """A saved machine, where it was saved."""
    from emulator.cli.debug import continued

    return Machine(continued(path))
