"""What `morello bench` tells: rows with their bars, as a table for people and as data for machines."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version

from emulator.bench.loops import RATIO_PLAIN, SCALE, SCALE_MIPS, Loop
from emulator.bench.runners import RUNS, Figure


@dataclass(frozen=True, slots=True)
class Row:
    """One loop in one state; None is what was not asked for. `raw` is the A64 form on raw Unicorn."""

    loop: Loop
    c64: bool
    fast: Figure | None
    raw: Figure
    reference: Figure | None

    @property
    def ratio(self) -> float | None:
        """Guest instructions per second of the fast engine over those of raw Unicorn."""
        return self.fast.mips / self.raw.mips if self.fast is not None else None

    def bar(self, scale: float) -> float:
        """Million instructions per second that the fast engine should reach; `scale` is of this machine."""
        if self.loop.ratio:
            return self.loop.ratio * self.raw.mips
        return self.loop.bar * scale if self.c64 else RATIO_PLAIN * self.raw.mips


@dataclass(frozen=True, slots=True)
class Loops:
    """All loops of a run; `scale` is raw Unicorn at the loop that the bars are scaled by."""

    scale: Figure
    rows: tuple[Row, ...]

    @property
    def factor(self) -> float:
        """This machine's speed over that of the machine of the bars."""
        return self.scale.mips / SCALE_MIPS

    def data(self) -> dict[str, object]:
        """For `--json`: rates in million instructions per second."""
        return {
            "scale": {
                "loop": SCALE.summary,
                "raw_mips": _rounded(self.scale.mips),
                "bars_times": _rounded(self.factor),
            },
            "loops": [self._row(row) for row in self.rows],
        }

    def _row(self, row: Row) -> dict[str, object]:
        bar = row.bar(self.factor)
        return {
            "name": row.loop.name,
            "summary": row.loop.summary,
            "state": "C64" if row.c64 else "A64",
            "guest_mips": _mips(row.fast),
            "raw_mips": _mips(row.raw),
            "ratio": _rounded(row.ratio) if row.ratio is not None else None,
            "reference_mips": _mips(row.reference),
            "bar_mips": _rounded(bar),
            "bar_is": "mips" if row.c64 and not row.loop.ratio else "part of raw",
            "reached": row.fast.mips >= bar if row.fast is not None else None,
            "runs": {
                name: {"instructions": figure.instructions, "seconds": [round(s, 6) for s in figure.seconds]}
                for name, figure in (("fast", row.fast), ("raw", row.raw), ("reference", row.reference))
                if figure is not None
            },
        }

    def lines(self) -> list[str]:
        """The table."""
        lines = [
            f"{'':<50}{'guest':>8}{'':>18}{'plain A64':>12}{'':>7}{'reference':>11}",
            f"{'loop':<46}{'':<4}{'MIPS':>8}{'bar':>9}{'':<9}{'in Unicorn':>12}{'ratio':>7}{'engine':>11}",
        ]
        for row in self.rows:
            bar = row.bar(self.factor)
            name = row.loop.summary if row.c64 else ""
            guest = _number(row.fast)
            verdict = "" if row.fast is None else "  reached" if row.fast.mips >= bar else "  missed"
            ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
            lines.append(
                f"{name:<46}{'C64' if row.c64 else 'A64':<4}{guest:>8}{bar:>9,.0f}{verdict:<9}"
                f"{_number(row.raw):>12}{ratio:>7}{_number(row.reference):>11}"
            )
        lines.append(
            f"bars of C64 code are for raw Unicorn at {SCALE_MIPS:,} MIPS in {SCALE.summary}; here it runs "
            f"{self.scale.mips:,.0f}: times {self.factor:.2f}"
        )
        lines.append(
            f"bars of plain A64 (DDC unrestricted): {RATIO_PLAIN} of raw Unicorn; of SIMD: 0.5 of it"
        )
        return lines


def _mips(figure: Figure | None) -> float | None:
    return _rounded(figure.mips) if figure is not None else None


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _number(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure.mips:,.0f}" if figure.mips >= 20 else f"{figure.mips:.2f}"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The machine and how busy it was (load average of one minute) before and after."""

    load_before: float
    load_after: float

    def data(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "unicorn": version("unicorn"),
            "load_before": round(self.load_before, 2),
            "load_after": round(self.load_after, 2),
            "runs": RUNS,
        }

    def line(self) -> str:
        """For people."""
        return (
            f"median of {RUNS}, one run, CPU time; {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, unicorn {version('unicorn')}; "
            f"machine load {self.load_before:.1f} before, {self.load_after:.1f} after"
        )


class Progress:
    """One line on stderr about what is being measured, on a terminal only; it leaves nothing behind."""

    def __init__(self, steps: int | None) -> None:
        """`steps` is their number, None if it isn't known."""
        self._steps = steps
        self._done = 0
        self._shows = sys.stderr.isatty()

    def step(self, text: str) -> None:
        """The next of the steps begins."""
        self._done += 1
        if self._shows:
            number = f"{self._done}/{self._steps}" if self._steps else f"{self._done}"
            sys.stderr.write(f"\r\x1b[K[{number}] {text}")
            sys.stderr.flush()

    def end(self) -> None:
        """Nothing more to tell."""
        if self._shows:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]
