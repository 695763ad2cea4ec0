"""`flowkit migrate`: turn files of Metaflow flows into files of flowkit flows."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.commands import COMMANDS
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.offers import offer_files
from flowkit.cli.report import near_path
from flowkit.cli.screen import paint, print_lines, say
from flowkit.cli.text import count_of
from flowkit.errors import FlowInvalid, UsageError

if TYPE_CHECKING:
    from flowkit.migrate import Migration, Offers, SourceFile

_CODES = {"-": "red", "+": "green", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class _Looked:
    """A file that was looked at: what it becomes, or why it was refused."""

    path: Path
    file: SourceFile | None = None
    migration: Migration | None = None
    refusal: str | None = None

    @property
    def changes(self) -> bool:
        return self.migration is not None and self.migration.changes


@command(
    "migrate",
    examples=["migrate flow.py", "migrate flows/ --write", "migrate . --check"],
    exits=[3],
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=offer_files)
@click.option("--write", is_flag=True, help="Write the files; without it they are only shown.")
@click.option("--check", is_flag=True, help="Exit with 3 if a file would change; show no diff.")
@json_option
@click.pass_obj
def migrate_files(
    invocation: Invocation, /, *, paths: tuple[str, ...], write: bool, check: bool, as_json: bool
) -> int:
    """Turn Metaflow flows into flowkit flows: imports, and names of environment variables.

    Prints the changes as a diff and changes nothing, unless `--write` is given. What has no
    counterpart in flowkit, or not quite the same, is listed with file and line.

    PATH is a file or a folder. Of a folder, Python files and notebooks are rewritten, and variables
    in shell scripts, Dockerfiles, Makefiles, YAML, TOML, INI and .env files. Files that cannot be
    parsed are named and left alone; then the exit code is 3.
    """
    if write and check:
        raise UsageError("`--write` and `--check` exclude each other", hint="give one of them")
    looked = _look(paths)
    if write:
        looked = [_write(one) for one in looked]
    if as_json:
        _print_json(looked, written=write)
    else:
        _print(looked, write=write, check=check)
        if not invocation.overrides.get("quiet"):
            say(_summary(looked, write=write))
    refused = any(one.refusal for one in looked)
    pending = check and any(one.changes for one in looked)
    return FlowInvalid.exit_code if refused or pending else 0


def _look(paths: Iterable[str]) -> list[_Looked]:
    from flowkit.migrate import ask_flowkit, find_files

    offers = ask_flowkit({name.split()[0] for name in COMMANDS})
    found = [path for one in paths for path in find_files(Path(one))]
    return [_look_at(path, offers) for path in dict.fromkeys(found)]


def _look_at(path: Path, offers: Offers) -> _Looked:
    from flowkit.migrate import migrate, read_file

    try:
        file = read_file(path)
        return _Looked(path, file, migrate(file, offers))
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        return _Looked(path, refusal=f"cannot be parsed: {error.msg}{where}")
    except (OSError, ValueError, RecursionError) as error:
        return _Looked(path, refusal=f"cannot be read: {error}")


def _write(one: _Looked) -> _Looked:
    from flowkit.migrate import write_file

    if one.file is None or one.migration is None or not one.migration.changes:
        return one
    try:
        write_file(one.file, one.migration.after)
    except (OSError, UsageError) as error:
        return _Looked(one.path, refusal=f"cannot be written: {error}")
    return one


def _print(looked: Sequence[_Looked], *, write: bool, check: bool) -> None:
    """Write the diff, or the names of files, to stdout; what is left to do to stderr."""
    changed = [one for one in looked if one.changes]
    for one in changed:
        if write or check:
            print_lines([near_path(str(one.path))])
        elif one.migration is not None:
            print_lines(_diff(one.path, one.migration))
    sys.stdout.flush()
    remarks = list(_remarks(looked))
    if changed and remarks:
        say("")
    for line in remarks:
        say(line)
    for one in looked:
        if one.refusal:
            label = paint("error:", "bold red", stream=sys.stderr)
            say(f"{label} `{near_path(str(one.path))}` {one.refusal}")


def _summary(looked: Sequence[_Looked], *, write: bool) -> str:
    changed = sum(one.changes for one in looked)
    remarks = sum(len(one.migration.remarks) for one in looked if one.migration)
    files = count_of(changed, "file")
    parts = [
        f"{count_of(len(looked), 'file')} looked at",
        f"{files} written" if write else f"{files} to change",
    ]
    if remarks:
        parts.append(count_of(remarks, "remark"))
    text = ", ".join(parts)
    return text if write or not changed else f"{text}; `--write` writes"


def _remarks(looked: Iterable[_Looked]) -> Iterator[str]:
    for one in looked:
        for remark in one.migration.remarks if one.migration else ():
            colour = "red" if remark.kind == "missing" else "yellow"
            label = paint(f"{remark.kind}:", colour, stream=sys.stderr)
            yield f"{near_path(str(one.path))}:{remark.line}: {label} {remark.text}"


def _diff(path: Path, migration: Migration) -> Iterator[str]:
    """Yield the lines of a unified diff, which `patch` takes."""
    name = near_path(str(path))
    # Lines end with \n and nothing else, or `patch` would count others.
    before, after = (
        list(StringIO(text, newline="\n")) for text in (migration.before, migration.after)
    )
    for number, line in enumerate(unified_diff(before, after, name, name)):
        colour = "bold" if number < 2 else _CODES.get(line[:1])
        written = line.removesuffix("\n")
        yield paint(written, colour) if colour else written
        if written == line:
            yield "\\ No newline at end of file"


def _print_json(looked: Sequence[_Looked], *, written: bool) -> None:
    files = [
        {
            "path": str(one.path),
            "changes": one.changes,
            "refusal": one.refusal,
            "remarks": [
                {"line": remark.line, "kind": remark.kind, "text": remark.text}
                for remark in (one.migration.remarks if one.migration else ())
            ],
        }
        for one in looked
    ]
    print_json("migrate", files=files, written=written)
