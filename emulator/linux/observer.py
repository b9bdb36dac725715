"""What can be watched about a run: `--strace`, timelines, capability maps and the debugger derive from this.

The kernel holds one observer or none, and tells it about events that are rare beside instructions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.faults import PeFault
    from emulator.linux.process import PendingCall, Process, Task
    from emulator.linux.signals import SignalInfo
    from emulator.linux.table import Result


class Observer:
    """Every method does nothing; the registers and memory are complete whenever one is called."""

    def task_started(self, task: Task) -> None:
        """A thread exists; the first one of a process comes with the process."""

    def task_ended(self, task: Task) -> None:
        """A thread is gone."""

    def executed(self, task: Task) -> None:
        """execve has replaced a thread's program."""

    def call_started(self, task: Task, call: PendingCall) -> None:
        """A system call begins; its arguments are converted, its instruction is counted."""

    def call(self, task: Task, call: PendingCall, result: Result | None) -> None:
        """A call that has ended; a result of None says that it left the registers alone."""

    def call_refused(self, task: Task, number: int, reason: str) -> None:
        """A system call that nobody handled: ENOSYS, or for Restricted code EPERM or SIGSYS."""

    def fault(self, task: Task, fault: PeFault) -> None:
        """An instruction faulted; PC is on it."""

    def signal(self, task: Task, info: SignalInfo) -> None:
        """A thread has entered the handler of a signal."""

    def signal_returned(self, task: Task) -> None:
        """rt_sigreturn has restored a thread's registers."""

    def killed(self, process: Process, info: SignalInfo) -> None:
        """A signal's default action is about to end a process."""

    def exiting(self, process: Process, code: int) -> None:
        """A process is about to end with a wait status; its threads and memory are still there."""
