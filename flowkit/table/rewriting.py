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
from pyiceberg.table import FileScanTask, Table

from flowkit.table.files import Files
from flowkit.table.reading import ShardReader
from flowkit.table.shards import FilePart, Shard
from flowkit.table.targets import known_values, target_of
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

    def rewrite(self, task: FileScanTask) -> tuple[WrittenFile, ...] | None:
        """Return the files that stand for a file; None if it keeps all of its rows."""
        # What deletes apply to a file may have changed since it was rewritten.
        name = (task.file.file_path, *sorted(one.file_path for one in task.delete_files))
        if name not in self._done:
            self._done[name] = self._write(task)
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

    def _write(self, task: FileScanTask) -> tuple[WrittenFile, ...] | None:
        if all(pc.all(self._keep(one)).as_py() for one in self._rows(task, self._columns)):
            return None
        with open_writer(self._table) as writer:
            for batch in self._rows(task, self._table.schema()):
                writer.write(batch.filter(self._keep(batch)))
        return writer.result.files

    def _rows(self, task: FileScanTask, columns: Schema) -> Iterator[pa.RecordBatch]:
        return (one for one in rows_of(self._table, task, columns) if one.num_rows)


def rows_of(table: Table, task: FileScanTask, columns: Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a data file that are not deleted, with some of the table's columns."""
    name, file = ".".join(table.name()), task.file
    target = target_of(columns, None, None, table.metadata, table=name)
    part = FilePart(
        path=file.file_path,
        rows=file.record_count,
        size_bytes=file.file_size_in_bytes,
        known=known_values(file, table.specs()[file.spec_id]),
        deletes=tuple(sorted(one.file_path for one in task.delete_files)),
    )
    shard = Shard(
        table=name,
        catalog=table.catalog.name,
        snapshot=None,
        schema=target.schema,
        width=target.width,
        parts=(part,),
        defaults=target.defaults,
        names=target.names,
    )
    reader = ShardReader(shard, Files(name, table.catalog.name, None, io=table.io))
    yield from reader.batches(_MEMORY_BYTES)
