"""`flowkit list ...`: flows, runs, steps, tasks and artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.documents import (
    artifact_document,
    flow_document,
    run_document,
    step_document,
    task_document,
)
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.offers import offer_flows
from flowkit.cli.screen import print_table, say
from flowkit.cli.targets import (
    count_tasks,
    each_task,
    find_target,
    pathspec_argument,
    tasks_of,
)
from flowkit.cli.text import (
    MISSING,
    human_duration,
    human_size,
    local_time,
    one_line,
)
from flowkit.errors import UsageError

if TYPE_CHECKING:
    from flowkit.cli.targets import Target
    from flowkit.client import Workspace
    from flowkit.metadata import RunRow, StepRow, TaskRow

_ALL = 2**62
"""More than there can be, and no more than a database can hold."""

_RUN_STATES = ["running", "succeeded", "failed", "cancelled", "lost"]
_TASK_STATES = ["running", "succeeded", "failed", "lost"]


def limit_option(default: int) -> Callable[[Any], Any]:
    """Add `--limit`."""
    return click.option(
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        default=default,
        show_default=True,
        callback=lambda _context, _option, limit: min(limit, _ALL),
        help="Show so many at most.",
    )


@command("flows", examples=["list flows", "list flows --json"], exits=[4])
@json_option
@click.pass_obj
def list_flows(invocation: Invocation, /, *, as_json: bool) -> None:
    """List the flows that have runs, by name."""
    flows = invocation.open_workspace().metadata.flows()
    if as_json:
        print_json("list-flows", flows=[flow_document(row) for row in flows])
    elif flows:
        rows = [(row.name, f"{row.runs:,}", local_time(row.last_started_at)) for row in flows]
        print_table(("flow", "runs", "latest"), rows, right=["runs"])
    else:
        say("no flow has run yet")


@command(
    "runs",
    examples=["list runs", "list runs Train --status failed", "list runs --tag nightly"],
    exits=[4],
)
@click.argument("name", metavar="[FLOW]", required=False, shell_complete=offer_flows)
@click.option("--flow", metavar="NAME", help="Only runs of this flow, the same as FLOW.")
@click.option("--tag", multiple=True, help="Only runs with this tag; may be repeated.")
@click.option("--status", type=click.Choice(_RUN_STATES), help="Only runs that stand like this.")
@click.option("--user", metavar="NAME", help="Only runs that this user started.")
@limit_option(20)
@json_option
@click.pass_obj
def list_runs(
    invocation: Invocation,
    /,
    *,
    name: str | None,
    flow: str | None,
    tag: tuple[str, ...],
    limit: int,
    as_json: bool,
    **filters: Any,
) -> None:
    """List runs, newest first; with FLOW, only those of that flow."""
    if name is not None and flow is not None:
        raise UsageError("two flows are named", hint="leave `--flow` away")
    workspace = invocation.open_workspace()
    if name is not None:
        flow = name.rstrip("/")
        if workspace.metadata.latest_run(flow) is None:
            from flowkit.client import missing_flow

            raise missing_flow(workspace, flow)
    elif flow is None and invocation.script is not None:
        flow = invocation.script.flow
    runs = workspace.metadata.runs(flow, tags=tag, limit=limit, **filters)
    more = 0
    if len(runs) == limit:
        more = workspace.metadata.count_runs(flow, tags=tag, **filters) - limit
    if as_json:
        print_json("list-runs", runs=[run_document(row) for row in runs], more=more > 0)
    elif runs:
        print_runs(runs)
        _say_more(more)
    else:
        say("no run matches")


@command("steps", examples=["list steps Train/12"], exits=[4])
@pathspec_argument("run", metavar="RUN")
@json_option
@click.pass_obj
def list_steps(invocation: Invocation, /, *, run: str, as_json: bool) -> None:
    """List the steps of a run that have tasks, with how these stand."""
    workspace = invocation.open_workspace()
    target = find_target(workspace, invocation.absolute(run))
    steps = workspace.metadata.steps(target.run.run)
    if as_json:
        print_json(
            "list-steps", run=str(target.run.run), steps=[step_document(row) for row in steps]
        )
    else:
        print_steps(steps)


@command(
    "tasks",
    examples=["list tasks Train/12", "list tasks Train/12/fit --status failed"],
    exits=[4],
)
@pathspec_argument()
@click.option("--status", type=click.Choice(_TASK_STATES), help="Only tasks that stand like this.")
@limit_option(1000)
@json_option
@click.pass_obj
def list_tasks(
    invocation: Invocation, /, *, pathspec: str, as_json: bool, limit: int, status: Any
) -> None:
    """List the tasks of a run or of a step, each as its latest attempt stands."""
    workspace = invocation.open_workspace()
    target = find_target(workspace, invocation.absolute(pathspec))
    if target.task is not None:
        raise UsageError(
            f"`{pathspec}` is one task",
            hint=f"run `{invocation.command_line('show')} {pathspec}` to see it",
        )
    tasks = tasks_of(workspace, target, status=status, limit=limit)
    more = 0
    if len(tasks) == limit:
        more = count_tasks(workspace, target, status=status) - limit
    if as_json:
        documents = [task_document(row) for row in tasks]
        print_json("list-tasks", run=str(target.run.run), tasks=documents, more=more > 0)
    elif tasks:
        print_tasks(tasks)
        _say_more(more)
    else:
        say("no task matches")


@command(
    "artifacts",
    examples=["list artifacts Train/12/fit", "list artifacts Train/12/fit/3 --json"],
    exits=[4],
)
@pathspec_argument()
@limit_option(1000)
@json_option
@click.pass_obj
def list_artifacts(invocation: Invocation, /, *, pathspec: str, as_json: bool, limit: int) -> None:
    """List the artifacts of a task, or of the tasks of a step or a run; loads none."""
    workspace = invocation.open_workspace()
    target = find_target(workspace, invocation.absolute(pathspec))
    all_found = artifacts_of(workspace, target)
    found = list(islice(all_found, limit))
    # How many more is not known: that would mean to read every task's manifest.
    has_more = next(all_found, None) is not None
    if as_json:
        print_json("list-artifacts", run=str(target.run.run), artifacts=found, more=has_more)
        return
    rows = [
        (one["task"], one["name"], one["type"], human_size(one["size_bytes"]), one["digest"][:12])
        for one in found
    ]
    if rows:
        print_table(("task", "artifact", "type", "size", "digest"), rows, right=["size"])
        if has_more:
            say("and more; `--limit` shows more")
    else:
        say("no artifact matches")


def _say_more(number: int) -> None:
    if number > 0:
        say(f"and {number:,} more; `--limit` shows more")


def artifacts_of(workspace: Workspace, target: Target) -> Iterator[dict[str, Any]]:
    """Describe every artifact of the tasks of a target, from their manifests."""
    for task in each_task(workspace, target):
        if task.outcome is not None:
            manifest = workspace.store.manifest(task.outcome.manifest)
            for name, entry in sorted(manifest.artifacts.items()):
                yield artifact_document(task, name, entry)


def print_runs(runs: list[RunRow]) -> None:
    """Print runs as a table."""
    rows = [
        (
            str(row.run),
            row.status,
            local_time(row.started_at),
            _took(row),
            row.user,
            ", ".join(row.tags),
        )
        for row in runs
    ]
    print_table(("run", "status", "started", "took", "user", "tags"), rows, right=["took"])


def print_steps(steps: list[StepRow]) -> None:
    """Print steps as a table; lost tasks have a column only where there are some."""
    has_lost = any(row.lost for row in steps)
    rows = []
    for row in steps:
        took = None
        if row.started_at is not None and row.finished_at is not None:
            took = (row.finished_at - row.started_at).total_seconds()
        numbers = [row.total, row.succeeded, row.cloned, row.running, row.failed]
        numbers += [row.lost] if has_lost else []
        counts = [f"{number:,}" if number else MISSING for number in numbers]
        rows.append((row.step, *counts, human_duration(took)))
    lost = ["lost"] if has_lost else []
    numeric = ["tasks", "succeeded", "cloned", "running", "failed", *lost, "took"]
    print_table(("step", *numeric), rows, right=numeric)


def print_tasks(tasks: list[TaskRow]) -> None:
    """Print tasks as a table."""
    rows = []
    notes = []
    for row in tasks:
        failure = row.failure or row.caught
        note = f"clone of {row.origin}" if row.origin is not None else ""
        if failure is not None:
            caught = "caught " if row.failure is None else ""
            note = caught + one_line(f"{failure.type_name}: {failure.message}", 60)
        notes.append(note)
        memory = human_size(row.peak_memory_bytes) if row.peak_memory_bytes else MISSING
        rows.append(
            (
                f"{row.run}/{row.key}",
                "cloned" if row.origin is not None else row.status,
                str(row.attempt.number),
                local_time(row.started_at),
                _task_took(row),
                memory,
            )
        )
    header = ("task", "status", "attempt", "started", "took", "memory")
    print_table(header, rows, right=["attempt", "took", "memory"], notes=notes)


def _took(row: RunRow) -> str:
    if row.finished_at is None:
        return MISSING
    return human_duration((row.finished_at - row.started_at).total_seconds())


def _task_took(row: TaskRow) -> str:
    if row.finished_at is None or row.started_at is None:
        return MISSING
    return human_duration((row.finished_at - row.started_at).total_seconds())
