"""Following a run's output: what is printed while one looks, until the run has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Set
from heapq import merge
from typing import TYPE_CHECKING

from flowkit.logs import LogLine, whole_lines
from flowkit.values import Attempt, RunId

if TYPE_CHECKING:
    from flowkit.cli.targets import Target
    from flowkit.client import Workspace
    from flowkit.metadata import TaskRow

Said = tuple["TaskRow", Attempt, LogLine]
"""A line, and whose it is."""

PAUSE_S = 0.25


def follow(workspace: Workspace, target: Target, show: Callable[[Iterator[Said]], None]) -> None:
    """Show what the tasks of a target have printed, then what they print, until the run ends.

    All attempts are followed. A line is shown once it is whole; the last one when all has ended.
    """
    follower = _Follower(workspace, target)
    while True:
        # Asked before the logs are read: what was printed before the end is shown.
        row = workspace.metadata.run(target.run.run)
        ended = row is None or row.status != "running"
        show(follower.news(final=ended))
        if ended:
            return
        time.sleep(PAUSE_S)


class _Follower:
    """Knows how many lines of which attempt have been shown."""

    def __init__(self, workspace: Workspace, target: Target) -> None:
        self._workspace, self._target = workspace, target
        self._shown: dict[tuple[RunId, Attempt], int] = {}
        self._settled: set[tuple[RunId, Attempt]] = set()

    def news(self, *, final: bool) -> Iterator[Said]:
        """Return the lines that are new, in order of time."""
        from flowkit.cli.targets import find_target, tasks_with_logs
        from flowkit.client import KnownLogs

        target = self._target
        if target.task is not None:
            target = find_target(self._workspace, f"{target.run.run}/{target.task.key}")
        known = KnownLogs(self._workspace)
        found = [
            self._lines(task, attempt, final=final)
            for task in tasks_with_logs(self._workspace, target, known)
            for attempt in self._attempts(task)
            if known.has(task.computed_in, attempt)
        ]
        return merge(*found, key=lambda one: one[2].time_us)

    def _attempts(self, task: TaskRow) -> Iterator[Attempt]:
        run, key = task.computed_in, task.computed_by.key
        for number in range(task.attempt.number + 1):
            attempt = Attempt(key, number)
            if (run, attempt) not in self._settled:
                yield attempt

    def _lines(self, task: TaskRow, attempt: Attempt, *, final: bool) -> list[Said]:
        from flowkit.client import read_log

        key = task.computed_in, attempt
        is_over = attempt.number < task.attempt.number or task.status in _OVER
        lines = list(whole_lines(read_log(self._workspace, *key)))
        if lines and not final and not is_over and not lines[-1].text.endswith(b"\n"):
            lines.pop()
        shown = self._shown.get(key, 0)
        self._shown[key] = len(lines)
        if is_over:
            self._settled.add(key)
        return [(task, attempt, line) for line in lines[shown:]]


_OVER: Set[str] = frozenset({"succeeded", "failed", "lost"})
