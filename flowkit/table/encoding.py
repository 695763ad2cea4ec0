"""Which columns of a data file are worth a dictionary.

Parquet writers give every column one, and keep it where it pays nothing until it is large: of
4 M rows in 96 partitions, columns of mostly distinct numbers took three times the CPU and a third
more bytes that way. So the number of distinct values is estimated from the first rows of a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import expm1
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_SAMPLE_ROWS: Final = 2048
_ROWS_PER_VALUE: Final = 3
"""A dictionary of numbers pays from so many rows a value; one of text pays sooner."""


def dictionary_columns(rows: pa.Table, paths: Iterable[str]) -> list[str]:
    """Return those of a file's column paths that shall have a dictionary.

    Args:
        rows: the first row group; its columns have the names that they have in the file.
        paths: all columns of the file, as Parquet names them; nested ones always get one.
    """
    plain = {name for name in rows.column_names if not _pays(rows.column(name))}
    return [path for path in paths if path not in plain]


def estimate_distinct(sampled: int, distinct: int) -> float:
    """Return how many distinct values there are, if `sampled` draws had `distinct` of them.

    Infinite if no value came twice.

    >>> round(estimate_distinct(8192, 4096) / 100)
    51
    >>> estimate_distinct(100, 100)
    inf
    """
    if distinct >= sampled:
        return float("inf")
    low, high = float(distinct), float(distinct)
    # Of D values, n draws meet D * (1 - exp(-n / D)), which grows with D.
    while -high * expm1(-sampled / high) < distinct:
        low, high = high, 2 * high
    for _ in range(20):
        middle = (low + high) / 2
        is_low = -middle * expm1(-sampled / middle) < distinct
        low, high = (middle, high) if is_low else (low, middle)
    return high


def _pays(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_boolean(kind):
        return True
    sample = column.slice(0, _SAMPLE_ROWS).combine_chunks()
    if isinstance(kind, pa.BaseExtensionType):
        sample = sample.storage
    sample = sample.drop_null()
    if not len(sample):
        return True
    distinct = estimate_distinct(len(sample), pc.count_distinct(sample).as_py())
    is_text = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    return bool(distinct * (1 if is_text else _ROWS_PER_VALUE) <= len(column))
