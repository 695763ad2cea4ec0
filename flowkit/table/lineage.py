"""Noting which snapshots a task reads and writes, so that its run can tell."""

from __future__ import annotations

from flowkit.flow import current
from flowkit.values import TableUse


def note_read(table: str, catalog: str, snapshot: int | None) -> None:
    """Note in the running task, if there is one, that it has read a snapshot."""
    if snapshot is not None:
        current.note_table(TableUse(table=table, catalog=catalog, snapshot=snapshot, how="read"))


def note_written(table: str, catalog: str, snapshot: int) -> None:
    """Note in the running task, if there is one, that it has made a snapshot."""
    current.note_table(TableUse(table=table, catalog=catalog, snapshot=snapshot, how="written"))
