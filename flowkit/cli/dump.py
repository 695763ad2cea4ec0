"""`flowkit dump`: the artifacts of tasks, printed or saved to one file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import plain_value, print_json
from flowkit.cli.screen import paint, print_lines, say
from flowkit.cli.targets import find_target, pathspec_argument, tasks_of
from flowkit.cli.text import count_of, human_size
from flowkit.errors import NotFound, UsageError

if TYPE_CHECKING:
    from flowkit.client import Workspace
    from flowkit.metadata import TaskRow
    from flowkit.values import ArtifactEntry

Found = list[tuple["TaskRow", dict[str, "ArtifactEntry"]]]
"""Tasks and the artifacts of each that were asked for."""


@command(
    "dump",
    examples=[
        "dump Train/12/fit",
        "dump Train/12/fit/3 --include model,score",
        "dump Train/12 --file artifacts.pickle",
    ],
    exits=[4],
)
@pathspec_argument()
@click.option("--include", metavar="NAME,...", help="Only artifacts with these names.")
@click.option("--private", is_flag=True, help="Also artifacts whose names start with `_`.")
@click.option(
    "--max-value-size",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    metavar="BYTES",
    help="Print larger values by type and size only; 0 prints names only.",
)
@click.option(
    "--file", "file", metavar="FILE", help="Save a pickle: {run/step/task: {name: value}}."
)
@json_option
@click.pass_obj
def dump_artifacts(
    invocation: Invocation,
    /,
    *,
    pathspec: str,
    include: str | None,
    private: bool,
    max_value_size: int,
    file: str | None,
    as_json: bool,
) -> None:
    """Print the artifacts of a task, or of all tasks of a step or a run, or save them to a file.

    Reading a value may unpickle it: do this with stores that you trust, such as your own.
    """
    workspace = invocation.open_workspace()
    tasks = tasks_of(workspace, find_target(workspace, invocation.absolute(pathspec)))
    names = tuple(name.strip() for name in include.split(",")) if include is not None else None
    found = _artifacts(workspace, tasks, names=names, private=private)
    if file is not None:
        _save(workspace, found, file)
    elif as_json:
        print_json("dump", tasks=_documents(workspace, found, max_value_size))
    elif not found:
        say(f"no task of {pathspec} has succeeded, so there are no artifacts")
    else:
        _print(workspace, found, max_value_size)


def _artifacts(
    workspace: Workspace, tasks: list[TaskRow], *, names: tuple[str, ...] | None, private: bool
) -> Found:
    found = []
    seen: set[str] = set()
    for task in tasks:
        if task.outcome is None:
            continue
        entries = workspace.store.manifest(task.outcome.manifest).artifacts
        wanted = {
            name: entry
            for name, entry in sorted(entries.items())
            if (name in names if names is not None else private or not name.startswith("_"))
        }
        seen.update(wanted)
        found.append((task, wanted))
    missing = [name for name in names or () if name not in seen]
    if missing:
        raise NotFound(
            f"no task here has an artifact `{missing[0]}`",
            hint="leave `--include` away to see what there is",
        )
    return found


def _save(workspace: Workspace, found: Found, file: str) -> None:
    values = {
        f"{task.run.id}/{task.key}": {
            name: workspace.store.load(entry) for name, entry in entries.items()
        }
        for task, entries in found
    }
    try:
        with Path(file).open("wb") as target:
            pickle.dump(values, target)
    except OSError as error:
        raise UsageError(
            f"`{file}` cannot be written: {error.strerror}", hint="name another file"
        ) from error
    number = sum(len(entries) for entries in values.values())
    say(f"saved {count_of(number, 'artifact')} of {count_of(len(values), 'task')} to {file}")


def _print(workspace: Workspace, found: Found, limit: int) -> None:
    for at, (task, entries) in enumerate(found):
        print_lines([*([""] if at else []), paint(f"{task.run}/{task.key}", "bold")])
        width = max(map(len, entries), default=0)
        for name, entry in entries.items():
            if not limit:
                print_lines([f"  {name}"])
                continue
            left = f"  {name:<{width}} = "
            # The lines of an array keep their places below one another.
            shown = _shown(workspace, entry, limit).replace("\n", "\n" + " " * len(left))
            print_lines([left + shown])


def _shown(workspace: Workspace, entry: ArtifactEntry, limit: int) -> str:
    if entry.size_bytes > limit:
        return f"<{entry.type_name}, {human_size(entry.size_bytes)}>"
    return repr(workspace.store.load(entry))


def _documents(workspace: Workspace, found: Found, limit: int) -> dict[str, Any]:
    """Describe artifacts; a value that JSON can hold is `value`, any other small one `text`."""
    documents: dict[str, Any] = {}
    for task, entries in found:
        told = documents[f"{task.run}/{task.key}"] = {}
        for name, entry in entries.items():
            told[name] = {
                "type": entry.type_name,
                "size_bytes": entry.size_bytes,
                "digest": entry.digest.hex(),
            }
            if 0 < entry.size_bytes <= limit:
                told[name] |= plain_value(workspace.store.load(entry))
    return documents
