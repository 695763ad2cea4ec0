"""Splitting a batch by partition in one pass: codes, a counting sort, one take.

The cost does not grow with the number of partitions, as it does where each one is filtered out
of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import Transform, VoidTransform
from pyiceberg.types import DecimalType

from flowkit import native
from flowkit.errors import UsageError
from flowkit.table.transforms import transform_column

Key = tuple[object, ...]

_COUNTED: Final = 1 << 20
"""Up to so many combinations of values are counted in an array; more are sorted."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one partition, in their order in the batch they came from."""

    key: Key
    rows: pa.RecordBatch


def partition_batch(batch: pa.RecordBatch, spec: PartitionSpec, schema: Schema) -> list[Slice]:
    """Split a batch of the table's Arrow types by its partition keys.

    Keys hold Iceberg's internal values, one for each field of the spec. A batch of one partition
    is not copied, and neither is one whose partitions lie one after the other.

    Raises:
        UsageError: a decimal's partition has more digits than the column, or a required column
            is null, in a struct that is.
    """
    if not spec.fields:
        return [Slice((), batch)]
    columns = [
        transform_column(
            column_of(batch, schema, field.source_id),
            schema.find_field(field.source_id).field_type,
            field.transform,
        )
        for field in spec.fields
    ]
    for field, column in zip(spec.fields, columns, strict=True):
        source = schema.find_field(field.source_id)
        name = str(schema.find_column_name(field.source_id))
        if source.required and column.null_count and not isinstance(field.transform, VoidTransform):
            # pyiceberg writes no null for a partition by a required column.
            raise UsageError(
                f"column `{name}`, by which the table is partitioned, is null in some rows: the "
                "struct around it is",
                hint="fill the struct, or partition by a column that may be null",
            )
        if isinstance(source.field_type, DecimalType) and pa.types.is_decimal(column.type):
            _check_digits(column, source.field_type, name, field.transform)
    codes, firsts = number_rows(columns)
    keys: list[Key] = list(
        zip(*(column.take(pa.array(firsts)).to_pylist() for column in columns), strict=True)
    )
    if len(keys) == 1:
        return [Slice(keys[0], batch)]
    order, bounds = partition_order(codes, len(keys))
    grouped = batch if order is None else batch.take(pa.array(order))
    return [
        Slice(key, grouped.slice(start, stop - start))
        for key, start, stop in zip(keys, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]


def _check_digits(
    results: pa.Array, kind: DecimalType, name: str, transform: Transform[Any, Any]
) -> None:
    """Check that partitions are values that the format can hold: those of the column's type.

    A negative decimal that is truncated may need a digit more. Others refuse to write it, too.
    """
    largest = Decimal(10) ** (kind.precision - kind.scale)
    lowest = pc.min(results).as_py()
    if lowest is not None and lowest <= -largest:
        call = str(transform).replace("[", "(").replace("]", f", {name})")
        raise UsageError(
            f"a value of column `{name}` has the partition {lowest} by `{call}`, which "
            f"is no `{kind}`",
            hint=f"widen the column by a digit: `change.widen_column('{name}', "
            f"'decimal({kind.precision + 1}, {kind.scale})')`, in `with table.evolve() as change`",
        )


def column_of(batch: pa.RecordBatch, schema: Schema, field_id: int) -> pa.Array:
    """Return the column with a field id, from within structs if need be."""
    accessor = schema.accessor_for_field(field_id)
    column = batch.column(accessor.position)
    while accessor.inner is not None:
        accessor = accessor.inner
        column = pc.struct_field(column, [accessor.position])
    return column


def number_rows(columns: Sequence[pa.Array]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the combinations of values in some columns, without gaps; null is a value.

    Returns:
        (rows,) int64, the number of each row's combination; and (combinations,) int64, the first
        row that has it.
    """
    rows = len(columns[0])
    codes: NDArray[np.int64] = np.zeros(rows, dtype=np.int64)
    count = 1
    for column in columns:
        encoded = pc.dictionary_encode(column, null_encoding="encode")
        values = max(1, len(encoded.dictionary))
        codes, count = _without_gaps(codes * values + np.asarray(encoded.indices), count * values)
    firsts = np.empty(count, dtype=np.int64)
    # The last assignment wins, so rows are assigned from the last to the first.
    firsts[codes[::-1]] = np.arange(rows - 1, -1, -1)
    return codes, firsts


def partition_order(
    codes: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int32] | None, NDArray[np.int64]]:
    """Return the stable permutation that sorts codes 0 to `count` - 1, and where each one starts.

    Returns:
        (rows,) int32, or None if the codes are sorted; and (count + 1,) int64 bounds.
    """
    if not np.any(codes[1:] < codes[:-1]):
        bounds = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(np.bincount(codes, minlength=count), out=bounds[1:])
        return None, bounds
    order, offsets = native.partition_permutation(pa.array(codes), count)
    return np.asarray(pa.array(order)), np.asarray(pa.array(offsets))


def _without_gaps(codes: NDArray[np.int64], limit: int) -> tuple[NDArray[np.int64], int]:
    """Renumber the codes below `limit` that occur; return the codes, and how many there are."""
    if limit > max(_COUNTED, 4 * len(codes)):
        present, dense = np.unique(codes, return_inverse=True)
        return dense.reshape(-1).astype(np.int64, copy=False), len(present)
    occurs = np.bincount(codes, minlength=limit) > 0
    places = np.cumsum(occurs, dtype=np.int64) - 1
    return places[codes], int(places[-1]) + 1
