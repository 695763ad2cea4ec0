"""A batch is split by partition in one pass, and no row is lost, moved or mixed up."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, IdentityTransform, VoidTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType, StructType

from flowkit.table.partitioning import number_rows, partition_batch, partition_order

SCHEMA = Schema(
    NestedField(1, "a", LongType(), required=False),
    NestedField(2, "b", StringType(), required=False),
    NestedField(3, "row", LongType(), required=True),
    NestedField(4, "s", StructType(NestedField(5, "inner", DoubleType(), required=False))),
)
SPEC = PartitionSpec(
    PartitionField(1, 1000, IdentityTransform(), "a"),
    PartitionField(2, 1001, IdentityTransform(), "b"),
    PartitionField(5, 1002, IdentityTransform(), "inner"),
)

rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from(["", "x", "ü"]),
        st.none() | st.sampled_from([0.5, float("nan")]),
    ),
    min_size=1,
    max_size=50,
)


def batch_of(values: list[tuple[Any, Any, Any]]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "a": pa.array([one[0] for one in values], pa.int64()),
            "b": pa.array([one[1] for one in values], pa.large_string()),
            "row": pa.array(range(len(values)), pa.int64()),
            "s": pa.array([{"inner": one[2]} for one in values]),
        }
    )


@given(values=rows)
def test_each_partition_holds_its_rows_in_their_order(values: list[tuple[Any, Any, Any]]) -> None:
    expected = defaultdict(list)
    for at, value in enumerate(values):
        expected[repr(value)].append(at)
    slices = partition_batch(batch_of(values), SPEC, SCHEMA)
    found = {repr(one.key): one.rows.column("row").to_pylist() for one in slices}
    assert found == expected


@given(values=rows)
def test_rows_stay_whole(values: list[tuple[Any, Any, Any]]) -> None:
    for one in partition_batch(batch_of(values), SPEC, SCHEMA):
        for row in one.rows.to_pylist():
            assert repr((row["a"], row["b"], row["s"]["inner"])) == repr(values[row["row"]])


def test_a_batch_of_one_partition_is_not_copied() -> None:
    batch = batch_of([(1, "x", 0.5)] * 3)
    [only] = partition_batch(batch, SPEC, SCHEMA)
    assert only.rows is batch


def test_a_batch_in_the_order_of_its_partitions_is_not_copied() -> None:
    batch = batch_of([(1, "x", 0.5), (1, "x", 0.5), (2, "x", 0.5)])
    address = batch.column("row").buffers()[1].address
    slices = partition_batch(batch, SPEC, SCHEMA)
    assert [one.rows.column("row").buffers()[1].address for one in slices] == [address] * 2


def test_a_void_field_does_not_split() -> None:
    spec = PartitionSpec(PartitionField(1, 1000, VoidTransform(), "a"))
    [only] = partition_batch(batch_of([(1, "x", 0.5), (2, "y", None)]), spec, SCHEMA)
    assert only.key == (None,)


def test_a_table_without_partitions_has_one_slice() -> None:
    [only] = partition_batch(batch_of([(1, "x", 0.5)]), PartitionSpec(), SCHEMA)
    assert only.key == ()


@pytest.mark.parametrize("count", [2, 1 << 16, (1 << 16) + 1, 200_000])
def test_the_order_is_stable_however_many_partitions_there_are(count: int) -> None:
    codes = np.random.default_rng(count).integers(0, count, 300_000)
    order, bounds = partition_order(codes, count)
    assert order is not None
    assert np.array_equal(order, np.argsort(codes, kind="stable"))
    assert np.array_equal(bounds, np.searchsorted(codes[order], np.arange(count + 1)))


@given(
    columns=st.integers(1, 60).flatmap(
        lambda size: st.lists(
            st.lists(st.none() | st.integers(0, 4), min_size=size, max_size=size),
            min_size=1,
            max_size=3,
        )
    )
)
def test_rows_have_one_number_if_and_only_if_they_agree(columns: list[list[int | None]]) -> None:
    codes, firsts = number_rows([pa.array(one, pa.int64()) for one in columns])
    combinations = list(zip(*columns, strict=True))
    assert sorted(set(codes.tolist())) == list(range(len(firsts)))
    by_code = dict(zip(codes.tolist(), combinations, strict=True))
    assert [by_code[code] for code in codes.tolist()] == combinations
    assert len(by_code) == len(set(combinations))
    for code, first in enumerate(firsts.tolist()):
        assert first == codes.tolist().index(code)


def test_columns_of_many_values_are_numbered_too() -> None:
    values = np.arange(3000)
    columns = [pa.array(values), pa.array(values[::-1].copy()), pa.array(values % 7)]
    codes, firsts = number_rows(columns)
    assert len(firsts) == 3000
    assert len(set(codes.tolist())) == 3000


def test_buckets_of_a_column_split_it() -> None:
    spec = PartitionSpec(PartitionField(3, 1000, BucketTransform(4), "bucket"))
    slices = partition_batch(batch_of([(1, "x", 0.5)] * 100), spec, SCHEMA)
    assert {one.key[0] for one in slices} == {0, 1, 2, 3}
    assert sum(one.rows.num_rows for one in slices) == 100
