"""A run's progress as plain lines, for pipes and log files."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from flowkit.cli.counts import is_cancelled
from flowkit.cli.lines import Lines
from flowkit.cli.text import count_of, human_duration, local_clock, one_line, task_label
from flowkit.cli.tracebacks import HeldTracebacks
from flowkit.runner import (
    Idled,
    Noticed,
    Printed,
    RunBegan,
    RunEnded,
    TaskEnded,
    TasksCloned,
    TaskStarted,
)

if TYPE_CHECKING:
    from flowkit.runner import RunFact
    from flowkit.values import Failure


class PlainProgress:
    """A listener that writes a line for each change of a task, and what tasks print.

    Changes go to stderr as `HH:MM:SS step[path] attempt N state duration`; what a task prints
    goes to the stream that it printed to, verbatim after `step[path] | `.
    """

    def __init__(
        self,
        *,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        transitions: bool = True,
    ) -> None:
        self._lines = Lines(stdout or sys.stdout, stderr or sys.stderr)
        self._transitions = transitions
        self._held = HeldTracebacks()

    def __call__(self, fact: RunFact) -> None:
        """Take the next fact of the run."""
        for shown in self._held.pass_on(fact):
            self._show(shown)

    def _show(self, fact: RunFact) -> None:
        if isinstance(fact, Printed):
            self._lines.write(fact.stream, f"{task_label(fact.attempt.key)} | {fact.text}\n")
        elif isinstance(fact, Idled):
            self._lines.flush()
        elif self._transitions:
            for line in lines_of(fact):
                self._lines.write("stderr", line + "\n")

    def close(self) -> None:
        """Make visible what is still buffered."""
        self._lines.flush()


def lines_of(fact: RunFact) -> list[str]:
    """Say a fact in lines; an empty list if it is not worth one."""
    match fact:
        case RunBegan(record=record):
            resumes = f", which resumes {record.origin}" if record.origin else ""
            return [f"{local_clock(record.started_at)} run {record.run} started{resumes}"]
        case TaskStarted():
            return [f"{_task(fact)} started"]
        case TaskEnded():
            return [ended_line(fact)]
        case TasksCloned(keys=keys, origin=origin):
            clock = local_clock(datetime.now(UTC))
            steps = Counter(key.step for key in keys)
            return [
                f"{clock} {step} cloned {count_of(number, 'task')} of {origin}"
                for step, number in steps.items()
            ]
        case Noticed(message=message):
            return [f"note: {message}"]
        case RunEnded(end=end, duration_s=duration_s):
            clock = local_clock(end.finished_at)
            took = human_duration(duration_s)
            look = f"look at it with `flowkit show {end.run}`"
            return [f"{clock} run {end.run} {end.status} {took}; {look}"]
    return []


def ended_line(fact: TaskEnded) -> str:
    """Say how an attempt ended, and what follows from it."""
    if is_cancelled(fact):
        return f"{_task(fact)} cancelled {human_duration(fact.duration_s)}"
    line = f"{_task(fact)} {fact.status} {human_duration(fact.duration_s)}"
    if fact.width is not None:
        line += f", {count_of(fact.width, 'item')}"
    if fact.choice is not None:
        line += f", goes on to {fact.choice}"
    if fact.caught is not None:
        line += f", caught {_brief(fact.caught)}"
    if fact.failure is not None:
        line += f": {_brief(fact.failure)}"
    return f"{line}; will be tried again" if fact.again else line


def _task(fact: TaskStarted | TaskEnded) -> str:
    attempt = fact.attempt
    return f"{local_clock(fact.at)} {task_label(attempt.key)} attempt {attempt.number}"


def _brief(failure: Failure) -> str:
    return one_line(f"{failure.type_name}: {failure.message}")
