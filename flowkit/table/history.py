"""The snapshots of a table as plain rows, and who made them.

Commits of flowkit say in their snapshot's summary which run and task made them, and by which key
they are made only once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot

from flowkit.table.errors import UnknownRef

RUN: Final = "flowkit.run"
"""Snapshot property: the run that committed, `Flow/12`."""
TASK: Final = "flowkit.task"
"""Snapshot property: the pathspec of the task that committed, `Flow/12/join/0`."""
KEY: Final = "flowkit.commit-key"
"""Snapshot property: what the commit is known by; it is made once a branch."""
FILES: Final = "flowkit.files"
"""Snapshot property: a digest of the paths of the files that were added."""
ROWS: Final = "flowkit.rows"
"""Snapshot property: a digest of what those files hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """One snapshot of a table. Counts are None where the writer did not say.

    `run` and `task` are the pathspecs of those who made it, if flowkit did; `refs` the branches
    and tags that point to it; `summary` all that its writer noted.
    """

    snapshot_id: int
    parent_id: int | None
    committed_at: datetime
    operation: str | None
    run: str | None
    task: str | None
    commit_key: str | None
    refs: tuple[str, ...]
    added_rows: int | None
    deleted_rows: int | None
    total_rows: int | None
    summary: Mapping[str, str] = field(repr=False)


def snapshots(table: Table) -> list[SnapshotRow]:
    """Return all snapshots that a table keeps, oldest first."""
    ordered = sorted(table.metadata.snapshots, key=lambda one: one.timestamp_ms)
    return _rows(table.metadata, ordered)


def history(table: Table, branch: str = "main") -> list[SnapshotRow]:
    """Return the snapshots that led to a branch's or tag's present state, oldest first.

    Raises:
        UnknownRef: there is no such branch or tag.
    """
    known = table.metadata.refs
    if branch not in known and branch != MAIN_BRANCH:
        raise UnknownRef(".".join(table.name()), branch, known=tuple(known))
    line = list(ancestors(table.metadata, head_of(table.metadata, branch)))
    return _rows(table.metadata, line[::-1])


def head_of(metadata: TableMetadata, branch: str) -> Snapshot | None:
    """Return the snapshot that a branch or tag points to, if any."""
    return metadata.snapshot_by_name(branch)


def ancestors(metadata: TableMetadata, head: Snapshot | None) -> Iterator[Snapshot]:
    """Yield a snapshot and those it came from, as far as they are kept."""
    by_id = {one.snapshot_id: one for one in metadata.snapshots}
    while head is not None:
        yield head
        head = by_id.get(head.parent_snapshot_id) if head.parent_snapshot_id is not None else None


def notes_of(snapshot: Snapshot) -> Mapping[str, str]:
    """Return a snapshot's summary as plain text by name."""
    summary = snapshot.summary
    if summary is None:
        return MappingProxyType({})
    return MappingProxyType({"operation": summary.operation.value, **summary.additional_properties})


def described(snapshot: Snapshot) -> str:
    """Return how errors name a snapshot: its id, and the run that made it."""
    run = notes_of(snapshot).get(TASK) or notes_of(snapshot).get(RUN)
    return f"snapshot {snapshot.snapshot_id}" + (f" of `{run}`" if run else "")


def _rows(metadata: TableMetadata, found: list[Snapshot]) -> list[SnapshotRow]:
    refs: dict[int, list[str]] = {}
    for name, ref in sorted(metadata.refs.items()):
        refs.setdefault(ref.snapshot_id, []).append(name)
    return [_row(one, tuple(refs.get(one.snapshot_id, ()))) for one in found]


def _row(snapshot: Snapshot, refs: tuple[str, ...]) -> SnapshotRow:
    notes = notes_of(snapshot)

    def count(name: str, default: int | None = None) -> int | None:
        text = notes.get(name)
        return int(text) if text is not None else default

    return SnapshotRow(
        snapshot_id=snapshot.snapshot_id,
        parent_id=snapshot.parent_snapshot_id,
        committed_at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
        operation=notes.get("operation"),
        run=notes.get(RUN),
        task=notes.get(TASK),
        commit_key=notes.get(KEY),
        refs=refs,
        added_rows=count("added-records", 0),
        deleted_rows=count("deleted-records", 0),
        total_rows=count("total-records"),
        summary=notes,
    )
