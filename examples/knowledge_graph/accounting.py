"""What the time of a run goes into: the work that its tasks have timed, and all around it."""

import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROW = "{:<7} {:>5} {:>8} {:>8} {:>8} {:>8}"
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Spent:
    """What a step has cost by now: seconds of work in all its tasks, and the peak memory of one."""

    step: str
    work_s: float
    tasks: int
    peak_bytes: int
    at: float
    """When this was noted, in seconds since 1970."""


def spent(step: str, work_s: float) -> Spent:
    """Note what this task has cost."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES
    return Spent(step, work_s, 1, peak, time.time())


def sum_up(tasks: Sequence[Spent]) -> Spent:
    """Put the tasks of a step together, all of which have ended."""
    work_s, peak = sum(one.work_s for one in tasks), max(one.peak_bytes for one in tasks)
    return Spent(tasks[0].step, work_s, len(tasks), peak, time.time())


def account(began: float, steps: Sequence[Spent]) -> Iterator[str]:
    """Tell where the wall clock went. A step begins where the one before has ended.

    What is not work is flowkit's: to start tasks, hand over artifacts, write and commit tables.
    Cores that idle while a step has work for them count there too.
    """
    yield ROW.format("step", "tasks", "wall s", "work s", "besides", "peak MB")
    total_s, needed_s = steps[-1].at - began, 0.0
    for one in steps:
        wall_s, began = one.at - began, one.at
        step_s = one.work_s / min(one.tasks, os.cpu_count() or 1)
        needed_s += step_s
        times = f"{wall_s:.2f}", f"{one.work_s:.2f}", f"{1 - step_s / wall_s:.1%}"
        yield ROW.format(one.step, one.tasks, *times, f"{one.peak_bytes / 1e6:.0f}")
    yield f"{total_s:.2f} s in all, of which flowkit has taken {1 - needed_s / total_s:.1%}"
