"""Call stacks taken every so many instructions, and files that viewers of flame graphs open.

Deterministic: the same run gives the same samples. The first stacks are taken often, so that a short program
has some, later ones rarely, so that a long one isn't slowed down; each counts for the instructions since
the last.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from emulator.debug.names import Names
from emulator.debug.unwind import frames
from emulator.insight.owners import printable
from emulator.linux.symbols import image_at

if TYPE_CHECKING:
    from emulator.engine.api import Engine
    from emulator.linux.process import Task

# (samples, instructions between two of them): primes, so that they don't keep in step with a loop.
_PERIODS = ((400, 1_009), (4_000, 20_011), (20_000, 200_003), (None, 2_000_003))
Stack = tuple[str, ...]


class Sampler:
    """Takes samples of the engines it is attached to. `task_of` tells the thread that an engine runs."""

    def __init__(self, task_of: Callable[[Engine], Task | None], period: int | None = None) -> None:
        self._task_of = task_of
        self._fixed = period
        self._names = Names()
        self.stacks: dict[Stack, int] = {}
        """From the outermost frame inwards -> instructions."""
        self.samples = 0

    @property
    def period(self) -> int:
        """Instructions until the next sample."""
        if self._fixed is not None:
            return self._fixed
        left = self.samples
        for count, period in _PERIODS:
            if count is None or left < count:
                return period
            left -= count
        raise AssertionError

    def attach(self, engine: Engine) -> None:
        """Sample this engine from now on."""
        period = self.period
        next_at = engine.pe.instructions + period

        def sample() -> None:
            self.take(engine, period)
            self.attach(engine)

        engine.schedule(next_at, sample)

    def take(self, engine: Engine, weight: int) -> None:
        """One sample, which counts for so many instructions."""
        task = self._task_of(engine)
        if task is None:
            return
        self.samples += 1
        stack = (printable(f"{task.process.name} {task.tid}"), *reversed(list(self._frames(task))))
        self.stacks[stack] = self.stacks.get(stack, 0) + weight

    def _frames(self, task: Task) -> Iterator[str]:
        process = task.process
        for frame in frames(task, self._names):
            # A return address may be that of the next function: the call is before it.
            pc = frame.pc if frame.number == 0 else frame.pc - 4
            loaded = image_at(process.images, pc)
            image = posixpath.basename(loaded.path) if loaded is not None else ""
            function = self._names.function(process, pc)
            name = function[1] if function is not None else f"{pc:#x}" if not image else "?"
            name, image = printable(name), printable(image)
            where = ", ".join(part for part in (image, "Restricted" if frame.restricted else "") if part)
            yield f"{name} [{where}]" if where else name


def collapsed(stacks: dict[Stack, int]) -> str:
    """For flamegraph.pl, inferno and speedscope: `outer;inner count` lines."""
    lines = (f"{';'.join(_plain(name) for name in stack)} {count}" for stack, count in sorted(stacks.items()))
    return "".join(f"{line}\n" for line in lines)


def _plain(name: str) -> str:
    """Without what separates frames."""
    return name.replace(";", ":")


def speedscope(stacks: dict[Stack, int], title: str) -> str:
    """For https://www.speedscope.app: one profile of samples, weighted by instructions."""
    numbers: dict[str, int] = {}
    samples = [[numbers.setdefault(name, len(numbers)) for name in stack] for stack in sorted(stacks)]
    weights = [stacks[stack] for stack in sorted(stacks)]
    content = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": name} for name in numbers]},
        "profiles": [
            {
                "type": "sampled", "name": f"{title} (instructions)", "unit": "none",
                "startValue": 0, "endValue": sum(weights), "samples": samples, "weights": weights,
            }
        ],
        "exporter": "morello profile",
        "activeProfileIndex": 0,
    }  # fmt: skip
    return json.dumps(content) + "\n"
