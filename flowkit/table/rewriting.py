"""Data files written again without some of their rows, for deletes and upserts.

Files are rewritten once a commit, however often it is tried: the result for a file stays true,
because data files never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from flowkit.table.files import Files
from flowkit.table.planned import PlannedFile
from flowkit.table.reading import ShardReader
from flowkit.table.shards import FilePart, Shard
from flowkit.table.targets import target_of
from flowkit.table.writing import open_writer
from flowkit.table.written import WrittenFile

_MEMORY_BYTES: Final = 256 << 20

Keep = Callable[[pa.RecordBatch], pa.Array]
"""Given rows of the table, says which of them stay: a boolean column without nulls."""


class Rewriter:
    """Rewrites data files of a table, and remembers what it wrote.

    `columns` are those that `keep` looks at: they alone are read to find the files to rewrite.
    """

    def __init__(self, table: Table, keep: Keep, columns: Schema) -> None:
        self._table = table
        self._keep: Final = keep
        self._columns: Final = columns
        self._done: dict[tuple[str, ...], tuple[WrittenFile, ...] | None] = {}

    def rewrite(self, planned: PlannedFile, snapshot: int) -> tuple[WrittenFile, ...] | None:
        """Return the files that stand for a snapshot's file; None if it keeps all of its rows."""
        # What deletes apply to a file may have changed since it was rewritten.
        name = (planned.file.file_path, *planned.deletes)
        if name not in self._done:
            self._done[name] = self._write(planned, snapshot)
        return self._done[name]

    def discard(self, *, but: Iterable[WrittenFile] = ()) -> None:
        """Delete what was written, except some files."""
        kept = {one.path for one in but}
        for files in self._done.values():
            for file in files or ():
                if file.path not in kept:
                    # What remains is an orphan, and found as such.
                    with suppress(OSError):
                        self._table.io.delete(file.path)

    def _write(self, planned: PlannedFile, snapshot: int) -> tuple[WrittenFile, ...] | None:
        def rows(columns: Schema) -> Iterator[pa.RecordBatch]:
            found = rows_of(self._table, planned, columns, snapshot=snapshot)
            return (one for one in found if one.num_rows)

        if all(pc.all(self._keep(one)).as_py() for one in rows(self._columns)):
            return None
        with open_writer(self._table) as writer:
            for batch in rows(self._table.schema()):
                writer.write(batch.filter(self._keep(batch)))
        return writer.result.files


def rows_of(
    table: Table, planned: PlannedFile, columns: Schema, *, snapshot: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a data file that are not deleted, with some of the table's columns.

    Raises:
        DataFileMissing, SnapshotExpired: the file, which the snapshot has, is not there.
        DataFileDamaged, DataFileUnlike: it cannot be read, or not as this table's.
    """
    name, file = ".".join(table.name()), planned.file
    target = target_of(columns, None, None, table.metadata, table=name)
    part = FilePart(
        path=file.file_path,
        rows=file.record_count,
        size_bytes=file.file_size_in_bytes,
        known=planned.known,
        deletes=planned.deletes,
    )
    shard = Shard(
        table=name,
        catalog=table.catalog.name,
        snapshot=snapshot,
        schema=target.schema,
        width=target.width,
        parts=(part,),
        defaults=target.defaults,
        names=target.names,
    )
    reader = ShardReader(shard, Files(name, table.catalog.name, snapshot, io=table.io))
    yield from reader.batches(_MEMORY_BYTES)
