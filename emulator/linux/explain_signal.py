"""What a user reads when a signal kills the guest."""

from __future__ import annotations

from emulator.explain import explain as explain_fault
from emulator.linux.process import Process
from emulator.linux.signals import DUMPING, SignalInfo, signal_name
from emulator.linux.symbols import source_line, source_text, symbolise
from morello_isa.permissions import Perm


def explain(process: Process, info: SignalInfo) -> str:
    """Lines for stderr; nothing for signals that are sent on purpose (SIGPIPE, SIGTERM…).

    The first line is the fault in one sentence, the second names the signal, the state and the source line.
    """
    if info.fault is None:
        if info.number not in DUMPING:
            return ""
        return f"morello: {process.name} was killed by {signal_name(info.number)}\n"
    fault = info.fault
    sentence = explain_fault(fault, lambda address: symbolise(process.images, address))
    code = f" ({info.code_name})" if info.code_name else ""
    parts = [f"{signal_name(info.number)}{code}"]
    if fault.pcc is not None and process.abi.is_purecap:
        state = "Executive" if fault.pcc.has(Perm.EXECUTIVE) else "Restricted"
        parts.append(f"{'C64' if fault.c64 else 'A64'}, {state}")
    line = source_line(process.images, fault.pc)
    if line is not None:
        text = source_text(*line)
        parts.append(f"{line[0]}:{line[1]}" + (f": {text}" if text else ""))
    return f"morello: {sentence}\n  {' · '.join(parts)}\n"
