"""`flowkit dump`: the artifacts of tasks, printed or saved to one file."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from flowkit.cli.artifacts import ArtifactReader, Unusable, open_artifacts
from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.report import print_error
from flowkit.cli.screen import paint, print_lines, say
from flowkit.cli.targets import find_target, pathspec_argument, tasks_of
from flowkit.cli.text import count_of
from flowkit.errors import NotFound, StoreError, UsageError

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
) -> int:
    """Print the artifacts of a task, or of all tasks of a step or a run, or save them to a file.

    Reading a value may unpickle it and import the flow file: do this with stores that you trust,
    such as your own.
    """
    workspace = invocation.open_workspace()
    target = find_target(workspace, invocation.absolute(pathspec))
    tasks = tasks_of(workspace, target)
    names = tuple(name.strip() for name in include.split(",")) if include is not None else None
    found = _artifacts(workspace, tasks, names=names, private=private)
    with open_artifacts(workspace.store, target.run.run) as reader:
        if file is not None:
            return _save(reader, found, file)
        if as_json:
            print_json("dump", tasks=_documents(reader, found, max_value_size))
        elif not found:
            say(f"no task of {pathspec} has succeeded, so there are no artifacts")
        else:
            _print(reader, found, max_value_size)
    return 0


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


def _print(reader: ArtifactReader, found: Found, limit: int) -> None:
    for at, (task, entries) in enumerate(found):
        print_lines([*([""] if at else []), paint(f"{task.run}/{task.key}", "bold")])
        width = max(map(len, entries), default=0)
        for name, entry in entries.items():
            if not limit:
                print_lines([f"  {name}"])
                continue
            left = f"  {name:<{width}} = "
            # The lines of an array keep their places below one another.
            shown = reader.text(entry, limit=limit).replace("\n", "\n" + " " * len(left))
            print_lines([left + shown])


def _documents(reader: ArtifactReader, found: Found, limit: int) -> dict[str, Any]:
    return {
        f"{task.run}/{task.key}": {
            name: reader.document(entry, limit=limit) for name, entry in entries.items()
        }
        for task, entries in found
    }


class _Pickled:
    """A value that is pickled already, and comes back as itself."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self._data,)


def _save(reader: ArtifactReader, found: Found, file: str) -> int:
    """Save what can be saved, and name what cannot; return the exit code."""
    values: dict[str, dict[str, _Pickled]] = {}
    left_out = []
    for task, entries in found:
        kept = values[f"{task.run.id}/{task.key}"] = {}
        for name, entry in entries.items():
            # Each by itself: one that fails must not take the others along.
            data = reader.pickled(entry)
            if isinstance(data, Unusable):
                left_out.append(f"{task.run}/{task.key}/{name}: {data.reason}")
            else:
                kept[name] = _Pickled(data)
    try:
        with _opened(Path(file)) as target:
            pickle.dump(values, target)
    except OSError as error:
        raise UsageError(
            f"`{file}` cannot be written: {error.strerror}", hint="name another file"
        ) from error
    number = sum(map(len, values.values()))
    say(f"saved {count_of(number, 'artifact')} of {count_of(len(values), 'task')} to {file}")
    if not left_out:
        return 0
    print_error(
        f"{count_of(len(left_out), 'artifact')} could not be saved",
        "save them where the code that made them can be imported, or name others: `--include`",
        details="\n".join(left_out),
    )
    return StoreError.exit_code


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of what is at `path` once it is whole."""
    if path.exists() and not path.is_file():
        # A pipe or a device keeps its place; a folder refuses.
        with path.open("wb") as target:
            yield target
        return
    path = path.resolve()
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("xb") as target:
            if path.exists():
                shutil.copymode(path, part)
            yield target
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
