"""Data files written again without some of their rows, for deletes and upserts.

Files are rewritten once a commit, however often it is tried: the result for a file stays true,
because data files never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.manifest import FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.transforms import IdentityTransform

from flowkit.table.conforming import conform, field_id_of
from flowkit.table.writing import open_writer
from flowkit.table.written import WrittenFile

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
    """Yield the rows of a data file that are not deleted, with some of the table's columns.

    Files of Iceberg writers are read here: pyiceberg's reader makes an empty list or map of a
    null one that holds structs, and a rewritten file would keep that for good. Files that were
    added as they are, without field ids or without their partition columns, are left to it.
    """
    if any(one.file_format != FileFormat.PARQUET for one in (task.file, *task.delete_files)):
        yield from _by_pyiceberg(table, task, columns)
        return
    with table.io.new_input(task.file.file_path).open() as stream:
        file = pq.ParquetFile(stream)
        if _needs_mapping(table, task, file.schema_arrow):
            yield from _by_pyiceberg(table, task, columns)
            return
        deleted = _deleted_positions(table, task)
        expected, target = columns.as_struct(), schema_to_pyarrow(columns)
        wanted = {field.field_id for field in columns.fields}
        names = [one.name for one in file.schema_arrow if field_id_of(one) in wanted]
        name, start = ".".join(table.name()), 0
        # A file that has none of the columns still tells how many rows it has.
        for batch in file.iter_batches(columns=names or None):
            stop = start + batch.num_rows
            rows = conform(batch, expected, target, table=name, by_id=True)
            hit = deleted[(deleted >= start) & (deleted < stop)] - start
            if len(hit):
                stays = np.ones(batch.num_rows, dtype=bool)
                stays[hit] = False
                rows = rows.filter(pa.array(stays))
            yield rows
            start = stop


def _needs_mapping(table: Table, task: FileScanTask, found: pa.Schema) -> bool:
    """Whether columns of a file must be told by their names, or taken from its partition."""
    ids = {field_id_of(field) for field in found}
    of_partition = {
        field.source_id
        for field in table.specs()[task.file.spec_id].fields
        if isinstance(field.transform, IdentityTransform)
    }
    tops = {field.field_id for field in table.schema().fields}
    return None in ids or not (of_partition & tops) <= ids


def _deleted_positions(table: Table, task: FileScanTask) -> NDArray[np.int64]:
    """Return the positions in a data file that delete files name."""
    found = [np.empty(0, dtype=np.int64)]
    for delete in task.delete_files:
        with table.io.new_input(delete.file_path).open() as stream:
            named = pq.read_table(stream, columns=["file_path", "pos"])
        ours = named.filter(pc.equal(named.column("file_path"), task.file.file_path))
        found.append(ours.column("pos").to_numpy())
    return np.concatenate(found)


def _by_pyiceberg(table: Table, task: FileScanTask, columns: Schema) -> Iterator[pa.RecordBatch]:
    yield from ArrowScan(
        table_metadata=table.metadata,
        io=table.io,
        projected_schema=columns,
        row_filter=AlwaysTrue(),
    ).to_record_batches([task])
