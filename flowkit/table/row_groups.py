"""One part of a data file, opened: its row groups that matter, and rows as the table has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowkit.table.conditions import Bounds, Condition, fields_of, may_match
from flowkit.table.decoding import Window, decode, decode_batches
from flowkit.table.projection import Projection, number_of
from flowkit.table.shaping import Columns, Group, Shape

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    from flowkit.table.shards import FilePart


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPart:
    """Decodes the rows of a part that pass."""

    file: ParquetFile
    shape: Shape
    groups: Sequence[Group]

    def table(self) -> pyarrow.Table | None:
        """Return the rows that pass, or None if there are none.

        What the filter looks at is decoded first, the rest only if rows are left.
        """
        import pyarrow.compute as pc

        whole = self._everything()
        columns = self._decoded(self.shape.filtered, whole)
        mask = self.shape.mask(columns, self.groups)
        if mask is None:
            return self.shape.table(columns | self._rest(columns, whole)) if whole.rows else None
        passing = pc.sum(mask).as_py() or 0
        if not passing:
            return None
        if passing == whole.rows:
            return self.shape.table(columns | self._rest(columns, whole))
        window = _around(mask)
        mask = mask.slice(window.start, window.rows)
        cut = {at: values.slice(window.start, window.rows) for at, values in columns.items()}
        return self.shape.table(cut | self._rest(cut, window)).filter(mask)

    def count(self) -> int:
        """Return how many rows pass."""
        import pyarrow.compute as pc

        whole = self._everything()
        mask = self.shape.mask(self._decoded(self.shape.filtered, whole), self.groups)
        return whole.rows if mask is None else int(pc.sum(mask).as_py() or 0)

    def batches(self, group: Group, rows: int) -> Iterator[pyarrow.Table]:
        """Yield the rows of a group that pass, decoding at most so many at a time."""
        names = self.shape.names(self.shape.needed)
        start = group.start
        for batch in decode_batches(self.file, group.number, names, rows):
            yield self.shape.passing(batch, start)
            start += len(batch)

    def _everything(self) -> Window:
        return Window(0, sum(group.rows for group in self.groups))

    def _rest(self, columns: Columns, window: Window) -> Columns:
        """Decode the fields to return that are not among these columns."""
        return self._decoded([at for at in self.shape.wanted if at not in columns], window)

    def _decoded(self, fields: Sequence[int], window: Window) -> Columns:
        names = self.shape.names(fields)
        groups = [group.number for group in self.groups]
        decoded = None
        if names and window.rows:
            decoded = decode(self.file, groups, names, window)
        return self.shape.projected(fields, decoded, window.rows)


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
