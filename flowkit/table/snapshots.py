"""Which version of a table is meant: by a snapshot's id, by a time, by a branch or tag."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from flowkit.errors import UsageError
from flowkit.table.arguments import check_kind
from flowkit.table.errors import UnknownRef, UnknownSnapshot

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Version:
    """A snapshot, if the table has one yet, and the columns that its rows are read as."""

    snapshot: Snapshot | None
    schema: Schema


def find_version(
    metadata: TableMetadata,
    *,
    table: str,
    snapshot: int | None = None,
    as_of: datetime | date | str | None = None,
    branch: str | None = None,
) -> Version:
    """Return the version that is meant: the current one, unless said otherwise.

    A branch is read as the table is now, a snapshot, a time or a tag as the table was then.

    Raises:
        UsageError: more than one is given, or `as_of` is no time.
        UnknownSnapshot, UnknownRef: there is none like this.
    """
    if sum(one is not None for one in (snapshot, as_of, branch)) > 1:
        raise UsageError(
            "a scan is of one version", hint="give one of `snapshot`, `as_of` and `branch`"
        )
    now = metadata.schema()
    if branch is not None:
        ref = metadata.refs.get(branch)
        if ref is None and branch != "main":
            raise UnknownRef(table, branch, known=list(metadata.refs))
        found = None if ref is None else metadata.snapshot_by_id(ref.snapshot_id)
        is_tag = ref is not None and ref.snapshot_ref_type == "tag"
        return Version(found, _schema_of(found, metadata) if found and is_tag else now)
    if as_of is not None:
        found = _as_of(metadata, moment(as_of), table)
        return Version(found, _schema_of(found, metadata))
    if snapshot is None:
        return Version(metadata.current_snapshot(), now)
    found = metadata.snapshot_by_id(snapshot)
    if found is None:
        raise UnknownSnapshot(
            f"table `{table}` has no snapshot {snapshot}",
            hint="it may have been expired; `table.snapshots()` lists those there are",
        )
    return Version(found, _schema_of(found, metadata))


def moment(when: datetime | date | str) -> datetime:
    """Return a time with its zone: UTC where none is given. Raises UsageError."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError as error:
            raise UsageError(
                f"`{when}` is no time", hint="write `2026-11-26` or `2026-11-26T14:30:00+01:00`"
            ) from error
    check_kind("as_of", when, date, hint="give a `datetime`, a `date`, or text like `2026-11-26`")
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _schema_of(snapshot: Snapshot, metadata: TableMetadata) -> Schema:
    for schema in metadata.schemas:
        if schema.schema_id == snapshot.schema_id:
            return schema
    return metadata.schema()


def _as_of(metadata: TableMetadata, when: datetime, table: str) -> Snapshot:
    milliseconds = int(when.timestamp() * 1000)
    for entry in sorted(metadata.snapshot_log, key=lambda one: one.timestamp_ms, reverse=True):
        if entry.timestamp_ms <= milliseconds:
            found = metadata.snapshot_by_id(entry.snapshot_id)
            if found is not None:
                return found
    raise UnknownSnapshot(
        f"table `{table}` has no snapshot as old as {when.isoformat()}",
        hint="`table.snapshots()` lists those there are, with their times",
    )
