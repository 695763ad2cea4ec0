"""Text as Polars hands it over, in views, which pyarrow knows, but neither takes nor sorts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow


def without_views(table: pyarrow.Table) -> pyarrow.Table:
    """Return a table with views of text and bytes as plain ones; the same if it has none."""
    import pyarrow

    columns = [_plain(column) for column in table.columns]
    if all(new is old for new, old in zip(columns, table.columns, strict=True)):
        return table
    fields = [
        field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)
    ]
    return pyarrow.table(columns, schema=pyarrow.schema(fields, table.schema.metadata))


def _plain(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    import pyarrow

    kind = _plain_type(column.type)
    if kind == column.type:
        return column
    if not pyarrow.types.is_dictionary(kind):
        return column.cast(kind)
    # Dictionaries are not cast as a whole.
    chunks = [
        pyarrow.DictionaryArray.from_arrays(
            one.indices, one.dictionary.cast(kind.value_type), ordered=kind.ordered
        )
        for one in column.chunks
    ]
    return pyarrow.chunked_array(chunks, kind)


def _plain_type(kind: pyarrow.DataType) -> pyarrow.DataType:
    import pyarrow

    types = pyarrow.types
    if types.is_string_view(kind):
        return pyarrow.large_string()
    if types.is_binary_view(kind):
        return pyarrow.large_binary()
    if types.is_dictionary(kind):
        return pyarrow.dictionary(kind.index_type, _plain_type(kind.value_type), kind.ordered)
    if types.is_struct(kind):
        return pyarrow.struct([one.with_type(_plain_type(one.type)) for one in kind])
    if types.is_list(kind):
        return pyarrow.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    if types.is_large_list(kind):
        return pyarrow.large_list(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind
