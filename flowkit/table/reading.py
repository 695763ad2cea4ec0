"""Reading a shard: its parts side by side, or bit by bit in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.conditions import fields_of
from flowkit.table.decoding import open_parquet
from flowkit.table.deletes import Deletes
from flowkit.table.errors import DataFileDamaged, DataFileUnlike, UnknownColumn
from flowkit.table.files import Files
from flowkit.table.formats import FileFormat
from flowkit.table.projection import (
    Projection,
    Unlike,
    check_unambiguous,
    has_numbers,
    numbered,
    path_to,
    plain_field,
)
from flowkit.table.row_groups import OpenPart, groups_of
from flowkit.table.shaping import Shape
from flowkit.table.shards import FilePart, Shard
from flowkit.table.streaming import StreamedPart, block_bytes, open_stream

if TYPE_CHECKING:
    import pyarrow

_FIRST_ROWS: Final = 1024
"""Rows of the first batch of a stream, by which the size of the next ones is reckoned."""
_AHEAD: Final = 2
"""Parts that are decoded for each one that is."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How files of one schema, with the same values fixed by their partition, are read."""

    schema: pyarrow.Schema
    known: tuple[tuple[int, Any], ...]
    projection: Projection


class ShardReader:
    """Reads the rows of one shard. Threads may share one."""

    def __init__(self, shard: Shard, files: Files, columns: Sequence[str] | None = None) -> None:
        """Take a shard, and which of its columns to read: all, unless named.

        Raises:
            UnknownColumn: the shard has no such column.
        """
        self._shard, self._files = shard, files
        self._deletes = Deletes(files)
        self._target = shard.arrow_schema()
        self._layout: _Layout | None = None
        self._wanted = self._positions(columns)
        self._filtered = self._covering(fields_of(shard.condition))

    @cached_property
    def schema(self) -> pyarrow.Schema:
        """The schema of what is read."""
        import pyarrow

        return pyarrow.schema([plain_field(self._target.field(at)) for at in self._wanted])

    def read(self, *, limit: int | None = None) -> pyarrow.Table:
        """Return all rows, or the first `limit` of them.

        Raises:
            DataFileMissing, SnapshotExpired: a file is not there.
            DataFileDamaged, DataFileUnlike: a file cannot be read, or not as this table's.
        """
        import pyarrow

        tables = [pyarrow.Table.from_batches([], self.schema)]
        wanted = limit
        for table in self._tables():
            tables.append(table if wanted is None else table.slice(0, wanted))
            if wanted is not None:
                wanted -= len(tables[-1])
                if wanted <= 0:
                    break
        return pyarrow.concat_tables(tables)

    def count(self) -> int:
        """Return the number of rows; reads only what cannot be told otherwise."""
        return sum(map(self._count, self._shard.parts))

    def batches(self, memory_bytes: int) -> Iterator[pyarrow.RecordBatch]:
        """Yield the rows bit by bit, all in all in no more memory than this.

        A batch aims at an eighth of it: that leaves room for what decoding holds, for rows that
        are larger than those before them, and for what the caller makes of a batch.
        """
        width = max(memory_bytes // 8, 1)
        rows = _FIRST_ROWS
        for part in self._shard.parts:
            with self._opened(part, memory_bytes=memory_bytes) as opened:
                for group in opened.groups:
                    row_bytes = 1
                    for table in opened.batches(group, rows):
                        if len(table):
                            row_bytes = max(row_bytes, table.nbytes // len(table))
                            yield from table.combine_chunks().to_batches()
                    rows = max(1, width // row_bytes)

    def _positions(self, columns: Sequence[str] | None) -> list[int]:
        width = self._shard.width
        if columns is None:
            return list(range(width))
        names = self._target.names[:width]
        for name in columns:
            if name not in names:
                raise UnknownColumn(name, table=self._shard.table, known=names)
        return [names.index(name) for name in columns]

    def _covering(self, numbers: frozenset[int]) -> list[int]:
        """Return which fields of the target have all that the condition looks at."""
        found = []
        for number in numbers:
            # From the end: there are those that serve the filter only, and are whole.
            places = reversed(range(len(self._target)))
            found.append(
                next(at for at in places if path_to(self._target.field(at), number) is not None)
            )
        return sorted(set(found))

    def _tables(self) -> Iterator[pyarrow.Table]:
        """Yield what the parts hold, in order; several are decoded at a time."""
        workers = min(_cores(), len(self._shard.parts))
        if workers < 2:
            yield from filter(None, map(self._table, self._shard.parts))
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="flowkit-read")
        try:
            parts = iter(self._shard.parts)
            under_way: list[Future[pyarrow.Table | None]] = [
                pool.submit(self._table, part) for part in islice(parts, workers * _AHEAD)
            ]
            while under_way:
                table = under_way.pop(0).result()
                under_way += [pool.submit(self._table, part) for part in islice(parts, 1)]
                if table is not None:
                    yield table
        finally:
            pool.shutdown(cancel_futures=True)

    def _table(self, part: FilePart) -> pyarrow.Table | None:
        with self._opened(part) as opened:
            return opened.table()

    def _count(self, part: FilePart) -> int:
        unfiltered = self._shard.condition is None or part.all_pass
        if part.is_whole and unfiltered and not part.deletes and part.rows is not None:
            return part.rows
        with self._opened(part) as opened:
            return opened.count()

    def _layout_of(self, schema: pyarrow.Schema, part: FilePart) -> _Layout:
        """Return how files of a schema are read; most files of a table are alike."""
        last = self._layout
        if (
            last is not None
            and last.known == part.known
            and last.schema.equals(schema, check_metadata=True)
        ):
            return last
        check_unambiguous(schema.names)
        file = schema
        if self._shard.kind == "hive":
            file = numbered(file, dict(self._shard.names), any_case=True)
        elif not has_numbers(file):
            file = numbered(file, dict(self._shard.names))
        constants = {**dict(self._shard.defaults), **dict(part.known)}
        projection = Projection(self._target, file, constants)
        made = _Layout(schema, part.known, projection)
        self._layout = made
        return made

    @contextmanager
    def _opened(
        self, part: FilePart, *, memory_bytes: int | None = None
    ) -> Iterator[OpenPart | StreamedPart]:
        """Open a part: to be read at once, or bit by bit if there is a limit to its memory."""
        import pyarrow

        with ExitStack() as closing:
            try:
                if part.format is None:
                    yield self._parquet(part, closing, streaming=memory_bytes is not None)
                else:
                    yield self._stream(part, self._shard.formats[part.format], memory_bytes)
            except Unlike as error:
                raise DataFileUnlike(
                    part.path, table=self._shard.table, reason=str(error)
                ) from error
            except FileNotFoundError as error:
                raise self._files.missing(part.path) from error
            except (OSError, pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
                raise DataFileDamaged(
                    part.path, table=self._shard.table, reason=" ".join(str(error).split())
                ) from error

    def _parquet(self, part: FilePart, closing: ExitStack, *, streaming: bool) -> OpenPart:
        source = self._files.open(part.path)
        file = closing.enter_context(open_parquet(source, streaming=streaming))
        layout = self._layout_of(file.schema_arrow, part)
        shape = self._shape(part, layout)
        groups = groups_of(file, part, shape.condition, layout.projection)
        return OpenPart(file=file, shape=shape, groups=groups)

    def _stream(self, part: FilePart, format: FileFormat, memory_bytes: int | None) -> StreamedPart:
        names = dict(self._shard.names)
        file = open_stream(
            lambda: self._files.open(part.path),
            part.path,
            format,
            {one.name: one.type for one in self._target if one.name in names},
            block_bytes=block_bytes(memory_bytes),
        )
        return StreamedPart(file, self._shape(part, self._layout_of(file.schema, part)))

    def _shape(self, part: FilePart, layout: _Layout) -> Shape:
        condition = None if part.all_pass else self._shard.condition
        return Shape(
            projection=layout.projection,
            wanted=self._wanted,
            filtered=self._filtered if condition is not None else (),
            condition=condition,
            positions=self._deletes.positions(part.deletes, part.path) if part.deletes else None,
        )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
