"""`flowkit show`: a flow file, a flow's runs, a run, a step or a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.artifacts import ArtifactReader
from flowkit.cli.command import command, json_option
from flowkit.cli.configs import config_documents, config_options, config_texts
from flowkit.cli.documents import (
    artifact_document,
    run_document,
    step_document,
    task_document,
)
from flowkit.cli.flows import read_description
from flowkit.cli.invocation import Invocation
from flowkit.cli.listing import print_runs, print_steps, print_tasks
from flowkit.cli.machine import print_json
from flowkit.cli.offers import offer_pathspecs_or_files
from flowkit.cli.parameters import parameter_help, parameter_metavar
from flowkit.cli.report import near_path
from flowkit.cli.screen import fitted, paint, print_lines, print_table
from flowkit.cli.targets import Target, find_target, is_flow_file
from flowkit.cli.text import (
    count_of,
    human_duration,
    human_size,
    local_time,
    visible,
)
from flowkit.errors import UsageError

if TYPE_CHECKING:
    from flowkit.client import Workspace
    from flowkit.graph import FlowDescription, Node
    from flowkit.metadata import AttemptRow, RunRow, TaskRow
    from flowkit.values import ArtifactEntry, Failure

_COLOURS = {"succeeded": "green", "failed": "red", "lost": "red", "running": "cyan"}
_LARGEST_SHOWN_BYTES = 10_000
_MOST_ROWS = 20


@command(
    "show",
    examples=["show flow.py", "show Train", "show Train/12", "show Train/12/fit/3 --json"],
    exits=[3, 4],
    params=config_options(),
)
@click.argument(
    "target",
    metavar="FLOW|PATHSPEC",
    required=False,
    shell_complete=offer_pathspecs_or_files,
)
@json_option
@click.pass_obj
def show(invocation: Invocation, /, *, target: str | None, as_json: bool, **given: Any) -> None:
    """Show what is in a flow file, or how a run, a step or a task went.

    `Flow` alone shows the flow's latest runs.
    """
    if target is None:
        if invocation.script is None:
            raise UsageError("nothing to show is named", hint="run `flowkit show flow.py`")
        target = invocation.script.source
    if is_flow_file(target):
        _show_flow(read_description(invocation, target, given), as_json=as_json)
        return
    workspace = invocation.open_workspace()
    pathspec = invocation.absolute(target)
    if "/" not in pathspec.strip("/"):
        _show_runs(workspace, pathspec.strip("/"), as_json=as_json)
        return
    found = find_target(workspace, pathspec)
    if found.task is not None:
        _show_task(workspace, found.task, as_json=as_json)
    elif found.step is not None:
        _show_step(workspace, found, as_json=as_json)
    else:
        _show_run(workspace, found.run, as_json=as_json)


def _show_flow(flow: FlowDescription, *, as_json: bool) -> None:
    if as_json:
        from flowkit.cli.machine import parsed
        from flowkit.graph import to_json

        print_json("show-flow", flow=flow.name, graph=parsed(to_json(flow)))
        return
    lines = [f"{paint(flow.name, 'bold')}  {near_path(flow.file)}"]
    for line in flow.doc.strip().splitlines():
        lines += fitted(f"  {line}".rstrip(), indent=2)
    print_lines(lines)
    if flow.parameters:
        print_lines(["", paint("Parameters", "bold")])
        names = [f"--{one.name} {parameter_metavar(one)}" for one in flow.parameters]
        width = max(map(len, names))
        for name, one in zip(names, flow.parameters, strict=True):
            line = f"  {name:<{width}}  {parameter_help(one)}".rstrip()
            print_lines(fitted(line, indent=width + 4))
    if flow.configs:
        print_lines(["", paint("Configs", "bold")])
        values = config_texts(flow.configs)
        width = max(map(len, values))
        for config in flow.configs:
            told = f"{values[config.name]}  {config.help}".rstrip()
            print_lines(fitted(f"  {config.name:<{width}}  {told}", indent=width + 4))
    print_lines(["", paint("Steps", "bold")])
    width = max((len(node.name) for node in flow.nodes), default=0)
    for node in flow.nodes:
        print_lines(fitted(f"  {node.name:<{width}}  {_hand_over(node)}", indent=width + 4))
        left = " " * (width + 6)
        for line in node.doc.strip().splitlines():
            about = fitted(f"{left}{line.strip()}".rstrip(), indent=width + 6)
            print_lines(paint(one, "dim") if one else one for one in about)


def _hand_over(node: Node) -> str:
    text = "joins, then " if node.is_join else ""
    if node.foreach is not None:
        return f"{text}for each of `{node.foreach}`: {', '.join(node.targets)}"
    if node.num_parallel is not None:
        return f"{text}as a gang of `{node.num_parallel}`: {', '.join(node.targets)}"
    if node.condition is not None:
        arms = ", ".join(f"{case.value} -> {case.target}" for case in node.cases)
        return f"{text}by `{node.condition}`: {arms}"
    return text + (f"-> {', '.join(node.targets)}" if node.targets else "ends")


def _show_runs(workspace: Workspace, flow: str, *, as_json: bool) -> None:
    runs = workspace.metadata.runs(flow, limit=_MOST_ROWS)
    if not runs:
        from flowkit.client import missing_flow

        raise missing_flow(workspace, flow)
    total = len(runs) if len(runs) < _MOST_ROWS else workspace.metadata.count_runs(flow)
    more = total - len(runs)
    if as_json:
        documents = [run_document(row) for row in runs]
        print_json("show-runs", flow=flow, runs=documents, more=more > 0)
        return
    print_runs(runs)
    if more > 0:
        listing = f"flowkit list runs {flow} --limit {total}"
        print_lines([f"and {more:,} more; `{listing}` lists them"])


def _show_run(workspace: Workspace, run: RunRow, *, as_json: bool) -> None:
    steps = workspace.metadata.steps(run.run)
    parameters = _parameters(workspace, run)
    described = workspace.store.run_record(run.run).description.configs
    configs = config_texts(described)
    # A run may be anybody's: to look at it runs nothing of what is in it.
    reader = ArtifactReader(workspace.store, runs_code=False)
    if as_json:
        told = {
            name: reader.document(one, limit=_LARGEST_SHOWN_BYTES)
            for name, one in parameters.items()
        }
        print_json(
            "show-run",
            **run_document(run),
            parameters=told,
            configs=config_documents(described),
            steps=[step_document(row) for row in steps],
        )
        return
    lines = [
        f"{name}={reader.text(one, limit=_LARGEST_SHOWN_BYTES, width=80)}"
        for name, one in parameters.items()
    ]
    print_lines([f"{paint(str(run.run), 'bold')}  {_status(run.status)}"])
    took = None
    if run.finished_at is not None:
        took = (run.finished_at - run.started_at).total_seconds()
    facts = {
        "started": f"{local_time(run.started_at)} by {run.user} on {run.host}",
        "took": human_duration(took) if took is not None else "",
        "resumes": str(run.origin) if run.origin else "",
        "tags": ", ".join(run.tags),
        "parameters": "\n".join(lines),
        "configs": "\n".join(f"{name}={text}" for name, text in configs.items()),
    }
    _print_facts(facts)
    if steps:
        print_lines([""])
        print_steps(steps)
    if run.failed:
        more = len(run.failed) - 1
        others = f", and {count_of(more, 'more task')}" if more else ""
        print_lines(["", f"{paint('failed', 'red')}: {run.run}/{run.failed[0]}{others}"])
    if run.status == "lost":
        file = near_path(workspace.store.run_record(run.run).description.file)
        print_lines(["", "its driver, the process that started its tasks, died"])
        _print_hint(f"go on with `flowkit resume {file} --origin-run-id {run.run.id}`")
    _print_failure(run.failure)


def _parameters(workspace: Workspace, run: RunRow) -> dict[str, ArtifactEntry]:
    """Return a run's parameters by the names of their options."""
    described = workspace.store.run_record(run.run).description.parameters
    entries = workspace.store.manifest(run.parameters).artifacts
    return {one.name: entries[one.attribute] for one in described if one.attribute in entries}


