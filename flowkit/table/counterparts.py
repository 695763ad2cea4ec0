"""Arrow types as a table can keep them, by what the format has for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowkit.table.errors import SchemaInvalid

if TYPE_CHECKING:
    import pyarrow


def storable(fields: Iterable[pyarrow.Field], *, inside: str = "") -> list[pyarrow.Field]:
    """Return fields with types that the format has, as far as Arrow's have a counterpart.

    Unsigned integers become the next wider signed ones; times, dates and timestamps get its units,
    timestamps of any zone count in UTC, and dictionaries are only another way to write values.
    What other libraries noted in the fields is dropped but for documentation.

    Args:
        fields: columns, or the fields of a struct.
        inside: the path of that struct, with a dot at the end.

    Raises:
        SchemaInvalid: a name is empty or there twice, or a type holds what no type of the format
            does.
    """
    found: dict[str, pyarrow.Field] = {}
    for field in fields:
        path = inside + field.name
        if not field.name:
            raise SchemaInvalid(
                f"a column{f' in `{inside[:-1]}`' if inside else ''} has no name",
                hint="give each column a name",
            )
        if field.name in found:
            raise SchemaInvalid(
                f"column `{path}` is there twice", hint="rename or drop one of them"
            )
        found[field.name] = field.with_type(_storable_type(field.type, path))
    return list(found.values())


def _storable_type(kind: pyarrow.DataType, path: str) -> pyarrow.DataType:
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(kind):
        return _storable_type(kind.value_type, path)
    if types.is_struct(kind):
        return pyarrow.struct(storable(kind, inside=f"{path}."))
    if types.is_map(kind):
        key = kind.key_field.with_type(_storable_type(kind.key_type, f"{path}.key"))
        return pyarrow.map_(
            key, kind.item_field.with_type(_storable_type(kind.item_type, f"{path}.value"))
        )
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        element = _storable_type(kind.value_type, f"{path}.element")
        return pyarrow.list_(kind.value_field.with_type(element))
    if types.is_unsigned_integer(kind) and kind.bit_width < 64:
        return pyarrow.int32() if kind.bit_width < 32 else pyarrow.int64()
    if types.is_timestamp(kind):
        return pyarrow.timestamp("us", None if kind.tz is None else "UTC")
    if types.is_time(kind):
        return pyarrow.time64("us")
    if types.is_date(kind):
        return pyarrow.date32()
    _refuse(kind, path)
    return kind


def _refuse(kind: pyarrow.DataType, path: str) -> None:
    import pyarrow

    types = pyarrow.types
    if types.is_null(kind):
        hint = "cast the column to the type that its values will have"
    elif types.is_uint64(kind):
        hint = "cast it to `int64` if its values fit, and else to `decimal128(20, 0)`"
    elif types.is_decimal(kind) and kind.scale < 0:
        hint = f"cast it to `decimal128({min(38, kind.precision - kind.scale)}, 0)`"
    else:
        return
    raise SchemaInvalid(
        f"column `{path}` is of type `{kind}`, which no column of a table has", hint=hint
    )
