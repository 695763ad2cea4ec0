"""Data of any origin into a table's own Arrow types, or a clear word why it does not fit.

Columns are found by name, in any order. What can be widened without loss is; a missing optional
column is null; anything else is said column by column, all at once, before a row is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampNanoType,
    TimestampType,
    TimestamptzNanoType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from flowkit.table.errors import Misfit, SchemaMismatch
from flowkit.table.null_structs import filled, nulls

_FIELD_ID: Final = b"PARQUET:field_id"


def _is_naive(kind: Any) -> bool:
    return bool(pa.types.is_timestamp(kind)) and kind.tz is None


def _is_zoned(kind: Any) -> bool:
    return bool(pa.types.is_timestamp(kind)) and kind.tz is not None


_FITS: Final[dict[type[IcebergType], Callable[[Any], bool]]] = {
    BooleanType: pa.types.is_boolean,
    # Of unsigned integers as wide as the column, the values tell.
    IntegerType: lambda kind: pa.types.is_integer(kind) and kind.bit_width <= 32,
    LongType: pa.types.is_integer,
    FloatType: lambda kind: pa.types.is_floating(kind) and kind.bit_width <= 32,
    DoubleType: pa.types.is_floating,
    DateType: pa.types.is_date,
    TimeType: pa.types.is_time,
    TimestampType: _is_naive,
    TimestampNanoType: _is_naive,
    TimestamptzType: _is_zoned,
    TimestamptzNanoType: _is_zoned,
    StringType: lambda kind: (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ),
    BinaryType: lambda kind: (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    ),
    UUIDType: lambda kind: kind == pa.uuid() or kind == pa.binary(16),
}


def check_columns(found: pa.Schema, expected: StructType, table: str) -> None:
    """Check that data of an Arrow schema can be written to a table.

    Raises:
        SchemaMismatch: it cannot; all misfits are listed.
    """
    misfits = list(_misfits(list(found), expected, ""))
    if misfits:
        raise SchemaMismatch(table, misfits)


def conform(
    batch: pa.RecordBatch,
    expected: StructType,
    target: pa.Schema,
    *,
    table: str,
    by_id: bool = False,
) -> pa.RecordBatch:
    """Return a batch that `check_columns` accepted, in the table's Arrow schema.

    Columns that have the right type already are not copied. `by_id`: the batch is from a data
    file, whose columns are known by their field ids, whatever they are called now.

    Raises:
        SchemaMismatch: a required column has nulls, or a value does not survive its widening.
    """
    columns = [
        _converted(
            batch.column(at) if at is not None else None,
            field,
            arrow.type,
            _Place(table, field.name, batch.num_rows, by_id),
        )
        for field, arrow, at in zip(
            expected.fields, target, _places(batch.schema, expected, by_id), strict=True
        )
    ]
    return pa.RecordBatch.from_arrays(columns, schema=target)


def field_id_of(field: pa.Field) -> int | None:
    """Return the field id that a column of a data file carries, if any."""
    text = (field.metadata or {}).get(_FIELD_ID)
    return int(text) if text is not None else None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the table a conversion is, for its errors; and how many rows it must yield."""

    table: str
    column: str
    rows: int
    by_id: bool

    def inside(self, name: str, rows: int) -> _Place:
        return _Place(self.table, f"{self.column}.{name}", rows, self.by_id)

    def misfit(self, expected: str, found: str) -> SchemaMismatch:
        return SchemaMismatch(self.table, [Misfit(self.column, expected, found)])


def _misfits(found: list[pa.Field], expected: StructType, path: str) -> Iterator[Misfit]:
    names = [one.name for one in found]
    by_name = {one.name: one.type for one in found}
    for field in expected.fields:
        column = path + field.name
        if names.count(field.name) > 1:
            yield Misfit(column, "one column of this name", f"{names.count(field.name)}")
        elif field.name in by_name:
            yield from _type_misfits(by_name[field.name], field, column)
        elif field.required:
            yield Misfit(column, f"{field.field_type}, required", "no such column")
    for name in sorted(set(names) - {field.name for field in expected.fields}):
        yield Misfit(path + name, "no such column", str(by_name[name]))


def _type_misfits(found: pa.DataType, field: NestedField, column: str) -> Iterator[Misfit]:
    if pa.types.is_dictionary(found):
        found = found.value_type
    kind = field.field_type
    if pa.types.is_null(found):
        if field.required:
            yield Misfit(column, f"{kind}, required", "only nulls")
    elif isinstance(kind, StructType) and pa.types.is_struct(found):
        yield from _misfits(list(found), kind, column + ".")
    elif isinstance(kind, ListType) and _is_list(found):
        yield from _type_misfits(found.value_type, kind.element_field, column + ".element")
    elif isinstance(kind, MapType) and pa.types.is_map(found):
        yield from _type_misfits(found.key_type, kind.key_field, column + ".key")
        yield from _type_misfits(found.item_type, kind.value_field, column + ".value")
    elif not _fits(kind, found):
        yield Misfit(column, str(kind), str(found))


