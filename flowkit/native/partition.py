"""Rows sorted by their partition, so that a table is written in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit import _native
from flowkit.native.arguments import INT32_MAX, check_integer, check_threads

if TYPE_CHECKING:
    from flowkit.native.arrow import Array, ArrowColumn


def partition_permutation(
    codes: ArrowColumn, count: int, *, threads: int = 1
) -> tuple[Array, Array]:
    """Sort rows by their partition, in the order that they have within it: a counting sort.

    Args:
        codes: integers in [0, count), one a row, none null: the number of the row's partition.
        count: how many partitions there are, at most as many as rows, or 1048576 if those are
            fewer: number only the partitions that occur.
        threads: how many may work, this one among them.

    Returns:
        permutation, (rows,) int32: the rows of partition 0, then those of partition 1, and so on.
        offsets, (count + 1,) int64: partition p has `permutation[offsets[p] : offsets[p + 1]]`.

    Raises:
        UsageError: a code is null, a code or number is out of range, or the array is malformed.

    >>> import pyarrow
    >>> rows, offsets = partition_permutation(pyarrow.array([1, 0, 1, 0]), 2)
    >>> pyarrow.array(rows).to_pylist(), pyarrow.array(offsets).to_pylist()
    ([1, 3, 0, 2], [0, 2, 4])
    """
    partitions = check_integer("count", count, 0, INT32_MAX)
    return _native.partition_permutation(codes, partitions, check_threads(threads))
