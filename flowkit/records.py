"""What the store keeps of a run besides its results; the metadata index is fed by these alone.

A run's records in the store are the truth. The index holds nothing that they do not, so it can
be rebuilt from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from flowkit.graph.model import FlowDescription
from flowkit.values import Attempt, Digest, Failure, Outcome, ProjectBranch, RunId, TaskKey

RunStatus = Literal["running", "succeeded", "failed", "cancelled", "lost"]
"""`lost`: the runner died. Told from its heartbeat when somebody asks, never stored."""


class RunRecord(Struct, frozen=True, kw_only=True):
    """A run as it began. Created once, before its first task.

    `parameters` is a manifest that holds the run's parameters and the flow's constants as
    artifacts. `origin` is the run that this one resumes. `tags` are the user's at the start,
    `system_tags` flowkit's own. `triggers` are the runs whose end started this one.
    """

    run: RunId
    description: FlowDescription
    parameters: Digest
    started_at: datetime
    user: str
    origin: RunId | None = None
    tags: tuple[str, ...] = ()
    system_tags: tuple[str, ...] = ()
    host: str = ""
    pid: int = 0
    flowkit_version: str = ""
    python_version: str = ""
    project: ProjectBranch | None = None
    triggers: tuple[RunId, ...] = ()


class RunEnd(Struct, frozen=True, kw_only=True):
    """How a run ended. Created once, after its last task.

    `kept` counts the run's records of other kinds at that time, so that one that is gone later is
    missed. The store fills it in; it is no part of how the run ended.
    """

    run: RunId
    status: Literal["succeeded", "failed", "cancelled"]
    finished_at: datetime
    failed: tuple[TaskKey, ...] = ()
    failure: Failure | None = None
    kept: Mapping[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The exit code of a command that drove the run."""
        if self.status == "failed":
            return self.failure.exit_code if self.failure is not None else 1
        return 0 if self.status == "succeeded" else 130


class Clone(Struct, frozen=True, kw_only=True, gc=False):
    """A task of an earlier run that stands for one of this run's.

    `origin` is the run that computed it, however many resumes ago, and `attempt` the number of
    the attempt that succeeded there. `origin_key` is the task there if it is another one: an
    element may have moved. `fingerprint` is the task's, if it is known.
    """

    key: TaskKey
    origin: RunId
    attempt: int
    outcome: Outcome
    origin_key: TaskKey | None = None
    fingerprint: Digest | None = None

    @property
    def computed(self) -> TaskKey:
        """The task that computed it, in its origin."""
        return self.origin_key or self.key


class Clones(Struct, frozen=True):
    """Clones of a run, in one record: all that were made at once."""

    run: RunId
    clones: tuple[Clone, ...]


class StoredCard(Struct, frozen=True, kw_only=True):
    """A report about an attempt, as HTML. Created once; while a task runs, there is a live one.

    `number` counts the `@card` decorators of the step, outermost first. `data` is JSON: what the
    step gave to the last `refresh`.
    """

    attempt: Attempt
    number: int
    type: str
    id: str | None = None
    html: str
    data: str | None = None
