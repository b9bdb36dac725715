"""`morello trace`: events of real programs, both file formats, the limit, and that the file is whole or not there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2

from emulator.linux.kernel import Options
from emulator.linux.session import Request
from emulator.pictures.chrome_json import ChromeJsonSink
from emulator.pictures.output import OutputFile
from emulator.pictures.perfetto import PerfettoSink
from emulator.pictures.recorder import DEEPEST, Recorder, Transfer, transfer_of
from emulator.pictures.sink import Track
from emulator.pictures.tracing import TracedRun
from guest.assembler.assembler import assemble_source
from loader.elf import ElfImage
from loader.link import cli as linker
from morello_isa.errors import UserError
from tests.pictures.conftest import DEMO, HELLO, REPOSITORY, RunMorello


class ListSink:
    """Keeps events, and checks what a sink may rely on: times never go back, slices nest and all end."""

    def __init__(self) -> None:
        self.events: list[tuple] = []
        self.open: dict[Track, list[str]] = {}
        self.slices: list[tuple[str, str, int, int, int, dict]] = []
        """(name, category, depth, begin, end, arguments) in the order in which they ended."""
        self.counters: dict[str, list[int]] = {}
        self.names: dict[object, str] = {}
        self.finished = False
        self._stacks: dict[Track, list[tuple]] = {}
        self._last = 0

    def _at(self, time: int) -> None:
        assert time >= self._last and not self.finished
        self._last = time

    def process(self, pid, name) -> None:
        self.names[pid] = name

    def thread(self, track, name) -> None:
        self.names[track] = name

    def begin(self, time, track, name, category, arguments) -> None:
        self._at(time)
        self._stacks.setdefault(track, []).append((name, category, time, dict(arguments)))

    def end(self, time, track, arguments) -> None:
        self._at(time)
        name, category, begin, known = self._stacks[track].pop()
        self.slices.append((name, category, len(self._stacks[track]), begin, time, known | dict(arguments)))

    def instant(self, time, track, name, category, arguments) -> None:
        self._at(time)
        self.events.append((name, category, time, dict(arguments)))

    def counter(self, time, pid, name, unit, value) -> None:
        self._at(time)
        self.counters.setdefault(name, []).append(value)

    def finish(self) -> None:
        assert not any(self._stacks.values())
        self.finished = True


def _traced(*command: str, limit: int = 1_000_000, **options: object) -> tuple[ListSink, TracedRun]:
    sink = ListSink()
    run = TracedRun(Request(command[0], command[1:]), Options(**options), Recorder(sink, limit))
    run.session.kernel.run()
    run.finish()
    return sink, run


def test_crossings_of_a_compartment_are_nested_slices(capfd) -> None:
    sink, run = _traced(*DEMO)
    assert capfd.readouterr().out == HELLO
    kernel = run.session.kernel
    inner = [s for s in sink.slices if s[1] in ("executive", "restricted") and s[2] > 0]
    # Each of these was entered by one crossing and left by another.
    assert 2 * len(inner) == kernel.statistics.crossings > 20
    calls = [s for s in inner if s[1] == "restricted"]
    services = [s for s in inner if s[1] == "executive"]
    assert {s[0] for s in calls} == {"Restricted: CompartmentEntryPoint"} and {s[2] for s in calls} == {1}
    assert {s[0] for s in services} == {"Executive: CompartmentServiceEntry"} and {
        s[2] for s in services
    } == {2}
    assert services[0][5]["from"].startswith("libiwasm.so`CompartmentServiceGate")
    system_calls = [s for s in sink.slices if s[1] == "syscall"]
    assert len(system_calls) == kernel.statistics.syscalls
    opened = next(s for s in system_calls if s[0] == "openat")
    assert (
        "hello.wasm" in opened[5]["path"] and opened[5]["result"] == "3" and opened[5]["flags"] == "O_RDONLY"
    )
    assert opened[4] - opened[3] == 1
    base = sink.slices[-1]
    assert base[0] == "Executive: _start" and (base[3], base[4]) == (0, kernel.instructions)
    assert sink.counters["memory in use"][-1] > 100_000 and sink.counters["tagged capabilities"][-1] > 500
    assert sink.names[100] == "iwasm"


def test_both_engines_and_every_run_give_the_same_file(capfd) -> None:
    def recorded(make: Callable[[io.BytesIO], object], engine: str) -> bytes:
        stream = io.BytesIO()
        run = TracedRun(Request(DEMO[0], DEMO[1:]), Options(engine=engine), Recorder(make(stream)))
        run.session.kernel.run()
        run.finish()
        return stream.getvalue()

    first = recorded(PerfettoSink, "reference")
    assert first == recorded(PerfettoSink, "reference") == recorded(PerfettoSink, "fast")
    assert recorded(ChromeJsonSink, "reference") == recorded(ChromeJsonSink, "fast")


def test_a_fault_in_a_compartment_ends_its_call(overflowing: Path, capfd) -> None:
    sink, _ = _traced(DEMO[0], f"--wamr-lib={overflowing}", DEMO[2])
    (fault,) = [event for event in sink.events if event[1] == "fault"]
    assert fault[0] == "capability bounds fault" and "liboverflow.so`copy_name" in fault[3]["explanation"]
    handler = next(s for s in sink.slices if s[1] == "signal")
    assert handler[0] == "SIGSEGV" and handler[3] == fault[2]
    assert handler[5] == {
        "handler": "iwasm`on_fault",
        "code": "SEGV_CAPBOUNDSERR",
        "address": handler[5]["address"],
    }
    around = [s for s in sink.slices if s[1] == "restricted"][-1]
    assert around[3] < handler[3] and around[2] == handler[2] - 1 and around[4] >= handler[4]
    assert ("exited with status 70", "process") in [event[:2] for event in sink.events]
    # The manager's calls after it are the manager's again.
    assert [s[2] for s in sink.slices if s[0] == "exit_group"] == [1]


def test_handlers_left_by_longjmp_and_by_return(compiled: Callable[..., Path], capfd) -> None:
    sink, _ = _traced(str(compiled(REPOSITORY / "tests" / "linux" / "programs" / "signals.c")))
    handlers = [s for s in sink.slices if s[1] == "signal"]
    assert [s[0] for s in handlers] == ["SIGSEGV", "SIGUSR1", "SIGUSR1", "SIGSEGV"]
    assert {s[2] for s in handlers} == {1} and all(s[4] > s[3] for s in handlers)
    assert {s[2] for s in sink.slices if s[0] == "rt_sigreturn"} == {2}
    assert {s[2] for s in sink.slices if s[0] in ("munmap", "mprotect", "write")} == {1}
    assert len([event for event in sink.events if event[1] == "fault"]) == 2


def test_processes_and_a_killed_one(compiled: Callable[..., Path], tmp_path: Path, capfd) -> None:
    sink = ListSink()
    data = tmp_path / "data"
    data.mkdir()
    program = compiled(REPOSITORY / "tests" / "linux" / "programs" / "calls.c")
    request = Request(str(program), directories=[(str(data), "/data")])
    run = TracedRun(request, Options(), Recorder(sink))
    run.session.kernel.run()
    run.finish()
    assert sink.names[100] == sink.names[101] == "calls"
    (waited,) = [s for s in sink.slices if s[0] == "wait4"]
    (child,) = [event for event in sink.events if event[0] == "exited with status 9"]
    assert waited[3] < child[2] <= waited[4] and waited[5]["result"] == "101"
    sink, _ = _traced(str(compiled(REPOSITORY / "guest" / "examples" / "overflow.c")))
    assert [event[0] for event in sink.events][-2:] == ["SIGSEGV kills overflow", "killed by SIGSEGV"]


EXEC = """
    sub csp, csp, #64
    adr c0, path
    str c0, [csp]
    str czr, [csp, #16]
    mov c1, csp
    mov x2, #0
    mov x8, #221
    svc #0
    mov x0, #99
    mov x8, #94
    svc #0
path: .asciz "{name}"
"""


def _assembled(folder: Path, name: str, text: str, c64: bool = True) -> Path:
    source = f".text\n.globl _start\n.type _start, %function\n_start:\n{text}\n"
    (folder / f"{name}.o").write_bytes(assemble_source(source, f"{name}.S", c64=c64))
    assert linker.main([str(folder / f"{name}.o"), "-o", str(folder / name)]) == 0
    (folder / name).chmod(0o755)
    return folder / name


def test_execve_begins_anew(tmp_path: Path) -> None:
    _assembled(tmp_path, "second", "mov x0, #7\nmov x8, #94\nsvc #0")
    first = _assembled(tmp_path, "first", EXEC.format(name="/second"))
    sink = ListSink()
    run = TracedRun(Request(str(first), root=str(tmp_path)), Options(), Recorder(sink))
    assert run.session.kernel.run().status == 7
    run.finish()
    assert [event[0] for event in sink.events] == ["execve second", "exited with status 7"]
    assert sink.names[100] == "second"
    assert [s[0] for s in sink.slices] == ["execve", "Executive: _start", "exit_group", "Executive: _start"]


def test_what_a_branch_does_with_the_stack(tmp_path: Path) -> None:
    text = "brr c1\nblrr c1\nretr c30\nbr c19\nblr c16\nret c30\nldpblr c1, [c2]\nldpbr c1, [c2]\nblrs c29, c1, c2\nbr x1\nret x30"
    image = ElfImage((_assembled(tmp_path, "branches", text)).read_bytes(), "branches")
    start = image.entry & ~1
    (segment,) = [s for s in image.segments if s.vaddr <= start < s.vaddr + s.filesz]
    at = segment.offset + start - segment.vaddr
    words = [
        int.from_bytes(image.data[at + 4 * n : at + 4 * n + 4], "little")
        for n in range(len(text.splitlines()))
    ]
    jump, call, back = Transfer.JUMP, Transfer.CALL, Transfer.RETURN
    assert [transfer_of(w) for w in words] == [
        jump,
        call,
        back,
        jump,
        call,
        back,
        call,
        jump,
        call,
        jump,
        back,
    ]


def test_the_limit_ends_recording_but_not_the_program(run_morello: RunMorello, tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    done = run_morello("trace", "--max-events", 30, "--timeline", file, *DEMO)
    assert (done.returncode, done.stdout) == (0, HELLO)
    assert "morello: recording stopped at instruction " in done.stderr and "after 30 events" in done.stderr
    events = json.loads(file.read_bytes())["traceEvents"]
    phases = [event["ph"] for event in events]
    # 30 events, the note that ends them, and nothing that was begun is left open.
    assert phases.count("B") + phases.count("i") + phases.count("C") / 2 <= 31.5
    assert phases.count("B") == phases.count("E")
    assert any(event.get("name") == "recording stopped after 30 events" for event in events)


CALLS_WITHOUT_RETURN = """
    mov x20, #1500
    mov x1, #2
    adr c19, outside
    add c19, c19, #1
    seal c19, c19, rb
    adr c21, inside
    add c21, c21, #1
    clrperm c21, c21, x1
    seal c21, c21, rb
outside:
    subs x20, x20, #1
    b.eq done
    blrr c21
inside:
    blr c19
done:
    mov x0, #0
    mov x8, #94
    svc #0
"""


def test_calls_that_never_return_stay_bounded(tmp_path: Path) -> None:
    program = _assembled(tmp_path, "deep", CALLS_WITHOUT_RETURN)
    sink, run = _traced(str(program))
    assert run.session.kernel.statistics.crossings == 2998
    # Each crossing was a call; the deepest stack is started anew and nothing is lost.
    assert len([s for s in sink.slices if s[1] in ("executive", "restricted")]) == 2999
    assert max(s[2] for s in sink.slices) == DEEPEST - 1
    sink, _ = _traced(str(program), limit=100)
    # One event of the hundred was a look at memory.
    assert len(sink.slices) == 99 and sink.events[-1][0] == "recording stopped after 100 events"


def test_json_is_what_viewers_read(run_morello: RunMorello, tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    done = run_morello("trace", "--timeline", file, *DEMO)
    assert (done.returncode, done.stdout) == (0, HELLO)
    trace = json.loads(file.read_bytes())
    assert trace["displayTimeUnit"] == "ns" and "1 instruction" in trace["otherData"]["clock"]
    stacks: dict[tuple[int, int], list] = {}
    for event in trace["traceEvents"]:
        assert {"ph", "pid", "tid"} <= event.keys()
        stack = stacks.setdefault((event["pid"], event["tid"]), [])
        if event["ph"] == "B":
            stack.append(event)
        elif event["ph"] == "E":
            assert stack.pop()["ts"] <= event["ts"]
    assert not any(stacks.values())
    names = {e["args"]["name"] for e in trace["traceEvents"] if e["ph"] == "M"}
    assert names == {"iwasm"}


def test_perfettos_own_schema_reads_the_other_format(run_morello: RunMorello, tmp_path: Path) -> None:
    file = tmp_path / "t.pftrace"
    # The option may also stand last of all.
    done = run_morello("trace", *DEMO, "--timeline", file)
    assert (done.returncode, done.stdout) == (0, HELLO)
    trace = perfetto_trace_pb2.Trace()
    trace.ParseFromString(file.read_bytes())
    assert {packet.trusted_packet_sequence_id for packet in trace.packet} == {1}
    assert trace.packet[0].sequence_flags == 1
    tracks = {
        p.track_descriptor.uuid: p.track_descriptor for p in trace.packet if p.HasField("track_descriptor")
    }
    event_type = perfetto_trace_pb2.TrackEvent.Type
    depth, names, times = 0, [], []
    for packet in trace.packet:
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        assert event.track_uuid in tracks
        times.append(packet.timestamp)
        if event.type == event_type.TYPE_SLICE_BEGIN:
            depth += 1
            names.append(
                (
                    event.name,
                    list(event.categories),
                    {a.name: a.string_value for a in event.debug_annotations},
                )
            )
        elif event.type == event_type.TYPE_SLICE_END:
            depth -= 1
            assert depth >= 0
    assert depth == 0 and times == sorted(times)
    (opened,) = [name for name in names if name[0] == "openat"]
    assert opened[1] == ["syscall"] and "hello.wasm" in opened[2]["path"] and opened[2]["flags"] == "O_RDONLY"
    units = {t.name: t.counter for t in tracks.values() if t.HasField("counter")}
    assert units["memory in use"].unit == perfetto_trace_pb2.CounterDescriptor.Unit.UNIT_SIZE_BYTES
    (thread,) = [t for t in tracks.values() if t.HasField("thread")]
    assert (thread.thread.tid, thread.thread.thread_name) == (100, "iwasm")
    assert tracks[thread.parent_uuid].process.process_name == "iwasm"


def test_names_that_the_guest_chose_stay_text() -> None:
    evil = 'x"}],\n\ud800\x00</script>é'
    for make in (ChromeJsonSink, PerfettoSink):
        stream = io.BytesIO()
        sink = make(stream)
        sink.process(1, evil)
        sink.begin(5, Track(1, 1), evil, "syscall", {evil: evil, "n": -(1 << 63)})
        sink.end(6, Track(1, 1), {})
        sink.counter(6, 1, "c", "bytes", 1 << 62)
        sink.finish()
        if make is ChromeJsonSink:
            assert json.loads(stream.getvalue())["traceEvents"][1]["args"] == {evil: evil, "n": -(1 << 63)}
        else:
            trace = perfetto_trace_pb2.Trace()
            trace.ParseFromString(stream.getvalue())
            assert trace.packet[2].track_event.name == evil.encode(errors="replace").decode()
            assert trace.packet[2].track_event.debug_annotations[1].int_value == -(1 << 63)


def test_a_result_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), OutputFile(str(target)) as file:
        file.stream.write(b"new")
        raise ZeroDivisionError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
    with OutputFile(str(target)) as file:
        file.stream.write(b"new")
        file.stream.flush()
        assert target.read_text() == "old"
    assert target.read_text() == "new" and list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o111 == 0
    (tmp_path / "link").symlink_to("out")
    with OutputFile(str(tmp_path / "link")) as file:
        file.stream.write(b"through")
    assert (tmp_path / "link").is_symlink() and target.read_text() == "through"
    with pytest.raises(UserError, match="No space left"), OutputFile(str(target)):
        raise OSError(28, "No space left on device")
    for name in (tmp_path, tmp_path / "no" / "where", "/dev/null"):
        with pytest.raises(UserError, match=r"is not a regular file|can't be written"):
            OutputFile(str(name))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--timeline", "x", "--instructions", "PROGRAM"], 125, "--instructions is for the text trace"),
        (["--strace", "PROGRAM"], 125, "--strace belongs to 'morello run'"),
        (["--max-events", "0", "PROGRAM"], 125, "'0' is not a number from 1"),
        (
            ["--timeline", "/no/such/folder/x", "PROGRAM"],
            125,
            "/no/such/folder/x can't be written: No such file or directory",
        ),
        (["--timeline", "FOLDER/t", "/no/such/program"], 127, "/no/such/program does not exist"),
    ],
)
def test_wrong_input(run_morello: RunMorello, tmp_path: Path, arguments, status: int, message: str) -> None:
    words = [a.replace("FOLDER", str(tmp_path)).replace("PROGRAM", DEMO[0]) for a in arguments]
    done = run_morello("trace", *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_deadlock_leaves_its_trace(run_morello: RunMorello, tmp_path: Path) -> None:
    text = "sub csp, csp, #16\nmov c0, csp\nstr wzr, [csp]\nmov x1, #0\nmov x2, #0\nmov x3, #0\nmov x8, #98\nsvc #0"
    program = _assembled(tmp_path, "waits", text)
    done = run_morello("trace", "--timeline", tmp_path / "t.json", program)
    assert done.returncode == 125 and "deadlock" in done.stderr
    events = json.loads((tmp_path / "t.json").read_bytes())["traceEvents"]
    assert "futex" in [event.get("name") for event in events]


def test_text(run_morello: RunMorello, tmp_path: Path, compiled: Callable[..., Path]) -> None:
    done = run_morello("trace", *DEMO)
    assert (done.returncode, done.stdout) == (0, HELLO)
    lines = done.stderr.splitlines()
    assert lines[:2] == ["process 100 is iwasm", "            0 [100] → Executive: _start"]
    (write,) = [line for line in lines if "] " in line and "write" in line]
    # Inside a service that the compartment asked for: three slices deep.
    assert write.split("] ")[1].startswith("      writev(fd=1, iov={") and write.endswith(" = 52")
    overflow = compiled(REPOSITORY / "guest" / "examples" / "overflow.c")
    out = tmp_path / "out.txt"
    done = run_morello("trace", "-o", out, overflow)
    assert done.returncode == 139 and done.stdout == "before\n" and "overflow.c:13" in done.stderr
    text = out.read_text()
    assert "! capability bounds fault: strb" in text and "! killed by SIGSEGV" in text
    done = run_morello("trace", "--instructions", "--max-events", "12", overflow)
    assert done.returncode == 139 and "after 12 events" in done.stderr
    assert "[100]   0x" in done.stderr and " c64 " in done.stderr and "mov c20, c3" in done.stderr


def test_a_thread_of_plain_aarch64_has_calls_but_no_sides(tmp_path: Path) -> None:
    sink, _ = _traced(str(_assembled(tmp_path, "plain", "mov x0, #3\nmov x8, #93\nsvc #0", c64=False)))
    assert [(s[0], s[2]) for s in sink.slices] == [("exit", 0)]


REFUSED = """
    mov x8, #999
    svc #0
    mov x1, #2
    adr c0, inside
    add c0, c0, #1
    clrperm c0, c0, x1
    seal c0, c0, rb
    brr c0
inside:
    mov x8, #172
    svc #0
    mov x0, #0
    mov x8, #94
    svc #0
    .inst 0
"""


@pytest.mark.parametrize(("refusal", "reason"), [("eperm", "EPERM"), ("fault", "SIGSYS")])
def test_refused_system_calls_are_told(tmp_path: Path, refusal: str, reason: str) -> None:
    sink, _ = _traced(str(_assembled(tmp_path, "refused", REFUSED)), strict_restricted=refusal)
    refused = [event[0] for event in sink.events if event[1] == "refused"]
    assert refused[:2] == ["999 refused: ENOSYS", f"getpid refused: {reason}"]
    assert not [s for s in sink.slices if s[1] == "syscall"]


THREADS = """
    mov x0, #0x0f00
    movk x0, #5, lsl #16
    sub x1, sp, #8, lsl #12
    mov x2, #0
    mov x3, #0
    mov x4, #0
    mov x8, #220
    svc #0
    cbz x0, child
    mov x5, #1000
    stp xzr, x5, [sp, #-16]!
    mov x0, sp
    mov x1, #0
    mov x8, #101
    svc #0
    mov x0, #0
    mov x8, #94
    svc #0
child:
    mov x0, #0
    mov x8, #93
    svc #0
"""


def test_each_thread_has_its_own_track(tmp_path: Path) -> None:
    program = _assembled(tmp_path, "threads", THREADS, c64=False)
    sink, _ = _traced(str(program))
    assert sink.names == {100: "threads", Track(100, 100): "threads", Track(100, 101): "threads"}
    calls = {s[0]: s for s in sink.slices}
    assert set(calls) == {"clone", "nanosleep", "exit", "exit_group"} and {s[2] for s in sink.slices} == {0}
    # The first thread sleeps while the second one ends.
    assert calls["nanosleep"][3] < calls["exit"][3] < calls["nanosleep"][4]
    assert calls["clone"][5]["result"] == "101"
