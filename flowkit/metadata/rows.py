"""What the index answers with: frozen rows, times in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from flowkit.records import RunStatus
from flowkit.values import Attempt, Digest, Failure, Outcome, RunId, TaskKey

AttemptStatus = Literal["running", "succeeded", "failed", "lost"]
"""`lost`: it was running when its run's driver died."""

Snapshot = Mapping[str, tuple[tuple[object, ...], ...]]
"""Table names to sorted rows; equal snapshots mean equal indexes."""


class FlowRow(Struct, frozen=True, kw_only=True):
    """A flow that has runs: how many, and when the first and the latest began."""

    name: str
    runs: int
    first_started_at: datetime
    last_started_at: datetime


class RunRow(Struct, frozen=True, kw_only=True):
    """A run. `tags` are the user's, sorted; `system_tags` flowkit's own.

    `finished_at` is None until the run has ended. `parameters` is the manifest with the run's
    parameters and constants. `failed` and `failure` tell of a run that ended badly.
    """

    run: RunId
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    user: str
    tags: tuple[str, ...]
    system_tags: tuple[str, ...]
    origin: RunId | None
    parameters: Digest
    start_step: str
    end_step: str
    host: str
    pid: int
    flowkit_version: str
    python_version: str
    failed: tuple[TaskKey, ...]
    failure: Failure | None


class StepRow(Struct, frozen=True, kw_only=True):
    """A step's tasks in one run, counted by how the latest attempt of each stands.

    `total` counts all; `cloned` ones are among the `succeeded`. `started_at` is the first start
    of any attempt, `finished_at` the latest end; both None while only clones are there.
    """

    step: str
    total: int
    succeeded: int
    failed: int
    running: int
    lost: int
    cloned: int
    started_at: datetime | None
    finished_at: datetime | None


class AttemptRow(Struct, frozen=True, kw_only=True):
    """One attempt at a task, or the clone that stands for the task.

    A clone has an `origin`: the run that computed it, where `attempt` has the same number; its
    times, host and costs are the origin's to tell. `origin_key` is the task there, if it is not
    the one of the same key. `cpu_s` is seconds of CPU.
    """

    run: RunId
    attempt: Attempt
    status: AttemptStatus
    started_at: datetime | None
    finished_at: datetime | None
    outcome: Outcome | None
    failure: Failure | None
    caught: Failure | None
    origin: RunId | None
    host: str
    pid: int
    cpu_s: float
    peak_memory_bytes: int
    origin_key: TaskKey | None = None

    @property
    def key(self) -> TaskKey:
        """The task's key."""
        return self.attempt.key

    @property
    def computed_in(self) -> RunId:
        """The run that computed it: its own, unless it is a clone."""
        return self.origin or self.run

    @property
    def computed_by(self) -> Attempt:
        """The attempt that computed it, in that run."""
        return Attempt(self.origin_key or self.key, self.attempt.number)


TaskRow = AttemptRow
"""A task as the index tells of it: its latest attempt."""
