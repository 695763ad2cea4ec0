"""What a table takes: any order, safe widening, missing optional columns; clear words otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
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

from flowkit.table.conforming import check_columns, conform
from flowkit.table.errors import SchemaMismatch

UUID_BYTES = bytes(range(16))


def through(kind: IcebergType, values: pa.Array, *, required: bool = False) -> list[Any]:
    """Conform one column to a table's type, and return its values."""
    schema = Schema(NestedField(1, "c", kind, required=required))
    batch = pa.record_batch([values], names=["c"])
    check_columns(batch.schema, schema.as_struct(), "n.t")
    found = conform(batch, schema.as_struct(), schema_to_pyarrow(schema), table="n.t")
    found.validate(full=True)
    assert found.schema.equals(schema_to_pyarrow(schema), check_metadata=True)
    return found.column(0).to_pylist()


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (IntegerType(), pa.array([1, None], pa.int8()), [1, None]),
        (IntegerType(), pa.array([65535], pa.uint16()), [65535]),
        (LongType(), pa.array([2**32 - 1], pa.uint32()), [2**32 - 1]),
        (LongType(), pa.array([2**63 - 1], pa.uint64()), [2**63 - 1]),
        (LongType(), pa.array([1], pa.int32()), [1]),
        (DoubleType(), pa.array([0.5, None], pa.float32()), [0.5, None]),
        (FloatType(), pa.array([0.5], pa.float16()), [0.5]),
        (DecimalType(9, 2), pa.array([Decimal("1.5")], pa.decimal128(5, 1)), [Decimal("1.50")]),
        (DateType(), pa.array([date(2020, 2, 3)], pa.date64()), [date(2020, 2, 3)]),
        (TimeType(), pa.array([time(1, 2, 3)], pa.time32("s")), [time(1, 2, 3)]),
        (
            TimestampType(),
            pa.array([datetime(2020, 1, 2)], pa.timestamp("ns")),
            [datetime(2020, 1, 2)],
        ),
        (
            TimestamptzType(),
            pa.array([datetime(2020, 1, 2, tzinfo=UTC)], pa.timestamp("ms", "Europe/Berlin")),
            [datetime(2020, 1, 2, tzinfo=UTC)],
        ),
        (StringType(), pa.array(["a", None], pa.string_view()), ["a", None]),
        (StringType(), pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (BinaryType(), pa.array([b"ab"], pa.binary(2)), [b"ab"]),
        (UUIDType(), pa.array([UUID_BYTES, None], pa.binary(16)), [UUID_BYTES, None]),
        (BooleanType(), pa.nulls(2), [None, None]),
        (FixedType(2), pa.array([b"ab", None], pa.binary(2)), [b"ab", None]),
        (ListType(2, LongType(), False), pa.array([[1], None, []]), [[1], None, []]),
        (
            ListType(2, LongType(), False),
            pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
            [[1, 2], None],
        ),
        (
            MapType(2, StringType(), 3, LongType(), False),
            pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int16())),
            [[("a", 1)], None, []],
        ),
    ],
    ids=str,
)
def test_values_are_widened_without_loss(
    kind: IcebergType, values: pa.Array, expected: list[Any]
) -> None:
    found = [one.bytes if hasattr(one, "bytes") else one for one in through(kind, values)]
    assert found == expected


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (IntegerType(), pa.int64()),
        (LongType(), pa.float64()),
        (FloatType(), pa.float64()),
        (DoubleType(), pa.int32()),
        (DecimalType(9, 2), pa.decimal128(9, 3)),
        (DecimalType(9, 2), pa.decimal128(10, 2)),
        (TimestampType(), pa.timestamp("us", "UTC")),
        (TimestamptzType(), pa.timestamp("us")),
        (StringType(), pa.binary()),
        (FixedType(3), pa.binary(2)),
        (UUIDType(), pa.string()),
        (BooleanType(), pa.int8()),
        (ListType(2, LongType(), False), pa.int64()),
    ],
    ids=str,
)
def test_a_type_that_would_lose_values_is_refused(kind: IcebergType, found: pa.DataType) -> None:
    with pytest.raises(SchemaMismatch) as raised:
        through(kind, pa.array([], found))
    [misfit] = raised.value.misfits
    assert (misfit.column, misfit.expected, misfit.found) == ("c", str(kind), str(found))


