"""Iceberg's partition transforms, bit-equal to the table format's specification.

A null stays null. Each takes a column in one piece or in many and gives one array.

Source: Iceberg's specification, "Partition Transforms", and appendix B, "32-bit Hash Requirements".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit import _native
from flowkit.native.arguments import INT32_MAX, check_integer, check_threads

if TYPE_CHECKING:
    from flowkit.native.arrow import Array, ArrowColumn


def bucket(values: ArrowColumn, count: int, *, threads: int = 1) -> Array:
    """Put each value into one of `count` buckets, by its hash.

    Args:
        values: integers (but uint64), dates (date32), times, timestamps, decimals of 128 bits,
            strings or binary of any layout, or fixed-size binary such as UUIDs. Nanoseconds are
            cut down to microseconds first.
        count: how many buckets, in [1, 2^31).
        threads: how many may work, this one among them.

    Returns:
        (rows,) int32, in [0, count).

    Raises:
        UsageError: the type is another, an array is malformed, or an argument is out of range.

    >>> import pyarrow
    >>> pyarrow.array(bucket(pyarrow.array(["ada", "grace", None]), 16)).to_pylist()
    [14, 8, None]
    """
    return _native.bucket(
        values, check_integer("count", count, 1, INT32_MAX), check_threads(threads)
    )


def truncate(values: ArrowColumn, width: int, *, threads: int = 1) -> Array:
    """Cut numbers down to a multiple of `width`, strings to `width` code points, binary to bytes.

    Args:
        values: signed integers, decimals of 128 bits (of which the unscaled value is cut),
            strings or binary of any layout.
        width: in [1, 2^31).
        threads: how many may work, this one among them.

    Returns:
        (rows,) of the type of `values`; views come out as large strings or large binary.

    Raises:
        UsageError: the type is another, an array is malformed, an argument is out of range, or the
            multiple below a number is not a number of its type.

    >>> import pyarrow
    >>> pyarrow.array(truncate(pyarrow.array([17, -1, None]), 10)).to_pylist()
    [10, -10, None]
    """
    return _native.truncate(
        values, check_integer("width", width, 1, INT32_MAX), check_threads(threads)
    )


def year(values: ArrowColumn, *, threads: int = 1) -> Array:
    """Count the years from 1970, rounded down.

    Args:
        values: dates (date32) or timestamps of any unit and zone, which are taken as UTC.
        threads: how many may work, this one among them.

    Returns:
        (rows,) int32.

    Raises:
        UsageError: the type is another, an array is malformed, or a result has over 32 bits.

    >>> import datetime, pyarrow
    >>> pyarrow.array(year(pyarrow.array([datetime.date(1969, 12, 31)]))).to_pylist()
    [-1]
    """
    return _native.year(values, check_threads(threads))


def month(values: ArrowColumn, *, threads: int = 1) -> Array:
    """Count the months from 1970-01, rounded down; else as `year`.

    >>> import datetime, pyarrow
    >>> pyarrow.array(month(pyarrow.array([datetime.date(1971, 2, 3)]))).to_pylist()
    [13]
    """
    return _native.month(values, check_threads(threads))


def day(values: ArrowColumn, *, threads: int = 1) -> Array:
    """Count the days from 1970-01-01, rounded down: (rows,) date32; else as `year`.

    >>> import datetime, pyarrow
    >>> pyarrow.array(day(pyarrow.array([datetime.datetime(1970, 1, 2, 3, 4)]))).to_pylist()
    [datetime.date(1970, 1, 2)]
    """
    return _native.day(values, check_threads(threads))


def hour(values: ArrowColumn, *, threads: int = 1) -> Array:
    """Count the hours from 1970-01-01 00:00, rounded down; takes timestamps only, else as `year`.

    >>> import datetime, pyarrow
    >>> pyarrow.array(hour(pyarrow.array([datetime.datetime(1970, 1, 2, 3, 4)]))).to_pylist()
    [27]
    """
    return _native.hour(values, check_threads(threads))
