"""What a pathspec on the command line names: a run, a step of it, or a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import of_context
from flowkit.errors import NotFound, UsageError
from flowkit.values import RunId

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
    index = workspace.metadata
    run = index.run(RunId(parts[0], parts[1]))
    if run is None:
        raise _no_run(workspace, parts[0], parts[1])
    if len(parts) == 2:
        return Target(run)
    step = parts[2]
    if len(parts) == 4:
        task = index.find_task(run.run, step, parts[3])
        if task is not None:
            return Target(run, step, task)
    known = [row.step for row in index.steps(run.run)]
    if step not in known:
        raise _missing(f"run `{run.run}` has no step `{step}` that ran", step, known)
    if len(parts) == 4:
        last = index.tasks(run.run, step)[-1]
        raise NotFound(
            f"step `{run.run}/{step}` has no task `{parts[3]}`",
            hint=f"its last task is `{run.run}/{last.key}`",
        )
    return Target(run, step)


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


def _no_run(workspace: Workspace, flow: str, run: str) -> NotFound:
    flows = [row.name for row in workspace.metadata.flows()]
    if flow not in flows:
        return _missing(f"flow `{flow}` has no runs here", flow, flows)
    newest = workspace.metadata.latest_run(flow)
    hint = f"its newest run is `{newest.run}`" if newest is not None else None
    return NotFound(f"flow `{flow}` has no run `{run}`", hint=hint)


def _missing(message: str, name: str, known: list[str]) -> NotFound:
    near = get_close_matches(name, known, n=1)
    if near:
        return NotFound(message, hint=f"did you mean `{near[0]}`?")
    if known:
        listed = ", ".join(f"`{one}`" for one in known[:8])
        return NotFound(message, hint=f"there are {listed}{', …' if len(known) > 8 else ''}")
    return NotFound(message, hint="run a flow first, or name the store with `--store`")
