"""Rows by their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit import _native
from flowkit.native.arguments import check_threads

if TYPE_CHECKING:
    from flowkit.native.arrow import Array, ArrowColumn


def gather(column: ArrowColumn, indices: ArrowColumn, *, threads: int = 1) -> Array:
    """Take rows by their numbers: row r of the result is row `indices[r]` of the column.

    Args:
        column: values of any type but nested ones and dictionaries.
        indices: integers; a null gives a null.
        threads: how many may work, this one among them.

    Returns:
        (indices,) of the type of the column.

    Raises:
        UsageError: an index is out of range, an array is malformed or of another type, or strings
            are too long together for the offsets of their type: cast them to large strings.

    >>> import pyarrow
    >>> names = pyarrow.array(["Ada", "Grace"])
    >>> pyarrow.array(gather(names, pyarrow.array([1, None, 1, 0]))).to_pylist()
    ['Grace', None, 'Grace', 'Ada']
    """
    return _native.gather(column, indices, check_threads(threads))
