"""`save`, and going on with what was saved: the recipe of a run, since a run repeats exactly.

A saved machine holds everything that decides about the run (program, libraries and other files that the guest
may see by their contents, arguments, options, input so far) and where it was: the instruction count,
breakpoints and checkpoints. Going on is repeating the run up to that count. The registers there are compared
with those that were saved, so a run that isn't the same is noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

from emulator.board.boards import BOARDS
from emulator.debug.errors import CommandError
from emulator.debug.points import MAX_WATCH
from emulator.debug.saved import Blobs, DamagedError, Fields, damaged, read, write
from emulator.debug.saved_files import Entry, Layout, collect, read_tree
from emulator.debug.session import Debugger
from emulator.debug.stops import Breakpoint, Catch, CatchKind, Point, Stop, StopCause, Watch, WatchKind
from emulator.debug.streams import StreamKind, TerminalKind
from emulator.linux.abi import Profile
from emulator.linux.files import canonical
from emulator.linux.kernel import Options
from emulator.linux.session import Recorded, Request
from emulator.linux.status import FileStatus
from morello_isa.errors import UserError

if TYPE_CHECKING:
    from emulator.debug.board_session import BoardDebugger
    from emulator.debug.session import DebuggerCore
    from emulator.debug.target import Thread

MakeBoard = Callable[[Mapping[str, object], Mapping[str, str]], "BoardDebugger"]
"""A debugger for options of `morello boot` (see `BoardRequest.options` and `names`)."""
FILES_OF_BOARD = ("image", "kernel", "initrd", "dtb", "drive")
_TEXTS_OF_BOARD = ("board", "append")
_CONSOLES_OF_BOARD = ("console", "serial2", "virtio_console")
_NUMBERS_OF_BOARD = ("el", "max_instructions")
_TERMINAL_NUMBERS, _MAX_CHARACTERS = 6, 64
_MAX_SIGNED = (1 << 63) - 1


# -- saving -------------------------------------------------------------------------------------------


def save(debugger: DebuggerCore, path: str) -> int:
    """Write the present machine to a file; its size. Raises CommandError, UserError."""
    if debugger.modified:
        raise CommandError("what was changed with 'set' can't be saved; go back before it first")
    if not isinstance(debugger, Debugger):
        return _save_board(debugger, path)
    debugger.may_repeat()
    if debugger.guest.unrepeatable and debugger.layout is None:
        raise CommandError(
            f"the program has changed files ({debugger.guest.unrepeatable}), so what it started from is gone"
        )
    request, start = debugger.request, debugger.guest.session.start
    trees = [list(collect(host)) for _, host, _ in start.grants]
    description: dict[str, object] = {
        "kind": "program",
        **_common(debugger),
        "program": request.name if request.name is not None else request.program,
        "arguments": list(request.arguments),
        "environment": dict(request.environment),
        "directory": start.directory,
        "place": start.place,
        "grants": [
            {"guest": guest, "writable": writable, "tree": [entry.describe() for entry in tree]}
            for (guest, _, writable), tree in zip(start.grants, trees, strict=True)
        ],
        "options": _options(debugger.options),
        "streams": _streams(debugger),
    }
    blobs = [entry.data for tree in trees for entry in tree]
    return write(path, description, [*blobs, bytes(debugger.streams.input)])


def _common(debugger: DebuggerCore) -> dict[str, object]:
    stop = debugger.stop
    return {
        "position": stop.position,
        "cause": stop.cause.value,
        "state": state_digest(debugger.task),
        "points": [_point(point) for point in debugger.points],
        "checkpoints": [[number, position] for number, position in debugger.checkpoints.items()],
    }


def state_digest(thread: Thread) -> str:
    """A fingerprint of a thread's registers."""
    pe = thread.pe
    values = [*(pe.read_c(n) for n in range(31)), *pe.stack, *pe.data, pe.pcc]
    text = " ".join(f"{int(c.tag)}{c.bits:032x}" for c in values)
    vectors = " ".join(f"{pe.read_v(n):032x}" for n in range(32))
    return hashlib.sha256(f"{text} {vectors} {pe.nzcv}".encode()).hexdigest()


def _point(point: Point) -> dict[str, object]:
    return {"number": point.number, "enabled": point.enabled, **_details(point)}


def _details(point: Point) -> dict[str, object]:
    if isinstance(point, Breakpoint):
        return {
            "kind": "break",
            "place": point.place,
            "addresses": list(point.addresses),
            "condition": point.condition,
            "temporary": point.temporary,
            "hits": point.hits,
            "ignore": point.ignore,
        }
    if isinstance(point, Watch):
        return {
            "kind": "watch",
            "place": point.place,
            "what": point.kind.value,
            "address": point.address,
            "size": point.size,
            "hits": point.hits,
        }
    return {"kind": "catch", "what": point.kind.value, "names": sorted(point.names)}


