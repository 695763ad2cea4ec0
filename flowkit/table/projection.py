"""From the columns of a file to the columns of a table, by the numbers of fields.

A file is as old as its write: since then columns may have been added, renamed, reordered, dropped
or widened, in structs and lists too. A field's number never changes, and so finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.conditions import scalar_of

if TYPE_CHECKING:
    import pyarrow

_NUMBER: Final = b"PARQUET:field_id"
_UTC: Final = ("UTC", "+00:00", "Etc/UTC", "Z")


class Unlike(Exception):
    """A file's column cannot be read as the table's; the message says why."""


class Projection:
    """How the columns of files of one schema become those of the table."""

    def __init__(
        self, target: pyarrow.Schema, file: pyarrow.Schema, constants: Mapping[int, Any]
    ) -> None:
        """Take the schemas, whose fields carry their numbers.

        `constants` are values, by the numbers of fields, of columns that files do not have.
        """
        self.target, self.constants = target, constants
        self._there = _by_number(file)

    def source(self, field: pyarrow.Field) -> str | None:
        """Return the file's name for a field of the table, or None if it does not have it."""
        found = self._find(field)
        return None if found is None else str(found.name)

    def column(
        self, field: pyarrow.Field, values: pyarrow.ChunkedArray | None, rows: int
    ) -> pyarrow.ChunkedArray:
        """Return a column of the table.

        Args:
            field: the table's field.
            values: the file's column; None if it does not have it.
            rows: how many rows there are.

        Raises:
            Unlike: the file does not have a column that must be there, or has it in a type that
                cannot become the table's.
        """
        import pyarrow

        kind = plain_type(field.type)
        if values is None:
            return pyarrow.chunked_array([_constant(field, self.constants, rows)], kind)
        source = self._find(field)
        assert source is not None, "values of a column that the file does not have"
        adapted = [_adapted(chunk, source, field, self.constants) for chunk in values.chunks]
        return pyarrow.chunked_array(adapted, kind)

    def _find(self, field: pyarrow.Field) -> pyarrow.Field | None:
        return self._there.get(number_of(field))


def check_unambiguous(names: Sequence[str]) -> None:
    """Check that no column of a file is there twice. Raises Unlike."""
    if len(set(names)) == len(names):
        return
    twice = next(name for name in names if names.count(name) > 1)
    raise Unlike(f"column `{twice}` is there twice")


def number_of(field: pyarrow.Field) -> int | None:
    """Return a field's number, or None if it was written without."""
    text = (field.metadata or {}).get(_NUMBER)
    return None if text is None else int(text)


def path_to(field: pyarrow.Field, number: int) -> list[str] | None:
    """Return the names that lead from a field to the one of that number in its structs."""
    import pyarrow

    if number_of(field) == number:
        return []
    if pyarrow.types.is_struct(field.type):
        for inner in field.type.fields:
            deeper = path_to(inner, number)
            if deeper is not None:
                return [str(inner.name), *deeper]
    return None


def has_numbers(schema: pyarrow.Schema) -> bool:
    """Say whether any of the columns carries its number."""
    return any(number_of(field) is not None for field in schema)


def numbered(
    schema: pyarrow.Schema, numbers: Mapping[str, int], *, any_case: bool = False
) -> pyarrow.Schema:
    """Return a file's schema with the numbers that the table keeps for names, `a.b` within.

    Whatever numbers the file carries are dropped. `any_case`: a name in another case is taken
    too, as Hive does, unless the right one is there.
    """
    import pyarrow

    folded = {**{name.lower(): number for name, number in numbers.items()}, **numbers}
    taken = {name.lower() for name in schema.names if name in numbers}
    fields = []
    for field in schema:
        fold = any_case and (field.name in numbers or field.name.lower() not in taken)
        fields.append(_numbered(field, folded if fold else numbers, field.name, fold))
    return pyarrow.schema(fields)


def plain_type(kind: pyarrow.DataType) -> pyarrow.DataType:
    """Return a type without the numbers that fields inside it carry."""
    import pyarrow

    if pyarrow.types.is_struct(kind):
        return pyarrow.struct([plain_field(field) for field in kind.fields])
    if pyarrow.types.is_large_list(kind):
        return pyarrow.large_list(plain_field(kind.value_field))
    if pyarrow.types.is_map(kind):
        return pyarrow.map_(plain_field(kind.key_field), plain_field(kind.item_field))
    return kind


def plain_field(field: pyarrow.Field) -> pyarrow.Field:
    """Return a field without its number, and without those inside it."""
    import pyarrow

    kept = {key: text for key, text in (field.metadata or {}).items() if key != _NUMBER}
    return pyarrow.field(field.name, plain_type(field.type), field.nullable, kept or None)


def _by_number(fields: Any) -> dict[int | None, pyarrow.Field]:
    return {number_of(field): field for field in fields}


def _numbered(
    field: pyarrow.Field, numbers: Mapping[str, int], path: str, any_case: bool
) -> pyarrow.Field:
    import pyarrow

    def inside(one: pyarrow.Field, name: str) -> pyarrow.Field:
        return _numbered(one, numbers, f"{path}.{name}", any_case)

    kind = field.type
    if pyarrow.types.is_struct(kind):
        kind = pyarrow.struct([inside(one, one.name) for one in kind.fields])
    elif pyarrow.types.is_map(kind):
        kind = pyarrow.map_(inside(kind.key_field, "key"), inside(kind.item_field, "value"))
    elif _is_list(kind):
        kind = pyarrow.list_(inside(kind.value_field, "element"))
    number = numbers.get(path, numbers.get(path.lower()) if any_case else None)
    metadata = None if number is None else {_NUMBER: str(number)}
    return pyarrow.field(field.name, kind, field.nullable, metadata)


