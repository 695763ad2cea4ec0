"""What is known of an attempt, as names and text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from flowkit.metadata import AttemptRow, RunRow

if TYPE_CHECKING:
    from flowkit.client.task import Task


class Metadatum(NamedTuple):
    """One fact about an attempt of a task."""

    name: str
    value: str
    created_at: datetime | None
    type: str
    task: Task


def facts_of(run: RunRow, row: AttemptRow, computed: AttemptRow) -> dict[str, str]:
    """Return what is known of an attempt; `computed` is the row of whoever ran it."""
    facts = {
        "attempt": str(computed.attempt.number),
        "cpu_s": f"{computed.cpu_s:.3f}",
        "flowkit_version": run.flowkit_version,
        "host": computed.host,
        "peak_memory_bytes": str(computed.peak_memory_bytes),
        "pid": str(computed.pid),
        "python_version": run.python_version,
        "status": computed.status,
        "user": run.user,
    }
    if computed.started_at is not None:
        facts["started_at"] = computed.started_at.isoformat()
    if computed.finished_at is not None:
        facts["finished_at"] = computed.finished_at.isoformat()
    if origin := row.origin:
        facts["origin-run-id"] = origin.id
        facts["origin-task-id"] = row.computed_by.key.task_id
    return facts


def environment_of(run: RunRow) -> dict[str, str]:
    """Return what a run's tasks ran in."""
    return {
        "flowkit_version": run.flowkit_version,
        "host": run.host,
        "python_version": run.python_version,
        "user": run.user,
    }
