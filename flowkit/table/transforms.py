"""Iceberg's partition transforms over whole Arrow columns, equal to pyiceberg's, value for value.

Results are Iceberg's internal values: days for dates, microseconds for times and timestamps,
bytes for UUIDs. The native core does the work; only decimals are truncated by pyiceberg's own
function, once for each distinct value, since the result may need a digit more than its type has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    DecimalType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
)

from flowkit import native

_UNITS: Final[Mapping[type, Callable[[pa.Array], native.Array]]] = {
    YearTransform: native.year,
    MonthTransform: native.month,
    DayTransform: native.day,
    HourTransform: native.hour,
}


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
    if isinstance(transform, IdentityTransform):
        return to_physical(column)
    if isinstance(transform, BucketTransform):
        return pa.array(native.bucket(_bare(column), transform.num_buckets))
    if isinstance(transform, TruncateTransform):
        return _truncate(column, source, transform)
    unit = _UNITS.get(type(transform))
    if unit is None:
        raise ValueError(f"transform `{transform}` is not known")
    return to_physical(pa.array(unit(column)))


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


def _bare(column: pa.Array) -> pa.Array:
    """Return what an extension type such as a UUID stores."""
    return column.storage if isinstance(column.type, pa.BaseExtensionType) else column


def _truncate(column: pa.Array, source: IcebergType, transform: TruncateTransform[Any]) -> pa.Array:
    width = transform.width
    if isinstance(source, (IntegerType, LongType)):
        values, nulls = _integers(column)
        # In the column's type, as the format has it: below its lowest number it wraps around.
        kind = np.int32 if isinstance(source, IntegerType) else np.int64
        return pa.array((values - values % width).astype(kind), mask=nulls)
    if isinstance(source, StringType):
        return pc.utf8_slice_codeunits(column, 0, width)
    if isinstance(source, BinaryType):
        return pc.binary_slice(column, 0, width)
    return _truncate_decimals(column, source, transform)


def _integers(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return a column as int64 with 0 for null, and where the nulls are."""
    if not column.null_count:
        return np.asarray(column).astype(np.int64, copy=False), None
    filled = np.asarray(column.fill_null(0)).astype(np.int64, copy=False)
    return filled, np.asarray(column.is_null())


def _truncate_decimals(
    column: pa.Array, source: IcebergType, transform: TruncateTransform[Any]
) -> pa.Array:
    assert isinstance(source, DecimalType)
    encoded = column.dictionary_encode()
    apply = transform.transform(source)
    # A result may need one digit more than its column has.
    kind = pa.decimal256(76, source.scale)
    results = pa.array([apply(value) for value in encoded.dictionary.to_pylist()], kind)
    return results.take(encoded.indices)
