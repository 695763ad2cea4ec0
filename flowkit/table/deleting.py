"""Filters of deletes: text or expressions, and the rows that they leave."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyiceberg.expressions import BooleanExpression
from pyiceberg.expressions.parser import parse
from pyiceberg.expressions.visitors import bind, extract_field_ids
from pyiceberg.io.pyarrow import expression_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyparsing import ParseException

from flowkit.errors import UsageError


def parse_where(where: str | BooleanExpression, table: Table) -> BooleanExpression:
    """Return a filter as an expression, checked against a table's columns.

    Raises:
        UsageError: it does not parse, or does not fit the table.
    """
    try:
        parsed = parse(where) if isinstance(where, str) else where
        bind(table.schema(), parsed, case_sensitive=True)
    except (ParseException, ValueError, TypeError) as error:
        raise UsageError(
            f"the filter `{where}` does not fit table `{'.'.join(table.name())}`: {error}",
            hint=f"its columns are: {', '.join(field.name for field in table.schema().fields)}",
        ) from error
    return parsed


def columns_of(where: BooleanExpression, table: Table) -> Schema:
    """Return the top-level columns that a filter looks at."""
    schema = table.schema()
    ids = extract_field_ids(bind(schema, where, case_sensitive=True))
    # The accessor of a field within structs begins at its top-level column.
    tops = {schema.accessor_for_field(field_id).position for field_id in ids}
    return Schema(*(schema.fields[at] for at in sorted(tops)))


def complement_of(where: BooleanExpression, table: Table) -> Callable[[pa.RecordBatch], pa.Array]:
    """Return a function that says which rows of a batch a filter does not match.

    A filter that is null for a row, as one on a null column is, does not match it.
    """
    schema = table.schema()
    matches = expression_to_pyarrow(bind(schema, where, case_sensitive=True), schema)

    def keep(batch: pa.RecordBatch) -> pa.Array:
        found = ds.dataset(pa.Table.from_batches([batch])).to_table(columns={"hit": matches})
        hit = found.column("hit").combine_chunks().fill_null(False)
        return pc.invert(hit)

    return keep
