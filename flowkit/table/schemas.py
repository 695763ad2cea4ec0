"""Schemas of new tables: from Arrow or pydantic, with partitions and order written as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from flowkit.table.counterparts import storable
from flowkit.table.errors import SchemaInvalid, UnknownColumn
from flowkit.table.models import is_model, schema_of_model

if TYPE_CHECKING:
    import pyarrow
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.table.sorting import SortOrder
    from pyiceberg.transforms import Transform
    from pyiceberg.types import NestedField

_CALL = re.compile(r"(\w+)\s*\(\s*([^()]*?)\s*\)")
_ORDER = re.compile(r"(.*?)(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?", re.IGNORECASE)
_WIDTHS = {"bucket": "bucket(16, id)", "truncate": "truncate(4, name)"}
_PLAIN = ("identity", "year", "month", "day", "hour")


@dataclass(frozen=True, slots=True)
class Term:
    """A column, and what is done with its values: `day(ts)` is `Term("ts", DayTransform(), …)`."""

    column: str
    transform: Transform[Any, Any]
    name: str
    """What the partition field is called: `ts_day`."""


def parse_term(text: str) -> Term:
    """Read `carrier`, `day(ts)`, `bucket(16, id)` or `truncate(4, name)`. Raises SchemaInvalid."""
    from pyiceberg import transforms

    called = _CALL.fullmatch(text.strip())
    if called is None:
        column = text.strip().strip('"')
        return Term(column, transforms.IdentityTransform(), column)
    function = called[1].lower()
    arguments = [one.strip().strip('"') for one in called[2].split(",")]
    if function in _WIDTHS:
        widths = [one for one in arguments if one.isdecimal()]
        columns = [one for one in arguments if not one.isdecimal()]
        numbers = [int(one) for one in widths if len(one) < 10]
        if len(numbers) != 1 or len(columns) != 1 or numbers[0] < 1:
            raise SchemaInvalid(
                f"`{text}` does not say how wide and of which column",
                hint=f"write `{_WIDTHS[function]}`",
            )
        if function == "bucket":
            return Term(columns[0], transforms.BucketTransform(numbers[0]), f"{columns[0]}_bucket")
        return Term(columns[0], transforms.TruncateTransform(numbers[0]), f"{columns[0]}_trunc")
    if function not in _PLAIN or len(arguments) != 1 or not arguments[0]:
        known = ", ".join(f"`{one}`" for one in (*_PLAIN, *_WIDTHS))
        raise SchemaInvalid(f"`{text}` is no transform of a column", hint=f"transforms: {known}")
    name = arguments[0] if function == "identity" else f"{arguments[0]}_{function}"
    return Term(arguments[0], transforms.parse_transform(function), name)


def schema_of(source: object) -> Schema:
    """Return the Iceberg schema, with numbered fields, of a schema or of something that has one.

    Args:
        source: a pyiceberg schema, a pydantic model, or anything with an Arrow schema: a pyarrow
            schema or table, a data frame of pandas, Polars or flowkit.

    Raises:
        SchemaInvalid: a type has no counterpart.
    """
    import pyarrow
    from pyiceberg.catalog import Catalog
    from pyiceberg.exceptions import ValidationError
    from pyiceberg.io.pyarrow import UnsupportedPyArrowTypeException
    from pyiceberg.schema import Schema, assign_fresh_schema_ids

    if isinstance(source, Schema):
        return source
    try:
        if is_model(source):
            return assign_fresh_schema_ids(schema_of_model(source))
        arrow = pyarrow.schema(storable(_arrow_schema(source)))
        return assign_fresh_schema_ids(Catalog._convert_schema_if_needed(arrow))
    except (UnsupportedPyArrowTypeException, ValidationError, TypeError, ValueError) as error:
        raise SchemaInvalid(
            f"a table cannot have this schema: {error}", hint="cast the column to another type"
        ) from error


def with_null_structs(schema: Schema) -> Schema:
    """Return a schema in which a field may be null if a struct around it may be.

    Such a field is null where its struct is, though it is required: filters must be bound to this
    one, or they take `is null` for false.
    """
    from pyiceberg.schema import Schema

    fields = [_nullable(field, inside=False) for field in schema.fields]
    if all(new is old for new, old in zip(fields, schema.fields, strict=True)):
        return schema
    return Schema(*fields, schema_id=schema.schema_id)


def _nullable(field: NestedField, *, inside: bool) -> NestedField:
    from pyiceberg.types import StructType

    kind = field.field_type
    may_be_null = inside or not field.required
    if isinstance(kind, StructType):
        inner = [_nullable(one, inside=may_be_null) for one in kind.fields]
        if any(new is not old for new, old in zip(inner, kind.fields, strict=True)):
            kind = StructType(*inner)
    if kind is field.field_type and field.required is not may_be_null:
        return field
    return field.model_copy(update={"field_type": kind, "required": not may_be_null})


def partition_spec(terms: Sequence[str], schema: Schema, *, table: str) -> PartitionSpec:
    """Return the partitioning that the terms describe. Raises SchemaInvalid, UnknownColumn."""
    from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec

    fields: list[PartitionField] = []
    for number, text in enumerate(terms, PARTITION_FIELD_ID_START):
        term = parse_term(text)
        source = _checked(term, schema, table=table)
        if any((one.source_id, one.transform) == (source, term.transform) for one in fields):
            raise SchemaInvalid(f"`{text}` is there twice", hint="partition by each term once")
        # A name is one of a column, or of one partition field: others are numbered.
        taken = {one.name for one in fields} | {*schema.column_names} - {term.column}
        name = next(one for one in _numbered(term.name) if one not in taken)
        fields.append(PartitionField(source, number, term.transform, name))
    return PartitionSpec(*fields)


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def partition_terms(spec: PartitionSpec, schema: Schema) -> list[str]:
    """Return a partitioning as `partition_spec` takes it."""
    terms = []
    for field in spec.fields:
        column = schema.find_column_name(field.source_id)
        function, _, width = str(field.transform).rstrip("]").partition("[")
        if function == "identity":
            terms.append(str(column))
        elif function != "void":
            terms.append(f"{function}({f'{width}, ' if width else ''}{column})")
    return terms


def sort_order(terms: Sequence[str], schema: Schema, *, table: str) -> SortOrder:
    """Return the order that terms such as `ts desc nulls last` describe.

    Raises:
        SchemaInvalid: a term cannot be understood.
        UnknownColumn: a term names no column.
    """
    from pyiceberg.table.sorting import (
        UNSORTED_SORT_ORDER,
        NullOrder,
        SortDirection,
        SortField,
        SortOrder,
    )

    fields = []
    for text in terms:
        found = _ORDER.fullmatch(text.strip())
        assert found is not None, "every text fits"
        term = parse_term(found[1])
        fields.append(
            SortField(
                _checked(term, schema, table=table),
                term.transform,
                SortDirection.DESC if (found[2] or "").lower() == "desc" else SortDirection.ASC,
                NullOrder.NULLS_LAST
                if (found[3] or "").lower() == "last"
                else NullOrder.NULLS_FIRST,
            )
        )
    return SortOrder(*fields) if fields else UNSORTED_SORT_ORDER


def _checked(term: Term, schema: Schema, *, table: str) -> int:
    """Return the number of a term's column, if the transform takes its type."""
    if term.column not in schema.column_names:
        raise UnknownColumn(term.column, table=table, known=schema.column_names)
    field = schema.find_field(term.column)
    if not field.field_type.is_primitive or not term.transform.can_transform(field.field_type):
        raise SchemaInvalid(
            f"`{term.transform}` does not take column `{term.column}` of type `{field.field_type}`",
            hint="partition and sort by columns of plain types that the transform knows",
        )
    return field.field_id


def _arrow_schema(source: object) -> pyarrow.Schema:
    import pyarrow

    if isinstance(source, pyarrow.Schema):
        return source
    schema = getattr(source, "schema", None)
    if isinstance(schema, pyarrow.Schema):
        return schema
    if hasattr(source, "__arrow_c_schema__"):
        return pyarrow.schema(source)
    if hasattr(source, "__arrow_c_stream__"):
        return pyarrow.RecordBatchReader.from_stream(source).schema
    raise SchemaInvalid(
        f"a `{type(source).__name__}` is no schema, and has none",
        hint="give a pyarrow schema, a pydantic model, or a data frame with rows like the table's",
    )
