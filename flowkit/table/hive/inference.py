"""Columns of a folder's files, where nobody has written down what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowkit.table.errors import DataFileDamaged, DataFileUnlike
from flowkit.table.files import Files
from flowkit.table.formats import FileFormat
from flowkit.table.hive.listing import FoundFile
from flowkit.table.projection import Unlike, check_unambiguous
from flowkit.table.schemas import schema_of
from flowkit.table.text_files import csv_schema, decompressed, json_schema

if TYPE_CHECKING:
    import pyarrow
    from pyiceberg.schema import Schema


def schema_of_files(found: Sequence[FoundFile], format: FileFormat, files: Files) -> Schema:
    """Return the columns that the first and the last file have.

    Partitions are mostly times: what the last file has besides has been added since. Of a column
    that both have in types one of which can be widened to the other, it is the wider.

    Raises:
        DataFileUnlike: the two have a column in types that do not go together.
        DataFileDamaged: one cannot be read.
        SchemaInvalid: a type has no counterpart in a table.
    """
    import pyarrow

    ends = [found[0], *found[-1:]] if len(found) > 1 else [found[0]]
    columns: dict[str, pyarrow.Field] = {}
    for file in ends:
        for field in _schema_of(file, format, files):
            known = columns.get(field.name)
            if known is None:
                columns[field.name] = field
                continue
            kind = _wider(known.type, field.type)
            if kind is None:
                raise DataFileUnlike(
                    file.path,
                    table=files.table,
                    reason=f"column `{field.name}` holds `{field.type}`, and `{known.type}` in "
                    f"`{found[0].path}`",
                )
            columns[field.name] = known.with_type(kind)
    return schema_of(
        pyarrow.schema([one.with_type(_settled(one.type)) for one in columns.values()])
    )


def _schema_of(file: FoundFile, format: FileFormat, files: Files) -> list[pyarrow.Field]:
    import pyarrow
    import pyarrow.orc
    import pyarrow.parquet

    try:
        source: Any = files.open(file.path)
        if format.kind == "parquet":
            schema = pyarrow.parquet.read_schema(source)
        elif format.kind == "orc":
            schema = pyarrow.orc.ORCFile(source).schema
        elif format.kind == "csv":
            schema = csv_schema(decompressed(source, file.path), format)
        else:
            schema = json_schema(decompressed(source, file.path))
        check_unambiguous(schema.names)
    except FileNotFoundError as error:
        raise files.missing(file.path) from error
    except Unlike as error:
        raise DataFileUnlike(file.path, table=files.table, reason=str(error)) from error
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise DataFileDamaged(
            file.path, table=files.table, reason=" ".join(str(error).split())
        ) from error
    return [pyarrow.field(field.name, _kept(field.type)) for field in schema.remove_metadata()]


def _kept(kind: pyarrow.DataType) -> pyarrow.DataType:
    """Return the type of a table that holds all values of a type of a file."""
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(kind):
        return _kept(kind.value_type)
    if types.is_struct(kind):
        return pyarrow.struct([pyarrow.field(one.name, _kept(one.type)) for one in kind])
    if types.is_map(kind):
        return pyarrow.map_(_kept(kind.key_type), _kept(kind.item_type))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pyarrow.large_list(_kept(kind.value_type))
    if types.is_integer(kind):
        small = kind.bit_width < 32 or kind == pyarrow.int32()
        return kind if kind == pyarrow.uint64() else pyarrow.int32() if small else pyarrow.int64()
    if types.is_floating(kind):
        return pyarrow.float64() if kind == pyarrow.float64() else pyarrow.float32()
    if types.is_timestamp(kind):
        return pyarrow.timestamp("us", None if kind.tz is None else "UTC")
    if types.is_time(kind):
        return pyarrow.time64("us")
    if types.is_date(kind):
        return pyarrow.date32()
    if types.is_string(kind):
        return pyarrow.large_string()
    return pyarrow.large_binary() if types.is_binary(kind) else kind


def _settled(kind: pyarrow.DataType) -> pyarrow.DataType:
    """Take what has only been null so far for text."""
    import pyarrow

    types = pyarrow.types
    if types.is_null(kind):
        return pyarrow.large_string()
    if types.is_struct(kind):
        return pyarrow.struct([one.with_type(_settled(one.type)) for one in kind])
    if types.is_large_list(kind):
        return pyarrow.large_list(_settled(kind.value_type))
    return kind


def _wider(one: pyarrow.DataType, other: pyarrow.DataType) -> pyarrow.DataType | None:
    import pyarrow

    types = pyarrow.types
    if one == other or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if (types.is_integer(one) and types.is_integer(other)) or (
        types.is_floating(one) and types.is_floating(other)
    ):
        return one if one.bit_width > other.bit_width else other
    if types.is_decimal(one) and types.is_decimal(other) and one.scale == other.scale:
        return one if one.precision > other.precision else other
    return _wider_struct(one, other)


def _wider_struct(one: Any, other: Any) -> pyarrow.DataType | None:
    import pyarrow

    if not (pyarrow.types.is_struct(one) and pyarrow.types.is_struct(other)):
        return None
    fields = {field.name: field for field in one}
    for field in other:
        known = fields.get(field.name)
        kind = field.type if known is None else _wider(known.type, field.type)
        if kind is None:
            return None
        fields[field.name] = field.with_type(kind)
    return pyarrow.struct(list(fields.values()))
