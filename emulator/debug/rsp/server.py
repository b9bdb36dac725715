"""The server: one program, one client at a time. Adding a packet = one method and one row in a table."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from enum import Enum

from emulator.debug.errors import CommandError
from emulator.debug.rsp import objects, registers
from emulator.debug.rsp.client import ESRCH, Client
from emulator.debug.rsp.files import Files
from emulator.debug.rsp.inferior import inferior_of
from emulator.debug.rsp.inserted import Inserted
from emulator.debug.rsp.memory import MemoryAccess
from emulator.debug.rsp.packets import (
    INTERRUPT,
    PACKET_SIZE,
    Connection,
    DisconnectedError,
    PacketError,
    escape,
    extent,
    hexadecimal,
)
from emulator.debug.rsp.running import EINVAL, Action, Running, parse_actions
from emulator.debug.rsp.signals import from_gdb
from emulator.debug.session import DebuggerCore
from emulator.debug.shell import Shell
from emulator.faults import MemoryAbort
from morello_isa.errors import UserError

OK = b"OK"
_NO_MONITOR = ("running", "back", "debugger")
"""Categories of commands that are GDB's business, or none of a remote user's."""
_NAVIGATION = ("thread",)
"""Other commands that are GDB's business: `monitor` is about the thread that GDB has selected."""
_LOCAL = ("python", "save", "symbols")
"""Commands that reach beyond the guest: not for whoever can connect."""
_CONSOLE_PART = PACKET_SIZE // 4
"""Bytes of text in one console packet."""
_OBJECTS = ("features", "memory-map", "auxv", "exec-file", "libraries-svr4", "threads", "siginfo", "capa")
_FEATURES = (
    f"PacketSize={PACKET_SIZE:x};QStartNoAckMode+;QPassSignals+;"
    + "".join(f"qXfer:{name}:read+;" for name in _OBJECTS)
    + "qXfer:capa:write+;memory-tagging+;ReverseStep+;ReverseContinue+;swbreak+;hwbreak+;vContSupported+;"
    "multiprocess+;exec-events+"
)


class End(Enum):
    """Why a client is gone."""

    LOST = "the connection broke"
    DETACHED = "the program shall go on by itself"
    KILLED = "the program shall end"


