"""Which rows a delete leaves: those that its filter is not true of."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import BooleanExpression
from pyiceberg.expressions.visitors import bind, extract_field_ids
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from flowkit.table.conditions import mask_of
from flowkit.table.filters import condition_of
from flowkit.table.projection import path_to
from flowkit.table.schemas import with_null_structs


def columns_of(where: BooleanExpression, table: Table) -> Schema:
    """Return the top-level columns that a filter looks at; one, if it looks at none.

    Rows are counted by a column.
    """
    schema = table.schema()
    ids = extract_field_ids(bind(with_null_structs(schema), where, case_sensitive=True))
    # The accessor of a field within structs begins at its top-level column.
    tops = {schema.accessor_for_field(field_id).position for field_id in ids}
    return Schema(*(schema.fields[at] for at in sorted(tops or {0})))


def complement_of(where: BooleanExpression, table: Table) -> Callable[[pa.RecordBatch], pa.Array]:
    """Return a function that says which rows of a batch a filter does not match.

    A filter that is null for a row, as one on a null column is, does not match it: the rows that
    a scan would find are those that a delete takes.
    """
    schema = table.schema()
    condition = condition_of(where, schema) or ("true",)
    fields = list(schema_to_pyarrow(schema))

    def keep(batch: pa.RecordBatch) -> pa.Array:
        def column(number: int) -> pa.ChunkedArray:
            paths = ((field.name, path_to(field, number)) for field in fields)
            name, path = next((name, path) for name, path in paths if path is not None)
            values = pa.chunked_array([batch.column(name)])
            return pc.struct_field(values, path) if path else values

        hit = mask_of(condition, batch.num_rows, column).combine_chunks().fill_null(False)
        return pc.invert(hit)

    return keep
