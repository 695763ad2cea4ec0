"""The files that a scan must read: columns first, objects for whoever looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from flowkit.table.shards import FilePart

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray
    from pyiceberg.expressions import BooleanExpression

    from flowkit.table.formats import FileFormat
    from flowkit.table.partitions import Partition

Known = tuple[tuple[int, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A data file as its manifest lists it, with what reading it needs.

    Fields are named as in the format. `partition` has Iceberg's internal values: days and
    microseconds for times, bytes for UUIDs.
    """

    file_path: str
    spec_id: int
    partition: tuple[Any, ...]
    record_count: int
    file_size_in_bytes: int
    split_offsets: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A data file that a scan must read, the deletes that apply, and what is left to check.

    `known` are values that the partition fixes for columns which the file may not have, by the
    numbers of fields. `residual` is what the filter comes to for rows of this file's partition.
    """

    file: ListedFile
    known: Known
    deletes: tuple[str, ...]
    residual: BooleanExpression
    all_pass: bool
    """Whether every row is known to pass the filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Planned files that one manifest lists: in every column, one value a file."""

    spec_id: int
    paths: pyarrow.StringArray
    rows: NDArray[np.int64]
    size_bytes: NDArray[np.int64]
    offsets: pyarrow.ListArray
    partitions: Sequence[Partition]
    known: Sequence[Known]
    deletes: Sequence[tuple[str, ...]]

    def files(self) -> Iterator[PlannedFile]:
        """Make the files."""
        for path, rows, size_bytes, offsets, partition, known, deletes in zip(
            self.paths.to_pylist(),
            self.rows.tolist(),
            self.size_bytes.tolist(),
            self.split_offsets(),
            self.partitions,
            self.known,
            self.deletes,
            strict=True,
        ):
            file = ListedFile(
                file_path=path,
                spec_id=self.spec_id,
                partition=partition.values,
                record_count=rows,
                file_size_in_bytes=size_bytes,
                split_offsets=offsets,
            )
            yield PlannedFile(
                file=file,
                known=known,
                deletes=deletes,
                residual=partition.residual,
                all_pass=partition.all_pass,
            )

    def parts(self) -> Iterator[FilePart]:
        """Make the files as shards have them, each whole."""
        for path, rows, size_bytes, partition, known, deletes in zip(
            self.paths.to_pylist(),
            self.rows.tolist(),
            self.size_bytes.tolist(),
            self.partitions,
            self.known,
            self.deletes,
            strict=True,
        ):
            yield FilePart(
                path=path,
                rows=rows,
                size_bytes=size_bytes,
                known=known,
                deletes=deletes,
                all_pass=partition.all_pass,
            )

    def split_offsets(self) -> list[tuple[int, ...]]:
        """Say for each file where its row groups begin, in bytes; nothing where nobody knows."""
        column = self.offsets
        column = column.fill_null([]) if column.null_count else column
        bounds = column.offsets.to_pylist()
        values = column.values.to_pylist()
        return [tuple(values[start:stop]) for start, stop in pairwise(bounds)]


class IcebergPlan:
    """The files that a scan must read. They are columns until somebody looks at them."""

    formats: tuple[FileFormat, ...] = ()

    def __init__(self, lots: Sequence[Lot] = ()) -> None:
        self._lots = tuple(lots)

    def __len__(self) -> int:
        """Return the number of files."""
        return sum(len(lot.paths) for lot in self._lots)

    @cached_property
    def files(self) -> tuple[PlannedFile, ...]:
        """The files, in the order of the manifests."""
        return tuple(one for lot in self._lots for one in lot.files())

    @property
    def rows(self) -> int:
        """Rows in these files, before any is left out."""
        return sum(int(lot.rows.sum()) for lot in self._lots)

    @property
    def size_bytes(self) -> int:
        """Bytes of these files."""
        return sum(int(lot.size_bytes.sum()) for lot in self._lots)

    def parts(self) -> tuple[FilePart, ...]:
        """Return the files as shards have them, each whole."""
        return tuple(one for lot in self._lots for one in lot.parts())

    def split_offsets(self, at: int) -> tuple[int, ...]:
        """Say where the row groups of a file begin, in bytes; nothing where nobody knows."""
        return self._split_offsets[at]

    @cached_property
    def _split_offsets(self) -> list[tuple[int, ...]]:
        return [one for lot in self._lots for one in lot.split_offsets()]

    def __repr__(self) -> str:
        return f"<Plan: {len(self):,} files, {self.rows:,} rows, {self.size_bytes:,} bytes>"