def _fits(kind: IcebergType, found: Any) -> bool:
    if isinstance(kind, DecimalType):
        if not pa.types.is_decimal(found):
            return False
        whole, expected = found.precision - found.scale, kind.precision - kind.scale
        return bool(found.scale <= kind.scale and whole <= expected)
    if isinstance(kind, FixedType):
        return bool(pa.types.is_fixed_size_binary(found) and found.byte_width == len(kind))
    fits = _FITS.get(type(kind))
    return fits is not None and bool(fits(found))


def _is_list(found: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(found)
        or pa.types.is_large_list(found)
        or pa.types.is_fixed_size_list(found)
        or pa.types.is_list_view(found)
        or pa.types.is_large_list_view(found)
    )


def _converted(
    column: pa.Array | None, field: NestedField, target: pa.DataType, place: _Place
) -> pa.Array:
    if column is None or pa.types.is_null(column.type):
        return nulls(place.rows, target)
    if pa.types.is_dictionary(column.type):
        values = field.model_copy(update={"required": False})
        inner = replace(place, rows=len(column.dictionary))
        column = _converted(column.dictionary, values, target, inner).take(column.indices)
    if field.required and column.null_count:
        raise place.misfit(f"{field.field_type}, required", f"{column.null_count} nulls")
    kind = field.field_type
    if isinstance(kind, StructType):
        return _converted_struct(column, kind, target, place)
    if isinstance(kind, ListType):
        return _converted_list(column, kind, target, place)
    if isinstance(kind, MapType):
        return _converted_map(column, kind, target, place)
    if column.type == target:
        return column
    if isinstance(kind, UUIDType):
        return pa.ExtensionArray.from_storage(target, column)
    try:
        return column.cast(target)
    except pa.ArrowInvalid as error:
        raise place.misfit(
            str(kind), f"{column.type} with values that do not fit: {error}"
        ) from error


def _places(found: Iterable[pa.Field], expected: StructType, by_id: bool) -> list[int | None]:
    """Return where each expected field is among those found."""
    if by_id:
        places: dict[object, int] = {field_id_of(one): at for at, one in enumerate(found)}
        return [places.get(field.field_id) for field in expected.fields]
    places = {one.name: at for at, one in enumerate(found)}
    return [places.get(field.name) for field in expected.fields]


def _converted_struct(
    column: Any, kind: StructType, target: pa.DataType, place: _Place
) -> pa.Array:
    children = []
    places = _places(column.type, kind, place.by_id)
    # Flattened, fields are null where the struct is.
    found = column.flatten()
    for field, arrow, at in zip(kind.fields, target, places, strict=True):
        inner = place.inside(field.name, len(column))
        child = found[at] if at is not None else pa.nulls(len(column))
        if field.required:
            # Only a struct that is not null needs its required fields.
            missing = child.null_count - column.null_count
            if missing:
                raise inner.misfit(f"{field.field_type}, required", f"{missing} nulls")
            field = field.model_copy(update={"required": False})
        made = _converted(child, field, arrow.type, inner)
        children.append(made if arrow.nullable else filled(made))
    mask = column.is_null() if column.null_count else None
    return pa.StructArray.from_arrays(children, fields=list(target), mask=mask)


def _converted_list(column: Any, kind: ListType, target: pa.DataType, place: _Place) -> pa.Array:
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        column = column.cast(pa.large_list(column.type.value_type))
    offsets, start, stop, mask = _ranges(column)
    if mask is not None and np.any(np.diff(offsets)[np.asarray(mask)]):
        return _converted_list(_without_hidden(column), kind, target, place)
    values = column.values.slice(start, stop - start)
    elements = _converted(
        values, kind.element_field, target.value_type, place.inside("element", len(values))
    )
    return pa.LargeListArray.from_arrays(pa.array(offsets), elements, type=target, mask=mask)


def _converted_map(column: Any, kind: MapType, target: pa.DataType, place: _Place) -> pa.Array:
    offsets, start, stop, mask = _ranges(column)
    if mask is not None and np.any(np.diff(offsets)[np.asarray(mask)]):
        return _converted_map(_without_hidden(column), kind, target, place)
    length = stop - start
    keys = _converted(
        column.keys.slice(start, length),
        kind.key_field,
        target.key_type,
        place.inside("key", length),
    )
    items = _converted(
        column.items.slice(start, length),
        kind.value_field,
        target.item_type,
        place.inside("value", length),
    )
    return pa.MapArray.from_arrays(
        pa.array(offsets.astype(np.int32)), keys, items, type=target, mask=mask
    )


def _ranges(column: Any) -> tuple[Any, int, int, pa.Array | None]:
    """Return a list column's offsets from 0, where its values start and stop, and its nulls."""
    offsets = np.asarray(column.offsets).astype(np.int64)
    start, stop = int(offsets[0]), int(offsets[-1])
    return offsets - start, start, stop, column.is_null() if column.null_count else None


def _without_hidden(column: Any) -> Any:
    """Return a list column whose nulls have no values behind them, as Parquet wants it."""
    return column.take(pc.if_else(column.is_valid(), pa.array(np.arange(len(column))), None))
