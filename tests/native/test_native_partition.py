"""The core's partition permutation against a stable sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit import native
from flowkit.errors import UsageError

MakeColumn = Callable[[Sequence[object], pa.DataType], Any]


def permuted(codes: object, count: int, threads: int = 1) -> tuple[list[int], list[int]]:
    rows, offsets = native.partition_permutation(codes, count, threads=threads)  # type: ignore[arg-type]
    return pa.array(rows).to_pylist(), pa.array(offsets).to_pylist()


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint16(), pa.int32(), pa.int64(), pa.uint64()])
@settings(max_examples=40)
@given(codes=st.lists(st.integers(0, 99), max_size=200), more=st.integers(0, 3))
def test_rows_are_sorted_by_partition_and_keep_their_order(
    column: MakeColumn, kind: pa.DataType, codes: list[int], more: int
) -> None:
    count = max(codes, default=0) + 1 + more
    rows, offsets = permuted(column(codes, kind), count)
    assert rows == sorted(range(len(codes)), key=codes.__getitem__)
    assert offsets == [sum(code < one for code in codes) for one in range(count + 1)]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 3, 96, 4096, 4097, 100_000])
def test_many_rows_are_sorted_alike_by_any_number_of_threads(threads: int, count: int) -> None:
    codes = np.random.default_rng(count).integers(0, count, 700_001)
    column = pa.chunked_array([codes[:250_000], codes[250_000:]])
    rows, offsets = native.partition_permutation(column, count, threads=threads)
    assert np.array_equal(np.asarray(pa.array(rows)), np.argsort(codes, kind="stable"))
    assert np.array_equal(
        np.diff(np.asarray(pa.array(offsets))), np.bincount(codes, minlength=count)
    )


@pytest.mark.parametrize(
    ("codes", "count"),
    [
        (pa.array([0, 1, 2]), 2),
        (pa.array([0, -1]), 2),
        (pa.array([0, 2**64 - 1], pa.uint64()), 2),
        (pa.array([0, None]), 2),
        (pa.array([0]), 0),
        (pa.array([0]), -1),
        (pa.array([0]), 2**31),
        (pa.array([0.0]), 1),
        (pa.array(["a"]), 1),
    ],
    ids=str,
)
def test_codes_that_name_no_partition_are_refused(codes: pa.Array, count: int) -> None:
    with pytest.raises(UsageError):
        native.partition_permutation(codes, count)


def test_no_rows_give_empty_partitions() -> None:
    assert permuted(pa.array([], pa.int32()), 3) == ([], [0, 0, 0, 0])
    assert permuted(pa.array([], pa.int32()), 0) == ([], [0])


@pytest.mark.parametrize(
    ("rows", "most"), [(0, 2**20), (3, 2**20), (2**20 + 1, 2**20 + 1)], ids=str
)
def test_memory_is_bounded_by_the_rows_and_not_by_the_count(rows: int, most: int) -> None:
    codes = pa.array(np.zeros(rows, np.int32))
    assert permuted(codes, most)[1][-1] == rows
    for count in (most + 1, 2**31 - 1):
        with pytest.raises(UsageError, match="that occur"):
            native.partition_permutation(codes, count)