PERSON = StructType(
    NestedField(2, "name", StringType(), required=True),
    NestedField(3, "age", IntegerType(), required=False),
)


def test_fields_of_structs_are_found_by_name_in_any_order() -> None:
    values = pa.array([{"age": 1, "name": "a"}, None, {"age": None, "name": "b"}])
    values = values.cast(pa.struct([("age", pa.int8()), ("name", pa.string())]))
    expected = [{"name": "a", "age": 1}, None, {"name": "b", "age": None}]
    assert through(PERSON, values) == expected
    assert through(PERSON, values.slice(1)) == expected[1:]


def test_a_missing_optional_field_of_a_struct_is_null() -> None:
    assert through(PERSON, pa.array([{"name": "a"}])) == [{"name": "a", "age": None}]


def test_a_required_field_of_a_struct_may_not_be_null() -> None:
    values = pa.array([{"name": None, "age": 1}], pa.struct({"name": pa.string(), "age": "int32"}))
    with pytest.raises(SchemaMismatch) as raised:
        through(PERSON, values)
    assert raised.value.misfits[0].column == "c.name"


INNER = StructType(NestedField(20, "x", UUIDType(), required=True))
DEEP = StructType(
    NestedField(10, "n", LongType(), required=True),
    NestedField(11, "id", UUIDType(), required=True),
    NestedField(12, "text", StringType(), required=True),
    NestedField(13, "all", ListType(14, LongType(), True), required=True),
    NestedField(15, "by", MapType(16, StringType(), 17, UUIDType(), True), required=True),
    NestedField(18, "inner", INNER, required=True),
    NestedField(19, "maybe", INNER.model_copy(), required=False),
)


def test_required_fields_of_a_struct_that_is_null_can_be_written() -> None:
    schema = Schema(NestedField(1, "c", DEEP, required=False))
    arrow = schema_to_pyarrow(schema)
    value = {
        "n": 1,
        "id": UUID_BYTES,
        "text": "a",
        "all": [1],
        "by": [("a", UUID_BYTES)],
        "inner": {"x": UUID_BYTES},
        "maybe": None,
    }
    whole = pa.StructArray.from_arrays(
        [pa.array([value[field.name]] * 2, plain(field.type)) for field in arrow.field("c").type],
        names=list(value),
    )
    # What lies behind the second is null all the way down, as Polars and casts leave it.
    hidden = pa.concat_arrays([whole.slice(0, 1), pa.nulls(2, whole.type)])
    for batch, expected in (
        (pa.record_batch([pa.array([1, 2])], names=["other"]), [False, False]),
        (pa.record_batch([pa.nulls(2)], names=["c"]), [False, False]),
        (pa.record_batch([hidden], names=["c"]), [True, False, False]),
        (pa.record_batch([hidden.slice(1)], names=["c"]), [False, False]),
    ):
        found = conform(batch, schema.as_struct(), arrow, table="n.t")
        found.validate(full=True)
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_batches([found]), sink)
        read = pq.read_table(pa.BufferReader(sink.getvalue()))["c"]
        assert read.is_valid().to_pylist() == expected


def plain(kind: pa.DataType) -> pa.DataType:
    """A type whose fields may all be null, with bytes for a UUID."""
    if kind == pa.uuid():
        return pa.binary(16)
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, plain(field.type)) for field in kind])
    if pa.types.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    return kind


