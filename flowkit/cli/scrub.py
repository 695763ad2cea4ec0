"""`flowkit logs scrub`: take what tasks printed out of the store."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command
from flowkit.cli.invocation import Invocation
from flowkit.cli.screen import print_lines
from flowkit.cli.targets import find_target, pathspec_argument, tasks_of
from flowkit.cli.text import count_of
from flowkit.errors import NotFound, UsageError
from flowkit.logs import Stream, encode_line
from flowkit.values import Attempt, RunId

if TYPE_CHECKING:
    from flowkit.client import Workspace
    from flowkit.metadata import TaskRow


@command(
    "scrub",
    examples=["logs scrub Train/12/fit", "logs scrub Train/12/fit/3 --all --stderr"],
    exits=[4],
)
@pathspec_argument()
@click.option("--stdout", "only_stdout", is_flag=True, help="Only what went to stdout.")
@click.option("--stderr", "only_stderr", is_flag=True, help="Only what went to stderr.")
@click.option("--both", is_flag=True, help="Both streams, which is the default.")
@click.option("--all", "every", is_flag=True, help="All attempts, not only the latest.")
@click.option("--latest", is_flag=True, help="The latest attempt, which is the default.")
@click.option(
    "--include-not-done", is_flag=True, help="Also tasks that still run: what they printed so far."
)
@click.pass_obj
def scrub_logs(
    invocation: Invocation,
    /,
    *,
    pathspec: str,
    only_stdout: bool,
    only_stderr: bool,
    both: bool,
    every: bool,
    latest: bool,
    include_not_done: bool,
) -> None:
    """Replace what tasks printed by a note that says so. It cannot be brought back.

    For what should never have been printed: a password, somebody's address.
    """
    if every and latest:
        raise UsageError("`--all` and `--latest` exclude each other", hint="give one of them")
    keeps: set[Stream] = set()
    if only_stdout != only_stderr and not both:
        keeps = {"stderr"} if only_stdout else {"stdout"}
    workspace = invocation.open_workspace()
    scrubbed = 0
    for task in tasks_of(workspace, find_target(workspace, invocation.absolute(pathspec))):
        if task.status == "running" and not include_not_done:
            print_lines([f"left {task.run}/{task.key}, which still runs"])
            continue
        for run, attempt in _attempts(workspace, task, every=every):
            scrubbed += _scrub(workspace, run, attempt, keeps)
    print_lines([f"scrubbed {count_of(scrubbed, 'log')}"])


def _attempts(workspace: Workspace, task: TaskRow, *, every: bool) -> list[tuple[RunId, Attempt]]:
    from flowkit.client import printing_attempt

    if not every:
        return [printing_attempt(workspace, task)]
    run, key = task.computed_in, task.computed_by.key
    return [(run, Attempt(key, number)) for number in range(task.attempt.number + 1)]


def _scrub(workspace: Workspace, run: RunId, attempt: Attempt, keeps: set[Stream]) -> int:
    """Replace a log; returns 1, or 0 if there was none."""
    from flowkit.client import live_log, read_log

    lines = list(read_log(workspace, run, attempt))
    if not lines:
        return 0
    now = datetime.now(UTC)
    note = f"[flowkit: scrubbed by {workspace.settings.user} at {now:%Y-%m-%d %H:%M:%S} UTC]"
    gone: tuple[Stream, ...] = ("stdout", "stderr")
    data = b"".join(
        encode_line(round(now.timestamp() * 1e6), stream, note.encode())
        for stream in gone
        if stream not in keeps and any(line.stream == stream for line in lines)
    )
    kept = b"".join(
        encode_line(
            line.time_us,
            line.stream,
            line.text.removesuffix(b"\n"),
            ended=line.text.endswith(b"\n"),
        )
        for line in lines
        if line.stream in keeps
    )
    live = live_log(workspace.settings.home, run, attempt)
    if not workspace.store.replace_log(run, attempt, kept + data):
        if not live.exists():
            raise NotFound(f"the log of `{run}/{attempt.key}` is gone", hint="look once more")
        live.write_bytes(kept + data)
    else:
        with suppress(FileNotFoundError):
            live.unlink()
    return 1
