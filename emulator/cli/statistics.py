"""`--stats` and `--stats-json`: what a run did, how fast, and what the fast engine had to do for it.

An engine that translates has `counters`, an object of numbers. Those in `TRANSLATION` make up a sentence,
those in `EXITS` are reasons for leaving translated code, `OTHERS` says what more there is, and any other is
shown under its own name: a counter that an engine gets is seen at once.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel

TRANSLATION = ("blocks", "instructions", "seconds")
"""Blocks and guest instructions translated, and the seconds that took (as far as the engine counts them)."""
EXITS = {
    "links": "branches linked",
    "indirect": "branches to a register resolved",
    "singles": "instructions left to the reference engine",
    "faults": "accesses refused",
    "budget": "ends of a turn",
}
"""Why translated code was left: counter and what it is called."""
OTHERS = {
    "asks": "questions of translated code",
    "entries": "entries into it",
    "flushes": "starts with an empty cache",
    "host_words": "host words",
    "cached": "translations from disk",
}


def data(kernel: Kernel, seconds: float, cpu_seconds: float) -> dict[str, object]:
    """Everything for machines: seconds of wall and CPU time, bytes of memory, counters by name."""
    counts = kernel.statistics
    return {
        "instructions": kernel.instructions,
        "seconds": round(seconds, 6),
        "cpu_seconds": round(cpu_seconds, 6),
        "crossings": counts.crossings,
        "restricted_slots": counts.restricted_slots,
        "system_calls": counts.syscalls,
        "faults": counts.faults,
        "peak_memory": peak_memory(),
        "engine": dict(totals(counts.engines)),
    }


def statistics(kernel: Kernel, seconds: float) -> str:
    """All lines for a run that took `seconds` of wall time."""
    lines = [_run(kernel, seconds)]
    counters = totals(kernel.statistics.engines)
    if counters:
        lines.append(" · ".join(_translation(counters)))
    return "".join(f"── {line}\n" for line in lines)


def totals(engines: Iterable[object]) -> Counter[str]:
    """The counters of several engines added up, by name; counters that engines share count once."""
    result: Counter[str] = Counter()
    for counters in {id(c): c for c in engines}.values():
        names = getattr(counters, "__slots__", None) or vars(counters)
        for name in names:
            value = getattr(counters, name)
            if isinstance(value, Mapping):
                result.update({f"{name} {key}": amount for key, amount in value.items()})
            elif isinstance(value, (int, float)):
                result[name] += value  # type: ignore[assignment]  # seconds are no integer
    return result


def peak_memory() -> int:
    """The most memory this process has had in RAM, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _run(kernel: Kernel, seconds: float) -> str:
    count = kernel.instructions
    rate = count / seconds / 1e6 if seconds > 0 else 0.0
    parts = [f"{_amount(count)} instructions, {seconds:.2f} s ({rate:.2f} MIPS)"]
    if kernel.statistics.crossings:
        parts.append(f"{kernel.statistics.crossings:,} compartment crossings")
    if kernel.statistics.restricted_slots:
        parts.append(f"{kernel.statistics.restricted_slots:,} relocated slots made Restricted")
    parts.append(f"{kernel.statistics.syscalls:,} system calls")
    if kernel.statistics.faults:
        parts.append(f"{kernel.statistics.faults:,} faults")
    parts.append(f"{peak_memory() / (1 << 20):,.0f} MiB memory")
    return " · ".join(parts)


def _translation(counters: Counter[str]) -> list[str]:
    """Translation, exits by reason (most frequent first), and whatever else is counted."""
    blocks, instructions, seconds = (counters.pop(name, 0) for name in TRANSLATION)
    text = f"translated {blocks:,} blocks"
    if instructions:
        text += f", {instructions:,} instructions"
    if seconds:
        text += f", {seconds:.2f} s"
    if instructions and seconds:
        text += f" ({1e6 * seconds / instructions:.1f} us per instruction)"
    parts = [text]
    exits = {words: counters.pop(name) for name, words in EXITS.items() if counters.get(name)}
    if exits:
        reasons = sorted(exits.items(), key=lambda item: -item[1])
        parts.append("left for " + ", ".join(f"{count:,} {words}" for words, count in reasons))
    parts += [
        f"{_number(value)} {OTHERS.get(name, name)}" for name, value in sorted(counters.items()) if value
    ]
    return parts


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _amount(count: int) -> str:
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1e6:.1f} M" if count < 1e9 else f"{count / 1e9:.2f} G"
