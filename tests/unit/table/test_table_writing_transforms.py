"""Transforms over columns equal pyiceberg's, value for value."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    VoidTransform,
    YearTransform,
)
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    FixedType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from flowkit.table.transforms import transform_column

DATES = st.dates(date(1, 1, 1), date(9999, 12, 31))
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))

SOURCES: dict[str, tuple[IcebergType, pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (IntegerType(), pa.int32(), st.integers(-(2**31) + 1000, 2**31 - 1)),
    "long": (LongType(), pa.int64(), st.integers(-(2**63) + 1000, 2**63 - 1)),
    "decimal": (
        DecimalType(9, 2),
        pa.decimal128(9, 2),
        st.decimals("-9999999.99", "9999999.99", places=2),
    ),
    "wide decimal": (
        DecimalType(38, 0),
        pa.decimal128(38, 0),
        st.integers(-(10**37), 10**37).map(Decimal),
    ),
    "string": (StringType(), pa.large_string(), st.text(max_size=20)),
    "binary": (BinaryType(), pa.large_binary(), st.binary(max_size=20)),
    "fixed": (FixedType(4), pa.binary(4), st.binary(min_size=4, max_size=4)),
    "uuid": (UUIDType(), pa.uuid(), st.uuids().map(lambda one: one.bytes)),
    "date": (DateType(), pa.date32(), DATES),
    "time": (TimeType(), pa.time64("us"), st.times()),
    "timestamp": (TimestampType(), pa.timestamp("us"), MOMENTS),
    "timestamptz": (
        TimestamptzType(),
        pa.timestamp("us", "UTC"),
        MOMENTS.map(lambda one: one.replace(tzinfo=UTC)),
    ),
    "boolean": (BooleanType(), pa.bool_(), st.booleans()),
}

TRANSFORMS: list[Transform[Any, Any]] = [
    IdentityTransform(),
    VoidTransform(),
    BucketTransform(1),
    BucketTransform(16),
    BucketTransform(1000),
    TruncateTransform(1),
    TruncateTransform(7),
    YearTransform(),
    MonthTransform(),
    DayTransform(),
    HourTransform(),
]

CASES = [
    pytest.param(name, transform, id=f"{transform}-{name}")
    for name, (source, _, _) in SOURCES.items()
    for transform in TRANSFORMS
    if isinstance(transform, VoidTransform) or transform.can_transform(source)
]


def column_of(kind: pa.DataType, values: list[Any]) -> pa.Array:
    if kind == pa.uuid():
        return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.binary(16)))
    return pa.array(values, kind)


def internal(value: Any) -> Any:
    """Return a value as Iceberg keeps it, computed without the code under test."""
    match value:
        case datetime():
            naive = value.replace(tzinfo=None)
            delta = naive - datetime(1970, 1, 1)
            return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds
        case date():
            return (value - date(1970, 1, 1)).days
        case time():
            return (value.hour * 3600 + value.minute * 60 + value.second) * 10**6 + (
                value.microsecond
            )
        case _:
            return value


@pytest.mark.parametrize(("name", "transform"), CASES)
@settings(max_examples=25)
@given(data=st.data())
def test_a_transformed_column_equals_pyicebergs_values(
    name: str, transform: Transform[Any, Any], data: st.DataObject
) -> None:
    source, kind, values = SOURCES[name]
    drawn = data.draw(st.lists(st.none() | values, max_size=30))
    expected = [transform.transform(source)(internal(value)) for value in drawn]
    column = column_of(kind, [None, *drawn])
    found = transform_column(column, source, transform).slice(1).to_pylist()
    assert found == expected
    sliced = transform_column(column.slice(1), source, transform).to_pylist()
    assert sliced == expected


def test_dates_before_the_epoch_fall_into_the_unit_that_holds_them() -> None:
    column = pa.array([date(1969, 12, 31), date(1970, 1, 1)])
    assert transform_column(column, DateType(), MonthTransform()).to_pylist() == [-1, 0]
    assert transform_column(column, DateType(), YearTransform()).to_pylist() == [-1, 0]


def test_a_uuid_is_hashed_as_its_bytes() -> None:
    value = UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")
    column = column_of(pa.uuid(), [value.bytes])
    found = transform_column(column, UUIDType(), BucketTransform(100)).to_pylist()
    # The hash of this value in appendix B of the specification.
    assert found == [(1488055340 & 0x7FFFFFFF) % 100]


def test_a_transform_of_a_type_it_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="not defined"):
        transform_column(pa.array([True]), BooleanType(), HourTransform())
