"""`flowkit explain`: why tasks ran, or which earlier ones stand for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import fitted, print_lines
from flowkit.cli.targets import find_target, pathspec_argument, tasks_of
from flowkit.cli.text import count_of

if TYPE_CHECKING:
    from flowkit.cli.documents import Document
    from flowkit.client import Explanation


@command(
    "explain",
    examples=["explain Train/12", "explain Train/12/fit", "explain Train/12/fit/3 --json"],
    exits=[4],
)
@pathspec_argument()
@json_option
@click.pass_obj
def explain_tasks(invocation: Invocation, /, *, pathspec: str, as_json: bool) -> None:
    """Say why tasks of a run ran, or were reused.

    A task that ran is compared with the earlier one that it has most in common with.
    """
    from flowkit.client import explain

    workspace = invocation.open_workspace()
    target = find_target(workspace, invocation.absolute(pathspec))
    found = list(explain(workspace, tasks_of(workspace, target)))
    if as_json:
        print_json("explain", run=str(target.run.run), tasks=[_document(one) for one in found])
        return
    print_lines(_lines(found))


def _lines(found: list[Explanation]) -> list[str]:
    """Say it in one line for all tasks of a step that have the same reason."""
    groups: dict[tuple[str, str], list[Explanation]] = {}
    for one in found:
        groups.setdefault((one.task.key.step, one.reason), []).append(one)
    lines: list[str] = []
    for (step, reason), these in groups.items():
        who = f"{step}/{these[0].task.key.task_id}"
        if len(these) > 1:
            who = f"{step}, {count_of(len(these), 'task')}"
        lines += fitted(f"{who} {reason}", indent=2)
    return lines


def _document(one: Explanation) -> Document:
    return {
        "task": f"{one.task.run}/{one.task.key}",
        "verdict": one.verdict,
        "reason": one.reason,
        "other": one.other_pathspec,
        "changes": [
            {
                "kind": change.kind,
                "name": change.name,
                "before": change.before,
                "after": change.after,
                "pieces": list(change.pieces),
            }
            for change in one.changes
        ],
    }
