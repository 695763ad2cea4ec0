"""Scans: rows, columns and versions of a table, compared with pyiceberg's own scan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow
import pytest
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import DataFileContent

from flowkit import DataFrame, Table, UsageError
from flowkit.table import (
    FilterInvalid,
    UnknownColumn,
    UnknownSnapshot,
    UnsupportedTable,
)
from flowkit.table.settling import settle

ROWS = pyarrow.table(
    {
        "id": pyarrow.array(range(60), "int64"),
        "kind": pyarrow.array(["a", "b", None] * 20),
        "price": pyarrow.array([None if at % 7 == 0 else at / 4 for at in range(60)], "double"),
        "day": pyarrow.array([date(2026, 1, 1 + at % 5) for at in range(60)]),
        "at": pyarrow.array([datetime(2026, 1, 1, at % 24, at % 60) for at in range(60)]),
    }
)
FILTERS = [
    "id = 7",
    "id != 7",
    "id > 10 and id <= 20",
    "id between 3 and 5 or id in (50, 51, 77)",
    "kind = 'a'",
    "kind in ('a', 'b') and price is not null",
    "kind is null",
    "kind like 'a%'",
    "not (kind = 'a' or id < 30)",
    "price > 3.5",
    "day >= '2026-01-03'",
    "day = '2026-01-02' and at < '2026-01-01T12:00:00'",
    "at >= '2026-01-01T10:00:00'",
    "id = 1000",
    "true",
]


def make(partition: list[str] = [], name: str = "shop.orders", **more: Any) -> Table:  # noqa: B006
    table = Table.create(name, ROWS, partition=partition, **more)
    rows = ROWS.cast(table.schema)
    for start in range(0, 60, 20):
        table.iceberg.append(rows.slice(start, 20))
    return table.refresh()


def sorted_rows(table: Any) -> list[dict[str, Any]]:
    return sorted(pyarrow.table(table).to_pylist(), key=lambda row: str(row.get("id", row)))


PARTITIONS: list[list[str]] = [
    [],
    ["kind"],
    ["day"],
    ["kind", "day"],
]


@pytest.mark.parametrize("partition", PARTITIONS, ids=str)
def test_every_filter_finds_the_rows_and_files_that_pyiceberg_finds(partition: list[str]) -> None:
    table = make(partition)
    for where in FILTERS:
        scan, oracle = table.scan(where=where), table.iceberg.scan(row_filter=where)
        assert sorted_rows(scan.to_arrow()) == sorted_rows(oracle.to_arrow()), where
        assert scan.count() == len(scan.to_arrow()), where
        planned = [(one.file.file_path, one.residual) for one in scan.plan().files]
        expected = [
            (one.file.file_path, settle(one.residual, table.iceberg.schema()))
            for one in oracle.plan_files()
        ]
        assert sorted(planned, key=str) == sorted(expected, key=str), where
        streamed = [row for batch in scan.batches("1MB") for row in batch.to_pylist()]
        assert streamed == scan.to_arrow().to_pylist(), where


def test_null_passes_no_comparison_as_in_sql() -> None:
    table = make(["kind"])
    for where in ("kind != 'a'", "kind not in ('a', 'x')", "not kind = 'a'"):
        scan = table.scan(where=where)
        assert set(scan.to_arrow()["kind"].to_pylist()) == {"b"}, where
        assert scan.count() == 20, where


def test_an_expression_is_a_filter_too() -> None:
    assert make().scan(where=EqualTo("id", 3)).count() == 1


def test_columns_come_in_the_order_asked_for() -> None:
    table = make()
    read = table.scan(columns=["kind", "id"], where="price > 3").to_arrow()
    assert read.column_names == ["kind", "id"]
    assert read.schema.field("kind").type == pyarrow.large_string()
    assert len(read) == table.scan(where="price > 3").count()


def test_a_limit_stops_early() -> None:
    table = make()
    assert len(table.scan(limit=7).to_arrow()) == 7
    assert table.scan(limit=7).count() == 7
    assert sum(map(len, table.scan(limit=25).batches())) == 25
    assert len(table.scan(limit=0).to_arrow()) == 0
    with pytest.raises(UsageError, match="limit of -1"):
        table.scan(limit=-1)


def test_a_scan_stays_with_its_version() -> None:
    table = make()
    scan = table.scan()
    table.iceberg.append(ROWS.cast(table.schema))
    table.refresh()
    assert scan.count() == len(scan.to_arrow()) == 60
    assert table.scan().count() == 120


def test_an_earlier_version_is_read_as_the_table_was_then() -> None:
    table = make()
    first, second, _ = table.snapshots()
    with table.evolve() as change:
        change.rename_column("kind", "sort")
        change.drop_column("price")
    table.iceberg.append(
        ROWS.rename_columns(["id", "sort", "price", "day", "at"]).drop(["price"]).cast(table.schema)
    )
    table.refresh()
    assert table.scan(snapshot=first.snapshot_id).to_arrow().column_names == ROWS.column_names
    assert table.scan(snapshot=first.snapshot_id, where="price > 4").count() == 3
    assert table.scan(snapshot=second.snapshot_id).count() == 40
    assert table.scan().to_arrow().column_names == ["id", "sort", "day", "at"]
    assert table.scan(as_of=first.committed_at).count() == 20
    assert table.scan(as_of=first.committed_at.isoformat()).count() == 20
    assert table.scan(as_of=datetime.now(UTC) + timedelta(days=1)).count() == 120


def test_a_branch_and_a_tag_are_read_by_name() -> None:
    table = make()
    with table.iceberg.manage_snapshots() as manage:
        manage.create_branch(table.snapshots()[0].snapshot_id, "early")
        manage.create_tag(table.snapshots()[1].snapshot_id, "v1")
    table.refresh()
    assert table.scan(branch="early").count() == 20
    assert table.scan(branch="v1").count() == 40
    assert table.scan(branch="main").count() == 60
    with pytest.raises(UnknownSnapshot, match="no branch, tag or snapshot `erly`") as caught:
        table.scan(branch="erly")
    assert caught.value.hint == "did you mean `early`?"


def test_a_version_that_is_not_there_is_an_error() -> None:
    table = make()
    with pytest.raises(UnknownSnapshot, match="no snapshot 77"):
        table.scan(snapshot=77)
    with pytest.raises(UnknownSnapshot, match="as old as 1999"):
        table.scan(as_of="1999-12-31")
    with pytest.raises(UsageError, match="`yesterday` is no time"):
        table.scan(as_of="yesterday")
    with pytest.raises(UsageError, match="one version"):
        table.scan(branch="main", snapshot=1)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("id ~ 3", "nothing is understood from `~ 3` on"),
        ("id = ", "nothing is understood|ends too early"),
        ("", "ends too early"),
        ("id = 'many'", "many"),
        ("day > 'soon'", "soon"),
        ("kind like '%a'", "LIKE"),
        (7, "it is a `int`"),
    ],
)
def test_a_filter_that_cannot_be_understood_is_an_error(where: Any, reason: str) -> None:
    with pytest.raises(FilterInvalid, match=reason):
        make().scan(where=where)


def test_a_name_that_is_no_column_is_an_error_with_a_near_one() -> None:
    table = make()
    for given in ({"where": "prize > 3"}, {"columns": ["prize"]}):
        with pytest.raises(UnknownColumn, match="has no column `prize`") as caught:
            table.scan(**given)  # type: ignore[arg-type]
        assert caught.value.hint == "did you mean `price`?"


def test_an_empty_table_gives_no_rows_but_its_columns() -> None:
    table = Table.create("shop.orders", ROWS)
    scan = table.scan(where="id > 3")
    assert scan.to_arrow().schema.equals(table.schema)
    assert scan.count() == 0
    assert [len(DataFrame.read(shard)) for shard in scan.shards(4)] == [0]
    assert list(scan.batches()) == []


def test_rows_that_position_deletes_name_are_gone(deleting: Callable[..., None]) -> None:
    table = make()
    paths = [one.file.file_path for one in table.scan().plan().files]
    deleting(table, {paths[0]: [0, 3, 19], paths[2]: [5]})
    deleting(table, {paths[0]: [3, 4]})
    for where in (None, "id > 10", "kind = 'a'"):
        oracle = table.iceberg.scan(row_filter=where or "true")
        scan = table.scan(where=where)
        assert sorted_rows(scan.to_arrow()) == sorted_rows(oracle.to_arrow())
        assert scan.count() == len(oracle.to_arrow())
        assert sum(map(len, scan.batches())) == len(oracle.to_arrow())
        shards = scan.shards(3)
        assert sum(len(DataFrame.read(one)) for one in shards) == len(oracle.to_arrow())
    assert table.scan().count() == 55
    planned = {one.file.file_path: len(one.deletes) for one in table.scan().plan().files}
    oracle_plan = table.iceberg.scan().plan_files()
    assert planned == {one.file.file_path: len(one.delete_files) for one in oracle_plan}


def test_deletes_do_not_reach_rows_that_came_later(deleting: Callable[..., None]) -> None:
    table = make()
    paths = [one.file.file_path for one in table.scan().plan().files]
    deleting(table, {paths[0]: [1]})
    table.iceberg.append(ROWS.cast(table.schema))
    assert table.refresh().scan().count() == 119


def test_equality_deletes_are_refused(deleting: Callable[..., None]) -> None:
    table = make()
    deleting(table, {"": [1]}, content=DataFileContent.EQUALITY_DELETES)
    with pytest.raises(UnsupportedTable, match=r"`shop.orders` cannot be read: .*equality deletes"):
        table.scan().to_arrow()
