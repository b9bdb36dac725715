"""The server: one program, one client at a time. Adding a packet = one method and one row in a table."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

from emulator.debug.errors import CommandError
from emulator.debug.rsp import registers
from emulator.debug.rsp.packets import INTERRUPT, PACKET_SIZE, Connection, DisconnectedError, escape, unescape
from emulator.debug.session import Debugger
from emulator.debug.shell import Shell
from emulator.debug.stops import Breakpoint, Stop, StopCause, Watch, WatchKind
from emulator.faults import FaultKind
from emulator.linux.process import Process, Task
from emulator.memory.interface import PAGE_SIZE
from morello_isa.errors import UserError

USER_SPACE = 1 << 48
_SIGNALS = {
    FaultKind.ALIGNMENT: 10,
    FaultKind.EXTERNAL: 10,
    FaultKind.PC_ALIGNMENT: 10,
    FaultKind.SP_ALIGNMENT: 10,
    FaultKind.UNDEFINED: 4,
    FaultKind.BRK: 5,
    FaultKind.FP_EXCEPTION: 8,
}
"""GDB's numbers of signals for faults; the others are SIGSEGV."""
_SEGV, _TRAP, _INT = 11, 5, 2
_NO_MONITOR = ("running", "back", "debugger")
_FEATURES = (
    f"PacketSize={PACKET_SIZE:x};QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;"
    "qXfer:auxv:read+;qXfer:exec-file:read+;ReverseStep+;ReverseContinue+;swbreak+;vContSupported+"
)
OK = b"OK"


