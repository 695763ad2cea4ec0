"""What the scheduler is told (events, in the past tense) and what it asks for (commands)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from flowkit.values import Attempt, Digest, Digests, Frame, Outcome, TaskKey

PARAMETERS_STEP = "_parameters"
"""The name under which the run's parameters are the input of the start step."""


class RunStarted(Struct, frozen=True):
    """The run begins. `reusable`: tasks of an earlier run that may stand for this run's own."""

    parameters: Digest
    reusable: Mapping[TaskKey, Outcome] = field(default_factory=dict)


class TaskSucceeded(Struct, frozen=True, gc=False):
    """An attempt ended well."""

    attempt: Attempt
    outcome: Outcome


class TaskFailed(Struct, frozen=True):
    """An attempt ended badly, or its process died. `retryable` False forbids another try.

    `died`: no result was written, so `@catch` has not had its chance in the worker.
    """

    attempt: Attempt
    retryable: bool = True
    died: bool = False


class ClockTicked(Struct, frozen=True):
    """Time has passed; `now_s` counts seconds on any clock that never goes back."""

    now_s: float


class CancelRequested(Struct, frozen=True):
    """Somebody wants the run to stop."""


class ReusableFound(Struct, frozen=True):
    """The answer to `FindReusable`: which of the tasks earlier ones may stand for, and how."""

    number: int
    reusable: Mapping[TaskKey, Outcome]


Event = RunStarted | TaskSucceeded | TaskFailed | ClockTicked | CancelRequested | ReusableFound


class StartTask(Struct, frozen=True, gc=False):
    """Start an attempt. `fallback`: no user code, `@catch` stands in for a process that died.

    `inputs` are manifests in split order, one for a step that is no join. `input_steps` names the
    step of each, or one name for all; the start's input is from `PARAMETERS_STEP`. `joined` is the
    foreach that a join closes, with index 0.
    """

    attempt: Attempt
    inputs: Digests
    input_steps: tuple[str, ...]
    frames: tuple[Frame, ...] = ()
    joined: Frame | None = None
    last_attempt: bool = True
    fallback: bool = False


class CloneTask(Struct, frozen=True, gc=False):
    """Record that an earlier run's task stands for this one; nothing is started."""

    key: TaskKey
    outcome: Outcome


class FindReusable(Struct, frozen=True):
    """Find out which of these tasks, all of one step, an earlier run has computed already.

    They wait until `ReusableFound` answers by the same number.
    """

    number: int
    tasks: tuple[StartTask, ...]


class StopTask(Struct, frozen=True):
    """Stop a running attempt; its end is reported like any other.

    `gang`: another node of its gang has failed.
    """

    attempt: Attempt
    reason: Literal["timeout", "cancelled", "gang"]


class FinishRun(Struct, frozen=True):
    """Nothing is left to do.

    `failed`: the tasks that failed for good, first one first; of a gang, the node that was first.
    """

    status: Literal["succeeded", "failed", "cancelled"]
    failed: tuple[TaskKey, ...] = ()


Command = StartTask | CloneTask | FindReusable | StopTask | FinishRun
