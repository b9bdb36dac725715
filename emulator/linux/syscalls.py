"""All system calls, by number. A new family is a module with a `FAMILY` and a place in this tuple."""

from __future__ import annotations

from emulator.linux import (
    futex,
    sys_files,
    sys_identity,
    sys_io,
    sys_loader,
    sys_memory,
    sys_poll,
    sys_process,
    sys_signals,
    sys_sockets,
    sys_system,
    sys_time,
)
from emulator.linux.table import build_table

TABLE = build_table(
    (
        sys_io.FAMILY,
        sys_loader.FAMILY,
        sys_sockets.FAMILY,
        sys_files.FAMILY,
        sys_memory.FAMILY,
        sys_process.FAMILY,
        sys_identity.FAMILY,
        sys_signals.FAMILY,
        sys_time.FAMILY,
        sys_poll.FAMILY,
        sys_system.FAMILY,
        futex.FAMILY,
    )
)
