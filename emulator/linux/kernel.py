"""The kernel of process mode: table of processes, scheduler, system call and fault entry, exit.

Threads run in turn, each for a fixed number of instructions or until it blocks; waiting threads are looked
at in order of their numbers. Nothing depends on the host's timing (unless `--real-time`), so a run repeats
exactly: same image, arguments and files, same output and instruction count.
"""

from __future__ import annotations

import gc
import random
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO
from weakref import WeakValueDictionary

from emulator.engine.api import Engine, ExceptionHandler
from emulator.faults import FaultKind, PeFault, StopKind
from emulator.linux.abi import Profile
from emulator.linux.clock import Clock, RealClock
from emulator.linux.devices import DeviceTree
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import Synthetic, View
from emulator.linux.futex import release_robust_list, wake_address
from emulator.linux.kernel_limits import ALONE_QUANTUM, DEFAULT_MEMORY, QUANTUM
from emulator.linux.observer import Observer
from emulator.linux.process import AlternateStack, BlockedError, PendingCall, Process, ReplacedError, Task
from emulator.linux.procfs import ProcTree
from emulator.linux.signals import DUMPING, Sig, SignalInfo, Signals
from emulator.linux.syscalls import TABLE
from emulator.linux.table import Result, Syscall
from emulator.linux.usermem import UserMemory
from emulator.memory.address_space import AddressSpace, SharedPages
from emulator.memory.frames import FramePool
from emulator.memory.interface import Memory
from emulator.state.pe import Pe
from morello_isa.capability import CAP_NULL, MASK64, Capability
from morello_isa.errors import EXIT_CANNOT_EXECUTE, UserError

FIRST_PID = 100
_CLOSED_ENGINES = 16
"""So many may wait for their memory to be collected, about 3 MiB each."""

EngineFactory = Callable[[Pe, Memory, ExceptionHandler], Engine]


@dataclass
class Options:
    """What a user chooses about a run."""

    engine: str = "fast"
    """"fast": translated code, or "reference": one instruction at a time."""
    translations: Path | None = None
    """Folder where the fast engine keeps translations beyond this run, if any."""
    max_instructions: int | None = None
    memory_limit: int = DEFAULT_MEMORY
    real_time: bool = False
    profile: Profile = Profile.FULL
    library_path: Sequence[str] = ()
    """Guest directories where the host-side linker looks first."""
    seed: int = 0
    strict_restricted: str = ""
    """"": system calls from Restricted are allowed; "eperm" or "fault": they are refused that way."""


@dataclass
class Statistics:
    """Counters for `--stats`."""

    syscalls: int = 0
    faults: int = 0
    crossings: int = 0
    """Changes between Executive and Restricted."""
    restricted_slots: int = 0
    """Relocated slots that the loader service re-derived without Executive."""
    unknown: set[int] = field(default_factory=set)
    engines: list[object] = field(default_factory=list)
    """Counters of the engines that keep some, of every thread there was."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the first process ended: an exit status or a signal; `limited` when the instruction limit came."""

    status: int = 0
    signal: int = 0
    limited: bool = False


