"""What the time of a run went into: the work of its steps, and all that is done around it."""

import os
from collections.abc import Iterator

from flowkit import Run

ROW = "{:<7} {:>5} {:>8} {:>8} {:>8} {:>9} {:>9}"


def account(run: Run, steps: list[str]) -> Iterator[str]:
    """Tell, step by step, the time of its tasks, and how much of it was the `work_s` they timed.

    The last line is for the wall clock since the run began. A core that idles while a step
    has work for it counts as time besides the work.
    """
    yield ROW.format("step", "tasks", "wall s", "tasks s", "work s", "besides s", "peak MB")
    needed_s = 0.0
    for name in steps:
        tasks = list(run[name])
        wall_s = (run[name].finished_at - run[name].created_at).total_seconds()
        tasks_s = sum((one.finished_at - one.created_at).total_seconds() for one in tasks)
        work_s = sum(one.data.work_s for one in tasks)
        needed_s += work_s / min(os.cpu_count() or 1, len(tasks))
        peak_mb = max(one.row.peak_memory_bytes for one in tasks) / 1e6
        seconds = (f"{one:.2f}" for one in (wall_s, tasks_s, work_s, tasks_s - work_s))
        yield ROW.format(name, len(tasks), *seconds, f"{peak_mb:.0f}")
    wall_s = (run[steps[-1]].finished_at - run.created_at).total_seconds()
    yield f"{wall_s:.2f} s in all, of which flowkit has taken {1 - needed_s / wall_s:.1%}"
