"""What a commit takes out of a branch: decided anew on every head it is tried on.

Adding files needs no plan. Everything else looks at the files that the branch has: whole
partitions or the whole table to be replaced, or rows to be deleted, whose files are rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Protocol
from uuid import UUID

from pyiceberg.expressions import BooleanExpression
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntryStatus,
)
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot
from pyiceberg.typedef import Record
from pyiceberg.utils.datetime import date_to_days, datetime_to_micros, time_to_micros

from flowkit.table.errors import CommitConflict
from flowkit.table.files import Files
from flowkit.table.history import ancestors, described
from flowkit.table.planned import ListedFile, PlannedFile
from flowkit.table.planning import plan
from flowkit.table.rewriting import Rewriter
from flowkit.table.written import WrittenFile, WrittenFiles


@dataclass(frozen=True, slots=True)
class Changes:
    """Files that leave a branch, and files that stand for them."""

    removed: tuple[DataFile, ...] = ()
    rewritten: tuple[WrittenFile, ...] = ()


class Plan(Protocol):
    """Decides what a commit takes out of a branch."""

    def changes(self, table: Table, head: Snapshot | None, base: Snapshot | None) -> Changes:
        """Return the changes to `head`. `base`: the branch as the caller saw it.

        Raises CommitConflict if what happened since `base` contradicts the commit.
        """

    def committed(self, changes: Changes) -> None:
        """Clean up: the changes were committed, and earlier ones are not needed."""

    def abandoned(self) -> None:
        """Clean up: no commit was made, and none will be."""


class Appending:
    """Nothing is taken out."""

    def changes(self, table: Table, head: Snapshot | None, base: Snapshot | None) -> Changes:
        """Return no changes."""
        return Changes()

    def committed(self, changes: Changes) -> None:
        """Do nothing."""

    def abandoned(self) -> None:
        """Do nothing."""


class Replacing(Appending):
    """All files are taken out, or those of the partitions that the new files are in.

    What the caller never saw is not taken out: files that came or went there since `base` are a
    conflict.
    """

    def __init__(self, parts: Sequence[WrittenFiles], *, partitions_only: bool) -> None:
        self._keys = (
            {_comparable(file.partition) for part in parts for file in part.files}
            if partitions_only
            else None
        )

    def changes(self, table: Table, head: Snapshot | None, base: Snapshot | None) -> Changes:
        """Return the files to be replaced."""
        self._check_unseen(table, head, base)
        if head is None:
            return Changes()
        return Changes(
            tuple(file for file in _live_files(table, head) if self._is_hit(table, file))
        )

    def _is_hit(self, table: Table, file: DataFile) -> bool:
        if self._keys is None:
            return True
        spec = table.spec()
        if file.spec_id != spec.spec_id:
            raise CommitConflict(
                ".".join(table.name()),
                f"it overwrites partitions of spec {spec.spec_id}, and the table still has files "
                f"of spec {file.spec_id}, which may share them",
                hint="delete by a filter instead (`mode='delete'`), or replace the whole table",
            )
        return _comparable(_partition_values(file)) in self._keys

    def _check_unseen(self, table: Table, head: Snapshot | None, base: Snapshot | None) -> None:
        seen = base.snapshot_id if base is not None else None
        for snapshot in ancestors(table.metadata, head):
            if snapshot.snapshot_id == seen:
                return
            if snapshot.summary is not None and snapshot.summary.operation is Operation.REPLACE:
                # Rows were moved, none came or went.
                continue
            for file in _changed_files(table, snapshot):
                if self._keys is None or self._is_hit(table, file):
                    raise CommitConflict(
                        ".".join(table.name()),
                        f"it replaces {_place(file, table.specs()[file.spec_id])}, which "
                        f"{described(snapshot)} has changed since",
                        hint="load the table again, look at the change, and commit again",
                    )
        if base is not None:
            raise CommitConflict(
                ".".join(table.name()),
                f"{described(base)}, which it replaces, is no longer in the branch's history",
                hint="load the table again and commit again",
            )


class Deleting:
    """Rows that match a filter are taken out; their files are rewritten where others remain.

    It is always decided on the present head, so concurrent commits are no conflict: they count
    as made before.
    """

    def __init__(self, where: BooleanExpression, rewriter: Rewriter, *, whole_files: bool) -> None:
        self._where, self._rewriter, self._whole_files = where, rewriter, whole_files

    def changes(self, table: Table, head: Snapshot | None, base: Snapshot | None) -> Changes:
        """Return the files with matching rows, and those that hold their other rows."""
        if head is None:
            return Changes()
        removed: list[DataFile] = []
        rewritten: list[WrittenFile] = []
        for planned in planned_files(table, head, self._where):
            is_whole = self._whole_files and planned.all_pass
            files = () if is_whole else self._rewriter.rewrite(planned, head.snapshot_id)
            if files is not None:
                removed.append(_data_file(planned.file))
                rewritten.extend(files)
        return Changes(tuple(removed), tuple(rewritten))

    def committed(self, changes: Changes) -> None:
        """Delete rewritten files that were not needed in the end."""
        self._rewriter.discard(but=changes.rewritten)

    def abandoned(self) -> None:
        """Delete all rewritten files."""
        self._rewriter.discard()


def planned_files(
    table: Table, head: Snapshot, where: BooleanExpression
) -> tuple[PlannedFile, ...]:
    """Return the files of a snapshot that may hold rows which pass a filter, as scans find them.

    Raises what planning a scan raises.
    """
    name = ".".join(table.name())
    files = Files(name, table.catalog.name, head.snapshot_id, io=table.io)
    return plan(table.metadata, head, table.schema(), where, table=name, files=files).files


def _data_file(listed: ListedFile) -> DataFile:
    """Return a file as pyiceberg removes it: it looks at no more than this."""
    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=listed.file_path,
        file_format=FileFormat.PARQUET,
        partition=Record(*listed.partition),
        record_count=listed.record_count,
        file_size_in_bytes=listed.file_size_in_bytes,
    )
    file.spec_id = listed.spec_id
    return file


def _live_files(table: Table, head: Snapshot) -> Iterable[DataFile]:
    for task in table.scan(snapshot_id=head.snapshot_id).plan_files():
        yield task.file


def _changed_files(table: Table, snapshot: Snapshot) -> Iterable[DataFile]:
    """Yield the data files that a snapshot added or removed."""
    for manifest in snapshot.manifests(table.io):
        if (
            manifest.content is ManifestContent.DATA
            and manifest.added_snapshot_id == snapshot.snapshot_id
        ):
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                is_own = entry.snapshot_id == snapshot.snapshot_id
                if is_own and entry.status is not ManifestEntryStatus.EXISTING:
                    yield entry.data_file


def _partition_values(file: DataFile) -> tuple[object, ...]:
    """Return the values of a file's partition, in the order of its spec."""
    partition = file.partition
    return tuple(partition[at] for at in range(len(partition)))


def _comparable(values: tuple[object, ...]) -> tuple[object, ...]:
    """Return partition values in one form, whoever read or computed them."""
    return tuple(map(_comparable_value, values))


def _comparable_value(value: object) -> object:
    match value:
        case UUID():
            return value.bytes
        case datetime():
            return datetime_to_micros(value)
        case date():
            return date_to_days(value)
        case time():
            return time_to_micros(value)
        case float() if value != value:
            return "NaN"
        case _:
            return value


def _place(file: DataFile, spec: PartitionSpec) -> str:
    if not spec.fields:
        return "the table"
    pairs = zip(spec.fields, _partition_values(file), strict=True)
    return "partition `" + ", ".join(f"{field.name}={value}" for field, value in pairs) + "`"
