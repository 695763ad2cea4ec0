"""What a runner tells whoever watches a run: facts, in order, as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from flowkit.records import RunEnd, RunRecord
from flowkit.values import Attempt, Failure, TaskKey


class RunBegan(Struct, frozen=True):
    """The run has its id and is recorded; no task has started."""

    record: RunRecord
    steps: tuple[str, ...]
    """All steps in topological order."""


class TaskStarted(Struct, frozen=True):
    """An attempt was handed to the executor."""

    attempt: Attempt
    at: datetime


class TaskEnded(Struct, frozen=True):
    """An attempt ended. `again`: it failed and will be tried once more.

    `caught`: what `@catch` swallowed in an attempt that counts as succeeded. `width` is set when
    the step fanned out, `choice` when it is a switch.
    """

    attempt: Attempt
    at: datetime
    status: Literal["succeeded", "failed"]
    duration_s: float
    failure: Failure | None = None
    caught: Failure | None = None
    again: bool = False
    width: int | None = None
    choice: str | None = None


class TasksCloned(Struct, frozen=True):
    """Tasks of an earlier run stand for these; nothing was started for them.

    `widths`: how many elements those that fanned out did so over.
    """

    keys: tuple[TaskKey, ...]
    origin: str
    widths: Mapping[TaskKey, int] = field(default_factory=dict)


class Printed(Struct, frozen=True):
    """A line that an attempt printed, without its newline.

    `is_shown`: it ran in this process, where people have seen it as it was printed.
    """

    attempt: Attempt
    stream: Literal["stdout", "stderr"]
    at: datetime
    text: str
    is_shown: bool = False


class Noticed(Struct, frozen=True):
    """Something worth a line to the user, said once: a fall-back, a step that runs anew."""

    message: str


class RunEnded(Struct, frozen=True):
    """The run is over and recorded."""

    end: RunEnd
    duration_s: float


class Idled(Struct, frozen=True):
    """Nothing happened for a moment; told about ten times a second so that a clock can move."""

    at: datetime


RunFact = RunBegan | TaskStarted | TaskEnded | TasksCloned | Printed | Noticed | RunEnded | Idled
Listener = Callable[[RunFact], None]


def is_cancelled(fact: TaskEnded) -> bool:
    """Say whether an attempt ended because its run was cancelled."""
    return fact.failure is not None and fact.failure.type_name == "Cancelled"