def _show_step(workspace: Workspace, found: Target, *, as_json: bool) -> None:
    step = found.step or ""
    rows = [row for row in workspace.metadata.steps(found.run.run) if row.step == step]
    tasks = workspace.metadata.tasks(found.run.run, step, limit=None if as_json else _MOST_ROWS)
    if as_json:
        print_json(
            "show-step",
            run=str(found.run.run),
            **step_document(rows[0]),
            task_rows=[task_document(row) for row in tasks],
        )
        return
    if rows[0].total == 1:
        _show_task(workspace, tasks[0], as_json=False)
        return
    print_lines([paint(f"{found.run.run}/{step}", "bold"), ""])
    print_steps(rows)
    print_lines([""])
    print_tasks(tasks)
    if rows[0].total > len(tasks):
        more = f"flowkit list tasks {found.run.run}/{step}"
        print_lines([f"and {rows[0].total - len(tasks):,} more; `{more}` lists them"])


def _show_task(workspace: Workspace, task: TaskRow, *, as_json: bool) -> None:
    attempts = workspace.metadata.attempts(task.run, task.key)
    from flowkit.cli.gangs import gang_of

    gang = gang_of(workspace, task)
    entries = {}
    if task.outcome is not None:
        entries = dict(sorted(workspace.store.manifest(task.outcome.manifest).artifacts.items()))
    if as_json:
        print_json(
            "show-task",
            **task_document(task),
            gang=gang,
            attempts=[task_document(row) for row in attempts],
            artifacts=[artifact_document(task, name, one) for name, one in entries.items()],
        )
        return
    status = "cloned" if task.origin is not None else task.status
    print_lines([f"{paint(f'{task.run}/{task.key}', 'bold')}  {_status(status)}"])
    _print_facts({"gang": str(gang or ""), **_task_facts(task)})
    if len(attempts) > 1:
        print_lines([""])
        print_tasks(attempts)
    if entries:
        print_lines([""])
        rows = [
            (name, one.type_name, human_size(one.size_bytes), str(one.digest))
            for name, one in entries.items()
        ]
        print_table(("artifact", "type", "size", "digest"), rows, right=["size"])
    _print_failure(task.failure or task.caught)


