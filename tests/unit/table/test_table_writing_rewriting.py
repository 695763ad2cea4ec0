"""A rewritten file keeps the rows it shall keep exactly as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import (
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
)

from flowkit.table.changes import planned_files
from flowkit.table.committing import commit_files
from flowkit.table.planned import PlannedFile
from flowkit.table.rewriting import rows_of
from flowkit.table.writing import open_writer

PAIR = StructType(
    NestedField(4, "a", IntegerType(), required=False),
    NestedField(5, "b", StringType(), required=False),
)
SCHEMA = Schema(
    NestedField(1, "n", IntegerType(), required=False),
    NestedField(2, "x", FloatType(), required=False),
    NestedField(3, "pairs", ListType(6, PAIR, False), required=False),
    NestedField(7, "gone", StringType(), required=False),
)
ROWS = [
    {"n": 1, "x": 0.5, "pairs": [{"a": 1, "b": "u"}, None], "gone": "g"},
    {"n": 2, "x": None, "pairs": None, "gone": "g"},
    {"n": 3, "x": 2.5, "pairs": [], "gone": None},
    {"n": None, "x": 3.5, "pairs": [{"a": None, "b": "v"}], "gone": None},
]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    catalog = SqlCatalog("c", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/w")
    catalog.create_namespace("n")
    table = catalog.create_table("n.t", SCHEMA)
    types = pa.schema(
        [
            ("n", pa.int32()),
            ("x", pa.float32()),
            ("pairs", pa.list_(pa.struct([("a", pa.int32()), ("b", pa.string())]))),
            ("gone", pa.string()),
        ]
    )
    with open_writer(table) as writer:
        writer.write(pa.Table.from_pylist(ROWS, types))
    commit_files(table, [writer.result])
    return table


def head(table: Table) -> Snapshot:
    found = table.current_snapshot()
    assert found is not None
    return found


def files(table: Table) -> tuple[PlannedFile, ...]:
    return planned_files(table, head(table), AlwaysTrue())


def read(table: Table) -> list[dict[str, object]]:
    return [
        row
        for planned in files(table)
        for batch in rows_of(table, planned, table.schema(), snapshot=head(table).snapshot_id)
        for row in batch.to_pylist()
    ]


def test_rows_that_stay_are_untouched_null_lists_among_them(table: Table) -> None:
    commit_files(table, [], mode="delete", where="n = 3")
    assert read(table) == [ROWS[0], ROWS[1], ROWS[3]]


def test_files_of_an_earlier_schema_are_rewritten_in_the_present_one(table: Table) -> None:
    with table.update_schema() as update:
        update.update_column("n", LongType())
        update.update_column("x", DoubleType())
        update.move_first("x")
        update.rename_column("n", "number")
        update.rename_column("pairs.element.b", "text")
        update.delete_column("gone")
        update.add_column("added", StringType())
    commit_files(table, [], mode="delete", where="number = 3")
    assert read(table) == [
        {"x": 0.5, "number": 1, "pairs": [{"a": 1, "text": "u"}, None], "added": None},
        {"x": None, "number": 2, "pairs": None, "added": None},
        {"x": 3.5, "number": None, "pairs": [{"a": None, "text": "v"}], "added": None},
    ]
    [task] = table.scan().plan_files()
    names = pq.read_schema(task.file.file_path.removeprefix("file://")).names
    assert names == ["x", "number", "pairs", "added"]


def test_rows_that_a_delete_file_names_do_not_come_back(table: Table, tmp_path: Path) -> None:
    [planned] = files(table)
    path = planned.file.file_path
    deletes = pa.table({"file_path": [path, "elsewhere", path], "pos": [0, 1, 3]})
    pq.write_table(deletes, tmp_path / "deletes.parquet")
    deleted = replace(planned, deletes=(f"file://{tmp_path}/deletes.parquet",))
    batches = rows_of(table, deleted, table.schema(), snapshot=head(table).snapshot_id)
    assert [row for batch in batches for row in batch.to_pylist()] == ROWS[1:3]


def test_a_file_without_field_ids_is_read_by_its_names(table: Table, tmp_path: Path) -> None:
    foreign = pa.table({"n": pa.array([7], pa.int32()), "gone": ["f"]})
    pq.write_table(foreign, tmp_path / "foreign.parquet")
    table.add_files([f"file://{tmp_path}/foreign.parquet"])
    commit_files(table, [], mode="delete", where="n < 7")
    assert {row["n"]: row["gone"] for row in read(table)} == {7: "f", None: None}


def test_a_filter_on_a_column_that_a_file_does_not_have_is_null_there(table: Table) -> None:
    with table.update_schema() as update:
        update.add_column("added", StringType())
    commit_files(table, [], mode="delete", where="added = 'x'")
    assert len(read(table)) == 4
    commit_files(table, [], mode="delete", where="added is null")
    assert read(table) == []


def test_a_filter_on_a_field_within_a_struct_deletes_its_rows(table: Table) -> None:
    catalog = table.catalog
    schema = Schema(NestedField(1, "s", PAIR, required=False))
    nested = catalog.create_table("n.nested", schema)
    with open_writer(nested) as writer:
        writer.write(
            pa.table({"s": [{"a": 1, "b": "u"}, {"a": 2, "b": "v"}, None]}).cast(
                pa.schema([("s", pa.struct([("a", pa.int32()), ("b", pa.string())]))])
            )
        )
    commit_files(nested, [writer.result])
    commit_files(nested, [], mode="delete", where="s.a = 1")
    assert read(nested) == [{"s": {"a": 2, "b": "v"}}, {"s": None}]
