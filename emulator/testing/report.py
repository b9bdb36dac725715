"""What a failure report says about a run: how it ended, its output, the fault, the way there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from emulator.testing.faults import Fault
from emulator.testing.result import Evidence, Result

MAX_OUTPUT_LINES = 30
CONTEXT_LINES = 2


def describe(result: Result) -> str:
    """The text of a section."""
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    evidence = result.evidence
    yield f"$ {evidence.command}"
    counts = [f"{result.instructions:,} instructions", f"{result.system_calls:,} system calls"]
    counts += [f"{result.crossings:,} compartment crossings"] if result.crossings else []
    yield f"{result.end}; {', '.join(counts)}"
    yield from _output("stdout", result.stdout)
    yield from _output("stderr", result.stderr)
    yield from result.messages.splitlines()
    fault = result.fault
    if fault is not None:
        if fault.handled:
            yield f"faults that the guest handled: {len(result.faults)}; the last: {fault.text}"
            if len(result.faults) > 1:
                yield f"the first was: {result.faults[0].text}"
        yield from _source(fault, evidence)
    if evidence.backtrace:
        yield "backtrace:"
        yield from (f"  {line}" for line in evidence.backtrace)
    if evidence.last:
        yield "last instructions:"
        yield from (f"  {line}" for line in evidence.last)
    unclear = fault is not None or result.signal is not None or result.messages
    if evidence.repeat is not None and unclear and not result.expected:
        yield from evidence.repeat()


def _output(name: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    if not lines:
        return
    left_out = len(lines) - MAX_OUTPUT_LINES
    yield f"{name}:" if left_out <= 0 else f"{name} (the last {MAX_OUTPUT_LINES} of {len(lines)} lines):"
    yield from (f"  {line}" for line in lines[-MAX_OUTPUT_LINES:])


def _source(fault: Fault, evidence: Evidence) -> Iterator[str]:
    """The lines around a fault's, from the source as it is now."""
    folder, _, name = fault.file.partition("/")
    path = evidence.folders[folder] / name if folder in evidence.folders else Path(fault.file)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if fault.file else []
    except (OSError, ValueError):
        return
    if not 0 < fault.line <= len(lines):
        return
    yield f"{fault.file}:{fault.line}"
    first = max(fault.line - 1 - CONTEXT_LINES, 0)
    for number, line in enumerate(lines[first : fault.line + CONTEXT_LINES], first + 1):
        yield f"{'→' if number == fault.line else ' '} {number:4}  {line.expandtabs(4)}"
