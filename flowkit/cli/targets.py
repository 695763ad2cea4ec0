"""What a pathspec on the command line names: a run, a step of it, or a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.offers import offer_pathspecs, offer_runs
from flowkit.errors import UsageError

if TYPE_CHECKING:
    from flowkit.client import KnownLogs, Workspace
    from flowkit.metadata import AttemptStatus, RunRow, TaskRow

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Target:
    """A run, and the step or the one task of it that was named."""

    run: RunRow
    step: str | None = None
    task: TaskRow | None = None


def find_run(workspace: Workspace, pathspec: str) -> RunRow:
    """Return the run that `Flow/12` names. Raises NotFound, UsageError."""
    target = find_target(workspace, pathspec)
    if target.step is not None:
        raise UsageError(
            f"`{pathspec}` names a step, and a run is wanted", hint=f"name `{target.run.run}`"
        )
    return target.run


def find_target(workspace: Workspace, pathspec: str) -> Target:
    """Return what `Flow/run[/step[/task]]` names.

    Raises:
        NotFound: there is no such run, step or task.
        UsageError: it is no pathspec of a run, a step or a task.
    """
    parts = pathspec.strip("/").split("/")
    if not 2 <= len(parts) <= 4 or not all(parts):
        raise UsageError(
            f"`{pathspec}` does not name a run, a step or a task",
            hint="write it as `Flow/run`, `Flow/run/step` or `Flow/run/step/task`",
        )
    from flowkit.client import Run, Step, Task

    run = Run("/".join(parts[:2]), workspace=workspace, check_namespace=False)
    match parts[2:]:
        case [step, task_id]:
            return Target(run.row, step, Task.find(run, step, task_id).row)
        case [step]:
            return Target(run.row, Step.find(run, step).id)
    return Target(run.row)


def tasks_of(
    workspace: Workspace,
    target: Target,
    *,
    status: AttemptStatus | None = None,
    limit: int | None = None,
) -> list[TaskRow]:
    """Return the latest attempts of the tasks that a target stands for, `limit` at most.

    They are in the order in which their steps first ran, then in that of their indexes.
    """
    if target.task is not None:
        return [target.task]
    index, run = workspace.metadata, target.run.run
    if target.step is not None:
        return index.tasks(run, target.step, status=status, limit=limit)
    found: list[TaskRow] = []
    for row in index.steps(run):
        left = None if limit is None else limit - len(found)
        if left == 0:
            break
        found += index.tasks(run, row.step, status=status, limit=left)
    return found


def each_task(workspace: Workspace, target: Target) -> Iterator[TaskRow]:
    """Yield what `tasks_of` returns, asked for a page at a time: for those who may stop early."""
    if target.task is not None:
        yield target.task
        return
    index, run = workspace.metadata, target.run.run
    for step in [target.step] if target.step else [row.step for row in index.steps(run)]:
        page = index.tasks(run, step, limit=_PAGE)
        while page:
            yield from page
            page = index.tasks(run, step, after=page[-1].key, limit=_PAGE)


def tasks_with_logs(workspace: Workspace, target: Target, logs: KnownLogs) -> list[TaskRow]:
    """Return those of `tasks_of` that may have printed something, in the same order."""
    if target.task is not None:
        return [target.task]
    run = target.run.run
    steps = workspace.metadata.steps(run, target.step)
    return [task for row in steps for task in logs.tasks(run, row)]


def count_tasks(workspace: Workspace, target: Target, *, status: AttemptStatus | None) -> int:
    """Return how many tasks `tasks_of` would return of a run or a step without a limit."""
    rows = workspace.metadata.steps(target.run.run, target.step)
    return sum(row.total if status is None else getattr(row, status) for row in rows)


def is_flow_file(text: str) -> bool:
    """Say whether an argument names a flow file rather than something in the index."""
    return text.endswith(".py") or ".py:" in text


def pathspec_argument(name: str = "pathspec", **rest: Any) -> Callable[..., Any]:
    """Add an argument that takes a pathspec; the shell is offered what there is.

    One that is named `run` or `runs` takes no steps or tasks.
    """
    offer = offer_runs if name in ("run", "runs") else offer_pathspecs
    return click.argument(name, shell_complete=offer, **rest)
