"""Rows of text with more or fewer fields than the others: Hive cuts them off, or fills them up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow


class UnevenRows:
    """Takes the rows that pyarrow's reader refuses, and puts them back between the others.

    The others are read at full speed. These are read once more, by `parse`, which is given some
    of them as text, with the number of fields that each of them has.
    """

    def __init__(self, first: int, parse: Callable[[bytes, int], pyarrow.Table]) -> None:
        """Start where the reader numbers the first row so."""
        self._next, self._parse = first, parse
        self._waiting: list[Any] = []

    def take(self, row: Any) -> str:
        """Have the reader leave out a row, a `pyarrow.csv.InvalidRow`."""
        self._waiting.append(row)
        return "skip"

    def put_back(
        self, batches: Iterable[pyarrow.RecordBatch], names: Sequence[str]
    ) -> Iterator[pyarrow.RecordBatch]:
        """Yield all rows in their order, with these columns: null where they are too short."""
        import pyarrow

        for batch in batches:
            yield self._joined(pyarrow.Table.from_batches([batch]), self._due(len(batch)), names)
        if self._waiting:
            yield self._joined(pyarrow.table({}), self._waiting, names)

    def _due(self, count: int) -> list[Any]:
        """Return the rows that stand between the next so many others, or right behind them."""
        due = 0
        # The reader may be ahead by a block.
        for row in self._waiting:
            if row.number - self._next - due > count:
                break
            due += 1
        taken, self._waiting = self._waiting[:due], self._waiting[due:]
        return taken

    def _joined(
        self, even: pyarrow.Table, uneven: Sequence[Any], names: Sequence[str]
    ) -> pyarrow.RecordBatch:
        import pyarrow
        import pyarrow.compute as pc

        start = self._next
        self._next += len(even) + len(uneven)
        tables, numbers = [_with_columns(even, names)], []
        by_width = sorted(uneven, key=lambda one: one.actual_columns)
        for width, rows in groupby(by_width, key=lambda one: one.actual_columns):
            some = list(rows)
            text = "".join(f"{one.text}\n" for one in some)
            tables.append(_with_columns(self._parse(text.encode(), width), names))
            numbers += [one.number for one in some]
        joined = pyarrow.concat_tables(tables)
        if numbers:
            taken = set(numbers)
            others = [number for number in range(start, self._next) if number not in taken]
            joined = joined.take(pc.sort_indices(pyarrow.array([*others, *numbers])))
        columns = [column.combine_chunks() for column in joined.columns]
        return pyarrow.RecordBatch.from_arrays(columns, names=list(names))


def _with_columns(rows: pyarrow.Table, names: Sequence[str]) -> pyarrow.Table:
    """Pick columns of text, of nulls where there is none of a name."""
    import pyarrow

    nulls = pyarrow.nulls(len(rows), pyarrow.string())
    found = set(rows.column_names)
    return pyarrow.table(
        [rows.column(one) if one in found else nulls for one in names], list(names)
    )
