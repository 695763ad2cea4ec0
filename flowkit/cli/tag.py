"""`flowkit tag ...`: the tags that people give to runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_lines
from flowkit.cli.targets import find_run, pathspec_argument

if TYPE_CHECKING:
    from flowkit.client import Run


@command("add", examples=["tag add Train/12 good", "tag add Train/12 good reviewed"], exits=[4])
@pathspec_argument("run", metavar="RUN")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.pass_obj
def add_tags(invocation: Invocation, /, *, run: str, tags: tuple[str, ...]) -> None:
    """Add tags to a run; those that it has already stay."""
    found = _run(invocation, run)
    found.add_tags(tags)
    _print_tags(found)


@command("remove", examples=["tag remove Train/12 good"], exits=[4])
@pathspec_argument("run", metavar="RUN")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.pass_obj
def remove_tags(invocation: Invocation, /, *, run: str, tags: tuple[str, ...]) -> None:
    """Remove tags from a run; those that it does not have are ignored."""
    found = _run(invocation, run)
    found.remove_tags(tags)
    _print_tags(found)


@command("replace", examples=["tag replace Train/12 staging production"], exits=[4])
@pathspec_argument("run", metavar="RUN")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.pass_obj
def replace_tag(invocation: Invocation, /, *, run: str, old: str, new: str) -> None:
    """Replace one tag of a run by another, in one step."""
    found = _run(invocation, run)
    found.replace_tags([old], [new])
    _print_tags(found)


@command("list", examples=["tag list Train/12", "tag list Train/12 --json"], exits=[4])
@pathspec_argument("run", metavar="RUN")
@json_option
@click.pass_obj
def list_tags(invocation: Invocation, /, *, run: str, as_json: bool) -> None:
    """List the tags of a run: those that people gave it, then flowkit's own."""
    row = find_run(invocation.open_workspace(), invocation.absolute(run))
    if as_json:
        print_json(
            "tag-list", run=str(row.run), tags=list(row.tags), system_tags=list(row.system_tags)
        )
    else:
        print_lines([*row.tags, *(f"{tag}  (by flowkit)" for tag in row.system_tags)])


def _run(invocation: Invocation, pathspec: str) -> Run:
    from flowkit.client import Run

    workspace = invocation.open_workspace()
    return Run.of(find_run(workspace, invocation.absolute(pathspec)), workspace)


def _print_tags(run: Run) -> None:
    print_lines(sorted(run.user_tags))
