"""`flowkit tag ...`: the tags that people give to runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.offers import offer_runs
from flowkit.cli.screen import print_lines
from flowkit.cli.targets import find_run
from flowkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from flowkit.client import Run
    from flowkit.metadata import RunRow


def _run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what names a run in other ways than as the first argument."""
    named = click.option(
        "--run-id",
        metavar="ID",
        help="The run, instead of RUN: `Train/12`, or `12` for a flow script.",
    )
    seen = click.option(
        "--namespace", metavar="NAME", help="Refuse a run that is not in this namespace."
    )
    return named(seen(function))


@command(
    "add",
    examples=["tag add Train/12 good", "tag add --run-id Train/12 good reviewed"],
    exits=[4],
)
@click.argument("words", nargs=-1, required=True, metavar="RUN TAG...", shell_complete=offer_runs)
@_run_options
@click.pass_obj
def add_tags(
    invocation: Invocation,
    /,
    *,
    words: tuple[str, ...],
    run_id: str | None,
    namespace: str | None,
) -> None:
    """Add tags to a run; those that it has already stay."""
    run, tags = _named(invocation, words, run_id, namespace)
    _want(tags, "TAG")
    run.add_tags(tags)
    _print_tags(run)


@command("remove", examples=["tag remove Train/12 good"], exits=[4])
@click.argument("words", nargs=-1, required=True, metavar="RUN TAG...", shell_complete=offer_runs)
@_run_options
@click.pass_obj
def remove_tags(
    invocation: Invocation,
    /,
    *,
    words: tuple[str, ...],
    run_id: str | None,
    namespace: str | None,
) -> None:
    """Remove tags from a run; those that it does not have are ignored."""
    run, tags = _named(invocation, words, run_id, namespace)
    _want(tags, "TAG")
    run.remove_tags(tags)
    _print_tags(run)


@command("replace", examples=["tag replace Train/12 staging production"], exits=[4])
@click.argument("words", nargs=-1, required=True, metavar="RUN OLD NEW", shell_complete=offer_runs)
@_run_options
@click.pass_obj
def replace_tag(
    invocation: Invocation,
    /,
    *,
    words: tuple[str, ...],
    run_id: str | None,
    namespace: str | None,
) -> None:
    """Replace one tag of a run by another, in one step."""
    run, tags = _named(invocation, words, run_id, namespace)
    if len(tags) != 2:
        raise UsageError(
            f"`tag replace` takes an old tag and a new one, not {len(tags)} tags",
            hint="write it as in `flowkit tag replace Train/12 staging production`",
        )
    run.replace_tags(tags[:1], tags[1:])
    _print_tags(run)


@command(
    "list",
    examples=[
        "tag list Train/12",
        "tag list Train --all --group-by-tag",
        "tag list Train --my-runs --flat",
    ],
    exits=[4],
)
@click.argument("what", required=False, metavar="RUN|FLOW", shell_complete=offer_runs)
@_run_options
@click.option("--all", "every", is_flag=True, help="The tags of all runs of FLOW.")
@click.option("--my-runs", is_flag=True, help="The tags of your own runs of FLOW.")
@click.option("--hide-system-tags", is_flag=True, help="Only tags that people gave.")
@click.option("--group-by-tag", is_flag=True, help="Each tag, with the runs that have it.")
@click.option("--group-by-run", is_flag=True, help="Each run, with its tags.")
@click.option("--flat", is_flag=True, help="One tag a line and nothing else, for scripts.")
@json_option
@click.pass_obj
def list_tags(
    invocation: Invocation,
    /,
    *,
    what: str | None,
    run_id: str | None,
    namespace: str | None,
    every: bool,
    my_runs: bool,
    hide_system_tags: bool,
    group_by_tag: bool,
    group_by_run: bool,
    flat: bool,
    as_json: bool,
) -> None:
    """List the tags of a run: those that people gave it, then flowkit's own.

    With `--all` or `--my-runs`, the tags of many runs.
    """
    if sum((group_by_tag, group_by_run, flat)) > 1:
        raise UsageError(
            "`--group-by-tag`, `--group-by-run` and `--flat` exclude each other",
            hint="give one of them",
        )
    if every or my_runs:
        rows = _runs_of(invocation, what, namespace, mine=my_runs)
    else:
        run, _ = _named(invocation, (what,) if what else (), run_id, namespace)
        rows = [run.row]
    system = not hide_system_tags
    if as_json and len(rows) == 1 and not (every or my_runs):
        (row,) = rows
        print_json(
            "tag-list",
            run=str(row.run),
            tags=list(row.tags),
            system_tags=list(row.system_tags) if system else [],
        )
    elif as_json:
        runs = {str(row.run): _tags(row, system) for row in rows}
        print_json("tag-list-many", runs=runs)
    elif group_by_tag:
        print_lines(_by_tag(rows, system))
    elif group_by_run or (len(rows) > 1 and not flat):
        print_lines(f"{row.run}: {', '.join(_tags(row, system))}" for row in rows)
    elif flat or every or my_runs:
        print_lines(sorted({tag for row in rows for tag in _tags(row, system)}))
    else:
        (row,) = rows
        own = [f"{tag}  (by flowkit)" for tag in row.system_tags] if system else []
        print_lines([*row.tags, *own])


def _tags(row: RunRow, system: bool) -> list[str]:
    return [*row.tags, *(row.system_tags if system else ())]


def _by_tag(rows: Iterable[RunRow], system: bool) -> list[str]:
    runs: dict[str, list[str]] = {}
    for row in rows:
        for tag in _tags(row, system):
            runs.setdefault(tag, []).append(str(row.run))
    return [f"{tag}: {', '.join(runs[tag])}" for tag in sorted(runs)]


def _runs_of(
    invocation: Invocation, what: str | None, namespace: str | None, *, mine: bool
) -> list[RunRow]:
    """Return the runs of the flow that is named, newest first."""
    flow = what or (invocation.script.flow if invocation.script else None)
    if flow is None or "/" in flow:
        raise UsageError("no flow is named", hint="write it as in `flowkit tag list Train --all`")
    workspace = invocation.open_workspace()
    tags = [namespace] if namespace else []
    if mine:
        tags.append(f"user:{workspace.settings.user}")
    return workspace.metadata.runs(flow, tags=tags)


def _named(
    invocation: Invocation, words: tuple[str, ...], run_id: str | None, namespace: str | None
) -> tuple[Run, tuple[str, ...]]:
    """Split what was typed into the run that it names and the words that follow."""
    from flowkit.client import NamespaceMismatch, Run

    if run_id is None:
        _want(words, "RUN")
        run_id, words = words[0], words[1:]
    workspace = invocation.open_workspace()
    run = Run.of(find_run(workspace, invocation.absolute(run_id)), workspace)
    if namespace is not None and namespace not in run.tags:
        raise NamespaceMismatch(what=f"run `{run.pathspec}`", namespace=namespace)
    return run, words


def _want(words: tuple[str, ...], what: str) -> None:
    if not words:
        raise UsageError(f"no {what} is given", hint="`--help` shows how to write it")


def _print_tags(run: Run) -> None:
    print_lines(sorted(run.user_tags))
