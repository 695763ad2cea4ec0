"""How far a run is, step by step, counted from the facts that its runner tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flowkit.graph import Graph
from flowkit.runner import (
    RunBegan,
    RunEnded,
    RunFact,
    TaskEnded,
    TasksCloned,
    TaskStarted,
    is_cancelled,
)
from flowkit.values import TaskKey


@dataclass(slots=True)
class StepCount:
    """The tasks of one step: how many ended how, and how many there will be, if it is known.

    `again` counts the attempts that failed and were tried once more. Clones are among `done`.
    `cancelled` tasks were stopped with their run; they did not fail.
    """

    name: str
    inside: str | None = None
    """The innermost foreach or gang around the step."""
    expected: int | None = None
    done: int = 0
    cloned: int = 0
    failed: int = 0
    cancelled: int = 0
    again: int = 0
    running: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_begun(self) -> bool:
        """Whether any of its tasks has started or was cloned."""
        return self.started_at is not None or self.cloned > 0

    @property
    def is_over(self) -> bool:
        """Whether all tasks that are known of have ended."""
        return self.is_begun and not self.running and self.done + self.failed >= self.total

    @property
    def total(self) -> int:
        """The tasks that are known of."""
        known = self.done + self.failed + self.cancelled + self.running
        return max(self.expected or 0, known)

    def seconds(self, now: datetime) -> float | None:
        """Seconds between the first start and the last end, or now while it is not over."""
        if self.started_at is None:
            return None
        end = self.ended_at if self.is_over and self.ended_at else now
        return (end - self.started_at).total_seconds()


class RunCounts:
    """The counts of a run. Each fact costs the same, however many tasks there are."""

    def __init__(self) -> None:
        self.began: RunBegan | None = None
        self.ended: RunEnded | None = None
        self.steps: dict[str, StepCount] = {}
        self._fans: dict[str, list[StepCount]] = {}
        self._gangs: dict[str, set[TaskKey]] = {}
        """Of steps that run as gangs, the tasks that have ended well."""

    def tell(self, fact: RunFact) -> None:
        """Take the next fact of the run."""
        match fact:
            case RunBegan():
                self._begin(fact)
            case TaskStarted(attempt=attempt, at=at):
                step = self.steps[attempt.key.step]
                step.running += 1
                if attempt.number and attempt.key in self._gangs.get(step.name, ()):
                    # It ended well, but its gang has to try again.
                    self._gangs[step.name].remove(attempt.key)
                    step.done -= 1
                    step.again += 1
                step.started_at = step.started_at or at
            case TaskEnded():
                self._end(fact)
            case TasksCloned(keys=keys, widths=widths):
                for key in keys:
                    step = self.steps[key.step]
                    step.done += 1
                    step.cloned += 1
                for key, width in widths.items():
                    self._fan_out(key.step, width)
            case RunEnded():
                self.ended = fact

    def _begin(self, fact: RunBegan) -> None:
        self.began = fact
        graph = Graph(fact.record.description)
        for name in fact.steps:
            around = [step for step in graph.open_splits(name) if graph[step].kind.fans_out]
            if graph.is_gang(name):
                self._gangs[name] = set()
            step = StepCount(name, inside=around[-1] if around else None)
            step.expected = None if step.inside else 1
            self.steps[name] = step
            if step.inside:
                self._fans.setdefault(step.inside, []).append(step)

    def _end(self, fact: TaskEnded) -> None:
        step = self.steps[fact.attempt.key.step]
        step.running -= 1
        step.ended_at = fact.at
        if fact.again:
            step.again += 1
        elif fact.status == "succeeded":
            step.done += 1
            if step.name in self._gangs:
                self._gangs[step.name].add(fact.attempt.key)
        elif is_cancelled(fact):
            step.cancelled += 1
        else:
            step.failed += 1
        if fact.width is not None:
            self._fan_out(step.name, fact.width)

    def _fan_out(self, split: str, width: int) -> None:
        for inner in self._fans.get(split, ()):
            inner.expected = (inner.expected or 0) + width
