"""What flowkit writes is read row for row by readers that nobody here wrote.

pyiceberg reads every table. DuckDB reads the data files, and with its Iceberg extension, which has
an environment of its own (the extra `interop`), the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import GreaterThanOrEqual, IsNull, LessThan, Reference
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    TruncateTransform,
    VoidTransform,
    YearTransform,
)
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
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from flowkit.table.committing import commit_files
from flowkit.table.writing import open_writer

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))

PRIMITIVES: list[tuple[IcebergType, st.SearchStrategy[Any]]] = [
    (BooleanType(), st.booleans()),
    (IntegerType(), st.integers(-(2**31) + 100, 2**31 - 1)),
    (LongType(), st.integers(-(2**63) + 100, 2**63 - 1)),
    (FloatType(), st.floats(width=32)),
    (DoubleType(), st.floats()),
    (DecimalType(7, 2), st.decimals("-99999.99", "99999.99", places=2)),
    (DecimalType(18, 0), st.integers(-(10**18) + 1000, 10**18 - 1000).map(Decimal)),
    (DecimalType(38, 9), st.decimals(-(10**20), 10**20, places=9)),
    (DateType(), st.dates(date(1900, 1, 1), date(2200, 1, 1))),
    (TimeType(), st.times()),
    (TimestampType(), MOMENTS),
    (TimestamptzType(), MOMENTS.map(lambda one: one.replace(tzinfo=UTC))),
    # A null character ends a text for some readers, and is no matter of writing.
    (StringType(), st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)),
    (BinaryType(), st.binary(max_size=20)),
    (FixedType(5), st.binary(min_size=5, max_size=5)),
    (UUIDType(), st.uuids()),
]
TRANSFORMS = [
    IdentityTransform(),
    VoidTransform(),
    BucketTransform(3),
    TruncateTransform(4),
    YearTransform(),
    MonthTransform(),
    DayTransform(),
    HourTransform(),
]

Typed = tuple[IcebergType, st.SearchStrategy[Any]]


def typed(ids: count[int], depth: int) -> st.SearchStrategy[Typed]:
    """Draw a type, and a strategy of its values."""
    primitive = st.sampled_from(PRIMITIVES)
    if depth == 0:
        return primitive
    inner = typed(ids, depth - 1)

    def listed(one: Typed) -> Typed:
        return ListType(next(ids), one[0], False), st.lists(st.none() | one[1], max_size=3)

    def struct(fields: list[Typed]) -> Typed:
        names = [f"f{at}" for at in range(len(fields))]
        kinds = [
            NestedField(next(ids), name, kind, required=False)
            for name, (kind, _) in zip(names, fields, strict=True)
        ]
        values = {name: st.none() | each for name, (_, each) in zip(names, fields, strict=True)}
        return StructType(*kinds), st.fixed_dictionaries(values)

    def mapped(one: Typed) -> Typed:
        kind = MapType(next(ids), StringType(), next(ids), one[0], False)
        keys = st.text("abc", max_size=3)
        return kind, st.dictionaries(keys, st.none() | one[1], max_size=3)

    return st.one_of(
        primitive,
        inner.map(listed),
        st.lists(inner, min_size=1, max_size=3).map(struct),
        inner.map(mapped),
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, PartitionSpec, list[dict[str, Any]]]:
    """Draw a schema, a partition spec of it, and rows."""
    ids = count(100)
    columns = draw(st.lists(typed(ids, 2), min_size=1, max_size=4))
    fields = [NestedField(1, "row", IntegerType(), required=True)]
    fields += [
        NestedField(2 + at, f"c{at}", kind, required=False) for at, (kind, _) in enumerate(columns)
    ]
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {f"c{at}": st.none() | values for at, (_, values) in enumerate(columns)}
            ),
            min_size=1,
            max_size=12,
        )
    )
    possible = [
        PartitionField(field.field_id, 1000, transform, "p")
        for field in fields[1:]
        for transform in TRANSFORMS
        # Floats are no good partition values: NaN equals nothing.
        if transform.can_transform(field.field_type)
        and not isinstance(field.field_type, FloatType | DoubleType)
        and not isinstance(field.field_type, StructType | ListType | MapType)
    ]
    spec = draw(st.none() | st.sampled_from(possible)) if possible else None
    found = [{"row": at, **row} for at, row in enumerate(rows)]
    return Schema(*fields), PartitionSpec(spec) if spec else PartitionSpec(), found


def arrow_of(schema: Schema, rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows as Arrow data with plain types: bytes for UUIDs, 32-bit offsets for text."""
    arrow = schema_to_pyarrow(schema, include_field_ids=False)
    fields = [pa.field(one.name, plain(one.type)) for one in arrow]
    values = [{name: bare(value) for name, value in row.items()} for row in rows]
    return pa.Table.from_pylist(values, pa.schema(fields))


def plain(kind: Any) -> pa.DataType:
    if kind == pa.uuid():
        return pa.binary(16)
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(pa.string(), plain(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(one.name, plain(one.type)) for one in kind])
    return kind


def bare(value: Any) -> Any:
    match value:
        case UUID():
            return value.bytes
        case list():
            return [bare(one) for one in value]
        case dict():
            return {name: bare(one) for name, one in value.items()}
        case _:
            return value


