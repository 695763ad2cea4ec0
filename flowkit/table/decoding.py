"""Decoding the row groups of a Parquet file to Arrow, by pyarrow with an allocator that suits it.

`docs/design/data.md` has the figures by which it was chosen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile


@cache
def choose_allocator() -> None:
    """Have pyarrow allocate by jemalloc from now on, unless something else has been chosen.

    It takes a quarter off the time, and a third off the peak, of the default, mimalloc. Readers of
    Parquet take no allocator of their own, so it is chosen for the process, once.
    """
    import pyarrow

    chosen = "ARROW_DEFAULT_MEMORY_POOL" in os.environ
    if not chosen and pyarrow.default_memory_pool().backend_name == "mimalloc":
        with suppress(NotImplementedError):  # not every build has it
            pyarrow.set_memory_pool(pyarrow.jemalloc_memory_pool())


def open_parquet(source: Any, *, streaming: bool = False) -> ParquetFile:
    """Read the footer of a file: a path, or something to read from.

    To be streamed, a file is read as it is decoded; else its columns are fetched at once.
    """
    import pyarrow.parquet

    choose_allocator()
    return pyarrow.parquet.ParquetFile(
        source,
        pre_buffer=not streaming and not isinstance(source, str),
        buffer_size=1 << 18 if streaming else 0,
        memory_map=not streaming and isinstance(source, str),
    )


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of those that row groups have together: where they begin, and how many."""

    start: int
    rows: int


def decode(
    file: ParquetFile, groups: Sequence[int], columns: Sequence[str], window: Window
) -> pyarrow.Table:
    """Decode columns of row groups.

    Args:
        file: the open file.
        groups: numbers of row groups, rising.
        columns: names of top-level columns, in the order that they shall have.
        window: which rows of the groups.

    Raises:
        OSError: the file is damaged, or cannot be read.
    """
    table = file.read_row_groups(list(groups), columns=list(columns), use_threads=False)
    return table.select(list(columns)).slice(window.start, window.rows)


def decode_batches(
    file: ParquetFile, group: int, columns: Sequence[str], rows: int
) -> Iterator[pyarrow.RecordBatch]:
    """Decode a row group bit by bit, at most so many rows at a time."""
    if columns:
        yield from file.iter_batches(
            batch_size=rows, row_groups=[group], columns=list(columns), use_threads=False
        )
        return
    # Nothing to decode, as when a file is older than all columns asked for: rows all the same.
    yield from columnless(file.metadata.row_group(group).num_rows, rows)


def columnless(rows: int, at_a_time: int) -> Iterator[pyarrow.RecordBatch]:
    """Yield batches of rows that have no columns."""
    import pyarrow

    for start in range(0, rows, at_a_time):
        mask = pyarrow.repeat(False, min(at_a_time, rows - start))
        nothing = pyarrow.StructArray.from_arrays([], fields=[], mask=mask)
        yield pyarrow.RecordBatch.from_struct_array(nothing)
