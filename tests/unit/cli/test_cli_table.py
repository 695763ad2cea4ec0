"""`flowkit table ...`: looking into tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pytest

from flowkit import Table

if TYPE_CHECKING:
    from conftest import Said

ROWS = pyarrow.table({"id": range(30), "carrier": ["AA", "UA", "B6"] * 10})


@pytest.fixture
def flights(home: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table of thirty rows in two snapshots."""
    monkeypatch.setenv("FLOWKIT_HOME", str(home))
    table = Table.create("air.flights", ROWS, partition=["carrier"])
    rows = ROWS.cast(table.schema)
    table.iceberg.append(rows.slice(0, 10))
    table.iceberg.append(rows.slice(10))
    return table.refresh()


def test_tables_are_listed(call: Callable[..., Said], flights: Table) -> None:
    assert call("table", "list").out == "air.flights\n"
    assert call("table", "list", "--json").json["tables"] == ["air.flights"]


def test_a_table_shows_what_it_is(call: Callable[..., Said], flights: Table) -> None:
    said = call("table", "show", "air.flights")
    assert "partition  carrier\nrows       30\nfiles      6\n" in said.out
    document = call("table", "show", "air.flights", "--json").json
    assert document["schema"] == "flowkit.table-show/1"
    assert [one["name"] for one in document["columns"]] == ["id", "carrier"]
    assert document["rows"] == 30


def test_rows_are_printed(call: Callable[..., Said], flights: Table) -> None:
    said = call("table", "scan", "air.flights", "--where", "id = 7", "--columns", "carrier, id")
    assert said.out == "carrier | id\n--------+---\nUA      |  7\n1 row\n"
    assert said.err == ""
    few = call("table", "scan", "air.flights", "--limit", "3")
    assert few.out.endswith("3 rows\n")
    assert few.err == "of 30; `--limit` shows more\n"
    first = str(flights.snapshots()[0].snapshot_id)
    old = call("table", "scan", "air.flights", "--snapshot", first, "--limit", "99", "--json")
    assert len(old.json["rows"]) == 10


def test_sql_answers_about_this(call: Callable[..., Said], flights: Table) -> None:
    query = "select carrier, count(*) as n from this group by all order by all"
    said = call("table", "sql", "air.flights", query, "--where", "id >= 15", "--json")
    assert said.json["rows"] == [{"carrier": one, "n": 5} for one in ("AA", "B6", "UA")]


@pytest.mark.parametrize("name", ["history", "snapshots"])
def test_versions_are_listed(call: Callable[..., Said], flights: Table, name: str) -> None:
    ids = [one.snapshot_id for one in flights.snapshots()]
    found: Any = call("table", name, "air.flights", "--json").json["snapshots"]
    assert [one["id"] for one in found] == (ids[::-1] if name == "history" else ids)
    text = call("table", name, "air.flights").out
    assert "append" in text
    assert "+20" in text


def test_what_is_not_there_is_an_error_with_a_hint(
    call: Callable[..., Said], flights: Table
) -> None:
    said = call("table", "show", "air.flihgts")
    assert said.code == 2
    assert "did you mean `air.flights`?" in said.err
    said = call("table", "scan", "air.flights", "--where", "carier = 'AA'")
    assert said.code == 2
    assert "did you mean `carrier`?" in said.err


def test_an_empty_catalog_and_an_empty_table_say_so(
    call: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_HOME", str(home))
    assert call("table", "list").err == "catalog local has no table yet\n"
    Table.create("air.flights", ROWS)
    assert call("table", "history", "air.flights").err == "nothing has been written yet\n"


def test_branches_are_made_published_and_deleted(call: Callable[..., Said], flights: Table) -> None:
    first = str(flights.snapshots()[0].snapshot_id)
    assert "old" in call("table", "branch", "air.flights", "--create", "old", "--at", first).out
    assert "v1" in call("table", "branch", "air.flights", "--tag", "v1").out
    found = call("table", "branch", "air.flights", "--json").json["refs"]
    assert [(one["name"], one["kind"]) for one in found] == [
        ("main", "branch"),
        ("old", "branch"),
        ("v1", "tag"),
    ]
    said = call("table", "branch", "air.flights", "--publish", "old")
    assert "has moved on since" in said.err
    assert "v1" not in call("table", "branch", "air.flights", "--delete", "v1").out
    assert "old" not in call("table", "branch", "air.flights", "--delete", "old").out
    assert call("table", "branch", "air.flights", "--at", "main").code == 2


def test_old_versions_expire_and_orphans_are_cleaned(
    call: Callable[..., Said], flights: Table
) -> None:
    said = call("table", "expire", "air.flights", "--older-than", "0h")
    assert said.out.startswith("forgot 1 snapshot, deleted ")
    assert call("table", "expire", "air.flights", "--json").json["snapshots"] == []
    assert call("table", "clean", "air.flights", "--dry-run").err == "would delete 0 files, 0 B\n"
    assert call("table", "clean", "air.flights", "--json").json["files"] == []
    said = call("table", "clean", "air.flights", "--older-than", "soon")
    assert said.code == 2
    assert "`soon` is no duration" in said.err
