"""What a user reads when a signal kills the guest."""

from __future__ import annotations

from emulator.linux.process import Process
from emulator.linux.signals import DUMPING, SignalInfo, signal_name


def explain(process: Process, info: SignalInfo) -> str:
    """Lines for stderr; nothing for signals that users send on purpose (SIGPIPE, SIGTERM…)."""
    if info.fault is None:
        if info.number not in DUMPING:
            return ""
        return f"morello: {process.name} was killed by {signal_name(info.number)}\n"
    fault = info.fault
    where = f"{fault.pc:#x}"
    code = f", {info.code_name}" if info.code_name else ""
    word = f" (word {fault.word:08x})" if fault.word is not None else ""
    return (
        f"morello: {fault.kind.value} fault ({signal_name(info.number)}{code}) at {where}{word}"
        f" address {fault.address:#x} {fault.register} "
        f"{fault.capability.describe() if fault.capability else ''}\n"
    )