class Server:
    """Speaks for a started debugger."""

    def __init__(self, debugger: DebuggerCore) -> None:
        self.debugger = debugger
        self._connection: Connection
        self._client: Client
        self._files: Files
        self._memory: MemoryAccess
        self._inserted: Inserted
        self._running: Running
        self._end: End | None = None
        self._output: list[str] = []
        self._shell = Shell(debugger, self._output.append)
        self._commands: dict[str, Callable[[str], bytes]] = {
            "?": lambda _: self._running.reply(self.debugger.stop),
            "!": self._extend,
            "g": self._read_registers,
            "G": self._write_registers,
            "p": self._read_register,
            "P": self._write_register,
            "m": lambda text: self._memory.read(text),
            "M": lambda text: self._memory.write(text),
            "H": self._select_thread,
            "T": self._thread_alive,
            "Z": lambda text: self._inserted.insert(text),
            "z": lambda text: self._inserted.remove(text),
            "c": lambda _: self._running.resume([Action(False)]),
            "s": lambda _: self._running.resume([Action(True)]),
            "C": lambda text: self._running.resume([Action(False, hexadecimal(text))]),
            "S": lambda text: self._running.resume([Action(True, hexadecimal(text))]),
            "b": self._reverse,
            "v": self._v_packet,
            "q": self._query,
            "Q": self._set,
            "D": self._detach,
            "k": self._kill,
        }
        self._queries: dict[str, Callable[[str], bytes]] = {
            "Supported": self._supported,
            "Attached": lambda _: b"0",
            "C": lambda _: b"QC" + self._client.name(self._client.task()).encode(),
            "fThreadInfo": self._thread_list,
            "sThreadInfo": lambda _: b"l",
            "ThreadExtraInfo": self._thread_description,
            "Xfer": self._transfer,
            "MemTags": lambda text: self._memory.read_tags(text),
            "Rcmd": self._monitor,
            "Symbol": lambda _: OK,
        }
        self._settings: dict[str, Callable[[str], bytes]] = {
            "StartNoAckMode": lambda _: OK,
            "PassSignals": self._pass_signals,
            "MemTags": lambda text: self._memory.write_tags(text),
        }

    # -- the connection --------------------------------------------------------------------------------

    def serve(self, link: socket.socket) -> End:
        """One client, until it detaches, kills the program or is gone."""
        debugger = self.debugger
        connection = self._connection = Connection(link)
        client = self._client = Client(debugger, inferior_of(debugger))
        client.executable = client.inferior.executable
        self._files = Files(client.inferior)
        self._memory = MemoryAccess(debugger, client)
        self._inserted = Inserted(debugger, client)
        self._running = Running(debugger, client, self._inserted, self._tell)
        self._end = None
        debugger.only_process = client.inferior.pid
        debugger.poll = debugger.guest.poll = connection.interrupted
        try:
            while self._end is None:
                packet = connection.receive()
                if packet != INTERRUPT:
                    self._obey(packet)
        except DisconnectedError:
            self._end = self._end or End.LOST
        finally:
            debugger.poll = debugger.guest.poll = debugger.only_process = None
            debugger.points.clear()
        return self._end

    def _obey(self, packet: bytes) -> None:
        reply = self._answer(packet)
        if reply is not None:
            self._connection.send(reply)
        if packet == b"QStartNoAckMode":
            self._connection.acknowledge = False

    def _answer(self, packet: bytes) -> bytes | None:
        """The reply to a packet; None for those that have none."""
        try:
            if packet[:1] == b"X":
                return self._memory.write_binary(packet[1:])
            text = packet.decode("latin-1")
            if text[:1] == "R":
                self._restart([])
                return None
            handler = self._commands.get(text[:1])
            return handler(text[1:]) if handler is not None else b""
        except PacketError as error:
            return str(error).encode()
        except (CommandError, UserError, MemoryAbort, ValueError, KeyError, IndexError, RecursionError):
            return b"E01"

    def _tell(self, text: str) -> None:
        """To the client's console; only while it waits for the end of a command."""
        data = text.encode(errors="replace")
        for at in range(0, len(data), _CONSOLE_PART):
            self._connection.send(b"O" + data[at : at + _CONSOLE_PART].hex().encode())

    def _detach(self, _: str) -> bytes:
        self._end = End.DETACHED
        return OK

    def _kill(self, _: str) -> bytes:
        if self._client.is_extended:
            self._restart([])
        else:
            self._end = End.KILLED
        return OK

    def _extend(self, _: str) -> bytes:
        self._client.is_extended = True
        return OK

    def _restart(self, arguments: list[str]) -> None:
        """Load the program again, with other arguments if there are any. UserError."""
        if arguments:
            self._client.inferior.set_arguments(arguments)
        self.debugger.start()
        self._client.moves()
        self._client.executable = self._client.inferior.executable

    # -- threads -----------------------------------------------------------------------------------------

    def _thread_list(self, _: str) -> bytes:
        names = [self._client.name(task) for task in self._client.tasks()]
        return b"m" + ",".join(names).encode() if names else b"l"

    def _select_thread(self, text: str) -> bytes:
        if text[:1] == "g":
            found = self._client.find(text[1:])
            self._client.selected = found.tid if found is not None else None
        return OK

    def _thread_alive(self, text: str) -> bytes:
        self._client.find(text)
        return OK

    def _thread_description(self, text: str) -> bytes:
        task = self._client.find(text)
        if task is None:
            raise PacketError(ESRCH)
        return self._client.inferior.activity(task).encode().hex().encode()

    # -- registers ---------------------------------------------------------------------------------------

    def _read_registers(self, _: str) -> bytes:
        return b"".join(self._client.register(row) for row in registers.ROWS).hex().encode()

    def _read_register(self, text: str) -> bytes:
        return self._client.register(registers.ROWS[hexadecimal(text)]).hex().encode()

    def _write_register(self, text: str) -> bytes:
        number, _, value = text.partition("=")
        registers.write(self._client.task(), registers.ROWS[hexadecimal(number)], bytes.fromhex(value))
        self.debugger.modified = True
        self._client.odd = None
        return OK

    def _write_registers(self, text: str) -> bytes:
        data, at = bytes.fromhex(text), 0
        for row in registers.ROWS:
            size = row.bits // 8
            if at + size <= len(data) and row.feature != registers.SYSTEM_FEATURE:
                registers.write(self._client.task(), row, data[at : at + size])
            at += size
        self.debugger.modified = True
        return OK

    # -- running -----------------------------------------------------------------------------------------

    def _reverse(self, text: str) -> bytes:
        try:
            return self._running.reverse(text)
        except CommandError as error:
            self._tell(f"morello: {error}\n")
            return b"E01"

    def _v_packet(self, text: str) -> bytes:
        name, _, rest = text.partition(";")
        if name == "Cont?":
            return b"vCont;c;C;s;S;r"
        if name == "Cont":
            return self._running.resume(parse_actions(rest))
        if name == "Kill":
            return self._kill(rest)
        if name == "Run":
            arguments = [bytes.fromhex(part).decode(errors="surrogateescape") for part in rest.split(";")]
            self._restart(arguments[1:])
            return self._running.reply(self.debugger.stop)
        if text.startswith("File:"):
            return self._files.answer(text[5:])
        return b""

    def _pass_signals(self, text: str) -> bytes:
        numbers = (from_gdb(hexadecimal(part)) for part in text.split(";") if part)
        self._client.passed_signals = frozenset(number for number in numbers if number is not None)
        return OK

    # -- queries -----------------------------------------------------------------------------------------

    def _query(self, text: str) -> bytes:
        return self._look_up(self._queries, text)

    def _set(self, text: str) -> bytes:
        return self._look_up(self._settings, text)

    @staticmethod
    def _look_up(table: dict[str, Callable[[str], bytes]], text: str) -> bytes:
        name = re.split("[:,]", text, maxsplit=1)[0]
        handler = table.get(name)
        return handler(text[len(name) + 1 :]) if handler is not None else b""

    def _supported(self, text: str) -> bytes:
        self._client.features = frozenset(part[:-1] for part in text.split(";") if part.endswith("+"))
        return _FEATURES.encode()

    def _transfer(self, text: str) -> bytes:
        kind, _, rest = text.partition(":")
        operation, _, rest = rest.partition(":")
        if kind not in _OBJECTS:
            return b""
        if operation == "write" and kind == "capa":
            return self._memory.write_capability(rest)
        if operation != "read":
            return b""
        annex, _, place = rest.rpartition(":")
        offset, size = extent(place)
        data = self._object(kind, annex)
        part = data[offset : offset + min(size, PACKET_SIZE // 2)]
        more = b"m" if offset + len(part) < len(data) else b"l"
        return more + escape(part)

    def _object(self, kind: str, annex: str) -> bytes:
        if kind == "features":
            if annex != "target.xml":
                raise PacketError(0)
            return registers.target_xml(self._client.inferior.is_linux).encode()
        client = self._client
        inferior = client.inferior
        if kind == "threads":
            name = inferior.program.name
            return objects.threads((client.name(t), name, inferior.activity(t)) for t in client.tasks())
        program = client.task().process
        if kind == "exec-file":
            return inferior.executable.encode(errors="surrogateescape")
        if kind == "siginfo":
            return objects.signal_information(self.debugger.stop)
        if kind == "capa":
            return objects.capability(program, hexadecimal(annex))
        found = inferior.object(kind)
        if found is None:
            raise PacketError(0)
        return found

    def _monitor(self, text: str) -> bytes:
        """A line of the debugger's own commands; those that run the program are GDB's business."""
        line = bytes.fromhex(text).decode(errors="replace").strip() or "help"
        if not line.isprintable():
            raise PacketError(EINVAL)
        self._output.clear()
        try:
            row = self._shell.find(line.split()[0].partition("/")[0])
        except CommandError as error:
            self._tell(f"{error}\n")
            return OK
        if row.name in _LOCAL:
            self._tell(f"'{row.name}' is only for 'morello debug'\n")
        elif row.name in _NAVIGATION or (row.category in _NO_MONITOR and row.name != "help"):
            self._tell(f"'{row.name}' is a command of GDB here\n")
        else:
            self._execute(line)
        return OK

    def _execute(self, line: str) -> None:
        guest = self.debugger.guest
        stopped = guest.task
        if not self.debugger.stop.is_end:
            self.debugger.select(self._client.task().tid)
        try:
            self._shell.execute(line)
        finally:
            guest.task = stopped
        self._tell("".join(part + "\n" for part in self._output))
