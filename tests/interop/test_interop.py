"""What flowkit writes is read row for row by readers that nobody here wrote.

pyiceberg reads the tables, and DuckDB the data files. The session `interop` adds libraries that
have environments of their own, and names these by `FLOWKIT_INTEROP_DUCKDB` (its Iceberg extension),
`FLOWKIT_INTEROP_POLARS` and `FLOWKIT_INTEROP_DAFT`: the Python of each.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import NamedTemporaryFile
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

import flowkit
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

PARTITIONED_BY_PYICEBERG = (
    IntegerType,
    LongType,
    StringType,
    DateType,
    TimestampType,
    TimestamptzType,
)

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
    fields = [pa.field(one.name, plain(one.type), one.nullable) for one in arrow]
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


def _fetched(connection: Any, source: str) -> list[dict[str, Any]]:
    connection.execute("SET TimeZone = 'UTC'")
    found = connection.execute(f"SELECT * FROM {source}")
    names = [one[0] for one in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def daft_fails_at(schema: Schema) -> bool:
    """Say whether daft 0.7 fails at these columns, whoever wrote them: UUIDs inside others."""
    nested = (one for one in schema.fields if not one.field_type.is_primitive)
    return any("uuid" in str(one.field_type) for one in nested)


class Elsewhere:
    """A library in an environment of its own, which reads tables when asked."""

    def __init__(self, name: str, python: str) -> None:
        self._name, self._python = name, python
        self._process: subprocess.Popen[str] | None = None

    @property
    def __name__(self) -> str:
        return f"by_{self._name}"

    def __call__(self, table: Table) -> list[dict[str, Any]]:
        if self._process is None:
            program = Path(__file__).with_name("reader.py")
            self._process = subprocess.Popen(
                [self._python, program, self._name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with NamedTemporaryFile(suffix=".arrow") as file:
            print(
                table.metadata_location, file.name, sep="\t", file=self._process.stdin, flush=True
            )
            assert self._process.stdout.readline() == "ok\n"
            with pa.ipc.open_file(file.name) as opened:
                return opened.read_all().to_pylist()


ELSEWHERE = [
    Elsewhere(name, os.environ[f"FLOWKIT_INTEROP_{name.upper()}"])
    for name in ("duckdb", "polars", "daft")
    if f"FLOWKIT_INTEROP_{name.upper()}" in os.environ
]
READERS: list[Callable[[Table], list[dict[str, Any]]]] = [
    by_pyiceberg,
    by_duckdb_from_the_files,
    *ELSEWHERE,
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
    if getattr(read, "__name__", "") == "by_daft":
        assume(not daft_fails_at(schema))
    if read is by_pyiceberg:
        # It reads a null list or map of structs as an empty one, whoever wrote it.
        assume(not any(has_null_around_structs(row, schema) for row in rows))
    table = write(catalog, drawn, chunk)
    found = {row["row"]: comparable(row) for row in read(table)}
    assert found == {row["row"]: comparable(row) for row in rows}
    assert table.scan().count() == len(rows)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=tables(), data=st.data())
def test_what_pyiceberg_wrote_is_read_as_it_was_written(
    catalog: SqlCatalog,
    drawn: tuple[Schema, PartitionSpec, list[dict[str, Any]]],
    data: st.DataObject,
) -> None:
    schema, spec, rows = drawn
    assume(not any(has_null_around_structs(row, schema) for row in rows))
    sources = [schema.find_type(field.source_id) for field in spec.fields]
    # Of other types it cannot take buckets, or loses the values of partitions.
    assume(all(isinstance(one, PARTITIONED_BY_PYICEBERG) for one in sources))
    table = catalog.create_table(f"n.t{next(_names)}", schema, partition_spec=spec)
    rest = arrow_of(schema, rows)
    while len(rest):
        count = data.draw(st.integers(1, len(rest)))
        table.append(rest.slice(0, count))
        rest = rest.slice(count)
    scan = flowkit.Table(".".join(table.name()), catalog=catalog).scan()
    expected = {row["row"]: comparable(row) for row in rows}
    for found in (scan.to_arrow(), pa.Table.from_batches(scan.batches("1MB"))):
        assert {row["row"]: comparable(row) for row in found.to_pylist()} == expected


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
