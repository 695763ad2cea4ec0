"""The facts of a run in words: what a watcher who reads lines is told."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Literal

from flowkit.runner.progress import (
    Noticed,
    Printed,
    RunBegan,
    RunEnded,
    RunFact,
    TaskEnded,
    TasksCloned,
    TaskStarted,
    is_cancelled,
)
from flowkit.values import Failure
from flowkit.wording import count_of, human_duration, local_clock, one_line, task_label


def told(fact: RunFact) -> list[tuple[Literal["stdout", "stderr"], str]]:
    """Say a fact in lines, each with the stream that it belongs on.

    What tasks print goes where they printed it, after `step[path] | `; all else to stderr.
    """
    if isinstance(fact, Printed):
        return [(fact.stream, f"{task_label(fact.attempt.key)} | {fact.text}")]
    return [("stderr", line) for line in lines_of(fact)]


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
