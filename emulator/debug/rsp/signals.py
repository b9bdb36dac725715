"""Signal numbers: those of GDB's protocol are its own (`include/gdb/signals.def`), not the system's."""

from __future__ import annotations

from emulator.linux.signals import SIGNAL_MAX, Sig

UNKNOWN = 143
"""GDB_SIGNAL_UNKNOWN."""
_SAME = (
    *(Sig.SIGHUP, Sig.SIGINT, Sig.SIGQUIT, Sig.SIGILL, Sig.SIGTRAP, Sig.SIGABRT, Sig.SIGFPE, Sig.SIGKILL),
    *(Sig.SIGSEGV, Sig.SIGPIPE, Sig.SIGALRM, Sig.SIGTERM, Sig.SIGXCPU, Sig.SIGXFSZ, Sig.SIGVTALRM),
    *(Sig.SIGPROF, Sig.SIGWINCH, Sig.SIGTTIN, Sig.SIGTTOU),
)
_TO_GDB: dict[int, int] = {
    **{number: number for number in _SAME},
    Sig.SIGBUS: 10,
    Sig.SIGSYS: 12,
    Sig.SIGURG: 16,
    Sig.SIGSTOP: 17,
    Sig.SIGTSTP: 18,
    Sig.SIGCONT: 19,
    Sig.SIGCHLD: 20,
    Sig.SIGIO: 23,
    Sig.SIGUSR1: 30,
    Sig.SIGUSR2: 31,
    Sig.SIGPWR: 32,
    32: 77,
    33: 45,
    **{number: 46 + number - 34 for number in range(34, 64)},
    SIGNAL_MAX: 78,
}
_FROM_GDB = {gdb: number for number, gdb in _TO_GDB.items()}
TRAP, INTERRUPT = 5, 2


def to_gdb(number: int) -> int:
    """GDB's number of a Linux signal."""
    return _TO_GDB.get(number, UNKNOWN)


def from_gdb(number: int) -> int | None:
    """The Linux signal of a number of GDB's; None where Linux has none."""
    return _FROM_GDB.get(number)
