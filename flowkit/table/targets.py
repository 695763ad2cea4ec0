"""What the rows of a scan look like: the columns asked for, and what a filter needs besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.conditions import Condition, fields_of
from flowkit.table.errors import UnknownColumn, UnsupportedTable
from flowkit.table.filters import plain_value
from flowkit.table.shards import encoded_schema

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata

_NEWEST: Final = 3
"""The last version of the format that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The columns of a scan, as shards have them."""

    schema: str
    width: int
    defaults: tuple[tuple[int, Any], ...]
    names: tuple[tuple[str, int], ...]


def target_of(
    schema: Schema,
    columns: Sequence[str] | None,
    condition: Condition | None,
    metadata: TableMetadata,
    *,
    table: str,
) -> Target:
    """Describe the columns of a scan, in the order asked for, and those of its filter behind them.

    Raises:
        UnknownColumn: a name is no column.
        UnsupportedTable: the table is of a version or has types that are not known.
    """
    check_version(metadata, table)
    mapping = metadata.name_mapping()
    names = () if mapping is None else tuple(names_within(mapping.root))
    return named_target(schema, columns, condition, names, table=table)


def named_target(
    schema: Schema,
    columns: Sequence[str] | None,
    condition: Condition | None,
    names: tuple[tuple[str, int], ...],
    *,
    table: str,
) -> Target:
    """Describe the columns of a scan of files whose fields are known by these names.

    Raises:
        UnknownColumn: a name is no column.
    """
    import pyarrow
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    wanted = _selected(schema, columns, table)
    fields = list(schema_to_pyarrow(wanted))
    if columns is not None:
        tops = list(dict.fromkeys(_tops(schema, columns)))
        fields.sort(key=lambda field: tops.index(field.name))
    width = len(fields)
    covered = set(wanted._lazy_id_to_name)
    missing = [number for number in fields_of(condition) if number not in covered]
    # Whole, as the filter is about what the selection has left out of them.
    tops_missing = {_top(schema, number) for number in missing}
    extra = [field for field in schema_to_pyarrow(schema) if field.name in tops_missing]
    return Target(
        schema=encoded_schema(pyarrow.schema([*fields, *extra])),
        width=width,
        defaults=tuple(_defaults(schema)),
        names=names,
    )


def check_version(metadata: TableMetadata, table: str) -> None:
    """Refuse a table of a version of the format that is not known. Raises UnsupportedTable."""
    if metadata.format_version > _NEWEST:
        raise UnsupportedTable(
            table,
            feature=f"it has format version {metadata.format_version}",
            hint="upgrade flowkit and pyiceberg",
        )


def in_days_or_micros(value: Any) -> Any:
    """Return a time as the format counts it: days or microseconds since 1970."""
    if isinstance(value, datetime):
        epoch = datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return (value - epoch) // timedelta(microseconds=1)
    return (value - date(1970, 1, 1)).days if isinstance(value, date) else value


def _selected(schema: Schema, columns: Sequence[str] | None, table: str) -> Schema:
    if columns is None:
        return schema
    for name in columns:
        if name not in schema.column_names:
            raise UnknownColumn(name, table=table, known=schema.column_names)
    return schema.select(*columns)


def _tops(schema: Schema, columns: Sequence[str]) -> list[str]:
    return [_top(schema, schema.find_field(name).field_id) for name in columns]


def _top(schema: Schema, number: int) -> str:
    """Return the top-level column that a field is in."""
    return next(
        field.name
        for field in schema.fields
        if number == field.field_id or number in _within(field.field_type)
    )


def _within(kind: Any) -> set[int]:
    """Return the numbers of the fields inside a type."""
    members = [getattr(kind, name, None) for name in ("element_field", "key_field", "value_field")]
    found: set[int] = set()
    for field in (*getattr(kind, "fields", ()), *members):
        if field is not None:
            found |= {field.field_id} | _within(field.field_type)
    return found


def _defaults(schema: Schema) -> Iterator[tuple[int, Any]]:
    for number in sorted(schema._lazy_id_to_name):
        value = schema.find_field(number).initial_default
        if value is not None:
            yield number, plain_value(in_days_or_micros(value))


def names_within(mapped: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield the full names that a name mapping has for fields, with their numbers."""
    for one in mapped:
        for name in one.names:
            if one.field_id is not None:
                yield prefix + name, one.field_id
            yield from names_within(one.fields, f"{prefix}{name}.")
