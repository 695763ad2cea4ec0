"""The core's Iceberg transforms against pyiceberg's, one value at a time."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg import transforms as theirs
from pyiceberg import types

from flowkit import native
from flowkit.errors import UsageError

TEXT = [pa.string(), pa.large_string(), pa.string_view()]
BINARY = [pa.binary(), pa.large_binary(), pa.binary_view()]
quickly = settings(max_examples=40)
MakeColumn = Callable[[Sequence[object], pa.DataType], Any]

int64s = st.integers(-(2**63), 2**63 - 1)
int32s = st.integers(-(2**31), 2**31 - 1)
counts = st.sampled_from([1, 2, 3, 16, 97, 1000, 2**20, 2**31 - 1]) | st.integers(1, 2**31 - 1)
decimals = st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-300, 300)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, max_size=20)


def listed(result: native.Array) -> list[Any]:
    array = pa.array(result)
    array.validate(full=True)
    assert len(result) == len(array)
    return array.to_pylist()  # type: ignore[no-any-return]


def decimal(unscaled: int) -> Decimal:
    return Decimal(unscaled).scaleb(-4) if abs(unscaled) < 10**28 else Decimal(f"{unscaled}E-4")


def twin(transform: Any, kind: types.IcebergType, values: Sequence[Any]) -> list[Any]:
    apply = transform.transform(kind)
    return [None if value is None else apply(value) for value in values]


def buckets(kind: types.IcebergType, count: int, values: Sequence[Any]) -> list[Any]:
    return twin(theirs.BucketTransform(count), kind, values)


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.date32()], ids=str)
@quickly
@given(drawn=st.data(), count=counts)
def test_numbers_and_dates_are_bucketed_as_pyiceberg_does(
    column: MakeColumn, kind: pa.DataType, drawn: st.DataObject, count: int
) -> None:
    values = drawn.draw(optional(int64s if kind == pa.int64() else int32s))
    assert listed(native.bucket(column(values, kind), count)) == buckets(
        types.LongType(), count, values
    )


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.uint32()])
def test_narrow_integers_are_hashed_as_long_ones(column: MakeColumn, kind: pa.DataType) -> None:
    values = [0, 1, 127, None, 5]
    expected = buckets(types.LongType(), 97, values)
    assert listed(native.bucket(column(values, kind), 97)) == expected


@pytest.mark.parametrize(
    ("kind", "micros"),
    [
        (pa.timestamp("s"), 10**6),
        (pa.timestamp("ms", "UTC"), 1000),
        (pa.timestamp("us"), 1),
        (pa.timestamp("us", "Europe/Paris"), 1),
        (pa.time64("us"), 1),
    ],
    ids=str,
)
@quickly
@given(values=optional(st.integers(-(10**12), 10**12)), count=counts)
def test_times_are_bucketed_by_their_microseconds(
    column: MakeColumn, kind: pa.DataType, micros: int, values: list[int | None], count: int
) -> None:
    made = column(values, pa.int64()).cast(kind)
    in_micros = [None if value is None else value * micros for value in values]
    assert listed(native.bucket(made, count)) == buckets(types.TimeType(), count, in_micros)


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.time64("ns")], ids=str)
@quickly
@given(values=optional(int64s), count=counts)
def test_nanoseconds_are_cut_down_to_microseconds(
    column: MakeColumn, kind: pa.DataType, values: list[int | None], count: int
) -> None:
    made = column(values, pa.int64()).cast(kind)
    assert listed(native.bucket(made, count)) == buckets(types.TimestampNanoType(), count, values)


@pytest.mark.parametrize("kind", [pa.time32("s"), pa.time32("ms")], ids=str)
def test_short_times_are_bucketed_by_their_microseconds(
    column: MakeColumn, kind: pa.DataType
) -> None:
    factor = 10**6 if kind.unit == "s" else 1000
    values = [0, 1, None, 80_000]
    expected = buckets(types.TimeType(), 97, [v and v * factor for v in values])
    assert listed(native.bucket(column(values, pa.int32()).cast(kind), 97)) == expected


@quickly
@given(drawn=optional(decimals), count=counts)
def test_decimals_are_bucketed_by_their_fewest_bytes(
    column: MakeColumn, drawn: list[int | None], count: int
) -> None:
    values = [None if one is None else decimal(one) for one in drawn]
    expected = buckets(types.DecimalType(38, 4), count, values)
    assert listed(native.bucket(column(values, pa.decimal128(38, 4)), count)) == expected


@pytest.mark.parametrize("kind", TEXT, ids=str)
@quickly
@given(values=optional(st.text(max_size=30)), count=counts)
def test_strings_are_bucketed_as_pyiceberg_does(
    column: MakeColumn, kind: pa.DataType, values: list[str | None], count: int
) -> None:
    expected = buckets(types.StringType(), count, values)
    assert listed(native.bucket(column(values, kind), count)) == expected


@pytest.mark.parametrize("kind", BINARY, ids=str)
@quickly
@given(values=optional(st.binary(max_size=30)), count=counts)
def test_binary_is_bucketed_as_pyiceberg_does(
    column: MakeColumn, kind: pa.DataType, values: list[bytes | None], count: int
) -> None:
    expected = buckets(types.BinaryType(), count, values)
    assert listed(native.bucket(column(values, kind), count)) == expected


@quickly
@given(values=optional(st.uuids()), count=counts)
def test_uuids_are_bucketed_by_their_bytes(
    column: MakeColumn, values: list[UUID | None], count: int
) -> None:
    raw = [None if value is None else value.bytes for value in values]
    expected = buckets(types.UUIDType(), count, values)
    assert listed(native.bucket(column(raw, pa.binary(16)), count)) == expected


def test_the_specification_s_examples_hold() -> None:
    everything = 2**31 - 1
    for value, kind, hashed in (
        (34, pa.int32(), 2017239379),
        (34, pa.int64(), 2017239379),
        (Decimal("14.20"), pa.decimal128(9, 2), -500754589),
        (dt.date(2017, 11, 16), pa.date32(), -653330422),
        (dt.time(22, 31, 8), pa.time64("us"), -662762989),
        (dt.datetime(2017, 11, 16, 22, 31, 8), pa.timestamp("us"), -2047944441),
        ("iceberg", pa.string(), 1210000089),
        (UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7").bytes, pa.binary(16), 1488055340),
        (b"\x00\x01\x02\x03", pa.binary(), -188683207),
    ):
        found = listed(native.bucket(pa.array([value], kind), everything))
        assert found == [(hashed & everything) % everything], value


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@quickly
@given(drawn=st.data(), width=st.integers(1, 1000) | st.integers(1, 2**31 - 1))
def test_numbers_are_truncated_as_pyiceberg_does(
    column: MakeColumn, bits: int, drawn: st.DataObject, width: int
) -> None:
    kind = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[bits]
    least = -(2 ** (bits - 1) // width) * width
    values = drawn.draw(optional(st.integers(least, 2 ** (bits - 1) - 1)))
    expected = twin(theirs.TruncateTransform(width), types.LongType(), values)
    result = native.truncate(column(values, kind), width)
    assert pa.array(result).type == kind
    assert listed(result) == expected


@quickly
@given(drawn=optional(st.integers(-(10**30), 10**30)), width=st.integers(1, 2**31 - 1))
def test_decimals_are_truncated_by_their_unscaled_value(
    column: MakeColumn, drawn: list[int | None], width: int
) -> None:
    values = [None if one is None else decimal(one) for one in drawn]
    expected = [None if one is None else decimal(one - one % width) for one in drawn]
    kind = pa.decimal128(38, 4)
    assert listed(native.truncate(column(values, kind), width)) == expected


@pytest.mark.parametrize("kind", TEXT + BINARY, ids=str)
@quickly
@given(drawn=st.data(), width=st.integers(1, 10) | st.just(2**31 - 1))
def test_strings_and_binary_are_truncated_to_their_first_characters(
    column: MakeColumn, kind: pa.DataType, drawn: st.DataObject, width: int
) -> None:
    values = drawn.draw(optional(st.binary() if kind in BINARY else st.text()))
    expected = [None if value is None else value[:width] for value in values]
    assert listed(native.truncate(column(values, kind), width)) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (-(2**31), pa.int32()),
        (-128, pa.int8()),
        (-(2**63), pa.int64()),
        (Decimal("-9.99"), pa.decimal128(3, 2)),
    ],
    ids=str,
)
def test_a_number_without_a_multiple_below_is_refused(value: object, kind: pa.DataType) -> None:
    with pytest.raises(UsageError, match="cannot be truncated"):
        native.truncate(pa.array([value], kind), 7 * 10**5)


CALENDAR = {
    "year": (native.year, theirs.YearTransform()),
    "month": (native.month, theirs.MonthTransform()),
    "day": (native.day, theirs.DayTransform()),
    "hour": (native.hour, theirs.HourTransform()),
}


@pytest.mark.parametrize("unit", CALENDAR)
@quickly
@given(moments=optional(st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59))))
def test_moments_are_counted_as_pyiceberg_does(
    column: MakeColumn, unit: str, moments: list[dt.datetime | None]
) -> None:
    ours, transform = CALENDAR[unit]
    epoch = dt.datetime(1970, 1, 1)
    micros = [None if m is None else (m - epoch) // dt.timedelta(microseconds=1) for m in moments]
    expected = twin(transform, types.TimestampType(), micros)
    made = ours(column(moments, pa.timestamp("us")))
    assert pa.array(made).type == (pa.date32() if unit == "day" else pa.int32())
    assert pa.array(made).cast(pa.int32()).to_pylist() == expected
    for coarse, factor in (("s", 10**6), ("ms", 1000)):
        cut = [None if one is None else one // factor for one in micros]
        made = ours(column(cut, pa.int64()).cast(pa.timestamp(coarse, "UTC")))
        assert pa.array(made).cast(pa.int32()).to_pylist() == expected


@pytest.mark.parametrize("unit", ["year", "month", "day"])
@quickly
@given(days=optional(st.dates()))
def test_dates_are_counted_as_pyiceberg_does(
    column: MakeColumn, unit: str, days: list[dt.date | None]
) -> None:
    ours, transform = CALENDAR[unit]
    expected = twin(transform, types.DateType(), days)
    made = pa.array(ours(column(days, pa.date32()))).cast(pa.int32())
    assert made.to_pylist() == expected


@quickly
@given(nanos=optional(int64s))
def test_hours_of_nanoseconds_are_rounded_down(column: MakeColumn, nanos: list[int | None]) -> None:
    made = native.hour(column(nanos, pa.int64()).cast(pa.timestamp("ns")))
    assert listed(made) == [None if n is None else n // (3600 * 10**9) for n in nanos]


@pytest.mark.parametrize("unit", CALENDAR)
def test_a_moment_beyond_the_range_is_refused(unit: str) -> None:
    far = pa.array([2**62], pa.timestamp("s"))
    with pytest.raises(UsageError, match="out of the range"):
        CALENDAR[unit][0](far)


def test_threads_change_nothing() -> None:
    numbers = pa.array([None if n % 7 == 0 else n * n for n in range(300_000)])
    words = numbers.cast(pa.string())
    for values in (numbers, words):
        assert listed(native.bucket(values, 96, threads=3)) == listed(native.bucket(values, 96))
        assert listed(native.truncate(values, 3, threads=3)) == listed(native.truncate(values, 3))


@pytest.mark.parametrize(
    "call",
    [
        lambda: native.bucket(pa.array([1.5]), 4),
        lambda: native.bucket(pa.array([True]), 4),
        lambda: native.bucket(pa.array([1], pa.uint64()), 4),
        lambda: native.bucket(pa.array([1]), 0),
        lambda: native.bucket(pa.array([1]), -1),
        lambda: native.bucket(pa.array([1]), 4, threads=0),
        lambda: native.bucket(pa.array(["a"]).dictionary_encode(), 4),
        lambda: native.bucket(pa.array([[1]]), 4),
        lambda: native.truncate(pa.array([1]), 0),
        lambda: native.truncate(pa.array([1], pa.uint8()), 3),
        lambda: native.hour(pa.array([1], pa.date32())),
        lambda: native.year(pa.array([1])),
        lambda: native.bucket([1, 2], 4),  # type: ignore[arg-type]
        lambda: native.bucket(pa.table({"a": [1]}), 4),
    ],
)
def test_what_a_transform_does_not_take_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        call()


FEW_THREADS = """
import resource
import pyarrow as pa
from flowkit import native

values = pa.array(range(1 << 22), pa.int32())
expected = native.bucket(values, 16)
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (100 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
assert pa.array(native.bucket(values, 16, threads=64)) == pa.array(expected)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is read from /proc")
def test_where_not_all_threads_can_start_the_others_do_the_work() -> None:
    subprocess.run([sys.executable, "-c", FEW_THREADS], check=True)
