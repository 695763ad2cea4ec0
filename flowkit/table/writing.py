"""Writing a task's part of a table: Arrow in, data files of the target size out.

Rows go through in pieces: a piece is brought into the table's types and split by partition, and
what belongs together is held until memory is used up; then every partition gets a row group.
A file is closed when it has about the target size in storage. Nothing is visible to readers of
the table before `commit_files` has added the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Final
from uuid import uuid4

import pyarrow as pa
from pyiceberg.partitioning import PartitionKey
from pyiceberg.table import Table, TableProperties
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.typedef import Record

from flowkit.errors import UsageError
from flowkit.table.conforming import check_columns, conform
from flowkit.table.datafiles import DataFileWriter, FileLayout
from flowkit.table.errors import UnknownRef
from flowkit.table.incoming import batches_of, cut
from flowkit.table.partitioning import Key, partition_batch
from flowkit.table.properties import number_property
from flowkit.table.sorting import sort_rows
from flowkit.table.written import WrittenFile, WrittenFiles

MEMORY_BYTES: Final = 512 << 20
"""What a writer holds by default, in bytes of Arrow data."""

_PIECE_BYTES: Final = 32 << 20
_PIECE_ROWS: Final = 1 << 18
_FULL: Final = 0.9
"""A file this near to its target is done: a row group of the rest would be a splinter."""
_NEWEST_FORMAT: Final = 2
_OPEN_FILES: Final = 256
"""Open at a time; on object stores each is an upload with buffers of its own."""


def open_writer(
    table: Table,
    *,
    branch: str | None = None,
    target_file_bytes: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> TableWriter:
    """Return a writer of one part of a table, to be used in a `with` block.

    Args:
        table: the table, whose current schema, partition spec and sort order apply.
        branch: where the part is meant to be committed; `main` if None.
        target_file_bytes: how large files shall be in storage; if None, the table's
            `write.target-file-size-bytes`, or 512 MiB.
        memory_bytes: a bound of the memory used for data. In tables with a sort order a file
            holds what can be sorted within it, so that files may come out smaller than the target.

    Raises:
        UnknownRef: the table has no such branch.
        UsageError: the table has a format that cannot be written.
    """
    if table.metadata.format_version > _NEWEST_FORMAT:
        raise UsageError(
            f"table `{'.'.join(table.name())}` has format version "
            f"{table.metadata.format_version}, which cannot be written yet",
            hint=f"write to a table of format version {_NEWEST_FORMAT}",
        )
    known = table.metadata.refs
    if branch not in (None, MAIN_BRANCH) and branch not in known:
        raise UnknownRef(".".join(table.name()), str(branch), known=tuple(known))
    if target_file_bytes is None:
        target_file_bytes = number_property(
            table.properties,
            TableProperties.WRITE_TARGET_FILE_SIZE_BYTES,
            TableProperties.WRITE_TARGET_FILE_SIZE_BYTES_DEFAULT,
        )
    if target_file_bytes < 1 or memory_bytes < 1:
        raise UsageError("sizes of files and memory are at least 1 byte", hint="raise them")
    return TableWriter(
        table, branch=branch, target_file_bytes=target_file_bytes, memory_bytes=memory_bytes
    )


class TableWriter:
    """Writes data files for one table; made by `open_writer`, used once, in one `with` block.

    An exception in the block deletes what was written. Afterwards `result` describes the files.
    """

    def __init__(
        self, table: Table, *, branch: str | None, target_file_bytes: int, memory_bytes: int
    ) -> None:
        self._table, self._branch = table, branch
        self._name = ".".join(table.name())
        self._schema, self._spec = table.schema(), table.spec()
        self._columns = self._schema.as_struct()
        self._files = _Files(table, target_file_bytes)
        is_sorted = bool(table.sort_order().fields)
        self._piece_bytes = max(1, min(_PIECE_BYTES, memory_bytes // 8))
        # Sorting holds the rows of a partition twice.
        self._run_bytes = max(1, memory_bytes // (3 if is_sorted else 2))
        self._checked: pa.Schema | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._held: dict[Key, list[pa.RecordBatch]] = {}
        self._held_bytes = 0
        self._result: WrittenFiles | None = None

    def write(self, data: object) -> None:
        """Write rows: an Arrow table, batch or reader, a data frame, anything that gives Arrow.

        Raises:
            SchemaMismatch: a column does not fit the table.
            UsageError: the data is nothing of that kind, or the writer is closed.
        """
        if self._result is not None:
            raise UsageError("this writer is closed", hint="write inside its `with` block")
        for batch in batches_of(data):
            if batch.schema != self._checked:
                check_columns(batch.schema, self._columns, self._name)
                self._checked = batch.schema
            for piece in cut(batch, max_bytes=self._piece_bytes, max_rows=_PIECE_ROWS):
                self._waiting.append(
                    conform(piece, self._columns, self._files.layout.arrow, table=self._name)
                )
                self._waiting_bytes += self._waiting[-1].nbytes
                if self._waiting_bytes >= self._piece_bytes:
                    self._split()

    @property
    def result(self) -> WrittenFiles:
        """What was written, once the block has ended."""
        if self._result is None:
            raise UsageError("the writer is still open", hint="ask after its `with` block")
        return self._result

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                self._split()
                self._flush(last=True)
            except BaseException:
                self._files.discard()
                raise
            files = self._files.done
        else:
            self._files.discard()
            files = []
        self._held.clear()
        self._result = WrittenFiles(
            table=self._name,
            table_uuid=str(self._table.metadata.table_uuid),
            branch=self._branch,
            schema_id=self._schema.schema_id,
            spec_id=self._spec.spec_id,
            files=tuple(files),
        )

    def _split(self) -> None:
        """Split what waits by partition."""
        if not self._waiting:
            return
        if self._spec.fields and len(self._waiting) > 1:
            self._waiting = [pa.concat_batches(self._waiting)]
        for batch in self._waiting:
            for part in partition_batch(batch, self._spec, self._schema):
                self._held.setdefault(part.key, []).append(part.rows)
        self._held_bytes += self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        if self._held_bytes >= self._run_bytes:
            self._flush(last=False)

    def _flush(self, *, last: bool) -> None:
        """Write all that is held; `last`: no more comes, so files can be closed right away."""
        order = self._table.sort_order()
        for key in list(self._held):
            batches = self._held.pop(key)
            if order.fields:
                rows = sort_rows(pa.concat_batches(batches), order, self._schema)
                self._files.write(key, [rows])
                # A file is sorted as a whole, or it is not sorted.
                self._files.close(key)
            else:
                self._files.write(key, batches)
                if last:
                    self._files.close(key)
        self._held_bytes = 0
        if last:
            self._files.close_all()


class _Files:
    """The files of one writer: at most one open a partition, each closed at its target size."""

    def __init__(self, table: Table, target_bytes: int) -> None:
        self.layout = FileLayout.of(table.schema(), table.properties)
        self.done: list[WrittenFile] = []
        self._table = table
        self._target_bytes = target_bytes
        self._id = uuid4()
        self._count = 0
        self._open: dict[Key, DataFileWriter] = {}
        self._written_bytes, self._written_rows = 0, 0

    def write(self, key: Key, batches: list[pa.RecordBatch]) -> None:
        """Write rows of one partition, into as many files as they need."""
        rest = _Rows(batches)
        while rest.count:
            file = self._open.get(key) or self._start(key)
            before = file.size_bytes
            rows = self._rows_to_target(rest, self._target_bytes - before)
            file.write(list(rest.take(rows)))
            self._written_bytes += file.size_bytes - before
            self._written_rows += rows
            if file.size_bytes >= _FULL * self._target_bytes:
                self.close(key)

    def close(self, key: Key) -> None:
        """Finish the file of a partition, if it has one open."""
        file = self._open.get(key)
        if file is not None:
            order = self._table.sort_order()
            self.done.append(file.close(key, order.order_id if order.fields else None))
            # Only now: a file that could not be finished has to be deleted.
            del self._open[key]

    def close_all(self) -> None:
        """Finish all files."""
        for key in list(self._open):
            self.close(key)

    def discard(self) -> None:
        """Delete all files, open or done."""
        # The reason for it is being raised, and says more than a failure here.
        for file in self._open.values():
            with suppress(OSError):
                file.discard()
        for written in self.done:
            with suppress(OSError):
                self._table.io.delete(written.path)
        self._open.clear()
        self.done = []

    def _start(self, key: Key) -> DataFileWriter:
        if len(self._open) >= _OPEN_FILES:
            self.close(max(self._open, key=lambda one: self._open[one].size_bytes))
        name = f"{self._count:05d}-{self._id}.parquet"
        self._count += 1
        spec, schema = self._table.spec(), self._table.schema()
        path = self._table.location_provider().new_data_location(
            name, _Partition([], spec, schema, key) if key else None
        )
        file = self._open[key] = DataFileWriter(self._table.io, path, self.layout)
        return file

    def _rows_to_target(self, rest: _Rows, room_bytes: int) -> int:
        """Return how many of the rows fill a file, going by how rows came out so far."""
        # While nothing is known, half a file is filled: data rarely doubles when it is encoded.
        bytes_per_row = 2 * rest.size_bytes / rest.count
        if self._written_rows:
            bytes_per_row = self._written_bytes / self._written_rows
        return min(rest.count, max(1, int(room_bytes / max(bytes_per_row, 1e-3))))


class _Rows:
    """Batches from which rows are taken off the front."""

    def __init__(self, batches: list[pa.RecordBatch]) -> None:
        self._batches = batches[::-1]
        self.count: int = sum(one.num_rows for one in batches)
        self.size_bytes: int = sum(one.nbytes for one in batches)

    def take(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Take off so many rows."""
        self.count -= rows
        while rows:
            batch = self._batches.pop()
            if batch.num_rows > rows:
                self._batches.append(batch.slice(rows))
                batch = batch.slice(0, rows)
            rows -= batch.num_rows
            yield batch


@dataclass(frozen=True)
class _Partition(PartitionKey):
    """A partition key made of internal values.

    pyiceberg's own is made of Python values, and knows neither two fields over one column nor
    buckets of times.
    """

    values: Key = ()

    @cached_property
    def partition(self) -> Record:
        """The partition values."""
        return Record(*self.values)
