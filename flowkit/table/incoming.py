"""What a writer takes: anything that speaks Arrow, as a stream of record batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from flowkit.errors import UsageError
from flowkit.table.data_frame import DataFrame, pandas_table


def batches_of(data: object) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of Arrow data, or of anything that hands out a stream of it.

    Taken are pyarrow's tables, batches and readers; pandas frames, whose named index levels
    become columns; dicts of lists; and whatever has `__arrow_c_stream__` or `__arrow_c_array__`,
    such as frames of Polars and relations of DuckDB.

    Raises:
        UsageError: it is none of these, or its lists are no columns.
    """
    source: Any = data
    if isinstance(data, pa.RecordBatch):
        yield data
    elif isinstance(data, dict):
        yield from DataFrame(data).to_arrow().to_batches()
    elif isinstance(data, pa.Table):
        yield from source.to_batches()
    elif isinstance(data, pa.RecordBatchReader):
        yield from source
    elif type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "index"):
        # Pandas' own stream makes a column of every index, even of the row numbers that are
        # left after a filter.
        is_named = any(name is not None for name in source.index.names)
        yield from pandas_table(source, index=is_named).to_batches()
    elif hasattr(data, "__arrow_c_stream__"):
        yield from pa.RecordBatchReader.from_stream(data)
    elif hasattr(data, "__arrow_c_array__"):
        yield pa.record_batch(data)
    else:
        raise UsageError(
            f"a `{type(data).__name__}` cannot be written to a table",
            hint="pass an Arrow table, a data frame, or an object with `__arrow_c_stream__`",
        )


def cut(batch: pa.RecordBatch, *, max_bytes: int, max_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield a batch in pieces of about `max_bytes` and at most `max_rows` rows, uncopied."""
    if not batch.num_rows:
        return
    rows = min(max_rows, max(1, max_bytes * batch.num_rows // max(1, batch.nbytes)))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
