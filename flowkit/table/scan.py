"""A scan: which rows and columns of which version of a table, read when and as it is asked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from flowkit.errors import UsageError
from flowkit.table.arguments import check_kind
from flowkit.table.data_frame import DataFrame
from flowkit.table.filters import condition_of
from flowkit.table.lineage import note_read
from flowkit.table.reading import ShardReader
from flowkit.table.shards import Shard, pack
from flowkit.table.sources import Plan, Source

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from pyiceberg.expressions import BooleanExpression

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Scan:
    """Rows of one version of a table. Nothing is read until a method asks for it.

    The version is fixed when the scan is made: whatever is committed later, it reads the same.
    """

    def __init__(
        self,
        source: Source,
        where: BooleanExpression,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> None:
        self._source, self._where, self._limit = source, where, limit
        self._condition = condition_of(where, source.schema)
        self._target = source.target(columns, self._condition)

    @property
    def snapshot(self) -> int | None:
        """The id of the snapshot that is read; None if the table has none."""
        return self._source.snapshot

    def plan(self) -> Plan:
        """Return the files that must be read, after what partitions and statistics rule out.

        Raises:
            UnsupportedTable: a file that matters cannot be read.
            ManifestDamaged: one that lists files cannot.
        """
        return self._plan

    def shards(self, n: int | None = None, *, bytes: int | str | None = None) -> list[Shard]:
        """Divide the scan into shards of nearly equal size, for a `foreach`.

        The same scan of the same snapshot always gives the same shards. There are fewer than
        asked for if files have no more row groups to cut between, but always one.

        Args:
            n: how many.
            bytes: how large each may be, such as `"64MB"`, in bytes of files.

        Raises:
            UsageError: neither or both are given, or the scan has a limit.
        """
        if self._limit is not None:
            raise UsageError(
                "a scan with a limit cannot be divided: shards know nothing of one another",
                hint="leave `limit` away, or read it with `to_arrow`",
            )
        if (n is None) == (bytes is None):
            raise UsageError(
                "how many shards, or of what size?", hint="give `n=100` or `bytes='64MB'`"
            )
        whole = self._whole
        if bytes is not None:
            n = math.ceil(whole.size_bytes / parse_bytes(bytes)) or 1
        if n is not None:
            check_kind("n", n, int, hint="give a whole number of at least 1")
        if n is None or n < 1:
            raise UsageError(f"{n} shards cannot be made", hint="give a number of at least 1")
        lots = pack(whole.parts, self._plan.split_offsets, n)
        return [replace(whole, parts=tuple(lot)) for lot in lots] or [whole]

    def to_arrow(self) -> pyarrow.Table:
        """Read all rows into an Arrow table.

        Raises:
            DataFileMissing, DataFileDamaged, DataFileUnlike: a file cannot be read.
        """
        table = self._reader.read(limit=self._limit)
        self._note()
        return table

    def to_frame(self) -> DataFrame:
        """Read all rows into a `DataFrame`. Raises what `to_arrow` raises."""
        return DataFrame(self.to_arrow())

    def to_pandas(self) -> pandas.DataFrame:
        """Read all rows into a pandas frame. Raises what `to_arrow` raises."""
        return self.to_frame().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Read all rows into a Polars frame. Raises what `to_arrow` raises."""
        return self.to_frame().to_polars()

    def sql(self, query: str) -> DataFrame:
        """Ask DuckDB about the rows, which the query calls `this`.

        Raises:
            QueryInvalid: DuckDB does not take the query.
        """
        return self.to_frame().sql(query)

    def batches(self, memory: int | str = "256MB") -> Iterator[pyarrow.RecordBatch]:
        """Yield the rows as record batches, all in all in no more memory than this.

        Args:
            memory: bytes, or text such as `"256MB"`.
        """
        self._note()
        left = self._limit
        for batch in self._reader.batches(parse_bytes(memory)):
            if left is not None and left <= len(batch):
                yield batch.slice(0, left)
                return
            left = None if left is None else left - len(batch)
            yield batch

    def count(self) -> int:
        """Return the number of rows; files are read only where their statistics do not tell."""
        rows = self._reader.count()
        self._note()
        return rows if self._limit is None else min(rows, self._limit)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Read all rows, for whoever speaks Arrow."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"<Scan of {self._source.name}, snapshot {self.snapshot}>"

    @cached_property
    def _plan(self) -> Plan:
        return self._source.plan(self._where)

    @cached_property
    def _whole(self) -> Shard:
        """All of the scan as one shard."""
        return Shard(
            table=self._source.name,
            catalog=self._source.catalog,
            snapshot=self.snapshot,
            schema=self._target.schema,
            width=self._target.width,
            parts=self._plan.parts(),
            condition=self._condition,
            defaults=self._target.defaults,
            names=self._target.names,
            kind=self._source.files.kind,
            formats=self._plan.formats,
        )

    @cached_property
    def _reader(self) -> ShardReader:
        return ShardReader(self._whole, self._source.files)

    def _note(self) -> None:
        note_read(self._source.name, self._source.catalog, self.snapshot)


def parse_bytes(size: int | str) -> int:
    """Return a size in bytes: a number, or text such as `256MB` or `1.5 GiB`. Raises UsageError.

    A kilobyte is 1,024 bytes, however it is written.
    """
    if isinstance(size, int) and size > 0:
        return size
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", str(size).lower())
    if found is None or isinstance(size, int) or not 0 < float(found[1]) < 2**63:
        raise UsageError(f"`{size}` is no size", hint="write `256MB`, or a number of bytes")
    return max(1, int(float(found[1]) * _UNITS[found[2]]))
