"""Structs that are null although fields inside them are required.

Nobody sees the fields of a struct that is null. Parquet's writer still refuses a required column
with nulls, wherever they are: so values that mean nothing stand there.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def nulls(rows: int, kind: pa.DataType) -> pa.Array:
    """Return only nulls, which can be written if the column itself may be null."""
    if not pa.types.is_struct(kind):
        return pa.nulls(rows, kind)
    children = [
        nulls(rows, field.type) if field.nullable else _blanks(rows, field.type) for field in kind
    ]
    return pa.StructArray.from_arrays(
        children, fields=list(kind), mask=pa.array(np.ones(rows, np.bool_))
    )


def filled(values: pa.Array) -> pa.Array:
    """Return values with something in the place of each null, whatever it is."""
    if not values.null_count:
        return values
    # One blank at the end, which all nulls are taken from.
    places = np.arange(len(values))
    places[np.asarray(values.is_null())] = len(values)
    return pa.concat_arrays([values, _blanks(1, values.type)]).take(pa.array(places))


def _blanks(rows: int, kind: pa.DataType) -> pa.Array:
    """Return the same value, not null, so many times."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, _blanks(rows, kind.storage_type))
    if pa.types.is_struct(kind):
        children = [_blanks(rows, field.type) for field in kind]
        return pa.StructArray.from_arrays(children, fields=list(kind))
    offsets = pa.array(np.zeros(rows + 1, np.int32))
    if pa.types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(
            offsets.cast(pa.int64()), pa.nulls(0, kind.value_type), type=kind
        )
    if pa.types.is_map(kind):
        keys, items = pa.nulls(0, kind.key_type), pa.nulls(0, kind.item_type)
        return pa.MapArray.from_arrays(offsets, keys, items, type=kind)
    # Arrow knows a blank of each plain type: it puts one behind a null struct.
    blank = pa.array([None], pa.struct([pa.field("it", kind, nullable=False)])).field(0)
    return blank.take(pa.array(np.zeros(rows, np.int64)))