class Kernel:
    """Everything shared by the processes of one run."""

    def __init__(
        self,
        view: View,
        engines: EngineFactory,
        options: Options,
        errors: TextIO,
        tracer: Observer | None = None,
    ) -> None:
        self.view = view
        self.options = options
        self.errors = errors
        self.tracer = tracer
        self.pool = FramePool(options.memory_limit)
        self.statistics = Statistics()
        self.signals = Signals(self)
        self.clock: Clock = RealClock(self._count) if options.real_time else Clock(self._count)
        self.processes: dict[int, Process] = {}
        self.tasks: dict[int, Task] = {}
        self.futexes: dict[object, list[object]] = {}
        self.shared_files: WeakValueDictionary[tuple[int, int], SharedPages] = WeakValueDictionary()
        self.first: Process | None = None
        self.fatal: Callable[[Process, SignalInfo], None] | None = None
        """Told about a process killed by a signal, while it is still complete."""
        self._engines = engines
        self._ended: list[Engine] = []
        """Engines of threads that are gone: closed when none runs."""
        self._closed = 0
        self._random = random.Random(options.seed)
        self._next_pid = FIRST_PID
        self._retired = 0
        self._current: Task | None = None
        self._slice_start = 0
        self._slice_end = 0
        self._devices = DeviceTree()
        self._calls: dict[int, Capability | None] = {}

    # -- shared services -------------------------------------------------------------------------------

    def _count(self) -> int:
        return self.instructions

    @property
    def instructions(self) -> int:
        """Instructions executed by all threads."""
        running = self._current
        return self._retired + (running.pe.instructions - self._slice_start if running is not None else 0)

    def random_bytes(self, size: int) -> bytes:
        """The generator of getrandom, /dev/urandom and AT_RANDOM."""
        if self.options.real_time:
            return random.SystemRandom().randbytes(size)
        return self._random.randbytes(size)

    def synthetic(self, process: Process) -> tuple[Synthetic, ...]:
        """Providers of /dev and of /proc as `process` sees it."""
        return (self._devices, ProcTree(self, process))

    def make_engine(self, task: Task, pe: Pe) -> Engine:
        """An engine for a thread on its process's memory."""
        space = task.process.space
        engine = self._engines(pe, space, lambda _pe, fault: self.exception(task, fault))
        counters = getattr(engine, "counters", None)
        if counters is not None:
            self.statistics.engines.append(counters)
        space.on_code_change = lambda: self._code_changed(space)
        return engine

    def _code_changed(self, space: AddressSpace) -> None:
        for task in self.tasks.values():
            if task.process.space is space:
                task.engine.forget_code()

    def new_pid(self) -> int:
        """A number for a process or thread."""
        self._next_pid += 1
        return self._next_pid - 1

    def add_process(self, process: Process) -> None:
        """Enter a process in the table."""
        self.processes[process.pid] = process
        if self.first is None:
            self.first = process

    def add_task(self, task: Task) -> None:
        """Enter a thread in the table; it will be scheduled."""
        task.process.tasks.append(task)
        self.tasks[task.tid] = task
        if self.tracer is not None:
            self.tracer.task_started(task)
        self.share_time()

    # -- scheduling ------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Run until the first process is gone or the instruction limit is reached."""
        first = self.first
        assert first is not None
        code = None
        while code is None:
            progressed = False
            if self._ended:
                self._close_ended()
            for task in list(self.tasks.values()):
                if not task.alive or not self.wake(task):
                    continue
                progressed = True
                if not self._run_slice(task):
                    return Outcome(limited=True)
                if first.exit_code is not None:
                    break
            code = first.exit_code
            if not progressed and code is None:
                self._idle()
        self.end_everything()
        return Outcome(signal=code & 0x7F) if code & 0x7F else Outcome(status=code >> 8)

    def _close_ended(self) -> None:
        """Free the engines of threads that are gone. Unicorn's instances are in cycles of its own binding,
        and the command line makes collections rare: every so often one is due."""
        while self._ended:
            self._ended.pop().close()
            self._closed += 1
        if self._closed >= _CLOSED_ENGINES:
            self._closed = 0
            gc.collect()

    def _run_slice(self, task: Task) -> bool:
        """Run one thread for its turn; False when the instruction limit is reached."""
        budget = ALONE_QUANTUM if len(self.tasks) == 1 and task.process.alarm is None else QUANTUM
        if self.options.max_instructions is not None:
            budget = min(budget, self.options.max_instructions - self.instructions)
            if budget <= 0:
                return False
        pe = task.pe
        self._slice_end = pe.instructions + budget
        self._current, self._slice_start = task, pe.instructions
        while task.runnable and task.pe is pe and not self._calls.get(task.tid):
            left = self._slice_end - pe.instructions
            if left <= 0 or task.engine.run(left).kind is StopKind.IDLE:
                break
        self._retire(task)
        self._current = None
        return True

    def share_time(self) -> None:
        """The running thread isn't alone any more, or an alarm was set: its turn becomes a short one."""
        running = self._current
        if running is not None:
            self._slice_end = min(self._slice_end, running.pe.instructions + QUANTUM)
            running.engine.request_stop(None)

    def _retire(self, task: Task) -> None:
        """Add what the running thread has executed to the totals."""
        if self._current is task:
            executed = task.pe.instructions - self._slice_start
            self._retired += executed
            task.process.instructions += executed
            self._slice_start = task.pe.instructions
            self.statistics.crossings += task.engine.crossings
            task.engine.crossings = 0

    def wake(self, task: Task) -> bool:
        """Let a blocked thread go on if what it waits for has come; True when it can run."""
        process = task.process
        if process.alarm is not None and self.clock.monotonic() >= process.alarm:
            now = self.clock.monotonic()
            process.alarm = now + process.alarm_interval if process.alarm_interval else None
            self.signals.send(process, SignalInfo(Sig.SIGALRM, 0x80))
        if self.signals.waiting(task):
            self._deliver(task)
        if not task.alive:
            return False
        wait = task.wait
        if wait is not None and not process.stopped:
            if wait.ready():
                task.wait = None
                self._repeat_call(task)
            elif wait.deadline is not None and self.clock.monotonic() >= wait.deadline:
                task.wait, task.timed_out = None, True
                self._repeat_call(task)
        return task.runnable

    def _idle(self) -> None:
        """No thread can run: move time to the next deadline, or wait for the host's input."""
        if any(self._can_go_on(task) for task in self.tasks.values()):
            return
        deadlines = [task.wait.deadline for task in self.tasks.values() if task.wait and task.wait.deadline]
        deadlines += [p.alarm for p in self.processes.values() if p.alive and p.alarm is not None]
        inputs = self._awaited_inputs()
        if inputs:
            timeout = max(min(deadlines) - self.clock.monotonic(), 0) / 1e9 if deadlines else None
            if select.select(inputs, [], [], timeout)[0]:
                return
        if not deadlines:
            names = ", ".join(
                f"{t.tid} in {t.call.row.name}" if t.call else str(t.tid)
                for t in self.tasks.values()
                if t.alive
            )
            raise UserError(f"deadlock: every thread of the program waits for another ({names})")
        self.clock.sleep_until(min(deadlines))

    def _can_go_on(self, task: Task) -> bool:
        """Something has happened for a thread since it was looked at in this round."""
        if task.process.stopped:
            return False
        return task.wait is None or task.wait.ready() or self.signals.waiting(task)

    def _awaited_inputs(self) -> list[int]:
        """Host descriptors that a blocked poll may be waiting for."""
        found = set()
        for task in self.tasks.values():
            if task.wait is None or task.call is None or task.call.row.name not in POLLING_CALLS:
                continue
            for _, file in task.descriptors:
                descriptor = file.host_descriptor()
                if descriptor == 0:
                    found.add(descriptor)
        return sorted(found)

    def end_everything(self) -> None:
        for process in list(self.processes.values()):
            if process.alive:
                self.exit_process(process, Sig.SIGKILL)

    # -- entry from the engine -------------------------------------------------------------------------

    def exception(self, task: Task, fault: PeFault) -> None:
        """A synchronous exception of a thread: a system call, or a fault that becomes a signal."""
        if fault.kind is FaultKind.SVC:
            self._system_call(task, fault)
        else:
            self.statistics.faults += 1
            task.pe.pc = fault.pc
            if self.tracer is not None:
                self.tracer.fault(task, fault)
            self.signals.fault(task, fault)
        if self.signals.waiting(task):
            self._deliver(task)
        if not task.runnable:
            task.engine.request_stop(None)

    def _deliver(self, task: Task) -> None:
        self.signals.deliver(task)

    def _system_call(self, task: Task, fault: PeFault) -> None:
        pe = task.pe
        pe.pc = fault.pc + 4
        number = pe.read_x(8) & 0xFFFF_FFFF
        self.statistics.syscalls += 1
        if self.options.strict_restricted and pe.is_restricted:
            refused_by_signal = self.options.strict_restricted == "fault"
            if self.tracer is not None:
                self.tracer.call_refused(task, number, "SIGSYS" if refused_by_signal else "EPERM")
            if refused_by_signal:
                pe.pc = fault.pc
                info = SignalInfo(Sig.SIGSYS, 1, address=fault.pc, code_name="SYS_SECCOMP", fault=fault)
                self.signals.force(task, info)
            else:
                pe.write_x(0, -Errno.EPERM)
            return
        row = TABLE.get(number)
        if row is None:
            self._unknown_call(number)
            if self.tracer is not None:
                self.tracer.call_refused(task, number, "ENOSYS")
            pe.write_x(0, -Errno.ENOSYS)
            return
        task.call = PendingCall(row, self._arguments(task, row), pe.read_c(0))
        task.timed_out, task.deadline, task.progress, task.call_state = False, None, 0, None
        if self.tracer is not None:
            self.tracer.call_started(task, task.call)
        self._perform(task, task.call)

    def _arguments(self, task: Task, row: Syscall) -> list[int | Capability]:
        pe, memory = task.pe, task.memory
        purecap = task.process.abi.is_purecap
        values: list[int | Capability] = []
        for index, kind in enumerate(row.arguments):
            if not kind.is_pointer:
                values.append(kind.value(pe.read_x(index)))
            elif purecap:
                values.append(pe.read_c(index))
            else:
                values.append(memory.pointer_at(pe.read_x(index)))
        return values

    def _repeat_call(self, task: Task) -> None:
        call = task.call
        if call is None:
            return
        self._perform(task, call)
        if self.signals.waiting(task):
            self._deliver(task)

    def _perform(self, task: Task, call: PendingCall) -> None:
        """Call the handler; on a result the call is over, on BlockedError it stays pending."""
        try:
            result: Result | None = call.row.handler(task, *call.arguments)
        except SyscallError as error:
            result = -error.errno
        except BlockedError:
            return
        except ReplacedError:
            result = None
        except (OverflowError, MemoryError):
            result = -Errno.EINVAL
        except RecursionError:
            result = -Errno.ELOOP
        self.finish_call(task, result)

    def finish_call(self, task: Task, result: Result | None) -> None:
        """The pending call is over; a result of None leaves the registers alone."""
        call = task.call
        if self.tracer is not None and call is not None:
            self.tracer.call(task, call, result)
        task.call = task.wait = None
        task.deadline, task.timed_out, task.call_state, task.progress = None, False, None, 0
        if isinstance(result, Capability):
            if task.process.abi.is_purecap:
                task.pe.write_c(0, result)
            else:
                task.pe.write_x(0, result.value)
        elif result is not None:
            task.pe.write_x(0, result & MASK64)

    def _unknown_call(self, number: int) -> None:
        if number not in self.statistics.unknown:
            self.statistics.unknown.add(number)
            self.errors.write(f"morello: system call {number} is not there (ENOSYS)\n")

    # -- functions of the guest that the host calls ------------------------------------------------------

    def run_call(self, task: Task) -> Capability:
        """Run a thread until it calls `morello_return`; UserError when it ends otherwise."""
        outer = self._current
        if outer is not None:
            self._retire(outer)
        self._calls[task.tid] = None
        self.add_task(task)
        while task.alive and self._calls[task.tid] is None:
            if not self.wake(task):
                if task.alive and self._calls[task.tid] is None:
                    self._idle()
            elif not self._run_slice(task):
                break
        result = self._calls.pop(task.tid)
        if task.alive:
            self._remove_task(task)
        self._current = outer
        if outer is not None:
            self._slice_start = outer.pe.instructions
        if result is None:
            raise UserError("a function that the dynamic linker called did not return", EXIT_CANNOT_EXECUTE)
        return result

    def end_call(self, task: Task, result: Capability) -> bool:
        """`morello_return`: the function of `run_call` is over; False for any other thread."""
        if task.tid not in self._calls:
            return False
        self._calls[task.tid] = result
        task.engine.request_stop(None)
        return True

    # -- the end of threads and processes ----------------------------------------------------------------

    def exit_task(self, task: Task, status: int) -> None:
        """exit: one thread ends; the last one ends the process."""
        process = task.process
        release_robust_list(task)
        if not task.memory.is_null(task.clear_child_tid) and len(process.tasks) > 1:
            try:
                task.memory.write_u32(task.clear_child_tid, 0)
                wake_address(task, task.clear_child_tid, 1)
            except SyscallError:
                pass
        if len(process.tasks) == 1:
            self.exit_process(process, (status & 0xFF) << 8)
        else:
            self._remove_task(task)

    def _remove_task(self, task: Task) -> None:
        if self.tracer is not None:
            self.tracer.task_ended(task)
        if task.wait is not None and task.wait.cancel is not None:
            task.wait.cancel()
        task.alive = False
        task.wait = task.call = None
        task.engine.request_stop(None)
        task.process.tasks.remove(task)
        self.tasks.pop(task.tid, None)
        if task.process is not self.first:
            self._ended.append(task.engine)

    def remove_other_tasks(self, task: Task) -> None:
        """execve: only the caller goes on."""
        for other in list(task.process.tasks):
            if other is not task:
                self._remove_task(other)

    def exit_process(self, process: Process, code: int) -> None:
        """End a process with a wait status; its parent is told, its children have no parent any more."""
        if process.exit_code is not None:
            return
        if self.tracer is not None:
            self.tracer.exiting(process, code)
        process.exit_code = code
        for task in list(process.tasks):
            self._remove_task(task)
        process.descriptors.close_all()
        self.release_space(process)
        for child in process.children:
            child.parent = None
            if not child.alive:
                self.processes.pop(child.pid, None)
        process.vfork_parent = None
        parent = process.parent
        if parent is None:
            if process is not self.first:
                self.processes.pop(process.pid, None)
            return
        self.notify_parent(process, code)

    def notify_parent(self, process: Process, code: int) -> None:
        """SIGCHLD (or what clone asked for) to the parent; SA_NOCLDWAIT and SIG_IGN reap at once."""
        parent = process.parent
        if parent is None:
            return
        signal = code & 0x7F
        reason = 1 if not signal else 3 if signal in DUMPING else 2
        status = signal or code >> 8 & 0xFF
        action = parent.actions.get(Sig.SIGCHLD)
        reaped = action is not None and (action.is_ignore or action.flags & 2)
        if process.exit_signal:
            self.signals.send(parent, SignalInfo(process.exit_signal, reason, process.pid, 0, status))
        if reaped and not process.alive:
            parent.children.remove(process)
            self.processes.pop(process.pid, None)

    def replace_registers(self, task: Task, pe: Pe) -> None:
        """execve: the thread goes on with other registers in other memory."""
        self._retire(task)
        self._ended.append(task.engine)
        task.pe, self._slice_start = pe, pe.instructions
        task.engine = self.make_engine(task, pe)
        task.memory = UserMemory(task.process.space, task.process.abi)
        task.name = task.process.name
        task.alternate = AlternateStack()
        task.clear_child_tid = task.robust_list = CAP_NULL
        if self.tracer is not None:
            self.tracer.executed(task)

    def release_space(self, process: Process) -> None:
        """Give memory back unless another process (vfork) still uses it."""
        if not any(p.alive and p.space is process.space for p in self.processes.values() if p is not process):
            process.space.clear()

    def kill(self, process: Process, info: SignalInfo) -> None:
        """A signal's default action ends a process."""
        if self.fatal is not None:
            self.fatal(process, info)
        if self.tracer is not None:
            self.tracer.killed(process, info)
        self.exit_process(process, info.number | (0x80 if info.number in DUMPING else 0))

    def stop(self, process: Process, signal: int) -> None:
        """A stop signal's default action; the first process has nobody to continue it, so it goes on."""
        if process.parent is None:
            return
        process.stopped = True
        process.stop_reported = False
        for task in process.tasks:
            task.engine.request_stop(None)
        self.signals.send(process.parent, SignalInfo(Sig.SIGCHLD, 5, process.pid, 0, signal))


POLLING_CALLS = frozenset(("ppoll", "pselect6", "epoll_pwait"))
