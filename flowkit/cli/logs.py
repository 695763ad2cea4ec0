"""`flowkit logs`: what tasks printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING

import click

from flowkit.cli.command import Command, command, json_option
from flowkit.cli.following import Said, follow
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.targets import (
    Target,
    count_tasks,
    find_target,
    pathspec_argument,
    tasks_of,
    tasks_with_logs,
)
from flowkit.cli.text import task_label, utc_time
from flowkit.errors import NotFound, UsageError
from flowkit.logs import whole_lines
from flowkit.values import Attempt, RunId

if TYPE_CHECKING:
    from flowkit.client import Workspace
    from flowkit.metadata import TaskRow


@command(
    "logs",
    examples=[
        "logs Train/12/fit",
        "logs Train/12 --follow",
        "logs Train/12/fit/3 --stderr --attempt 0",
        "logs Train/12 --timestamps",
    ],
    exits=[4],
)
@pathspec_argument()
@click.option("--stdout", "only_stdout", is_flag=True, help="Only what went to stdout.")
@click.option("--stderr", "only_stderr", is_flag=True, help="Only what went to stderr.")
@click.option("--both", is_flag=True, help="Both streams, which is the default.")
@click.option(
    "--follow", "-f", "follows", is_flag=True, help="Go on with what is printed until the run ends."
)
@click.option("--timestamps", is_flag=True, help="Put the time (UTC) before every line.")
@click.option(
    "--attempt", type=click.IntRange(0), metavar="N", help="This attempt instead of the last."
)
@click.option("--no-prefix", is_flag=True, help="Do not say which task printed a line.")
@json_option
@click.pass_obj
def print_logs(
    invocation: Invocation,
    /,
    *,
    pathspec: str,
    only_stdout: bool,
    only_stderr: bool,
    both: bool,
    follows: bool,
    timestamps: bool,
    attempt: int | None,
    no_prefix: bool,
    as_json: bool,
) -> None:
    """Print what a task printed, or what all tasks of a step or a run did.

    That is what its last attempt printed; where `@catch` stood in for a process that died, it is
    what that process printed.

    A single task's output is printed as it was. With several, lines are in order of time and say
    whose they are; with `--no-prefix`, one task's output follows the other's.

    `--follow` shows all attempts of a run that still goes on, line by line as they print.
    """
    workspace = invocation.open_workspace()
    target = find_target(workspace, invocation.absolute(pathspec))
    streams = {"stdout", "stderr"} if both or only_stdout == only_stderr else set()
    streams |= {"stdout"} if only_stdout else {"stderr"} if only_stderr else set()
    if follows:
        if as_json or attempt is not None:
            raise UsageError(
                "`--follow` shows all attempts, as text", hint="leave `--json` and `--attempt` away"
            )
        several = target.task is None and not no_prefix

        def show(news: Iterator[Said]) -> None:
            chosen = (one for one in news if one[2].stream in streams)
            _print(chosen, prefix=several, timestamps=timestamps)

        follow(workspace, target, show)
        return
    logs = _logs_of(workspace, target, attempt)
    bare = not as_json and (no_prefix or bool(invocation.overrides.get("quiet")))
    # Each task's lines keep their order, even where its clock went back.
    mixed = chain(*logs) if bare else merge(*logs, key=lambda one: one[2].time_us)
    said = (one for one in mixed if one[2].stream in streams)
    if as_json:
        print_json("logs", lines=[_document(one) for one in said])
    else:
        several = not bare and target.task is None
        prefix = several and count_tasks(workspace, target, status=None) > 1
        _print(said, prefix=prefix, timestamps=timestamps)


show_logs = Command(
    "show",
    params=print_logs.params,
    callback=print_logs.callback,
    help=print_logs.help,
    examples=["logs show Train/12/fit", "logs show Train/12/fit/3 --stderr"],
    exits=[4],
)
"""`logs show` is what Metaflow's flow scripts call it."""


def _logs_of(workspace: Workspace, target: Target, number: int | None) -> list[Iterator[Said]]:
    """Return the lines of each task of a target; of attempt `number` instead of what they printed.

    Raises NotFound if a task has no such attempt.
    """
    from flowkit.client import KnownLogs, printing_attempt

    known = KnownLogs(workspace)
    found: list[Iterator[Said]] = []
    if number is None:
        tasks = tasks_with_logs(workspace, target, known)
    else:
        tasks = tasks_of(workspace, target)
    for task in tasks:
        if number is None:
            run, attempt = printing_attempt(workspace, task)
        elif number > task.attempt.number:
            raise NotFound(
                f"task `{task.run}/{task.key}` has no attempt {number}",
                hint=f"its last attempt is {task.attempt.number}",
            )
        else:
            run, attempt = task.computed_in, Attempt(task.computed_by.key, number)
        if known.has(run, attempt):
            found.append(_lines_of(workspace, task, run, attempt))
    return found


def _lines_of(workspace: Workspace, task: TaskRow, run: RunId, attempt: Attempt) -> Iterator[Said]:
    from flowkit.client import read_log

    for line in whole_lines(read_log(workspace, run, attempt)):
        yield task, attempt, line


def _print(said: Iterable[Said], *, prefix: bool, timestamps: bool) -> None:
    sys.stdout.flush()
    out = sys.stdout.buffer
    for task, _, line in said:
        if timestamps:
            out.write(f"{line.time:%Y-%m-%d %H:%M:%S.%f} ".encode())
        if prefix:
            out.write(f"{task_label(task.key)} | ".encode())
        out.write(line.text)
        if prefix and not line.text.endswith(b"\n"):
            out.write(b"\n")
    out.flush()


def _document(said: Said) -> dict[str, object]:
    task, attempt, line = said
    return {
        "task": f"{task.run}/{task.key}",
        "attempt": attempt.number,
        "time": utc_time(line.time),
        "stream": line.stream,
        "text": line.text.decode(errors="replace"),
    }
