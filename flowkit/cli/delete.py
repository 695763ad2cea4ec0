"""`flowkit run delete`: remove runs for good."""

from __future__ import annotations

import sys

import click

from flowkit.cli.command import command
from flowkit.cli.invocation import Invocation
from flowkit.cli.screen import print_lines
from flowkit.cli.targets import find_run, pathspec_argument
from flowkit.cli.text import count_of
from flowkit.errors import UsageError

_MOST_NAMES = 10


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

    The bytes of their artifacts go with the next `flowkit gc`, unless another run needs them. Tasks
    of other runs that were cloned from them have no log and no cards any more.
    """
    from flowkit.client import delete_run

    workspace = invocation.open_workspace()
    rows = [find_run(workspace, invocation.absolute(run)) for run in dict.fromkeys(runs)]
    for row in rows:
        if row.status == "running":
            raise UsageError(
                f"run `{row.run}` is still running",
                hint=f"stop it first (process {row.pid} on {row.host}), or wait until it ends",
            )
    if not yes:
        ask_to_delete([str(row.run) for row in rows])
    for row in rows:
        delete_run(workspace, row.run)
        print_lines([f"deleted {row.run}"])


def ask_to_delete(names: list[str]) -> None:
    """Ask whether runs may go. Raises UsageError where nobody can answer."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"deleting {count_of(len(names), 'run')} needs a yes", hint="add `--yes` to the command"
        )
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    click.confirm(f"Delete {shown}{more} for good?", abort=True, err=True)
