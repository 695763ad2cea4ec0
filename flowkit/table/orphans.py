"""Files that lie in a table's folders, and that no metadata leads to.

Writers that were killed leave them, and so do attempts whose commit was made by another one.
Their age is all that tells them from the files of a task that is still running.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pyarrow import fs
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from flowkit.errors import UsageError
from flowkit.table.arguments import check_kind
from flowkit.table.expiry import check_deletable
from flowkit.table.loading import refresh_table
from flowkit.table.reachable import metadata_files, place_of, snapshot_files

GRACE: Final = timedelta(days=3)
"""How old a file is, by default, before it can be an orphan."""

_LEAST_GRACE: Final = timedelta(hours=1)
_NEVER: Final = ("version-hint.text",)


@dataclass(frozen=True, slots=True)
class OrphanFile:
    """A file that no snapshot of the table leads to."""

    location: str
    size_bytes: int
    modified_at: datetime


def orphans(table: Table, *, grace: timedelta = GRACE) -> list[OrphanFile]:
    """Return the files in a table's folders that nothing leads to, and that are older than `grace`.

    Choose a grace that is longer than any run: what a task has written counts as an orphan until
    the run commits it.

    Raises:
        UsageError: the grace is under an hour, or the store cannot be listed.
    """
    check_kind("grace", grace, timedelta, hint="give a duration: `timedelta(days=3)`")
    if grace < _LEAST_GRACE:
        raise UsageError(
            f"a grace of {grace} would take files from running tasks",
            hint="choose an hour at least, and longer than any run",
        )
    before = datetime.now(UTC) - grace
    # Listed first: what is committed meanwhile is found when the metadata is read.
    found = [one for one in _listed(table) if one.modified_at < before]
    needed = _needed(table)
    return [one for one in found if place_of(one.location) not in needed]


def clean_orphans(table: Table, *, grace: timedelta = GRACE) -> list[OrphanFile]:
    """Delete the files that `orphans` lists, and return them.

    Raises:
        UsageError: as `orphans`; or the table's `gc.enabled` is off.
    """
    check_deletable(table)
    deleted = []
    for orphan in orphans(table, grace=grace):
        # Somebody else cleans up too.
        with suppress(FileNotFoundError):
            table.io.delete(orphan.location)
            deleted.append(orphan)
    return deleted


def _needed(table: Table) -> set[str]:
    refresh_table(table)
    needed = set(map(place_of, metadata_files(table)))
    needed.update(map(place_of, snapshot_files(table, table.metadata.snapshots)))
    return needed


def _listed(table: Table) -> Iterator[OrphanFile]:
    provider = table.location_provider()
    for folder in dict.fromkeys((provider.data_path, provider.metadata_path)):
        system, path = _open(table, folder)
        selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
        for info in system.get_file_info(selector):
            if info.type is fs.FileType.File and info.base_name not in _NEVER:
                location = folder.rstrip("/") + info.path.removeprefix(path.rstrip("/"))
                yield OrphanFile(location, info.size, info.mtime)


def _open(table: Table, folder: str) -> tuple[Any, str]:
    """Return the file system of a folder, and its path there: FileIO itself cannot list."""
    if not isinstance(table.io, PyArrowFileIO):
        raise UsageError(
            f"files cannot be listed through `{type(table.io).__name__}`",
            hint="load the table with `py-io-impl` set to `pyiceberg.io.pyarrow.PyArrowFileIO`",
        )
    scheme, netloc, path = table.io.parse_location(folder, table.io.properties)
    return table.io.fs_by_scheme(scheme, netloc), path
