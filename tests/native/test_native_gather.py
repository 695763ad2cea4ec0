"""The core's gather against pyarrow's take."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit import native
from flowkit.errors import UsageError

MakeColumn = Callable[[Sequence[object], pa.DataType], Any]

TEXTS = [
    "b",
    None,
    "",
    "änne",
    "a text that lies outside of its view",
    "exactly 12 b",
    "0123456789abc",
]
BYTES = [None if text is None else text.encode() for text in TEXTS]
NUMBERS = [3, None, 0, 127, 5, 6, 7, 8, 9]
DAY = datetime.date(2020, 2, 29)
VALUES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, None, False, True, True, False, False, True, None, True],
    pa.int8(): NUMBERS,
    pa.uint16(): NUMBERS,
    pa.int32(): NUMBERS,
    pa.float32(): NUMBERS,
    pa.int64(): NUMBERS,
    pa.float64(): [1.5, None, float("inf"), -0.0],
    pa.decimal128(20, 2): [Decimal("1.25"), None, Decimal("-7.00")],
    pa.date32(): [DAY, None],
    pa.timestamp("ns", "Europe/Paris"): [1, None, -1],
    pa.binary(3): [b"abc", None, b"\0\1\2"],
    pa.binary(16): [b"a" * 16, None],
    pa.string(): TEXTS,
    pa.large_string(): TEXTS,
    pa.string_view(): TEXTS,
    pa.binary(): BYTES,
    pa.large_binary(): BYTES,
    pa.binary_view(): BYTES,
}


def taken(values: Any, indices: Any, threads: int = 1) -> pa.Array:
    result = pa.array(native.gather(values, indices, threads=threads))
    result.validate(full=True)
    return result


def expected(
    values: Sequence[object], kind: pa.DataType, indices: Sequence[int | None]
) -> pa.Array:
    plain = pa.string() if pa.types.is_string_view(kind) else kind
    plain = pa.binary() if pa.types.is_binary_view(kind) else plain
    return pa.array(values, plain).take(pa.array(indices, pa.int64())).cast(kind)


@pytest.mark.parametrize("kind", VALUES, ids=str)
@pytest.mark.parametrize("has_nulls", [True, False])
@given(data=st.data())
@settings(max_examples=25)
def test_rows_are_those_that_pyarrow_takes(
    column: MakeColumn, kind: pa.DataType, has_nulls: bool, data: st.DataObject
) -> None:
    values = [value for value in VALUES[kind] if has_nulls or value is not None]
    row = st.integers(0, len(values) - 1)
    indices = data.draw(st.lists(row | st.none() if has_nulls else row, max_size=60))
    found = taken(column(values, kind), column(indices, pa.int16()))
    assert found.type == kind
    assert found.equals(expected(values, kind, indices))
    assert found.null_count == found.to_pylist().count(None)


@pytest.mark.parametrize(
    "index", [pa.int8(), pa.uint8(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()], ids=str
)
def test_indices_of_any_integer_are_taken(index: pa.DataType) -> None:
    indices = pa.array([2, 0, None, 2], index)
    assert taken(pa.array([5, 6, 7]), indices).to_pylist() == [7, 5, None, 7]


@pytest.mark.parametrize("kind", [pa.bool_(), pa.int64(), pa.string(), pa.string_view()], ids=str)
def test_many_rows_are_taken_alike_by_any_number_of_threads(kind: pa.DataType) -> None:
    source = np.random.default_rng(8)
    values = pa.array(source.integers(0, 2, 5000)).cast(pa.string())
    values = values.cast(kind) if kind != pa.bool_() else values.cast(pa.int8()).cast(kind)
    column = pa.chunked_array([values.slice(0, 1234), values.slice(1234)])
    rows = source.integers(0, 5000, 100_003)
    indices = pa.array(rows, mask=rows % 7 == 0)
    result = taken(column, indices)
    assert result.equals(taken(column, indices, threads=3))
    # pyarrow has no take for every one of these types.
    plain = pa.array(values.to_pylist(), pa.string() if pa.types.is_string_view(kind) else kind)
    assert result.equals(plain.take(indices).cast(kind))


def test_an_empty_column_gives_nulls_or_nothing() -> None:
    none = pa.chunked_array([], pa.string())
    assert taken(none, pa.array([], pa.int64())).to_pylist() == []
    assert taken(none, pa.array([None, None], pa.int64())).to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("values", "indices"),
    [
        (pa.array([1, 2]), pa.array([2])),
        (pa.array([1, 2]), pa.array([-1])),
        (pa.array([1, 2]), pa.array([2**63], pa.uint64())),
        (pa.array([], pa.int64()), pa.array([0])),
        (pa.array([1, 2]), pa.array([0.0])),
        (pa.array([1, 2]), pa.array(["0"])),
        (pa.array([[1], [2]]), pa.array([0])),
        (pa.array(["a"]).dictionary_encode(), pa.array([0])),
        (pa.array([1, 2]), [0]),
    ],
    ids=range(9),
)
def test_what_names_no_row_is_refused(values: Any, indices: Any) -> None:
    with pytest.raises(UsageError):
        native.gather(values, indices)


def test_strings_too_long_for_their_offsets_are_refused() -> None:
    values = pa.array(["x" * 2**20])
    many = pa.array(np.zeros(2049, np.int32))
    with pytest.raises(UsageError, match="too long together"):
        native.gather(values, many)
