"""Which files may hold rows that pass a filter, by statistics of the columns that it names.

The rules are those of pyiceberg's evaluator for one file. Here a step of the filter is taken for
all files of a manifest at once, and statistics of other columns are not looked at.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import BooleanExpression
from pyiceberg.expressions.visitors import (
    IN_PREDICATE_LIMIT,
    BoundBooleanExpressionVisitor,
    bind,
    rewrite_not,
    visit,
)
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DateType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    TimestampNanoType,
    TimestampType,
    TimestamptzNanoType,
    TimestamptzType,
    TimeType,
)

from flowkit.table.schemas import with_null_structs

COLUMNS: Final = (
    "value_counts",
    "null_value_counts",
    "nan_value_counts",
    "lower_bounds",
    "upper_bounds",
)
"""The columns of a manifest that are looked at, beside `record_count`."""

_LAYOUTS: Final = {
    DateType: "<i4",
    DoubleType: "<f8",
    FloatType: "<f4",
    IntegerType: "<i4",
    LongType: "<i8",
    TimeType: "<i8",
    TimestampNanoType: "<i8",
    TimestampType: "<i8",
    TimestamptzNanoType: "<i8",
    TimestamptzType: "<i8",
}

Mask = NDArray[np.bool_]
Bounds = list[Any]


class MetricsFilter:
    """A filter as it applies to the statistics of files."""

    def __init__(self, schema: Schema, where: BooleanExpression) -> None:
        self._bound = bind(with_null_structs(schema), rewrite_not(where), case_sensitive=True)

    def may_match(self, entries: pa.RecordBatch, at: NDArray[np.int64]) -> Mask:
        """Say of some entries of a manifest whether they may have rows that pass.

        Args:
            entries: has `COLUMNS` and `record_count`.
            at: (files,) int64, which entries; rising.

        Returns:
            (files,) bool.
        """
        rows = entries.column("record_count").to_numpy()[at]
        may: Mask = visit(self._bound, _Files(entries, at))
        # Old writers did not know the number of rows, and said -1.
        passing: Mask = (rows != 0) & (may | (rows < 0))
        return passing


@dataclass(frozen=True, slots=True)
class _Statistics:
    """What files say about a column. A bound is None where there is none."""

    values: NDArray[np.int64]
    nulls: NDArray[np.int64]
    nans: NDArray[np.int64]
    lower: Bounds
    upper: Bounds

    @property
    def is_null_only(self) -> Mask:
        """Where there is nothing but null. A count that is not known is -1."""
        return _holds_only(self.nulls, self.values)

    @property
    def is_nan_only(self) -> Mask:
        return _holds_only(self.nans, self.values)


class _Files(BoundBooleanExpressionVisitor[Mask]):
    """Says for each file whether it may hold rows that pass."""

    def __init__(self, entries: pa.RecordBatch, at: NDArray[np.int64]) -> None:
        self._entries, self._at = entries, at
        self._known: dict[int, _Statistics] = {}

    def visit_true(self) -> Mask:
        return np.ones(len(self._at), dtype=np.bool_)

    def visit_false(self) -> Mask:
        return np.zeros(len(self._at), dtype=np.bool_)

    def visit_not(self, child_result: Mask) -> Mask:
        raise AssertionError("`not` has been resolved")

    def visit_and(self, left_result: Mask, right_result: Mask) -> Mask:
        return left_result & right_result

    def visit_or(self, left_result: Mask, right_result: Mask) -> Mask:
        return left_result | right_result

    def visit_is_null(self, term: Any) -> Mask:
        may: Mask = self._of(term).nulls != 0
        return may

    def visit_not_null(self, term: Any) -> Mask:
        return ~self._of(term).is_null_only

    def visit_is_nan(self, term: Any) -> Mask:
        column = self._of(term)
        may: Mask = column.nans != 0
        return may & ~column.is_null_only

    def visit_not_nan(self, term: Any) -> Mask:
        return ~self._of(term).is_nan_only

    # A lower bound of NaN says nothing: comparisons with it are false, as they are with None away.

    def visit_less_than(self, term: Any, literal: Any) -> Mask:
        value = literal.value
        return self._comparable(term, lambda low, _: low is None or not low >= value)

    def visit_less_than_or_equal(self, term: Any, literal: Any) -> Mask:
        value = literal.value
        return self._comparable(term, lambda low, _: low is None or not low > value)

    def visit_greater_than(self, term: Any, literal: Any) -> Mask:
        value = literal.value
        return self._comparable(term, lambda _, high: high is None or not high <= value)

    def visit_greater_than_or_equal(self, term: Any, literal: Any) -> Mask:
        value = literal.value
        return self._comparable(term, lambda _, high: high is None or not high < value)

    def visit_equal(self, term: Any, literal: Any) -> Mask:
        value = literal.value

        def may(low: Any, high: Any) -> bool:
            if low is not None and (low > value or low != low):
                return bool(low != low)
            return high is None or not high < value

        return self._comparable(term, may)

    def visit_not_equal(self, term: Any, literal: Any) -> Mask:
        return self.visit_true()

    def visit_in(self, term: Any, literals: set[Any]) -> Mask:
        if len(literals) > IN_PREDICATE_LIMIT:
            return self._comparable(term, lambda _low, _high: True)
        values = sorted(one for one in literals if one == one)

        def may(low: Any, high: Any) -> bool:
            if (low is None and high is None) or (low is not None and low != low):
                return True
            at = 0 if low is None else bisect_left(values, low)
            if at == len(values):
                # Without a lower bound, one above that is NaN may still be all there is to know.
                return bool(low is None and high != high)
            return high is None or not high < values[at]

        return self._comparable(term, may)

    def visit_not_in(self, term: Any, literals: set[Any]) -> Mask:
        return self.visit_true()

    def visit_starts_with(self, term: Any, literal: Any) -> Mask:
        prefix, size = literal.value, len(literal.value)

        def may(low: Any, high: Any) -> bool:
            return not (
                (low is not None and low[:size] > prefix)
                or (high is not None and high[:size] < prefix)
            )

        column = self._of(term)
        return ~column.is_null_only & _each(may, column)

    def visit_not_starts_with(self, term: Any, literal: Any) -> Mask:
        prefix = literal.value
        column = self._of(term)
        both = _each(
            lambda low, high: (
                low is not None
                and high is not None
                and low.startswith(prefix)
                and high.startswith(prefix)
            ),
            column,
        )
        # With a count of nulls at hand, even of none, pyiceberg rules nothing out.
        return (column.nulls >= 0) | ~both

    def _comparable(self, term: Any, may: Callable[[Any, Any], bool]) -> Mask:
        """Ask of each file with a value to compare, by its bounds, whether it may match."""
        column = self._of(term)
        return ~column.is_null_only & ~column.is_nan_only & _each(may, column)

    def _of(self, term: Any) -> _Statistics:
        field: NestedField = term.ref().field
        number, kind = field.field_id, field.field_type
        if number not in self._known:
            self._known[number] = _Statistics(
                self._counts("value_counts", number),
                self._counts("null_value_counts", number),
                self._counts("nan_value_counts", number),
                self._bounds("lower_bounds", number, kind),
                self._bounds("upper_bounds", number, kind),
            )
        return self._known[number]

    def _counts(self, name: str, number: int) -> NDArray[np.int64]:
        files, counts = entries_of(self._entries.column(name), number, self._at)
        found = np.full(len(self._at), -1, dtype=np.int64)
        found[files] = counts.fill_null(-1).to_numpy(zero_copy_only=False)
        return found

    def _bounds(self, name: str, number: int, kind: IcebergType) -> Bounds:
        files, packed = entries_of(self._entries.column(name), number, self._at)
        found: Bounds = [None] * len(self._at)
        for file, value in zip(files.tolist(), _unpacked(packed, kind), strict=True):
            found[file] = value
        return found


def entries_of(
    column: pa.MapArray, key: int, at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], pa.Array]:
    """Return which of some rows of a map have a key, as places in `at`, and their values for it."""
    offsets = column.offsets.to_numpy()
    # The keys of a slice are those of the whole; offsets say where its own begin.
    places = np.flatnonzero(column.keys.to_numpy() == key)
    places = places[(places >= offsets[0]) & (places < offsets[-1])]
    rows = np.searchsorted(offsets, places, side="right") - 1
    files = np.full(len(column), -1, dtype=np.int64)
    files[at] = np.arange(len(at))
    wanted = files[rows] >= 0
    return files[rows][wanted], column.items.take(pa.array(places[wanted]))


def _holds_only(some: NDArray[np.int64], values: NDArray[np.int64]) -> Mask:
    only: Mask = (values > 0) & (values == some)
    return only


def _each(may: Callable[[Any, Any], bool], column: _Statistics) -> Mask:
    pairs = zip(column.lower, column.upper, strict=True)
    return np.fromiter((may(low, high) for low, high in pairs), np.bool_, len(column.lower))


def _unpacked(packed: pa.Array, kind: IcebergType) -> Bounds:
    """Return bounds as values; None for what cannot be decoded, and so rules nothing out."""
    if not isinstance(kind, PrimitiveType):
        return [None] * len(packed)
    layout = _LAYOUTS.get(type(kind))
    if layout is not None and not packed.null_count:
        offsets = np.frombuffer(packed.buffers()[1], dtype=np.int32)
        offsets = offsets[packed.offset : packed.offset + len(packed) + 1]
        size = np.dtype(layout).itemsize
        if len(packed) and np.all(np.diff(offsets) == size):
            data = packed.buffers()[2][offsets[0] : offsets[-1]]
            values: Bounds = np.frombuffer(data, dtype=layout).tolist()
            return values
    return [_value(kind, one) for one in packed.to_pylist()]


def _value(kind: PrimitiveType, packed: bytes | None) -> Any:
    try:
        return None if packed is None else from_bytes(kind, packed)
    except (struct.error, UnicodeDecodeError):
        return None
