"""From decoded columns to rows as the table has them: which fields, and which rows pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowkit.errors import FlowkitBug
from flowkit.table.conditions import Condition, mask_of
from flowkit.table.deletes import surviving
from flowkit.table.projection import Projection, path_to, plain_field

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: its number, the number of its first row in the file, and its length."""

    number: int
    start: int
    rows: int


Columns = dict[int, "pyarrow.ChunkedArray"]
"""Columns as the table has them, by where they stand in the target schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What rows of a part of a file become.

    `wanted` says which fields of the target to return, `filtered` which of them `condition` looks
    at; `positions` are the numbers of rows that are deleted.
    """

    projection: Projection
    wanted: Sequence[int]
    filtered: Sequence[int]
    condition: Condition | None
    positions: pyarrow.ChunkedArray | None = None

    @property
    def needed(self) -> list[int]:
        """The fields to return and those to look at."""
        return sorted({*self.wanted, *self.filtered})

    def passing(self, batch: pyarrow.RecordBatch, start: int) -> pyarrow.Table:
        """Return the rows that pass of a batch that has all needed columns.

        `start` is the number of its first row in the file.
        """
        import pyarrow

        decoded = pyarrow.Table.from_batches([batch])
        columns = self.projected(self.needed, decoded, len(batch))
        mask = self.mask(columns, [Group(0, start, len(batch))])
        table = self.table(columns)
        return table if mask is None else table.filter(mask)

    def names(self, fields: Sequence[int]) -> list[str]:
        """Return the names that a file has for fields, each once."""
        sources = [self.projection.source(self.projection.target.field(at)) for at in fields]
        return list(dict.fromkeys(name for name in sources if name is not None))

    def projected(self, fields: Sequence[int], decoded: pyarrow.Table | None, rows: int) -> Columns:
        """Return fields as the table has them; `decoded` None if the file has none of them."""
        columns: Columns = {}
        for at in fields:
            field = self.projection.target.field(at)
            name = self.projection.source(field)
            values = None if name is None or decoded is None else decoded.column(name)
            columns[at] = self.projection.column(field, values, rows)
        return columns

    def table(self, columns: Columns) -> pyarrow.Table:
        """Return the wanted fields as a table."""
        import pyarrow

        target = self.projection.target
        schema = pyarrow.schema([plain_field(target.field(at)) for at in self.wanted])
        return pyarrow.table([columns[at] for at in self.wanted], schema=schema)

    def mask(self, columns: Columns, groups: Sequence[Group]) -> pyarrow.ChunkedArray | None:
        """Say which rows pass the filter and are not deleted; None for all of them."""
        import pyarrow
        import pyarrow.compute as pc

        mask = None
        if self.condition is not None:
            rows = sum(group.rows for group in groups)
            mask = mask_of(self.condition, rows, lambda number: self._find(number, columns))
        if self.positions is not None and len(self.positions):
            live = [surviving(self.positions, group.start, group.rows) for group in groups]
            spared = pyarrow.chunked_array(live, pyarrow.bool_())
            mask = spared if mask is None else pc.and_kleene(mask, spared)
        return mask

    def _find(self, number: int, columns: Columns) -> pyarrow.ChunkedArray:
        """Return the values of a field that the condition looks at, be it inside a struct."""
        import pyarrow.compute as pc

        for at in self.filtered:
            path = path_to(self.projection.target.field(at), number)
            if path is not None:
                return pc.struct_field(columns[at], path) if path else columns[at]
        raise FlowkitBug(f"field {number} of a filter is not among those read")
