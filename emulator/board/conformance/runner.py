"""Runs many images in worker processes; a worker that dies or hangs costs one image, not the run."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from emulator.board.conformance.image import Job, Result, Verdict, run_image

SECONDS_PER_IMAGE = 120.0


def _work(connection: Connection) -> None:
    """A worker: receives jobs until None, sends results."""
    try:
        while (job := connection.recv()) is not None:
            connection.send(run_image(job))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        pass


class _Worker:
    """One process with at most one job."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, child = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(child,), daemon=True)
        self.process.start()
        child.close()
        self.job: Job | None = None
        self.started = 0.0

    def give(self, job: Job) -> None:
        self.job = job
        self.started = time.monotonic()
        self.connection.send(job)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def run_jobs(
    jobs: Sequence[Job], workers: int, seconds_per_image: float = SECONDS_PER_IMAGE
) -> Iterator[Result]:
    """Results in order of completion. With one worker and no need for isolation use `run_image` itself."""
    waiting = list(reversed(jobs))
    active: list[_Worker] = []
    try:
        while waiting or active:
            while waiting and len(active) < workers:
                worker = _Worker()
                worker.give(waiting.pop())
                active.append(worker)
            ready = wait([w.connection for w in active], timeout=1.0)
            for worker in list(active):
                result = _collect(worker, worker.connection in ready, seconds_per_image)
                if result is None:
                    continue
                yield result
                if worker.job is None and waiting:
                    worker.give(waiting.pop())
                else:
                    worker.stop()
                    active.remove(worker)
    finally:
        for worker in active:
            worker.stop()


def _collect(worker: _Worker, ready: bool, seconds: float) -> Result | None:
    """The worker's result, or one made up for a dead or hanging worker (which keeps its job)."""
    job = worker.job
    assert job is not None
    if ready:
        try:
            result: Result = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode
            return Result(job.name, job.group, Verdict.CRASH, explanation=[f"worker ended with {code}"])
        worker.job = None
        return result
    if time.monotonic() - worker.started > seconds:
        return Result(job.name, job.group, Verdict.TIMEOUT, explanation=[f"no end after {seconds:.0f} s"])
    return None


def run_all(jobs: Sequence[Job], workers: int, progress: Callable[[Result], None]) -> list[Result]:
    """All results, sorted by name; `progress` is told about each as it comes."""
    results = []
    for result in run_jobs(jobs, workers):
        progress(result)
        results.append(result)
    return sorted(results, key=lambda r: r.name)
