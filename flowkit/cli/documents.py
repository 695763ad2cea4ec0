"""What `--json` says of flows, runs, steps, tasks and artifacts: full ids, UTC times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowkit.cli.text import utc_time

if TYPE_CHECKING:
    from datetime import datetime

    from flowkit.metadata import AttemptRow, FlowRow, RunRow, StepRow
    from flowkit.values import ArtifactEntry, Failure

Document = dict[str, Any]


def flow_document(row: FlowRow) -> Document:
    """Describe a flow that has runs."""
    return {
        "flow": row.name,
        "runs": row.runs,
        "first_started_at": utc_time(row.first_started_at),
        "last_started_at": utc_time(row.last_started_at),
    }


def run_document(row: RunRow) -> Document:
    """Describe a run."""
    return {
        "run": str(row.run),
        "flow": row.run.flow,
        "id": row.run.id,
        "status": row.status,
        "started_at": utc_time(row.started_at),
        "finished_at": utc_time(row.finished_at),
        "duration_s": seconds_between(row.started_at, row.finished_at),
        "user": row.user,
        "host": row.host,
        "tags": list(row.tags),
        "system_tags": list(row.system_tags),
        "origin": None if row.origin is None else str(row.origin),
        "flowkit_version": row.flowkit_version,
        "python_version": row.python_version,
        "failed_tasks": [f"{row.run}/{key}" for key in row.failed],
        "failure": failure_document(row.failure),
    }


def step_document(row: StepRow) -> Document:
    """Describe a step of a run by its tasks."""
    return {
        "step": row.step,
        "tasks": row.total,
        "succeeded": row.succeeded,
        "failed": row.failed,
        "running": row.running,
        "lost": row.lost,
        "cloned": row.cloned,
        "started_at": utc_time(row.started_at),
        "finished_at": utc_time(row.finished_at),
        "duration_s": seconds_between(row.started_at, row.finished_at),
    }


def task_document(row: AttemptRow) -> Document:
    """Describe a task, or one attempt at it."""
    return {
        "task": f"{row.run}/{row.key}",
        "step": row.key.step,
        "id": row.key.task_id,
        "path": list(row.key.path),
        "iteration": row.key.iteration,
        "attempt": row.attempt.number,
        "status": row.status,
        "cloned_from": None if row.origin is None else f"{row.origin}/{row.computed_by.key}",
        "started_at": utc_time(row.started_at),
        "finished_at": utc_time(row.finished_at),
        "duration_s": seconds_between(row.started_at, row.finished_at),
        "manifest": None if row.outcome is None else row.outcome.manifest.hex(),
        "width": None if row.outcome is None else row.outcome.width,
        "choice": None if row.outcome is None else row.outcome.choice,
        "host": row.host,
        "pid": row.pid,
        "cpu_s": row.cpu_s,
        "peak_memory_bytes": row.peak_memory_bytes,
        "failure": failure_document(row.failure),
        "caught": failure_document(row.caught),
    }


def artifact_document(task: AttemptRow, name: str, entry: ArtifactEntry) -> Document:
    """Describe an artifact without loading it."""
    return {
        "task": f"{task.run}/{task.key}",
        "name": name,
        "type": entry.type_name,
        "serializer": entry.tag,
        "size_bytes": entry.size_bytes,
        "digest": entry.digest.hex(),
    }


def failure_document(failure: Failure | None) -> Document | None:
    """Describe a failure, if there is one."""
    if failure is None:
        return None
    return {
        "type": failure.type_name,
        "message": failure.message,
        "hint": failure.hint,
        "where": failure.where,
        "traceback": failure.traceback,
    }


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from one moment to another; None while either is missing."""
    return None if start is None or end is None else (end - start).total_seconds()
