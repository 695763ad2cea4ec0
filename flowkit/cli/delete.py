"""`flowkit run delete`: remove runs for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command
from flowkit.cli.invocation import Invocation
from flowkit.cli.screen import print_lines
from flowkit.cli.targets import find_run, pathspec_argument
from flowkit.cli.text import count_of
from flowkit.errors import MetadataError, UsageError

if TYPE_CHECKING:
    from flowkit.client import Workspace
    from flowkit.values import RunId


@command(
    "run delete",
    examples=["run delete Train/12", "run delete Train/12 Train/13 --yes"],
    exits=[4],
)
@pathspec_argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete_runs(invocation: Invocation, /, *, runs: tuple[str, ...], yes: bool) -> None:
    """Delete runs: their tasks, logs and tags. Their numbers are never used again.

    The bytes of their artifacts go with the next `flowkit gc`, unless another run needs them.
    """
    workspace = invocation.open_workspace()
    rows = [find_run(workspace, invocation.absolute(run)) for run in dict.fromkeys(runs)]
    for row in rows:
        if row.status == "running":
            raise UsageError(
                f"run `{row.run}` is still running",
                hint=f"stop it first (process {row.pid} on {row.host}), or wait until it ends",
            )
    if not yes:
        _ask([str(row.run) for row in rows])
    for row in rows:
        _delete(workspace, row.run)
        print_lines([f"deleted {row.run}"])


def _delete(workspace: Workspace, run: RunId) -> None:
    # The index first: what it lists must be there to be looked at.
    try:
        workspace.metadata.forget_run(run)
    except MetadataError as error:
        # The disk may be full, and deleting is how to change that.
        workspace.store.delete_run(run)
        try:
            workspace.metadata.forget_run(run)
        except MetadataError:
            raise MetadataError(
                f"run `{run}` is deleted, but the index still lists it: {error.message}",
                hint="free space with `flowkit gc`, then delete the run again",
            ) from error
    else:
        workspace.store.delete_run(run)


def _ask(names: list[str]) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"deleting {count_of(len(names), 'run')} needs a yes", hint="add `--yes` to the command"
        )
    click.confirm(f"Delete {', '.join(names)} for good?", abort=True, err=True)
