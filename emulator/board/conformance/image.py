"""One conformance image: find it, run it in a fresh machine, say how it ended.

The images report by themselves: `OK` or `FAILED` on the tube of the test board.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatch
from pathlib import Path

from emulator.board.boards import TESTBOARD
from emulator.board.conformance.explain import explain_mismatch
from emulator.board.image import load_elf, read_file
from emulator.board.outcome import Outcome, OutcomeKind
from emulator.board.system import System
from loader.elf import ElfImage
from morello_isa.errors import EXIT_CANNOT_EXECUTE, UserError

DEFAULT_LIMIT = 1_000_000


class Verdict(Enum):
    """How an image ended."""

    PASS = "passed"
    FAIL = "failed"
    LIMIT = "instruction limit"
    STUCK = "stuck"
    UNCLEAR = "unclear output"
    UNREADABLE = "can't be loaded"
    CRASH = "emulator error"
    TIMEOUT = "no end in time"


@dataclass(frozen=True, slots=True)
class Result:
    """What one image did. `seconds` is wall-clock time, `explanation` has lines about a failure."""

    name: str
    group: str
    verdict: Verdict
    instructions: int = 0
    seconds: float = 0.0
    explanation: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Job:
    """One image to run. `corrupt` flips an expected value first (self-check)."""

    path: Path
    name: str
    group: str
    engine: str | None = None
    limit: int = DEFAULT_LIMIT
    corrupt: bool = False


def find_images(folder: Path, pattern: str | None = None) -> list[tuple[Path, str, str]]:
    """(path, name, group) of all `*.elf` and `*.elf.gz` files below `folder`, sorted by name.

    `pattern` is a shell pattern or a part of the name. A group is the subfolder, or else the part of the
    name before `_test`. UserError 127/126 when there is no such folder or nothing in it.
    """
    if not folder.exists():
        raise UserError(f"{folder} does not exist", 127)
    if folder.is_file():
        return [(folder, _stem(folder), _group(folder, folder.parent))]
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.name.endswith((".elf", ".elf.gz")))
    if not found:
        raise UserError(f"{folder} has no images (*.elf or *.elf.gz)", EXIT_CANNOT_EXECUTE)
    images = [(path, _stem(path), _group(path, folder)) for path in found]
    if pattern:
        images = [i for i in images if pattern in i[1] or fnmatch(i[1], pattern)]
        if not images:
            raise UserError(f"no image in {folder} matches '{pattern}'")
    return images


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".elf")


def _group(path: Path, folder: Path) -> str:
    if path.parent != folder:
        return str(path.parent.relative_to(folder))
    name = _stem(path)
    return name.split("_test", 1)[0] if "_test" in name else folder.name


def run_image(job: Job) -> Result:
    """Runs one image on a fresh test board. Never raises: whatever happens is a verdict."""
    started = time.perf_counter()
    try:
        data = read_file(job.path)
        if job.corrupt:
            data = corrupt_expectation(data, job.name)
        system = System(TESTBOARD, engine=job.engine)
        loaded = load_elf(system.physical, data, str(job.path))
        system.start(loaded.entry)
        outcome = system.run(job.limit)
    except UserError as error:
        return _result(job, Verdict.UNREADABLE, 0, started, [error.message])
    except Exception as error:  # noqa: BLE001  (one image must not end the run)
        return _result(job, Verdict.CRASH, 0, started, _describe(error))
    verdict = judge(outcome)
    explanation: list[str] = []
    if verdict is not Verdict.PASS:
        explanation = _explain(job, data, outcome)
    return _result(job, verdict, system.pe.instructions, started, explanation)


def _result(job: Job, verdict: Verdict, instructions: int, started: float, explanation: list[str]) -> Result:
    seconds = time.perf_counter() - started
    return Result(job.name, job.group, verdict, instructions, seconds, explanation)


def _describe(error: BaseException) -> list[str]:
    """An internal error with the innermost places, outermost last."""
    lines = [f"{type(error).__name__}: {error}"]
    trace = error.__traceback__
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"  {Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return lines + places[-4:][::-1]


def judge(outcome: Outcome) -> Verdict:
    """The verdict from what the image reported."""
    if outcome.kind is OutcomeKind.REPORTED:
        if outcome.detail == b"OK\n":
            return Verdict.PASS
        return Verdict.FAIL if outcome.detail == b"FAILED\n" else Verdict.UNCLEAR
    return Verdict.LIMIT if outcome.kind is OutcomeKind.LIMIT else Verdict.STUCK


def _explain(job: Job, data: bytes, outcome: Outcome) -> list[str]:
    """Runs the image again, step by step, and tells what went wrong first."""
    system = System(TESTBOARD, engine=job.engine)
    try:
        loaded = load_elf(system.physical, data, str(job.path))
        system.start(loaded.entry)
        return explain_mismatch(system, loaded.elf, outcome, job.limit)
    except Exception as error:  # noqa: BLE001  (an explanation must not end the run)
        return [str(outcome.detail), *_describe(error)]


def corrupt_expectation(data: bytes, name: str) -> bytes:
    """The image with one expected value changed: lowest bit of the first entry of `final_cap_values`.

    UserError 126 if the image has no such table.
    """
    image = ElfImage.from_bytes(data, name)
    for symbol in image.symbols:
        if symbol.name == "final_cap_values":
            for segment in image.load_segments:
                offset = symbol.value - segment.vaddr
                if 0 <= offset < segment.filesz:
                    place = segment.offset + offset
                    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
    raise UserError(f"{name} has no table of expected values", EXIT_CANNOT_EXECUTE)
