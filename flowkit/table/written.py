"""What a task leaves of its writing: data files described as plain data.

A part crosses processes as an artifact, so it holds no object of a library: whoever loads it
needs neither pyiceberg nor Arrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStats:
    """What a data file's footer says of one column. None: not collected, by its metrics mode.

    `lower` and `upper` are Iceberg's single-value encoding, cut short if the mode says so.
    """

    field_id: int
    size_bytes: int
    value_count: int | None = None
    null_count: int | None = None
    nan_count: int | None = None
    lower: bytes | None = None
    upper: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """One data file that was written, and is not yet part of any table.

    `partition` holds Iceberg's internal values: days for dates, microseconds for times.
    """

    path: str
    partition: tuple[object, ...]
    row_count: int
    size_bytes: int
    columns: tuple[ColumnStats, ...]
    split_offsets: tuple[int, ...]
    sort_order_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFiles:
    """The data files that one writer left: small, picklable, good as an artifact.

    They become visible when `commit_files` has added them to the table they were written for.
    `branch`: where they are meant to go; None for `main`.
    """

    table: str
    table_uuid: str
    branch: str | None
    schema_id: int
    spec_id: int
    files: tuple[WrittenFile, ...]

    @property
    def row_count(self) -> int:
        """Rows in all files."""
        return sum(one.row_count for one in self.files)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files in storage."""
        return sum(one.size_bytes for one in self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the files are."""
        return tuple(one.path for one in self.files)


def digest_contents(parts: Iterable[WrittenFiles]) -> str:
    """Return a digest of what parts hold, wherever their files lie.

    Built from partitions, row counts and column statistics: the same task run again on the same
    rows gives the same digest, though its files have other names.
    """
    described = sorted(
        repr(
            (
                one.partition,
                one.row_count,
                [(c.field_id, c.value_count, c.null_count, c.lower, c.upper) for c in one.columns],
            )
        )
        for part in parts
        for one in part.files
    )
    return sha256("\n".join(described).encode()).hexdigest()
