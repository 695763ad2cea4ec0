"""What a pathspec on the command line names: a run, a step of it, or a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import of_context
from flowkit.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from flowkit.client import Workspace
    from flowkit.metadata import AttemptStatus, RunRow, TaskRow

_OFFERED = 30


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


def is_flow_file(text: str) -> bool:
    """Say whether an argument names a flow file rather than something in the index."""
    return text.endswith(".py") or ".py:" in text


def pathspec_argument(name: str = "pathspec", **rest: Any) -> Callable[..., Any]:
    """Add an argument that takes a pathspec and offers the latest ones to the shell."""
    return click.argument(name, shell_complete=offer_pathspecs, **rest)


def offer_pathspecs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer flows until a slash is typed, then the newest runs of the flow."""
    from click.shell_completion import CompletionItem

    index = of_context(ctx).open_workspace().metadata
    flow, slash, _ = incomplete.partition("/")
    if not slash:
        names = [f"{row.name}/" for row in index.flows()]
    else:
        names = [str(row.run) for row in index.runs(flow, limit=_OFFERED)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def offer_flows(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the flows that have runs."""
    from click.shell_completion import CompletionItem

    names = [row.name for row in of_context(ctx).open_workspace().metadata.flows()]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