def _options(options: Options) -> dict[str, object]:
    return {
        "max_instructions": options.max_instructions,
        "memory_limit": options.memory_limit,
        "profile": options.profile.value,
        "library_path": list(options.library_path),
        "seed": options.seed,
        "strict_restricted": options.strict_restricted,
    }


def _streams(debugger: Debugger) -> dict[str, object]:
    streams = debugger.streams
    return {
        "input": len(streams.input),
        "sizes": list(streams.sizes),
        "shown": [streams.shown[1], streams.shown[2]],
        "kinds": [
            {"number": number, "terminal": _terminal(kind), "status": list(astuple(kind.status))}
            for number, kind in sorted(streams.kinds.items())
        ],
    }


def _terminal(kind: StreamKind) -> dict[str, object] | None:
    terminal = kind.terminal
    if terminal is None:
        return None
    return {
        "numbers": list(terminal.numbers),
        "characters": list(terminal.characters),
        "lines": terminal.lines,
        "columns": terminal.columns,
    }


def _save_board(debugger: DebuggerCore, path: str) -> int:
    from emulator.debug.board_session import BoardDebugger

    assert isinstance(debugger, BoardDebugger)
    options = dict(debugger.request.options)
    trees: dict[str, list[Entry]] = {}
    for name in FILES_OF_BOARD:
        if options.get(name):
            trees[name] = list(collect(str(options[name]).partition(",")[0]))
    options |= debugger.request.names
    description: dict[str, object] = {
        "kind": "board",
        **_common(debugger),
        "options": options,
        "files": [
            {"name": name, "tree": [entry.describe() for entry in tree]} for name, tree in trees.items()
        ],
        "input": [[question, number, len(data)] for question, number, data in debugger.log.input],
        "shown": [list(item) for item in sorted(debugger.log.shown.items())],
    }
    blobs = [entry.data for tree in trees.values() for entry in tree]
    return write(path, description, [*blobs, *(data for _, _, data in debugger.log.input)])


# -- going on -----------------------------------------------------------------------------------------


def resume_saved(path: str, make_board: MakeBoard, engine: str = "reference") -> DebuggerCore:
    """A debugger that stands where the saved one stood, on an engine of `debug_engine`. Raises UserError."""
    fields, blobs = read(path)
    try:
        kind = fields.text("kind")
        if kind not in ("program", "board"):
            raise DamagedError(f"it holds a '{kind}'")
        debugger: DebuggerCore
        debugger = _program(fields, blobs, engine) if kind == "program" else _board(fields, blobs, make_board)
        stop = Stop(StopCause(fields.text("cause")), "", fields.number("position", 0, _MAX_SIGNED))
        checkpoints = dict(_pairs(fields, "checkpoints"))
        points = [_read_point(row) for row in fields.objects("points")]
        digest = fields.text("state")
    except (DamagedError, ValueError) as error:
        raise damaged(path, DamagedError(str(error))) from None
    try:
        _go_to(debugger, stop)
    except UserError:
        debugger.close()
        raise
    debugger.points.restore(points)
    debugger.checkpoints = checkpoints
    if state_digest(debugger.task) != digest:
        debugger.warnings.append("the run went another way than the saved one: the registers here differ")
    return debugger


def _go_to(debugger: DebuggerCore, stop: Stop) -> None:
    debugger.start_again()
    if stop.position or stop.cause in (StopCause.FAULT, StopCause.SYSCALL):
        now = debugger.return_to(stop)
        if now.cause is StopCause.POSITION:
            debugger.stop = replace(now, text=f"continued at instruction {now.position:,}")


def _pairs(fields: Fields, name: str) -> Iterator[tuple[int, int]]:
    """A list of pairs of numbers."""
    for row in fields.lists(name):
        if len(row) != 2:
            raise DamagedError(f"'{name}' is not a list of pairs")
        yield row[0], row[1]


def _program(fields: Fields, blobs: Blobs, engine: str) -> Debugger:
    grants, trees = [], []
    for row in fields.objects("grants"):
        guest = row.text("guest")
        if canonical(guest) != guest:
            raise DamagedError(f"'{guest}' is no path")
        grants.append((guest, row.flag("writable")))
        trees.append(read_tree(row.objects("tree"), blobs))
    directory, place = canonical(fields.text("directory")), canonical(fields.text("place"))
    environment = fields.object("environment")
    request = Request(
        fields.text("program"),
        fields.texts("arguments"),
        environment={name: environment.text(name) for name in environment.names()},
    )
    options = _read_options(fields.object("options"))
    layout = Layout(trees)
    request.recorded = Recorded(
        [(guest, layout.path(index), writable) for index, (guest, writable) in enumerate(grants)],
        directory,
        place,
    )
    debugger = Debugger(request, options, engine)
    debugger.layout = layout
    _read_streams(debugger, fields.object("streams"), blobs)
    return debugger


