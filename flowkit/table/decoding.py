"""Decoding the row groups of a Parquet file to Arrow: by Polars or by pyarrow.

For numbers both are equal, for text Polars takes half the time; but loading it costs what decoding
some tens of megabytes does. So Polars decodes columns of plain types in large reads, pyarrow all
else, and either gives the same table. `docs/design/data.md` has the figures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from flowkit.flow import current

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

_WORTH_LOADING_BYTES: Final = 48 << 20
"""How much must be read before loading Polars pays."""
_WORTH_CALLING_BYTES: Final = 1 << 20

_loaded_in = os.getpid()
_polars_used_in: int | None = None


def wants_polars(size_bytes: int) -> bool:
    """Say whether a read of so many bytes should go by Polars.

    Never in a process forked from one that may have used it: the child would wait forever for
    threads that only its parent has.
    """
    global _polars_used_in
    process = os.getpid()
    if _polars_used_in == process:
        return size_bytes >= _WORTH_CALLING_BYTES
    if "polars" in sys.modules and (process != _loaded_in or current.is_running_flow):
        return False
    if size_bytes < _WORTH_LOADING_BYTES:
        return False
    _polars_used_in = process
    return True


@cache
def choose_allocator() -> None:
    """Have pyarrow allocate by jemalloc from now on, unless something else has been chosen.

    It takes a quarter off the time, and a third off the peak, of the default, mimalloc. Readers of
    Parquet take no allocator of their own, so it is chosen for the process, once.
    """
    import pyarrow

    if pyarrow.default_memory_pool().backend_name == "mimalloc":
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
    file: ParquetFile,
    groups: Sequence[int],
    columns: Sequence[str],
    window: Window,
    *,
    path: str | None = None,
    plain: frozenset[str] = frozenset(),
) -> pyarrow.Table:
    """Decode columns of row groups.

    Args:
        file: the open file.
        groups: numbers of row groups, rising.
        columns: names of top-level columns, in the order that they shall have.
        window: which rows of the groups.
        path: where the file is on this machine, to let Polars read what it can.
        plain: the columns that it can.

    Raises:
        OSError: the file is damaged, or cannot be read.
    """
    import pyarrow

    by_polars = [name for name in columns if path is not None and name in plain]
    by_pyarrow = [name for name in columns if path is None or name not in plain]
    found: dict[str, pyarrow.ChunkedArray] = {}
    if by_polars:
        assert path is not None
        # Polars skips the pages before and behind a range of rows.
        table = _by_polars(path, _within(_runs(file, groups), window), by_polars)
        found.update(zip(by_polars, table.columns, strict=True))
    if by_pyarrow:
        table = file.read_row_groups(list(groups), columns=by_pyarrow, use_threads=False)
        table = table.slice(window.start, window.rows)
        found.update((name, table.column(name)) for name in by_pyarrow)
    return pyarrow.table([found[name] for name in columns], names=list(columns))


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


def _runs(file: ParquetFile, groups: Sequence[int]) -> list[tuple[int, int]]:
    """Return row groups as ranges of rows: where each begins, and its length."""
    runs: list[tuple[int, int]] = []
    start = 0
    wanted = set(groups)
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if group in wanted:
            if runs and sum(runs[-1]) == start:
                runs[-1] = (runs[-1][0], runs[-1][1] + rows)
            else:
                runs.append((start, rows))
        start += rows
    return runs


def _within(runs: Sequence[tuple[int, int]], window: Window) -> list[tuple[int, int]]:
    """Cut ranges of rows to a window over all of them."""
    cut: list[tuple[int, int]] = []
    before = 0
    for start, rows in runs:
        first = max(window.start - before, 0)
        last = min(window.start + window.rows - before, rows)
        if first < last:
            cut.append((start + first, last - first))
        before += rows
    return cut


def _by_polars(path: str, runs: Sequence[tuple[int, int]], columns: Sequence[str]) -> pyarrow.Table:
    import polars
    import pyarrow

    try:
        scan = polars.scan_parquet(
            path, glob=False, hive_partitioning=False, use_statistics=False, cache=False
        ).select(columns)
        tables = [
            scan.slice(start, rows).collect().to_arrow(compat_level=polars.CompatLevel.oldest())
            for start, rows in runs
        ]
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise OSError(str(error)) from error
    return pyarrow.concat_tables(tables)


def plain_columns(schema: pyarrow.Schema) -> frozenset[str]:
    """Return the names of a file's columns of types that both decoders read alike."""
    return frozenset(field.name for field in schema if _is_plain(field.type))


def _is_plain(kind: pyarrow.DataType) -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(
        types.is_integer(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
        or types.is_boolean(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_date32(kind)
        or (types.is_timestamp(kind) and kind.unit != "s" and kind.tz in (None, "UTC"))
    )
