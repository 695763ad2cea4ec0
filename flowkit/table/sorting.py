"""A table's sort order, applied to the rows of a data file before it is written."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import NullOrder, SortDirection, SortOrder

from flowkit.table.partitioning import column_of
from flowkit.table.transforms import transform_column


def sort_rows(batch: pa.RecordBatch, order: SortOrder, schema: Schema) -> pa.RecordBatch:
    """Return a batch's rows in a table's sort order; equal rows keep their order.

    Source:
        Iceberg table spec, "Sorting": NaN is the largest number, nulls go where each field says.
    """
    keys: dict[str, pa.Array] = {}
    directions: list[tuple[str, str]] = []

    def add(column: pa.Array, direction: str) -> None:
        name = str(len(keys))
        keys[name] = column
        directions.append((name, direction))

    for field in order.fields:
        source = schema.find_field(field.source_id).field_type
        column = transform_column(
            column_of(batch, schema, field.source_id), source, field.transform
        )
        direction = "ascending" if field.direction == SortDirection.ASC else "descending"
        # Arrow places nulls and NaN on one side for all keys; Iceberg field by field.
        if column.null_count:
            first = field.null_order == NullOrder.NULLS_FIRST
            add(column.is_null(), "descending" if first else "ascending")
        if pa.types.is_floating(column.type):
            add(pc.is_nan(column).fill_null(False), direction)
        add(column, direction)
    if not keys:
        return batch
    ranks = pc.sort_indices(pa.table(keys), sort_keys=directions)
    return batch.take(ranks)
