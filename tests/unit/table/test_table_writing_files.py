"""Data files: their sizes, statistics, ids and order; and what is left of a failed write."""

from __future__ import annotations

import pickle
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.types import (
    DoubleType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
)

from flowkit.errors import UsageError
from flowkit.table.committing import commit_files
from flowkit.table.errors import SchemaMismatch, UnknownRef
from flowkit.table.writing import open_writer
from flowkit.table.written import WrittenFiles

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "name", StringType(), required=False),
    NestedField(3, "x", DoubleType(), required=False),
    NestedField(4, "at", TimestampType(), required=False),
    NestedField(
        5, "s", StructType(NestedField(6, "inner", LongType(), required=False)), required=False
    ),
    NestedField(7, "l", ListType(8, StringType(), False), required=False),
)


@pytest.fixture
def catalog(tmp_path: Path) -> SqlCatalog:
    catalog = SqlCatalog("c", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/w")
    catalog.create_namespace("n")
    return catalog


def rows(count: int, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    values = random.random(count)
    values[::7] = np.nan
    return pa.table(
        {
            "id": pa.array(np.arange(count), mask=random.random(count) < 0.1),
            "name": pa.array(
                [f"a rather long name of {n}" if n % 5 else None for n in range(count)]
            ),
            "x": values,
            "at": pa.array(random.integers(0, 3 * 86_400_000_000, count), pa.timestamp("us")),
            "s": pa.array([{"inner": n} if n % 3 else None for n in range(count)]),
            "l": pa.array([["u"] * (n % 3) for n in range(count)]),
        }
    )


def written(table: Table, *data: object, **options: Any) -> WrittenFiles:
    with open_writer(table, **options) as writer:
        for one in data:
            writer.write(one)
    return writer.result


def data_files(table: Table) -> list[DataFile]:
    return [task.file for task in table.scan().plan_files()]


def files_under(tmp_path: Path) -> list[Path]:
    return sorted(path for path in tmp_path.glob("w/**/*.parquet"))


PROPERTIES: list[dict[str, str]] = [
    {},
    {"write.metadata.metrics.default": "none"},
    {"write.metadata.metrics.default": "counts"},
    {"write.metadata.metrics.default": "full"},
    {"write.metadata.metrics.column.name": "truncate(3)"},
    {"write.metadata.metrics.column.name": "none", "write.metadata.metrics.column.x": "counts"},
]


@pytest.mark.parametrize("properties", PROPERTIES, ids=str)
def test_statistics_are_those_that_pyiceberg_writes(
    catalog: SqlCatalog, properties: dict[str, str]
) -> None:
    data = rows(500)
    ours = catalog.create_table("n.ours", SCHEMA, properties=properties)
    theirs = catalog.create_table("n.theirs", SCHEMA, properties=properties)
    commit_files(ours, [written(ours, data)])
    theirs.append(data)
    [found], [expected] = data_files(ours), data_files(theirs)
    assert found.record_count == expected.record_count
    assert found.value_counts == expected.value_counts
    assert found.null_value_counts == expected.null_value_counts
    assert found.lower_bounds == expected.lower_bounds
    assert found.upper_bounds == expected.upper_bounds
    assert found.column_sizes.keys() == expected.column_sizes.keys()
    assert len(found.split_offsets or ()) == 1


def test_nans_are_counted_unless_the_column_has_no_metrics(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    [file] = written(table, rows(70)).files
    assert {one.field_id: one.nan_count for one in file.columns if one.nan_count} == {3: 10}
    none = {"write.metadata.metrics.default": "none"}
    bare = catalog.create_table("n.bare", SCHEMA, properties=none)
    [file] = written(bare, rows(70)).files
    assert {one.nan_count for one in file.columns} == {None}


def test_sizes_are_those_on_disk(catalog: SqlCatalog, tmp_path: Path) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    [file] = written(table, rows(100)).files
    [path] = files_under(tmp_path)
    assert file.path == f"file://{path}"
    assert file.size_bytes == path.stat().st_size


def test_every_column_carries_its_field_id(catalog: SqlCatalog, tmp_path: Path) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    written(table, rows(10))
    [path] = files_under(tmp_path)
    schema = pq.read_schema(path)

    def ids(fields: Any) -> dict[str, int]:
        return {one.name: int(one.metadata[b"PARQUET:field_id"]) for one in fields}

    def expected(*names: str) -> dict[str, int]:
        return {name: table.schema().find_field(name).field_id for name in names}

    assert ids(schema) == expected("id", "name", "x", "at", "s", "l")
    [inner] = ids(schema.field("s").type).values()
    [element] = ids([schema.field("l").type.value_field]).values()
    assert [inner, element] == list(expected("s.inner", "l.element").values())


def test_files_come_near_the_target_size_on_disk(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", Schema(NestedField(1, "x", DoubleType(), required=False)))
    data = pa.table({"x": np.random.default_rng(0).random(1_000_000)})
    target = 1 << 20
    found = written(table, data, target_file_bytes=target)
    assert found.row_count == 1_000_000
    *full, _ = (one.size_bytes for one in found.files)
    assert len(full) >= 5
    assert all(0.85 * target <= size <= 1.15 * target for size in full), full


def test_compressed_files_come_near_the_target_too(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", Schema(NestedField(1, "x", LongType(), required=False)))
    # 8 bytes a row in memory, about one on disk.
    data = pa.table({"x": np.random.default_rng(0).integers(0, 200, 2_000_000)})
    target = 200_000
    found = written(table, data, target_file_bytes=target)
    *full, _ = (one.size_bytes for one in found.files[1:])
    assert all(0.8 * target <= size <= 1.2 * target for size in full), full


def partitioned(catalog: SqlCatalog, transform: Any, source: int) -> Table:
    spec = PartitionSpec(PartitionField(source, 1000, transform, "p"))
    return catalog.create_table("n.p", SCHEMA, partition_spec=spec)


def test_each_partition_has_files_of_its_own(catalog: SqlCatalog) -> None:
    table = partitioned(catalog, DayTransform(), 4)
    found = written(table, rows(300))
    assert sorted(one.partition for one in found.files) == [(0,), (1,), (2,)]
    assert all("/p=1970-01-0" in one.path for one in found.files)
    commit_files(table, [found])
    assert table.scan(row_filter="at < '1970-01-02T00:00:00'").count() == next(
        one.row_count for one in found.files if one.partition == (0,)
    )


def test_little_memory_makes_more_row_groups_and_no_more_files(catalog: SqlCatalog) -> None:
    table = partitioned(catalog, BucketTransform(4), 1)
    data = rows(5000)
    found = written(table, *data.to_batches(max_chunksize=500), memory_bytes=100_000)
    assert found.row_count == 5000
    assert len(found.files) == len({one.partition for one in found.files})
    assert max(len(one.split_offsets) for one in found.files) > 3
    commit_files(table, [found])
    read = table.scan(selected_fields=("s", "at")).to_arrow().sort_by("at").to_pylist()
    assert read == data.select(["s", "at"]).sort_by("at").to_pylist()


def sorted_table(catalog: SqlCatalog, *fields: SortField) -> Table:
    return catalog.create_table("n.sorted", SCHEMA, sort_order=SortOrder(*fields))


def test_rows_are_sorted_within_a_file_and_the_order_is_recorded(catalog: SqlCatalog) -> None:
    table = sorted_table(
        catalog,
        SortField(3, IdentityTransform(), SortDirection.DESC, NullOrder.NULLS_LAST),
        SortField(1, IdentityTransform(), SortDirection.ASC, NullOrder.NULLS_FIRST),
    )
    data = pa.table({"x": [1.0, None, 2.0, float("nan"), 2.0, 2.0], "id": [1, 2, 5, 4, None, 3]})
    found = written(table, data)
    assert [one.sort_order_id for one in found.files] == [table.sort_order().order_id]
    commit_files(table, [found])
    read = table.scan(selected_fields=("x", "id")).to_arrow().to_pylist()
    ordered = [(repr(one["x"]), one["id"]) for one in read]
    assert ordered == [
        ("nan", 4), ("2.0", None), ("2.0", 3), ("2.0", 5), ("1.0", 1), ("None", 2)
    ]  # fmt: skip


def test_a_sorted_file_is_sorted_as_a_whole_however_little_memory_there_is(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    order = SortField(3, IdentityTransform(), SortDirection.ASC, NullOrder.NULLS_FIRST)
    table = sorted_table(catalog, order)
    found = written(table, *rows(2000).to_batches(max_chunksize=100), memory_bytes=60_000)
    assert len(found.files) > 1
    for path in files_under(tmp_path):
        values = pq.read_table(path).column("x").drop_null().to_numpy()
        values = values[~np.isnan(values)]
        assert np.all(values[1:] >= values[:-1])


def test_a_table_without_order_records_none(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    [file] = written(table, rows(3)).files
    assert file.sort_order_id is None


@pytest.mark.parametrize("fails_in", ["block", "data"])
def test_an_exception_removes_what_was_written(
    catalog: SqlCatalog, tmp_path: Path, fails_in: str
) -> None:
    table = partitioned(catalog, BucketTransform(4), 1)
    with (  # noqa: PT012
        pytest.raises((RuntimeError, SchemaMismatch)),
        open_writer(table, memory_bytes=1000, target_file_bytes=5000) as writer,
    ):
        writer.write(rows(1000))
        assert files_under(tmp_path)
        if fails_in == "data":
            writer.write(pa.table({"id": ["no number"]}))
        raise RuntimeError
    assert files_under(tmp_path) == []
    assert writer.result.files == ()


def test_nothing_is_visible_before_the_commit(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    part = written(table, rows(10))
    assert catalog.load_table("n.t").scan().count() == 0
    commit_files(table, [part])
    assert catalog.load_table("n.t").scan().count() == 10


def test_no_rows_leave_no_file(catalog: SqlCatalog, tmp_path: Path) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    found = written(table, rows(0))
    assert found.files == ()
    assert files_under(tmp_path) == []
    assert commit_files(table, [found]) == table.current_snapshot().snapshot_id  # type: ignore[union-attr]


def test_the_result_is_small_frozen_plain_data(catalog: SqlCatalog) -> None:
    table = partitioned(catalog, DayTransform(), 4)
    found = written(table, rows(300))
    packed = pickle.dumps(found)
    assert len(packed) < 5000
    assert b"pyiceberg" not in packed
    assert b"pyarrow" not in packed
    assert pickle.loads(packed) == found
    with pytest.raises(FrozenInstanceError):
        found.spec_id = 3  # type: ignore[misc]


def test_the_result_is_there_after_the_block_only(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    with open_writer(table) as writer, pytest.raises(UsageError):
        _ = writer.result
    with pytest.raises(UsageError):
        writer.write(rows(1))


SMALL = pa.table({"id": [1, 2], "name": ["a", None]})


class OnlyStream:
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return SMALL.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "data",
    [
        SMALL,
        SMALL.to_batches()[0],
        SMALL.to_reader(),
        OnlyStream(),
        SMALL.to_pandas(),
        SMALL.to_pandas().iloc[[1, 0]],
        SMALL.to_pandas().set_index("id"),
        pl.from_arrow(SMALL),
        pl.DataFrame({"id": [1, 2], "name": ["a", None]}).with_columns(
            pl.col("name").cast(pl.Categorical)
        ),
    ],
    ids=lambda one: f"{type(one).__module__.partition('.')[0]} {type(one).__name__}",
)
def test_anything_that_speaks_arrow_can_be_written(catalog: SqlCatalog, data: object) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    commit_files(table, [written(table, data)])
    read = table.scan(selected_fields=("id", "name")).to_arrow().sort_by("id")
    assert read.to_pylist() == SMALL.to_pylist()


def test_what_is_no_table_is_refused(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    with open_writer(table) as writer, pytest.raises(UsageError) as raised:
        writer.write([{"id": 1}])
    assert "`list`" in str(raised.value)


def test_frames_of_pandas_keep_nulls(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    frame = pd.DataFrame({"x": [1.0, None], "name": ["a", None]})
    commit_files(table, [written(table, frame)])
    assert table.scan(selected_fields=("name",)).to_arrow().to_pylist() == [
        {"name": "a"},
        {"name": None},
    ]


def test_columns_with_names_that_avro_does_not_allow_are_written(catalog: SqlCatalog) -> None:
    schema = Schema(NestedField(1, "a b", LongType(), required=False))
    table = catalog.create_table("n.odd", schema)
    commit_files(table, [written(table, pa.table({"a b": [1, 2]}))])
    assert table.scan().to_arrow().to_pylist() == [{"a b": 1}, {"a b": 2}]


def test_a_writer_for_a_branch_that_is_not_there_is_refused(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    with pytest.raises(UnknownRef):
        open_writer(table, branch="audit")


def test_a_table_without_partitions_has_the_unpartitioned_spec(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.t", SCHEMA)
    assert written(table, rows(1)).spec_id == UNPARTITIONED_PARTITION_SPEC.spec_id


def test_more_partitions_than_files_may_be_open_are_written(catalog: SqlCatalog) -> None:
    table = partitioned(catalog, IdentityTransform(), 1)
    data = pa.table({"id": [n % 260 for n in range(780)]})
    found = written(table, *data.to_batches(max_chunksize=390), memory_bytes=20_000)
    assert len({one.partition for one in found.files}) == 260
    assert len(found.files) > 260
    commit_files(table, [found])
    assert sorted(table.scan().to_arrow().column("id").to_pylist()) == sorted(
        data.column("id").to_pylist()
    )


def test_a_format_that_cannot_be_written_is_refused(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.new", SCHEMA)
    table.metadata = table.metadata.model_copy(update={"format_version": 3})
    with pytest.raises(UsageError) as raised:
        open_writer(table)
    assert "format version 3" in str(raised.value)


def test_tables_of_the_first_format_are_written(catalog: SqlCatalog) -> None:
    table = catalog.create_table("n.old", SCHEMA, properties={"format-version": "1"})
    commit_files(table, [written(table, rows(10))])
    commit_files(table, [written(table, rows(3))], mode="replace")
    assert table.scan().count() == 3


MEMORY = """
import sys, resource
import numpy as np, pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DoubleType, LongType, NestedField
from flowkit.table.writing import open_writer

folder, batches = sys.argv[1], int(sys.argv[2])
catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")
catalog.create_namespace_if_not_exists("n")
schema = Schema(
    NestedField(1, "p", LongType(), required=False),
    NestedField(2, "x", DoubleType(), required=False),
)
spec = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "p"))
table = catalog.create_table(f"n.t{batches}", schema, partition_spec=spec)

def stream():
    random = np.random.default_rng(0)
    for _ in range(batches):
        rows = 250_000
        x = random.integers(0, 100, rows).astype(float)
        yield pa.record_batch({"p": random.integers(0, 20, rows), "x": x})

first = next(stream())
with open_writer(table, memory_bytes=32 << 20) as writer:
    writer.write(pa.RecordBatchReader.from_batches(first.schema, stream()))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_memory_is_bounded_however_much_is_written(tmp_path: Path) -> None:
    import subprocess

    def peak_bytes(batches: int) -> int:
        command = [sys.executable, "-c", MEMORY, str(tmp_path), str(batches)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    # 40 MB and 240 MB of Arrow data go through a writer that may hold 32 MB.
    assert peak_bytes(60) - peak_bytes(10) < 32 << 20
