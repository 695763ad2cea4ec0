"""What a filter comes to for the partitions of a table, worked out once for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.expressions.visitors import (
    expression_evaluator,
    inclusive_projection,
    manifest_evaluator,
    residual_evaluator_of,
)
from pyiceberg.manifest import ManifestFile
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform, TruncateTransform
from pyiceberg.typedef import Record
from pyiceberg.types import IntegerType, LongType

from flowkit.table.filters import plain_value
from flowkit.table.partitioning import number_rows
from flowkit.table.schemas import with_null_structs
from flowkit.table.transforms import to_physical

Values = tuple[Any, ...]
_ID: bytes = b"PARQUET:field_id"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition, and what a filter comes to for its rows.

    `values` are Iceberg's internal values, one for each field of the spec. `fixed` are columns
    that have one value in all of the partition, by the numbers of fields.
    """

    values: Values
    passes: bool
    """Whether there may be rows that pass."""
    residual: BooleanExpression
    """What is left to check."""
    all_pass: bool
    """Whether every row is known to pass."""
    fixed: tuple[tuple[int, Any], ...]


@dataclass(frozen=True, slots=True)
class _Wrapping:
    """A field that truncates integers: the lowest of a type wrap around, to above a number."""

    at: int
    kind: IntegerType | LongType
    above: int


class Partitions:
    """The partitions of one spec, as a filter sees them."""

    def __init__(self, spec: PartitionSpec, schema: Schema, where: BooleanExpression) -> None:
        self._spec, self._where = spec, where
        self._everything = isinstance(where, AlwaysTrue)
        self._known: dict[Values, Partition] = {}
        self.identities = tuple(
            (at, field.source_id)
            for at, field in enumerate(spec.fields)
            if isinstance(field.transform, IdentityTransform)
        )
        """Places in the spec, and numbers of the columns that are partitioned by as they are."""
        if not self._everything:
            projected = _projected(schema, spec, where)
            fields = spec.partition_type(schema).fields
            self._listed_passes = manifest_evaluator(spec, schema, projected, True)
            self._passes = expression_evaluator(Schema(*fields), projected, True)
            self._residual = residual_evaluator_of(spec, where, True, schema)
            self._wrapping = tuple(_wrapping(spec, schema))

    def may_match(self, manifest: ManifestFile) -> bool:
        """Say whether a manifest may list files with rows that pass."""
        return self._everything or self._listed_passes(manifest) or self._may_wrap(manifest)

    def _may_wrap(self, manifest: ManifestFile) -> bool:
        """Say whether a manifest may list partitions of numbers that wrapped around."""
        for one in self._wrapping:
            packed = (manifest.partitions or ())[one.at].upper_bound
            highest: Any = None if packed is None else from_bytes(one.kind, packed)
            if highest is not None and highest > one.above:
                return True
        return False

    def of(self, column: pa.StructArray) -> tuple[NDArray[np.int64], list[Partition]]:
        """Number the partitions in a manifest's column of them.

        Returns:
            (entries,) int64, the number of each entry's partition; and the partitions.

        Raises:
            ValueError: the column has other fields than the spec.
        """
        if not self._spec.fields or not len(column):
            return np.zeros(len(column), dtype=np.int64), [self._partition(())]
        columns = [to_physical(one) for one in self._fields(column)]
        codes, firsts = number_rows(columns)
        values = zip(*(one.take(pa.array(firsts)).to_pylist() for one in columns), strict=True)
        return codes, [self._partition(one) for one in values]

    def _fields(self, column: pa.StructArray) -> list[pa.Array]:
        children = column.flatten()
        if len(children) != len(self._spec.fields):
            raise ValueError(
                f"it has partitions of {len(children)} fields, and its spec is "
                f"{self._spec.spec_id}, of {len(self._spec.fields)}"
            )
        ids = [int((field.metadata or {}).get(_ID, -1)) for field in column.type]
        wanted = [field.field_id for field in self._spec.fields]
        # Writers of the first version had no ids, and go by the order.
        return [children[ids.index(one)] for one in wanted] if set(ids) == set(wanted) else children

    def _partition(self, values: Values) -> Partition:
        if values not in self._known:
            self._known[values] = self._worked_out(values)
        return self._known[values]

    def _worked_out(self, values: Values) -> Partition:
        fixed = tuple(
            (source, plain_value(values[at]))
            for at, source in self.identities
            if values and values[at] is not None
        )
        if self._everything:
            return Partition(values, True, self._where, True, fixed)
        if any(values[one.at] is not None and values[one.at] > one.above for one in self._wrapping):
            return Partition(values, True, self._where, False, fixed)
        record = Record(*values)
        passes = self._passes(record)
        residual = self._where
        if passes:
            try:
                residual = self._residual.residual_for(record)
            except (TypeError, OverflowError):
                # pyiceberg compares a null of the partition with a value, or looks for the day
                # next to Python's first or last: all is left to check.
                residual = self._where
        # To the rules of projection null is a value like others, to a filter it is not.
        all_pass = passes and isinstance(residual, AlwaysTrue) and None not in values
        return Partition(values, passes, residual, all_pass, fixed)


def _wrapping(spec: PartitionSpec, schema: Schema) -> Iterator[_Wrapping]:
    """Find fields in which the lowest numbers, truncated, are among the highest.

    The format truncates in the type of the column, which has nothing below its lowest number.
    """
    for at, field in enumerate(spec.fields):
        kind = schema.find_type(field.source_id)
        if isinstance(field.transform, TruncateTransform) and isinstance(
            kind, IntegerType | LongType
        ):
            yield _Wrapping(at, kind, kind.max - field.transform.width)


def _projected(schema: Schema, spec: PartitionSpec, where: BooleanExpression) -> BooleanExpression:
    """Return what a filter asks of partitions."""
    try:
        return inclusive_projection(with_null_structs(schema), spec, True)(where)
    except OverflowError:
        # pyiceberg looks for the day next to Python's first or last: no partition is ruled out.
        return AlwaysTrue()