class Server:
    """Speaks for a started debugger."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger = debugger
        self._selected: int | None = None
        self._swbreak = False
        self._output: list[str] = []
        self._shell = Shell(debugger, self._output.append)
        self._ended = False
        self._commands: dict[str, Callable[[str], bytes]] = {
            "?": lambda _: self._stop_reply(self.debugger.stop),
            "g": lambda _: registers.read_all(self._task()).hex().encode(),
            "G": self._write_registers,
            "p": self._read_register,
            "P": self._write_register,
            "m": self._read_memory,
            "M": self._write_memory,
            "H": self._select_thread,
            "T": self._thread_alive,
            "Z": self._insert,
            "z": self._remove,
            "c": lambda _: self._resume(self.debugger.resume),
            "s": lambda _: self._resume(self.debugger.stepi),
            "C": lambda _: self._resume(self.debugger.resume),
            "S": lambda _: self._resume(self.debugger.stepi),
            "b": self._reverse,
            "v": self._v_packet,
            "q": self._query,
            "Q": self._set,
            "D": self._detach,
            "k": self._detach,
        }
        self._queries: dict[str, Callable[[str], bytes]] = {
            "Supported": self._supported,
            "Attached": lambda _: b"1",
            "C": lambda _: b"QC%x" % self._task().tid,
            "fThreadInfo": lambda _: b"m" + b",".join(b"%x" % tid for tid in self._threads()),
            "sThreadInfo": lambda _: b"l",
            "Xfer": self._transfer,
            "Rcmd": self._monitor,
            "Symbol": lambda _: OK,
        }

    # -- the connection --------------------------------------------------------------------------------

    def serve(self, link: socket.socket) -> None:
        """One client, until it detaches or is gone."""
        connection = Connection(link)
        self._selected, self._ended = None, False
        while not self._ended:
            try:
                packet = connection.receive()
                if packet == INTERRUPT:
                    continue
                connection.send(self._answer(packet, connection))
            except DisconnectedError:
                break
        self._remove_all()

    def _answer(self, packet: bytes, connection: Connection) -> bytes:
        self.debugger.guest.poll = connection.interrupted
        try:
            if packet[:1] == b"X":
                return self._write_binary(packet[1:])
            text = packet.decode("latin-1")
            handler = self._commands.get(text[:1])
            reply = handler(text[1:]) if handler is not None else b""
        except (CommandError, UserError, ValueError, KeyError, IndexError, RecursionError):
            return b"E01"
        finally:
            self.debugger.guest.poll = None
        if packet == b"QStartNoAckMode":
            connection.acknowledge = False
        return reply

    def _detach(self, _: str) -> bytes:
        self._ended = True
        return OK

    def _remove_all(self) -> None:
        self.debugger.points.clear()

    # -- threads -----------------------------------------------------------------------------------------

    def _threads(self) -> list[int]:
        if self.debugger.stop.is_end:
            return [self.debugger.task.tid]
        return list(self.debugger.guest.kernel.tasks)

    def _task(self) -> Task:
        tasks = self.debugger.guest.kernel.tasks
        if self._selected is not None and self._selected in tasks:
            return tasks[self._selected]
        return self.debugger.task

    def _select_thread(self, text: str) -> bytes:
        if text[:1] == "g":
            tid = int(text[1:], 16) if text[1:] != "-1" else 0
            self._selected = tid or None
        return OK

    def _thread_alive(self, text: str) -> bytes:
        return OK if int(text, 16) in self._threads() else b"E01"

    # -- registers and memory ----------------------------------------------------------------------------

    def _read_register(self, text: str) -> bytes:
        return registers.read(self._task(), registers.ROWS[int(text, 16)]).hex().encode()

    def _write_register(self, text: str) -> bytes:
        number, _, value = text.partition("=")
        registers.write(self._task(), registers.ROWS[int(number, 16)], bytes.fromhex(value))
        self._changed()
        return OK

    def _write_registers(self, text: str) -> bytes:
        data, at = bytes.fromhex(text), 0
        for row in registers.ROWS:
            size = row.bits // 8
            if at + size <= len(data):
                registers.write(self._task(), row, data[at : at + size])
            at += size
        self._changed()
        return OK

    def _changed(self) -> None:
        self.debugger.modified = True

    @staticmethod
    def _range(text: str) -> tuple[int, int]:
        address, _, size = text.partition(",")
        return int(address, 16), int(size, 16)

    def _read_memory(self, text: str) -> bytes:
        address, size = self._range(text)
        size = min(size, PACKET_SIZE // 2)
        try:
            return self.debugger.peek(address, size).hex().encode()
        except CommandError:
            first_page = PAGE_SIZE - address % PAGE_SIZE
            if size <= first_page:
                raise
            return self.debugger.peek(address, first_page).hex().encode()

    def _write_memory(self, text: str) -> bytes:
        place, _, data = text.partition(":")
        self.debugger.poke(self._range(place)[0], bytes.fromhex(data))
        return OK

    def _write_binary(self, packet: bytes) -> bytes:
        place, _, data = packet.partition(b":")
        address, size = self._range(place.decode("latin-1"))
        if size:
            self.debugger.poke(address, unescape(data))
        return OK

    # -- stops -------------------------------------------------------------------------------------------

    def _insert(self, text: str) -> bytes:
        kind, address, size = (int(part, 16) for part in text.split(";")[0].split(","))
        points = self.debugger.points
        if kind in (0, 1):
            if self._find(kind, address) is None:
                points.add_breakpoint(f"*{address:#x}")
        elif kind == 2:
            points.add_watch(WatchKind.DATA, f"{address:#x}", address, size)
        else:
            return b""
        return OK

    def _remove(self, text: str) -> bytes:
        kind, address, _ = (int(part, 16) for part in text.split(";")[0].split(","))
        found = self._find(kind, address)
        if found is not None:
            self.debugger.points.delete(found)
        return OK

    def _find(self, kind: int, address: int) -> int | None:
        for point in self.debugger.points:
            if kind in (0, 1) and isinstance(point, Breakpoint) and address & ~1 in point.addresses:
                return point.number
            if kind == 2 and isinstance(point, Watch) and point.address == address:
                return point.number
        return None

    def _resume(self, run: Callable[[], Stop]) -> bytes:
        self._selected = None
        return self._stop_reply(run())

    def _reverse(self, text: str) -> bytes:
        if text not in ("s", "c"):
            return b""
        self._selected = None
        if self.debugger.position == 0:
            return self._trap("replaylog:begin;")
        stop = self.debugger.rstepi() if text == "s" else self.debugger.rcontinue()
        if text == "c" and stop.position == 0:
            return self._trap("replaylog:begin;")
        return self._stop_reply(stop)

    def _v_packet(self, text: str) -> bytes:
        if text == "Cont?":
            return b"vCont;c;C;s;S"
        if text.startswith("Cont;"):
            action = text[5:].partition(";")[0].partition(":")[0]
            if action[:1] in ("s", "S"):
                return self._resume(self.debugger.stepi)
            if action[:1] in ("c", "C"):
                return self._resume(self.debugger.resume)
        if text.startswith("Kill"):
            return self._detach("")
        return b""

    def _trap(self, extra: str) -> bytes:
        return b"T%02x" % _TRAP + f"thread:{self.debugger.task.tid:x};{extra}".encode()

    def _stop_reply(self, stop: Stop) -> bytes:
        if stop.cause is StopCause.EXITED:
            return b"X%02x" % stop.signal if stop.signal else b"W%02x" % (stop.status & 0xFF)
        if stop.is_end:
            return b"W%02x" % (stop.status & 0xFF)
        if stop.fault is not None:
            signal = _SIGNALS.get(stop.fault.kind, _SEGV)
            return b"T%02x" % signal + b"thread:%x;" % stop.tid
        if stop.cause is StopCause.INTERRUPT:
            return b"T%02x" % _INT + b"thread:%x;" % stop.tid
        if stop.cause is StopCause.BREAKPOINT and self._swbreak:
            return self._trap("swbreak:;")
        if stop.cause is StopCause.WATCH:
            found = re.search(r"watch (\d+):", stop.text)
            number = int(found[1]) if found else 0
            for point in self.debugger.points:
                if isinstance(point, Watch) and point.number == number:
                    return self._trap(f"watch:{point.address:x};")
        return self._trap("")

    # -- queries -----------------------------------------------------------------------------------------

    def _query(self, text: str) -> bytes:
        name = re.split("[:,]", text, maxsplit=1)[0]
        handler = self._queries.get(name)
        return handler(text[len(name) + 1 :]) if handler is not None else b""

    def _set(self, text: str) -> bytes:
        return OK if text == "StartNoAckMode" else b""

    def _supported(self, text: str) -> bytes:
        self._swbreak = "swbreak+" in text.split(";")
        return _FEATURES.encode()

    def _transfer(self, text: str) -> bytes:
        kind, _, rest = text.partition(":")
        operation, annex, place = rest.split(":", 2)
        offset, size = self._range(place)
        if operation != "read":
            return b""
        if kind == "features" and annex == "target.xml":
            data = registers.target_xml().encode()
        elif kind == "memory-map":
            data = _memory_map()
        elif kind == "auxv":
            data = _auxv(self.debugger.process)
        elif kind == "exec-file":
            data = str(Path(self.debugger.request.program).resolve()).encode()
        else:
            return b"E00"
        part = data[offset : offset + min(size, PACKET_SIZE // 2)]
        more = b"m" if offset + len(part) < len(data) else b"l"
        return more + escape(part)

    def _monitor(self, text: str) -> bytes:
        """A line of the debugger's own commands; those that run the program are GDB's business."""
        line = bytes.fromhex(text).decode(errors="replace").strip()
        self._output.clear()
        if not line:
            line = "help"
        try:
            row = self._shell.find(line.split()[0].partition("/")[0])
        except CommandError as error:
            return f"{error}\n".encode().hex().encode()
        if row.category in _NO_MONITOR and row.name != "help":
            return f"'{row.name}' is a command of GDB here\n".encode().hex().encode()
        self._shell.execute(line)
        text = "".join(part + "\n" for part in self._output)[: PACKET_SIZE // 4]
        return text.encode().hex().encode() or OK


def _memory_map() -> bytes:
    """User space as one piece: mappings change while the program runs, and GDB reads this once."""
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" '
        '"http://sourceware.org/gdb/gdb-memory-map.dtd">\n'
        f'<memory-map><memory type="ram" start="0x0" length="{USER_SPACE:#x}"/></memory-map>\n'
    ).encode()


def _auxv(process: Process) -> bytes:
    """The auxiliary vector as pairs of 64-bit numbers, also for purecap programs (whose slots are wider)."""
    data = process.auxv
    if not process.abi.is_purecap:
        return data
    pairs = (data[at : at + 8] + data[at + 16 : at + 24] for at in range(0, len(data) - 31, 32))
    return b"".join(pairs)
