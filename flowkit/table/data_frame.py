"""`DataFrame`: an Arrow table with a friendly face, at home in pandas, Polars and DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, overload

from flowkit.errors import UsageError
from flowkit.table.arguments import check_kind, check_names
from flowkit.table.errors import UnknownColumn
from flowkit.table.previews import html_preview, text_preview
from flowkit.table.views import without_views

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from flowkit.table.shards import Shard


class DataFrame:
    """Rows and columns in memory, as Arrow has them.

    Made from anything that speaks Arrow's capsule protocol, such as frames of Polars and pandas,
    relations of DuckDB and tables of pyarrow, or from a dict of lists; and handed to them the
    same way. It never changes. Where types allow nothing is copied, in either direction.

    >>> from flowkit import DataFrame
    >>> frame = DataFrame({"carrier": ["AA", "UA", "AA"], "delay": [3, 12, 40]})
    >>> frame.sql("select carrier, max(delay) as delay from this group by all order by all")
    carrier | delay
    --------+------
    AA      |    40
    UA      |    12
    2 rows
    """

    __slots__ = ("_table",)

    def __init__(self, data: object) -> None:
        """Take the data, without a copy if it is Arrow's already.

        Raises:
            UsageError: it is nothing that can be read as a table, or has a column twice.
        """
        self._table = _arrow_table(data)
        names = self._table.column_names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise UsageError(f"column `{twice}` is there twice", hint="call one something else")

    @classmethod
    def read(cls, shard: Shard, columns: Sequence[str] | None = None) -> DataFrame:
        """Read a shard: all its columns, or those named.

        Raises:
            UnknownColumn: the shard has no such column.
            DataFileMissing, DataFileDamaged: a file is gone, or cannot be decoded.
            SnapshotExpired: the shard's snapshot has been expired.
        """
        from flowkit.table.files import Files
        from flowkit.table.lineage import note_read
        from flowkit.table.reading import ShardReader
        from flowkit.table.shards import Shard

        check_kind("shard", shard, Shard, hint="give one of `scan.shards(...)`")
        files = Files(shard.table, shard.catalog, shard.snapshot, kind=shard.kind)
        frame = cls(ShardReader(shard, files, columns).read())
        note_read(shard.table, shard.catalog, shard.snapshot)
        return frame

    @property
    def schema(self) -> pyarrow.Schema:
        """The Arrow schema."""
        return self._table.schema

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._table.column_names)

    @property
    def size_bytes(self) -> int:
        """Bytes that the values take in memory."""
        return int(self._table.nbytes)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the data to whoever speaks Arrow, without a copy."""
        return self._table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """Hand the schema to whoever speaks Arrow."""
        return self._table.schema.__arrow_c_schema__()

    @overload
    def __getitem__(self, columns: str) -> pyarrow.ChunkedArray: ...
    @overload
    def __getitem__(self, columns: list[str]) -> DataFrame: ...
    def __getitem__(self, columns: str | list[str]) -> pyarrow.ChunkedArray | DataFrame:
        names = [columns] if isinstance(columns, str) else columns
        check_names("columns", names)
        for name in names:
            if name not in self.columns:
                raise UnknownColumn(name, table="this", known=self.columns)
        if isinstance(columns, str):
            return self._table.column(columns)
        return DataFrame(self._table.select(names))

    def to_arrow(self) -> pyarrow.Table:
        """Return the Arrow table itself."""
        return self._table

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas frame; `pandas_copies` says which columns had to be copied for it.

        Raises:
            UsageError: pandas is not installed.
        """
        _import("pandas")
        frame: pandas.DataFrame = without_views(self._table).to_pandas(split_blocks=True)
        return frame

    def pandas_copies(self) -> dict[str, str]:
        """Name the columns that `to_pandas` has to copy, and say why.

        The others share memory with this frame, and are read-only.
        """
        reasons = {name: _why_copied(self._table.column(name)) for name in self.columns}
        return {name: reason for name, reason in reasons.items() if reason}

    def to_polars(self) -> polars.DataFrame:
        """Return a Polars frame.

        Raises:
            UsageError: Polars is not installed.
        """
        frame: polars.DataFrame = _import("polars").DataFrame(self._table)
        return frame

    def sql(self, query: str) -> DataFrame:
        """Ask DuckDB about this frame, which the query calls `this`.

        Raises:
            UsageError: DuckDB does not take the query.
        """
        from flowkit.table.sql import run_sql

        return DataFrame(run_sql(query, this=self._table))

    def head(self, n: int = 10) -> DataFrame:
        """Return the first rows."""
        return DataFrame(self._table.slice(0, n))

    def sample(self, n: int, *, seed: int) -> DataFrame:
        """Return `n` rows by chance, in their order; the same for the same seed."""
        from random import Random

        check_kind("n", n, int, hint="give a number of rows")
        if n < 0:
            raise UsageError(f"a sample of {n} rows makes no sense", hint="give 0 or more")
        rows = sorted(Random(seed).sample(range(len(self)), min(n, len(self))))
        return DataFrame(without_views(self._table).take(rows))

    def partition_by(self, *columns: str) -> Iterator[tuple[tuple[Any, ...], DataFrame]]:
        """Yield each combination of values of some columns, sorted, with its rows in their order.

        Null is a value of its own, and so is NaN.

        Raises:
            UnknownColumn: there is no such column.
            UsageError: none is named, or values of one have no order, such as lists.
        """
        if not columns:
            raise UsageError("no column is named to partition by", hint="name one, or several")
        rows = without_views(self._table)
        keys = DataFrame(rows)[list(columns)].to_arrow()
        yield from ((key, DataFrame(part)) for key, part in _partitions(rows, keys))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataFrame) and bool(self._table.equals(other._table))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, tuple[Any]]:
        # A pickle of a part of a table would hold the whole buffers that it is a part of.
        if self._table.get_total_buffer_size() > 2 * self._table.nbytes:
            return _from_stream, (_as_stream(self._table),)
        return DataFrame, (self._table,)

    def __repr__(self) -> str:
        return text_preview(self._table)

    def _repr_html_(self) -> str:
        return html_preview(self._table)


def _arrow_table(data: Any) -> pyarrow.Table:
    import pyarrow

    if isinstance(data, DataFrame):
        return data.to_arrow()
    if isinstance(data, pyarrow.Table):
        return data
    if isinstance(data, pyarrow.RecordBatch):
        return pyarrow.Table.from_batches([data])
    if isinstance(data, dict):
        try:
            return pyarrow.table(data)
        except (pyarrow.ArrowInvalid, TypeError, ValueError) as error:
            raise UsageError(
                f"these columns are no table: {error}", hint="give lists of equal length"
            ) from error
    if type(data).__module__.partition(".")[0] == "pandas":
        # Not by its capsule: that would add the index as a column.
        return pandas_table(data, index=False).replace_schema_metadata(None)
    if hasattr(data, "__arrow_c_stream__"):
        return pyarrow.table(data)
    raise UsageError(
        f"a `{type(data).__name__}` cannot be read as a table",
        hint="give a frame of pandas or Polars, a pyarrow table, or a dict of lists",
    )


def pandas_table(frame: pandas.DataFrame, *, index: bool) -> pyarrow.Table:
    """Return a pandas frame as Arrow has it, with its index as columns or without.

    Raises:
        UsageError: a column holds values of several types, or is there twice.
    """
    import pyarrow

    try:
        return pyarrow.Table.from_pandas(frame, preserve_index=index)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise UsageError(
            f"this pandas frame is no table: {': '.join(map(str, error.args))}",
            hint="give each column one type and a name of its own: `frame.astype({'a': str})`",
        ) from error


def _as_stream(table: pyarrow.Table) -> pyarrow.Buffer:
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def _from_stream(buffer: object) -> DataFrame:
    import pyarrow

    return DataFrame(pyarrow.ipc.open_stream(buffer).read_all())


def _import(library: str) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise UsageError(
            f"{library} is not installed: {error}", hint=f"run `pip install {library}`"
        ) from error


def _partitions(
    table: pyarrow.Table, keys: pyarrow.Table
) -> Iterator[tuple[tuple[Any, ...], pyarrow.Table]]:
    """Sort by the keys once, and slice."""
    import pyarrow
    import pyarrow.compute as pc

    if not len(table):
        return
    keys = pyarrow.table(
        [_sortable(keys.column(one), one) for one in keys.column_names], keys.column_names
    )
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    sorted_keys, rows = keys.take(order), table.take(order)
    edge = pyarrow.repeat(False, len(table) - 1)
    for column in sorted_keys.columns:
        whole = column.combine_chunks()
        changed = pc.not_equal(whole[1:], whole[:-1])
        if pyarrow.types.is_floating(whole.type):
            changed = pc.and_not(changed, pc.and_(pc.is_nan(whole[1:]), pc.is_nan(whole[:-1])))
        # Null beside a value is a change, null beside null is none.
        differs = pc.xor(whole[1:].is_null(), whole[:-1].is_null())
        edge = pc.or_(edge, pc.or_(pc.fill_null(changed, False), differs))
    starts = [0, *(at + 1 for at in pc.indices_nonzero(edge).to_pylist())]
    for start, stop in zip(starts, [*starts[1:], len(table)], strict=True):
        key = tuple(column[start].as_py() for column in sorted_keys.columns)
        yield key, rows.slice(start, stop - start)


def _sortable(column: pyarrow.ChunkedArray, name: str) -> pyarrow.ChunkedArray:
    """Return a column in a type that pyarrow sorts and compares. Raises UsageError."""
    import pyarrow

    kind = column.type
    types = pyarrow.types
    if types.is_dictionary(kind):
        return _sortable(column.cast(kind.value_type), name)
    if types.is_float16(kind):
        return column.cast(pyarrow.float32())
    if types.is_null(kind):
        return column.cast(pyarrow.bool_())
    if types.is_nested(kind) or isinstance(kind, pyarrow.BaseExtensionType):
        raise UsageError(
            f"column `{name}` of type `{kind}` cannot be partitioned by",
            hint="partition by numbers, texts or times",
        )
    return column


def _why_copied(column: pyarrow.ChunkedArray) -> str:
    import pyarrow

    kind = column.type
    types = pyarrow.types
    if types.is_large_string(kind) or types.is_string(kind):
        return "" if types.is_large_string(kind) else "pandas has other text"
    if not (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_timestamp(kind)
        or types.is_duration(kind)
    ):
        return f"pandas has no column of type `{kind}`"
    if column.null_count:
        return "it has nulls, for which pandas has other values"
    if column.num_chunks != 1:
        return f"it is in {column.num_chunks} chunks, which pandas needs in one"
    return ""