def test_a_required_field_is_missed_only_where_its_struct_is_there() -> None:
    kind = StructType(NestedField(2, "in", PERSON, required=True))
    inner = pa.array([{"name": "a"}, {"name": None}], pa.struct([("name", pa.string())]))
    values = pa.StructArray.from_arrays([inner], names=["in"], mask=pa.array([False, True]))
    assert through(kind, values) == [{"in": {"name": "a", "age": None}}, None]
    with pytest.raises(SchemaMismatch) as raised:
        through(kind, pa.StructArray.from_arrays([inner], names=["in"]))
    assert (raised.value.misfits[0].column, raised.value.misfits[0].found) == (
        "c.in.name",
        "1 nulls",
    )


def test_lists_of_structs_are_widened_inside() -> None:
    kind = ListType(4, PERSON, False)
    values = pa.array([[{"age": 1, "name": "a"}], [], None, [None, {"age": 2, "name": "b"}]])
    expected = [[{"name": "a", "age": 1}], [], None, [None, {"name": "b", "age": 2}]]
    narrow = values.cast(pa.list_(pa.struct([("age", pa.int16()), ("name", pa.string())])))
    assert through(kind, narrow) == expected
    assert through(kind, narrow.slice(1, 3)) == expected[1:4]


def test_what_lies_behind_a_null_list_is_not_written() -> None:
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 2, 3]), pa.array([1, 2, 3]), mask=pa.array([True, False])
    )
    assert through(ListType(2, LongType(), False), hidden) == [None, [3]]


SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "name", StringType(), required=False),
    NestedField(3, "size", DoubleType(), required=False),
)


def conformed(data: dict[str, Any]) -> list[dict[str, Any]]:
    batch = pa.RecordBatch.from_pydict(data)
    check_columns(batch.schema, SCHEMA.as_struct(), "n.t")
    found = conform(batch, SCHEMA.as_struct(), schema_to_pyarrow(SCHEMA), table="n.t")
    return found.to_pylist()


def test_columns_may_come_in_any_order_and_optional_ones_not_at_all() -> None:
    assert conformed({"size": [1.5], "id": [1]}) == [{"id": 1, "name": None, "size": 1.5}]


def test_all_misfits_are_said_at_once() -> None:
    with pytest.raises(SchemaMismatch) as raised:
        conformed({"name": [1], "extra": ["x"]})
    assert [(one.column, one.found) for one in raised.value.misfits] == [
        ("id", "no such column"),
        ("name", "int64"),
        ("extra", "string"),
    ]
    assert "`name`: expected string, found int64" in str(raised.value)
    assert raised.value.hint


def test_nulls_in_a_required_column_are_counted() -> None:
    with pytest.raises(SchemaMismatch) as raised:
        conformed({"id": [1, None, None]})
    assert raised.value.misfits[0].found == "2 nulls"


def test_a_column_given_twice_is_refused() -> None:
    batch = pa.record_batch([pa.array([1]), pa.array([2])], names=["id", "id"])
    with pytest.raises(SchemaMismatch) as raised:
        check_columns(batch.schema, SCHEMA.as_struct(), "n.t")
    assert raised.value.misfits[0].expected == "one column of this name"


def test_nanoseconds_that_would_be_lost_are_refused() -> None:
    with pytest.raises(SchemaMismatch) as raised:
        through(TimestampType(), pa.array([1], pa.timestamp("ns")))
    assert "timestamp[ns]" in raised.value.misfits[0].found


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (IntegerType(), pa.array([2**31], pa.uint32())),
        (LongType(), pa.array([2**63], pa.uint64())),
    ],
    ids=str,
)
def test_an_unsigned_value_beyond_the_column_is_refused(
    kind: IcebergType, values: pa.Array
) -> None:
    with pytest.raises(SchemaMismatch, match=f"{values.type} with values that do not fit"):
        through(kind, values)


def test_columns_of_the_right_type_are_not_copied() -> None:
    values = pa.array([1, 2, 3])
    batch = pa.record_batch([values], names=["id"])
    found = conform(batch, SCHEMA.as_struct(), schema_to_pyarrow(SCHEMA), table="n.t")
    assert found.column(0).buffers()[1].address == values.buffers()[1].address