def _read_options(fields: Fields) -> Options:
    refusal = fields.text("strict_restricted")
    if refusal not in ("", "eperm", "fault"):
        raise DamagedError(f"'{refusal}' is no way to refuse system calls")
    return Options(
        max_instructions=fields.maybe("max_instructions", fields.number),
        memory_limit=fields.number("memory_limit", 1, 1 << 40),
        profile=Profile(fields.text("profile")),
        library_path=fields.texts("library_path"),
        seed=fields.number("seed"),
        strict_restricted=refusal,
    )


def _read_streams(debugger: Debugger, fields: Fields, blobs: Blobs) -> None:
    streams = debugger.streams
    streams.input += blobs.take(fields.number("input"))
    streams.sizes += fields.numbers("sizes")
    if sum(streams.sizes) != len(streams.input):
        raise DamagedError("the input has another size than its pieces")
    shown = fields.numbers("shown")
    if len(shown) != 2:
        raise DamagedError("'shown' is not a pair")
    streams.shown = {1: shown[0], 2: shown[1]}
    for row in fields.objects("kinds"):
        status = row.numbers("status")
        if len(status) != len(FileStatus.__dataclass_fields__):
            raise DamagedError("the status of a stream is incomplete")
        settings = row.maybe("terminal", row.object)
        terminal = _read_terminal(settings) if settings is not None else None
        streams.kinds[row.number("number", 0, 2)] = StreamKind(terminal, FileStatus(*status))


def _read_terminal(fields: Fields) -> TerminalKind:
    numbers, characters = fields.numbers("numbers"), fields.numbers("characters")
    if (
        len(numbers) != _TERMINAL_NUMBERS
        or not 0 < len(characters) <= _MAX_CHARACTERS
        or max(characters) > 255
    ):
        raise DamagedError("the settings of a terminal are incomplete")
    lines, columns = fields.number("lines", 0, 0xFFFF), fields.number("columns", 0, 0xFFFF)
    return TerminalKind(tuple(numbers), bytes(characters), lines, columns)


def _board(fields: Fields, blobs: Blobs, make_board: MakeBoard) -> BoardDebugger:
    rows = fields.object("options")
    options: dict[str, object] = {name: rows.maybe(name, rows.text) for name in _TEXTS_OF_BOARD}
    options |= {name: rows.maybe(name, rows.number) for name in _NUMBERS_OF_BOARD}
    options["epoch"] = rows.number("epoch", 0, _MAX_SIGNED)
    if options["board"] not in (None, *BOARDS) or options["el"] not in (None, 1, 2, 3):
        raise DamagedError("it is of a board that isn't known here")
    for name in _CONSOLES_OF_BOARD:
        # Where another console went to is a matter of the machine on which it was saved.
        console = rows.maybe(name, rows.text)
        options[name] = "none" if console not in (None, "stdio") else console
    names = {name: rows.maybe(name, rows.text) for name in FILES_OF_BOARD}
    trees: dict[str, list[Entry]] = {}
    for row in fields.objects("files"):
        tree = read_tree(row.objects("tree"), blobs)
        if names.get(row.text("name")) is None or tree[0].kind != "file":
            raise DamagedError(f"'{row.text('name')}' is no file of a board")
        trees[row.text("name")] = tree
    layout = Layout(list(trees.values()))
    for name, shown_name in names.items():
        options[name] = None
        if shown_name is not None:
            if name not in trees:
                raise DamagedError(f"the contents of '{shown_name}' are missing")
            flag = shown_name.partition(",")[2]
            options[name] = ",".join(filter(None, (layout.path(list(trees).index(name)), flag)))
    log = []
    for item in fields.lists("input"):
        if len(item) != 3:
            raise DamagedError("'input' is not a list of triples")
        log.append((item[0], item[1], blobs.take(item[2])))
    shown_bytes = dict(_pairs(fields, "shown"))
    layout.write()
    debugger = make_board(options, {name: shown for name, shown in names.items() if shown is not None})
    debugger.layout = layout
    debugger.log.input += log
    debugger.log.shown |= shown_bytes
    return debugger


def _read_point(row: Fields) -> Point:
    kind, number, enabled = row.text("kind"), row.number("number", 1, 1 << 31), row.flag("enabled")
    if kind == "break":
        return Breakpoint(
            number,
            row.text("place"),
            tuple(row.numbers("addresses")),
            row.text("condition"),
            row.flag("temporary"),
            row.number("hits"),
            row.number("ignore"),
            enabled,
        )
    if kind == "watch":
        place, size = row.text("place"), row.number("size", 1, MAX_WATCH)
        what = WatchKind(row.text("what"))
        return Watch(number, what, place, row.number("address"), size, row.number("hits"), enabled)
    if kind == "catch":
        return Catch(number, CatchKind(row.text("what")), frozenset(row.texts("names")), enabled)
    raise DamagedError(f"'{kind}' is no kind of breakpoint")