def has_null_around_structs(row: dict[str, Any], schema: Schema) -> bool:
    def has(value: Any, kind: IcebergType) -> bool:
        match kind:
            case ListType() if value is None:
                return isinstance(kind.element_type, StructType)
            case MapType() if value is None:
                return isinstance(kind.value_type, StructType)
            case _ if value is None:
                return False
            case ListType():
                return any(has(one, kind.element_type) for one in value)
            case StructType():
                return any(has(value[one.name], one.field_type) for one in kind.fields)
            case MapType():
                return any(has(one, kind.value_type) for one in value.values())
        return False

    return any(has(row[one.name], one.field_type) for one in schema.fields)


def comparable(value: Any) -> Any:
    """Return a value in one form, whoever read it."""
    match value:
        case UUID():
            return value.bytes
        case memoryview() | bytearray():
            return bytes(value)
        case float():
            return repr(value)
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None)
        case list() if value and all(isinstance(one, tuple) for one in value):
            return {name: comparable(one) for name, one in value}
        case list():
            return [comparable(one) for one in value] or {}
        case dict():
            return {name: comparable(one) for name, one in value.items()}
        case _:
            return value


_names = count()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SqlCatalog:
    folder = tmp_path_factory.mktemp("warehouse")
    catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")
    catalog.create_namespace("n")
    return catalog


def write(
    catalog: SqlCatalog, drawn: tuple[Schema, PartitionSpec, list[dict[str, Any]]], chunk: int
) -> Table:
    """Write rows in two parts, in batches of `chunk` rows, and commit them."""
    schema, spec, rows = drawn
    table = catalog.create_table(f"n.t{next(_names)}", schema, partition_spec=spec)
    data = arrow_of(schema, rows)
    parts = []
    for half in (data.slice(0, len(rows) // 2), data.slice(len(rows) // 2)):
        with open_writer(table) as writer:
            for batch in half.to_batches(max_chunksize=chunk):
                writer.write(batch)
        parts.append(writer.result)
    commit_files(table, parts)
    return table


def by_pyiceberg(table: Table) -> list[dict[str, Any]]:
    return table.scan().to_arrow().to_pylist()


def by_duckdb_from_the_files(table: Table) -> list[dict[str, Any]]:
    paths = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]
    return _fetched(duckdb.connect(), f"read_parquet({paths}, hive_partitioning = false)")


def by_duckdb_from_the_table(table: Table) -> list[dict[str, Any]]:
    pytest.importorskip("duckdb_extension_iceberg")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for name in ("avro", "iceberg"):
        package = Path(pytest.importorskip(f"duckdb_extension_{name}").__file__).parent
        [extension] = package.rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{extension}'")
    location = table.metadata_location.removeprefix("file://")
    return _fetched(connection, f"iceberg_scan('{location}')")


def _fetched(connection: Any, source: str) -> list[dict[str, Any]]:
    connection.execute("SET TimeZone = 'UTC'")
    found = connection.execute(f"SELECT * FROM {source}")
    names = [one[0] for one in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


READERS: list[Callable[[Table], list[dict[str, Any]]]] = [
    by_pyiceberg,
    by_duckdb_from_the_files,
    by_duckdb_from_the_table,
]


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=tables(), chunk=st.integers(1, 6))
def test_every_row_is_read_as_it_was_written(
    catalog: SqlCatalog,
    read: Callable[[Table], list[dict[str, Any]]],
    drawn: tuple[Schema, PartitionSpec, list[dict[str, Any]]],
    chunk: int,
) -> None:
    schema, _, rows = drawn
    if read is by_pyiceberg:
        # It reads a null list or map of structs as an empty one, whoever wrote it.
        assume(not any(has_null_around_structs(row, schema) for row in rows))
    table = write(catalog, drawn, chunk)
    found = {row["row"]: comparable(row) for row in read(table)}
    assert found == {row["row"]: comparable(row) for row in rows}
    assert table.scan().count() == len(rows)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=tables(), data=st.data())
def test_pruning_by_what_was_recorded_loses_no_row(
    catalog: SqlCatalog,
    drawn: tuple[Schema, PartitionSpec, list[dict[str, Any]]],
    data: st.DataObject,
) -> None:
    schema, _, rows = drawn
    table = write(catalog, drawn, 5)
    flat = [
        field.name
        for field in schema.fields[1:]
        if isinstance(field.field_type, IntegerType | LongType | StringType | DecimalType)
    ]
    if not flat:
        return
    name = data.draw(st.sampled_from(flat))
    pivot = data.draw(st.sampled_from([row[name] for row in rows]))
    if pivot is None:
        found = table.scan(row_filter=IsNull(Reference(name))).count()
        assert found == sum(row[name] is None for row in rows)
        return
    upper = table.scan(row_filter=GreaterThanOrEqual(Reference(name), value=pivot)).count()
    lower = table.scan(row_filter=LessThan(Reference(name), value=pivot)).count()
    assert upper == sum(row[name] is not None and row[name] >= pivot for row in rows)
    assert lower == sum(row[name] is not None and row[name] < pivot for row in rows)
