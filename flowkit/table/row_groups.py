"""One part of a data file, opened: its row groups that matter, and rows as the table has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowkit.errors import FlowkitBug
from flowkit.table.conditions import Bounds, Condition, fields_of, mask_of, may_match
from flowkit.table.decoding import Window, decode, decode_batches
from flowkit.table.deletes import surviving
from flowkit.table.projection import Projection, number_of, path_to, plain_field

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    from flowkit.table.shards import FilePart


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: its number, the number of its first row in the file, and its length."""

    number: int
    start: int
    rows: int


Columns = dict[int, "pyarrow.ChunkedArray"]
"""Columns as the table has them, by where they stand in the target schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPart:
    """Decodes the rows of a part that pass.

    `wanted` says which fields of the target to return, `filtered` which of them `condition` looks
    at; `positions` are the numbers of rows that are deleted.
    """

    file: ParquetFile
    projection: Projection
    groups: Sequence[Group]
    wanted: Sequence[int]
    filtered: Sequence[int]
    condition: Condition | None
    positions: pyarrow.ChunkedArray | None

    def table(self) -> pyarrow.Table | None:
        """Return the rows that pass, or None if there are none.

        What the filter looks at is decoded first, the rest only if rows are left.
        """
        import pyarrow.compute as pc

        whole = self._everything()
        columns = self._decoded(self.filtered, whole)
        mask = self._mask(columns, self.groups)
        if mask is None:
            return self._table(columns | self._rest(columns, whole)) if whole.rows else None
        passing = pc.sum(mask).as_py() or 0
        if not passing:
            return None
        if passing == whole.rows:
            return self._table(columns | self._rest(columns, whole))
        window = _around(mask)
        mask = mask.slice(window.start, window.rows)
        cut = {at: values.slice(window.start, window.rows) for at, values in columns.items()}
        return self._table(cut | self._rest(cut, window)).filter(mask)

    def count(self) -> int:
        """Return how many rows pass."""
        import pyarrow.compute as pc

        whole = self._everything()
        mask = self._mask(self._decoded(self.filtered, whole), self.groups)
        return whole.rows if mask is None else int(pc.sum(mask).as_py() or 0)

    def batches(self, group: Group, rows: int) -> Iterator[pyarrow.Table]:
        """Yield the rows of a group that pass, decoding at most so many at a time."""
        import pyarrow

        needed = sorted({*self.wanted, *self.filtered})
        names = self._names(needed)
        start = group.start
        for batch in decode_batches(self.file, group.number, names, rows):
            decoded = pyarrow.Table.from_batches([batch])
            columns = self._projected(needed, decoded, len(batch))
            mask = self._mask(columns, [Group(group.number, start, len(batch))])
            table = self._table(columns)
            yield table if mask is None else table.filter(mask)
            start += len(batch)

    def _names(self, fields: Sequence[int]) -> list[str]:
        sources = [self.projection.source(self.projection.target.field(at)) for at in fields]
        return list(dict.fromkeys(name for name in sources if name is not None))

    def _everything(self) -> Window:
        return Window(0, sum(group.rows for group in self.groups))

    def _rest(self, columns: Columns, window: Window) -> Columns:
        """Decode the fields to return that are not among these columns."""
        return self._decoded([at for at in self.wanted if at not in columns], window)

    def _decoded(self, fields: Sequence[int], window: Window) -> Columns:
        names = self._names(fields)
        groups = [group.number for group in self.groups]
        decoded = None
        if names and window.rows:
            decoded = decode(self.file, groups, names, window)
        return self._projected(fields, decoded, window.rows)

    def _projected(
        self, fields: Sequence[int], decoded: pyarrow.Table | None, rows: int
    ) -> Columns:
        columns: Columns = {}
        for at in fields:
            field = self.projection.target.field(at)
            name = self.projection.source(field)
            values = None if name is None or decoded is None else decoded.column(name)
            columns[at] = self.projection.column(field, values, rows)
        return columns

    def _table(self, columns: Columns) -> pyarrow.Table:
        import pyarrow

        target = self.projection.target
        schema = pyarrow.schema([plain_field(target.field(at)) for at in self.wanted])
        return pyarrow.table([columns[at] for at in self.wanted], schema=schema)

    def _mask(self, columns: Columns, groups: Sequence[Group]) -> pyarrow.ChunkedArray | None:
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


def groups_of(
    file: ParquetFile, part: FilePart, condition: Condition | None, projection: Projection
) -> list[Group]:
    """Return the row groups that begin in a part and may have rows that pass."""
    metadata = file.metadata
    types = {number_of(field): field.type for field in projection.target}
    leaves = _leaves(file, projection, fields_of(condition))
    groups = []
    start = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if _begins_within(group, part) and (
            condition is None or may_match(condition, _bounds(group, leaves), types)
        ):
            groups.append(Group(number, start, group.num_rows))
        start += group.num_rows
    return groups


def _around(mask: pyarrow.ChunkedArray) -> Window:
    """Return the rows from the first that passes to the last."""
    import pyarrow.compute as pc

    found = pc.indices_nonzero(mask)
    first, last = found[0].as_py(), found[-1].as_py()
    return Window(first, last - first + 1)


def _begins_within(group: Any, part: FilePart) -> bool:
    if part.is_whole or not group.num_columns:
        return True
    first = group.column(0)
    begin = first.dictionary_page_offset or first.data_page_offset
    return bool(part.start <= begin and (part.stop is None or begin < part.stop))


def _leaves(file: ParquetFile, projection: Projection, numbers: frozenset[int]) -> dict[int, int]:
    """Return where columns of plain types are among the leaves of the file, by number."""
    leaves: dict[int, int] = {}
    if not numbers:
        return leaves
    schema = file.metadata.schema
    by_name = {schema.column(at).path: at for at in range(len(schema))}
    for field in projection.target:
        name, number = projection.source(field), number_of(field)
        if name in by_name and number in numbers:
            leaves[number] = by_name[name]
    return leaves


def _bounds(group: Any, leaves: dict[int, int]) -> dict[int, Bounds]:
    found = {}
    for number, at in leaves.items():
        statistics = group.column(at).statistics
        if statistics is None:
            continue
        has_range = statistics.has_min_max
        found[number] = Bounds(
            low=statistics.min if has_range else None,
            high=statistics.max if has_range else None,
            nulls=statistics.null_count if statistics.has_null_count else None,
            values=group.num_rows,
        )
    return found
