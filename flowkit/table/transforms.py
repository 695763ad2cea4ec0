"""Iceberg's partition transforms over whole Arrow columns, equal to pyiceberg's, value for value.

Results are Iceberg's internal values: days for dates, microseconds for times and timestamps,
bytes for UUIDs. Where a rule is only known value by value (hashes of text, decimals), it is
pyiceberg's own function, called once for each distinct value.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
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
    DateType,
    DecimalType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestampNanoType,
    TimestampType,
    TimestamptzNanoType,
    TimestamptzType,
    TimeType,
)

_HASHED_AS_LONG: Final = (IntegerType, LongType, DateType, TimeType, TimestampType, TimestamptzType)
_NANOS: Final = (TimestampNanoType, TimestamptzNanoType)
_PER_UNIT: Final = {YearTransform: "Y", MonthTransform: "M", DayTransform: "D", HourTransform: "h"}


def transform_column(
    column: pa.Array, source: IcebergType, transform: Transform[Any, Any]
) -> pa.Array:
    """Return a transform's results for a column of the table's Arrow type; null stays null.

    Raises:
        ValueError: the transform is not known, or not defined for the type.
    """
    if isinstance(transform, VoidTransform):
        return pa.nulls(len(column))
    if not transform.can_transform(source):
        raise ValueError(f"transform `{transform}` is not defined for `{source}`")
    column = to_physical(column)
    if isinstance(transform, IdentityTransform):
        return column
    if isinstance(transform, BucketTransform):
        if isinstance(source, (*_HASHED_AS_LONG, *_NANOS)):
            values, nulls = _integers(column)
            # Nanoseconds fall into the bucket of their microsecond.
            values = values // 1000 if isinstance(source, _NANOS) else values
            return pa.array(bucket_longs(values, transform.num_buckets), mask=nulls)
        return _per_distinct_value(column, source, transform, kind=pa.int32())
    if isinstance(transform, TruncateTransform):
        return _truncate(column, source, transform)
    unit = _PER_UNIT.get(type(transform))
    if unit is None:
        raise ValueError(f"transform `{transform}` is not known")
    values, nulls = _integers(column)
    ticks = "D" if isinstance(source, DateType) else "ns" if isinstance(source, _NANOS) else "us"
    units = values.astype(f"datetime64[{ticks}]").astype(f"datetime64[{unit}]")
    return pa.array(units.astype(np.int64).astype(np.int32), mask=nulls)


def to_physical(column: pa.Array) -> pa.Array:
    """View a column as Iceberg's internal values: integers for times, bytes for UUIDs."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return column.storage
    if pa.types.is_date32(kind):
        return column.view(pa.int32())
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return column.view(pa.int64())
    return column


def bucket_longs(values: NDArray[np.int64], buckets: int) -> NDArray[np.int32]:
    """Return the buckets of integers: 32-bit Murmur3 of their 8 bytes, modulo `buckets`.

    Args:
        values: (rows,) int64.
        buckets: the number of buckets.

    Returns:
        (rows,) int32.

    Source:
        Iceberg table spec, appendix B.
    """
    words = np.ascontiguousarray(values, dtype="<i8").view("<u4").reshape(-1, 2)
    state = np.zeros(len(values), dtype=np.uint32)
    for at in (0, 1):
        word = words[:, at] * np.uint32(0xCC9E2D51)
        word = (word << np.uint32(15)) | (word >> np.uint32(17))
        word *= np.uint32(0x1B873593)
        state ^= word
        state = (state << np.uint32(13)) | (state >> np.uint32(19))
        state *= np.uint32(5)
        state += np.uint32(0xE6546B64)
    state ^= np.uint32(8)
    state ^= state >> np.uint32(16)
    state *= np.uint32(0x85EBCA6B)
    state ^= state >> np.uint32(13)
    state *= np.uint32(0xC2B2AE35)
    state ^= state >> np.uint32(16)
    return ((state & np.uint32(0x7FFFFFFF)) % np.uint32(buckets)).astype(np.int32)


def _truncate(column: pa.Array, source: IcebergType, transform: TruncateTransform[Any]) -> pa.Array:
    width = transform.width
    if isinstance(source, (IntegerType, LongType)):
        values, nulls = _integers(column)
        return pa.array(values - values % width, mask=nulls)
    if isinstance(source, StringType):
        return pc.utf8_slice_codeunits(column, 0, width)
    if isinstance(source, BinaryType):
        return pc.binary_slice(column, 0, width)
    # A truncated decimal may need one digit more than its column has.
    wide = isinstance(source, DecimalType) and pa.decimal256(76, source.scale)
    return _per_distinct_value(column, source, transform, kind=wide or column.type)


def _integers(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return a column as int64 with 0 for null, and where the nulls are."""
    if not column.null_count:
        return np.asarray(column).astype(np.int64, copy=False), None
    filled = np.asarray(column.fill_null(0)).astype(np.int64, copy=False)
    return filled, np.asarray(column.is_null())


def _per_distinct_value(
    column: pa.Array, source: IcebergType, transform: Transform[Any, Any], *, kind: pa.DataType
) -> pa.Array:
    encoded = column.dictionary_encode()
    apply = transform.transform(source)
    results = pa.array([apply(value) for value in encoded.dictionary.to_pylist()], kind)
    return results.take(encoded.indices)