def _constant(field: pyarrow.Field, constants: Mapping[int, Any], rows: int) -> pyarrow.Array:
    import pyarrow

    number = number_of(field)
    kind = plain_type(field.type)
    if number is not None and constants.get(number) is not None:
        values = pyarrow.repeat(scalar_of(constants[number], kind), rows)
        if isinstance(kind, pyarrow.BaseExtensionType):
            return pyarrow.ExtensionArray.from_storage(kind, values)
        return values
    if not field.nullable:
        raise Unlike(f"column `{field.name}` must be there, and is not")
    return pyarrow.nulls(rows, kind)


def _adapted(
    values: pyarrow.Array,
    source: pyarrow.Field,
    target: pyarrow.Field,
    constants: Mapping[int, Any],
) -> pyarrow.Array:
    import pyarrow

    kind = target.type
    if pyarrow.types.is_struct(kind) and pyarrow.types.is_struct(values.type):
        return _struct(values, source, target, constants)
    if pyarrow.types.is_map(kind) and pyarrow.types.is_map(values.type):
        offsets, mask = _offsets(values, pyarrow.int32())
        keys = _adapted(values.keys, source.type.key_field, kind.key_field, constants)
        items = _adapted(values.items, source.type.item_field, kind.item_field, constants)
        return pyarrow.MapArray.from_arrays(offsets, keys, items, type=plain_type(kind), mask=mask)
    if pyarrow.types.is_large_list(kind) and _is_list(values.type):
        offsets, mask = _offsets(values, pyarrow.int64())
        inner = _adapted(values.values, source.type.value_field, kind.value_field, constants)
        return pyarrow.LargeListArray.from_arrays(offsets, inner, type=plain_type(kind), mask=mask)
    if not _becomes(values.type, kind):
        raise Unlike(f"column `{target.name}` holds `{values.type}`, and the table has `{kind}`")
    return _cast(values, kind)


def _struct(
    values: pyarrow.Array,
    source: pyarrow.Field,
    target: pyarrow.Field,
    constants: Mapping[int, Any],
) -> pyarrow.Array:
    import pyarrow

    there = _by_number(source.type.fields)
    # Flattened, members are null where the struct is, and cut as it is.
    members = dict(zip((one.name for one in source.type.fields), values.flatten(), strict=True))
    columns = []
    for field in target.type.fields:
        found = there.get(number_of(field))
        if found is None:
            columns.append(_constant(field, constants, len(values)))
        else:
            columns.append(_adapted(members[found.name], found, field, constants))
    return pyarrow.StructArray.from_arrays(
        columns,
        fields=[plain_field(field) for field in target.type.fields],
        mask=values.is_null() if values.null_count else None,
    )


def _offsets(
    values: pyarrow.Array, kind: pyarrow.DataType
) -> tuple[pyarrow.Array, pyarrow.Array | None]:
    """Return where the lists begin among their values, and which of them are null."""
    import pyarrow.compute as pc

    offsets = values.offsets.cast(kind)
    if not values.null_count:
        return offsets, None
    if offsets.offset:
        # Arrow takes no mask beside offsets that are a slice of others.
        offsets = pc.add(offsets, 0).cast(kind)
    return offsets, values.is_null()


def _is_list(kind: pyarrow.DataType) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind))


def _becomes(source: pyarrow.DataType, target: pyarrow.DataType) -> bool:
    """Say whether a column of one type may be read as another: the same, or widened."""
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(source):
        source = source.value_type
    if isinstance(target, pyarrow.BaseExtensionType):
        target = target.storage_type
    if isinstance(source, pyarrow.BaseExtensionType):
        source = source.storage_type
    if source == target or types.is_null(source):
        return True
    if types.is_integer(source) and types.is_signed_integer(target):
        narrow = source.bit_width < target.bit_width
        return bool(narrow or (types.is_signed_integer(source) and source == target))
    if types.is_floating(source) and types.is_floating(target):
        return bool(source.bit_width <= target.bit_width)
    if types.is_decimal(source) and types.is_decimal(target):
        return bool(source.scale == target.scale and source.precision <= target.precision)
    if types.is_timestamp(source) and types.is_timestamp(target):
        zoned = source.tz is None or source.tz in _UTC
        return bool(zoned and (source.unit != "ns" or target.unit in ("us", "ns")))
    if types.is_time(source) and types.is_time(target):
        return True
    if _is_text(source):
        return _is_text(target)
    return _is_bytes(source) and _is_bytes(target)


def _is_text(kind: pyarrow.DataType) -> bool:
    import pyarrow

    return bool(
        pyarrow.types.is_string(kind)
        or pyarrow.types.is_large_string(kind)
        or pyarrow.types.is_string_view(kind)
    )


def _is_bytes(kind: pyarrow.DataType) -> bool:
    import pyarrow

    return bool(
        pyarrow.types.is_binary(kind)
        or pyarrow.types.is_large_binary(kind)
        or pyarrow.types.is_binary_view(kind)
    )


def _cast(values: pyarrow.Array, kind: pyarrow.DataType) -> pyarrow.Array:
    import pyarrow

    if values.type == kind:
        return values
    if isinstance(values.type, pyarrow.BaseExtensionType):
        values = values.storage
    if isinstance(kind, pyarrow.BaseExtensionType):
        return pyarrow.ExtensionArray.from_storage(kind, _cast(values, kind.storage_type))
    # Nanoseconds that others wrote are cut to the table's microseconds.
    return values.cast(kind, safe=not pyarrow.types.is_timestamp(kind))
