"""Finding the rows that an upsert replaces: those with a key that the new files have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    GreaterThanOrEqual,
    LessThanOrEqual,
    Reference,
)
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import (
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    TimestamptzType,
)

from flowkit.errors import UsageError
from flowkit.table.conforming import field_id_of
from flowkit.table.errors import PartRefused
from flowkit.table.partitioning import number_rows
from flowkit.table.transforms import to_physical
from flowkit.table.written import WrittenFiles

_BOUNDED = (
    IntegerType,
    LongType,
    StringType,
    DateType,
    TimestampType,
    TimestamptzType,
    DecimalType,
)


class UpsertKeys:
    """The keys in some new files; all of them are held in memory.

    Raises:
        UsageError: `on` names no columns, or some that cannot be keys.
        PartRefused: a key is null, or there twice.
    """

    def __init__(self, table: Table, parts: Sequence[WrittenFiles], on: Sequence[str]) -> None:
        self.columns = _key_schema(table.schema(), on)
        arrow = schema_to_pyarrow(self.columns)
        read = [_read_keys(table, path, arrow) for part in parts for path in part.paths]
        keys = pa.concat_tables(read) if read else arrow.empty_table()
        self._keys = [_one_array(column) for column in keys.columns]
        self.count: int = keys.num_rows
        self._check(".".join(table.name()))

    @property
    def where(self) -> BooleanExpression:
        """A filter that no row with one of the keys fails; for pruning."""
        found: BooleanExpression = AlwaysTrue()
        for field, column in zip(self.columns.fields, self._keys, strict=True):
            if isinstance(field.field_type, _BOUNDED):
                bounds = pc.min_max(to_physical(column)).as_py()
                name = Reference(field.name)
                lowest = GreaterThanOrEqual(term=name, value=bounds["min"])
                highest = LessThanOrEqual(term=name, value=bounds["max"])
                found = And(found, And(lowest, highest))
        return found

    def keep(self, batch: pa.RecordBatch) -> pa.Array:
        """Say which rows of the table have none of the keys."""
        columns = [
            pa.concat_arrays([ours, to_physical(batch.column(field.name)).cast(ours.type)])
            for field, ours in zip(self.columns.fields, map(to_physical, self._keys), strict=True)
        ]
        codes, firsts = number_rows(columns)
        is_key = np.zeros(len(firsts), dtype=bool)
        is_key[codes[: self.count]] = True
        return pa.array(~is_key[codes[self.count :]])

    def _check(self, table: str) -> None:
        for field, column in zip(self.columns.fields, self._keys, strict=True):
            if column.null_count:
                raise PartRefused(
                    table,
                    f"key column `{field.name}` has {column.null_count} nulls",
                    hint="leave out rows without a key, or append them",
                )
        if self.count and len(number_rows(list(map(to_physical, self._keys)))[1]) < self.count:
            names = ", ".join(f"`{field.name}`" for field in self.columns.fields)
            raise PartRefused(
                table,
                f"some rows have the same key ({names})",
                hint="keep one row a key before writing",
            )


def _key_schema(schema: Schema, on: Sequence[str]) -> Schema:
    columns = {field.name: field for field in schema.fields}
    wrong = [
        name for name in on if name not in columns or not columns[name].field_type.is_primitive
    ]
    if wrong or not on:
        raise UsageError(
            f"an upsert cannot go by {', '.join(f'`{name}`' for name in wrong) or 'no column'}",
            hint=f"name top-level columns of simple types: {', '.join(columns)}",
        )
    return Schema(*(columns[name] for name in dict.fromkeys(on)))


def _read_keys(table: Table, path: str, arrow: pa.Schema) -> pa.Table:
    """Read key columns of a new file, by field id: a column may have been renamed meanwhile."""
    with table.io.new_input(path).open() as stream:
        file = pq.ParquetFile(stream)
        names = {field_id_of(one): one.name for one in file.schema_arrow}
        found = [names.get(field_id_of(one)) for one in arrow]
        read = file.read(columns=[name for name in found if name is not None])
    columns: list[Any] = [
        pa.nulls(read.num_rows, one.type) if name is None else read.column(name).cast(one.type)
        for name, one in zip(found, arrow, strict=True)
    ]
    return pa.table(columns, names=arrow.names)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
