"""Which snapshot is meant: by its id, by a time, by a branch or tag; and what there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from flowkit.errors import UsageError
from flowkit.table.errors import UnknownSnapshot

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """One version of a table: when it was made, by what, and how much it holds.

    `refs` are the branches and tags that point at it; `run` is the task that made it, if a flow
    did.
    """

    id: int
    parent: int | None
    committed_at: datetime
    operation: str
    refs: tuple[str, ...]
    run: str | None
    rows: int | None
    files: int | None
    added_rows: int
    deleted_rows: int


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
        UnknownSnapshot: there is none like this.
    """
    if sum(one is not None for one in (snapshot, as_of, branch)) > 1:
        raise UsageError(
            "a scan is of one version", hint="give one of `snapshot`, `as_of` and `branch`"
        )
    now = metadata.schema()
    if branch is not None:
        ref = metadata.refs.get(branch)
        if ref is None and branch != "main":
            raise _unknown_ref(branch, metadata, table)
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
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def snapshot_infos(metadata: TableMetadata) -> list[SnapshotInfo]:
    """Describe all snapshots, oldest first."""
    refs: dict[int, list[str]] = {}
    for name, ref in metadata.refs.items():
        refs.setdefault(ref.snapshot_id, []).append(name)
    found = sorted(metadata.snapshots, key=lambda one: (one.sequence_number or 0, one.timestamp_ms))
    return [_info(one, tuple(sorted(refs.get(one.snapshot_id, ())))) for one in found]


def history_of(metadata: TableMetadata, branch: str) -> list[SnapshotInfo]:
    """Describe the snapshots that led to a branch or tag, newest first."""
    infos = {one.id: one for one in snapshot_infos(metadata)}
    ref = metadata.refs.get(branch)
    at = None if ref is None else infos.get(ref.snapshot_id)
    line = []
    while at is not None:
        line.append(at)
        at = infos.get(at.parent) if at.parent is not None else None
    return line


def _info(snapshot: Snapshot, refs: tuple[str, ...]) -> SnapshotInfo:
    summary = snapshot.summary

    def number(name: str) -> int | None:
        text = summary.additional_properties.get(name) if summary else None
        return int(text) if text is not None and text.isdecimal() else None

    return SnapshotInfo(
        id=snapshot.snapshot_id,
        parent=snapshot.parent_snapshot_id,
        committed_at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
        operation=summary.operation.value if summary else "",
        refs=refs,
        run=summary.additional_properties.get("flowkit.task") if summary else None,
        rows=number("total-records"),
        files=number("total-data-files"),
        added_rows=number("added-records") or 0,
        deleted_rows=number("deleted-records") or 0,
    )


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


def _unknown_ref(name: str, metadata: TableMetadata, table: str) -> UnknownSnapshot:
    near = get_close_matches(name, list(metadata.refs), n=1)
    known = ", ".join(f"`{one}`" for one in sorted(metadata.refs)) or "none yet"
    return UnknownSnapshot(
        f"table `{table}` has no branch or tag `{name}`",
        hint=f"did you mean `{near[0]}`?" if near else f"there are: {known}",
    )