def _task_facts(task: AttemptRow) -> dict[str, str]:
    took = None
    if task.finished_at is not None and task.started_at is not None:
        took = (task.finished_at - task.started_at).total_seconds()
    outcome = task.outcome
    return {
        "clone of": f"{task.origin}/{task.computed_by.key}" if task.origin is not None else "",
        "started": _started(task),
        "took": f"{human_duration(took)}, {task.cpu_s:.2f}s of CPU" if took is not None else "",
        "memory": human_size(task.peak_memory_bytes) if task.peak_memory_bytes else "",
        "fanned out": count_of(outcome.width, "task") if outcome and outcome.width else "",
        "chose": outcome.choice or "" if outcome else "",
        "caught": f"{task.caught.type_name}" if task.caught else "",
    }


def _started(task: AttemptRow) -> str:
    if task.started_at is None:
        return ""
    # The index learns where an attempt ran when it ends.
    return local_time(task.started_at) + (f" on {task.host}" if task.host else "")


def _print_facts(facts: dict[str, str]) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        for at, line in enumerate(value.splitlines()):
            label = "" if at else name
            print_lines(fitted(f"  {label:<{width}}  {line}", indent=width + 4))


def _print_failure(failure: Failure | None) -> None:
    if failure is None:
        return
    text = failure.traceback.rstrip() or f"{failure.type_name}: {failure.message}"
    print_lines(["", *visible(text).splitlines()])
    if failure.hint:
        _print_hint(failure.hint)


def _print_hint(hint: str) -> None:
    print_lines(["", f"{paint('hint:', 'bold cyan')} {hint}"])


def _status(status: str) -> str:
    return paint(status, _COLOURS.get(status, "yellow"))
