"""`Table`: what is written is read back; deletes take what a scan would find."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow
import pytest

from flowkit import DataFrame, Table
from flowkit.errors import UsageError
from flowkit.table import (
    NotAncestor,
    SchemaMismatch,
    TableReplaced,
    UnknownRef,
    UnknownTable,
    open_catalog,
)

ROWS = pyarrow.table(
    {
        "id": range(6),
        "kind": ["a", "b", None, "a", "b", None],
        "parts": [None, [], [{"n": 1}], None, [{"n": None}], [None]],
        "map": pyarrow.array(
            [None, [], [("k", 1)], None, [("k", None)], []], pyarrow.map_("string", "int64")
        ),
        "ts": [datetime(2026, 1, 1 + at) for at in range(6)],
    }
)


def ids(table: Table, **given: Any) -> list[int]:
    return sorted(table.scan(**given).to_arrow()["id"].to_pylist())


@pytest.mark.parametrize("partition", [[], ["kind"], ["bucket(4, id)", "day(ts)"]], ids=str)
@pytest.mark.parametrize(
    "where", ["kind != 'a'", "kind = 'a'", "kind is null", "kind not in ('a')", "id > 2", "true"]
)
def test_a_delete_takes_the_rows_that_a_scan_finds(partition: list[str], where: str) -> None:
    table = Table.create("shop.orders", ROWS, partition=partition)
    table.append(ROWS)
    found = table.scan(where=where).to_arrow().to_pylist()
    before = table.scan().to_arrow().to_pylist()
    table.delete(where)
    left = table.scan().to_arrow().to_pylist()
    assert sorted(map(repr, [*left, *found])) == sorted(map(repr, before))
    assert len(found) + len(left) == 6


def test_a_required_field_is_null_where_its_struct_is() -> None:
    kind = pyarrow.struct([pyarrow.field("a", pyarrow.int64(), nullable=False)])
    schema = pyarrow.schema([("id", "int64"), ("st", kind)])
    table = Table.create("shop.orders", schema)
    for rows in ([(1, {"a": 1}), (2, None)], [(3, {"a": 3})], [(4, None)]):
        table.append(
            pyarrow.Table.from_pylist([{"id": id, "st": st} for id, st in rows], schema=schema)
        )
    assert ids(table, where="st.a is null") == ids(table, where="st is null") == [2, 4]
    assert ids(table, where="not st.a is null") == [1, 3]
    assert ids(table, where="st.a != 1") == [3]
    assert len(table.scan(where="st.a is not null").plan().files) == 2
    table.delete("st.a is null and id > 2")
    assert ids(table) == [1, 2, 3]


def test_a_null_struct_has_no_partition_by_a_required_field_in_it() -> None:
    kind = pyarrow.struct([pyarrow.field("a", pyarrow.int64(), nullable=False)])
    schema = pyarrow.schema([("st", kind)])
    table = Table.create("shop.orders", schema, partition=["st.a"])
    table.append(pyarrow.Table.from_pylist([{"st": {"a": 1}}], schema))
    with pytest.raises(UsageError, match=r"column `st\.a`, by which .* is null in some rows"):
        table.append(pyarrow.Table.from_pylist([{"st": None}, {"st": {"a": 2}}], schema))


def test_a_decimal_whose_partition_has_more_digits_is_refused() -> None:
    data = pyarrow.table({"d": pyarrow.array([Decimal("-999.99"), None], pyarrow.decimal128(5, 2))})
    table = Table.create("shop.orders", data, partition=["truncate(50, d)"])
    with pytest.raises(UsageError, match=r"column `d` has the partition -1000\.00 by `trunc") as no:
        table.append(data)
    assert "change.widen_column('d', 'decimal(6, 2)')" in str(no.value.hint)
    table.append(data.slice(1))
    with table.evolve() as change:
        change.widen_column("d", "decimal(6, 2)")
    table.append(data)
    for where, count in (("d = -999.99", 1), ("d < -999.98", 1), ("d > -999.99", 0)):
        assert table.scan(where=where).count() == count
    assert table.scan().count() == 3


def test_parts_of_several_writers_become_visible_at_once() -> None:
    table = Table.create("shop.orders", ROWS, partition=["kind"])
    parts = []
    for at in range(3):
        with table.writer(file_size="1MB", memory="64MB") as writer:
            writer.write(DataFrame(ROWS.slice(at * 2, 2)))
        parts.append(writer.result)
        assert ids(Table("shop.orders")) == []
    snapshot = table.commit(parts)
    assert table.snapshot == snapshot
    assert ids(table) == ids(Table("shop.orders")) == [0, 1, 2, 3, 4, 5]
    assert [one.snapshot_id for one in table.history()] == [snapshot]


@pytest.mark.parametrize("mode", ["Append", "add", "", None, 5])
@pytest.mark.parametrize("is_empty", [True, False])
def test_mode_that_there_is_not_changes_nothing(mode: Any, is_empty: bool) -> None:
    table = Table.create("shop.orders", ROWS)
    table.append(ROWS)
    with table.writer() as writer:
        writer.write(ROWS.slice(0, 1))
    with pytest.raises(UsageError, match="there is no mode"):
        table.commit([] if is_empty else writer.result, mode=mode)
    assert ids(Table("shop.orders")) == [0, 1, 2, 3, 4, 5]


def test_rows_are_appended_overwritten_replaced_and_upserted() -> None:
    table = Table.create("shop.orders", ROWS, partition=["kind"])
    table.append(ROWS)
    table.overwrite(ROWS.slice(0, 1))
    assert ids(table) == [0, 1, 2, 4, 5]
    table.upsert(ROWS.slice(3, 2), on=["id"])
    assert ids(table) == [0, 1, 2, 3, 4, 5]
    table.replace(ROWS.slice(5))
    assert ids(table) == [5]
    with pytest.raises(SchemaMismatch, match="`id`"):
        table.append(pyarrow.table({"id": ["x"]}))


def test_a_branch_is_written_looked_at_and_published() -> None:
    table = Table.create("shop.orders", ROWS)
    table.append(ROWS.slice(0, 1))
    table.create_branch("audit")
    table.create_tag("v1")
    table.append(ROWS.slice(1, 2), branch="audit")
    assert ids(table) == [0]
    assert ids(table, branch="audit") == [0, 1, 2]
    table.publish("audit")
    assert ids(table) == [0, 1, 2]
    assert ids(table, branch="v1") == [0]
    assert [one.name for one in table.branches()] == ["audit", "main", "v1"]
    table.append(ROWS.slice(3, 1))
    table.append(ROWS.slice(4, 1), branch="audit")
    with pytest.raises(NotAncestor):
        table.publish("audit")
    table.delete_branch("audit")
    table.delete_tag("v1")
    with pytest.raises(UnknownRef):
        table.scan(branch="audit")


def test_old_snapshots_expire() -> None:
    table = Table.create("shop.orders", ROWS)
    for at in range(3):
        table.append(ROWS.slice(at, 1))
    expired = table.expire(older_than=datetime.now(UTC) + timedelta(minutes=1))
    assert len(expired.snapshot_ids) == 2
    assert ids(table) == [0, 1, 2]
    assert table.orphans() == table.clean() == []


NOW = datetime.now(UTC)
ARGUMENTS: dict[str, tuple[Callable[[Any], object], str]] = {
    "a number for parts": (lambda table: table.commit(5), "`parts` cannot be `5`"),
    "text for parts": (lambda table: table.commit(["x"]), "`a part` cannot be `'x'`"),
    "a number for a key": (lambda table: table.commit([], key=5), "key of a commit` cannot be `5`"),
    "a number for a property": (
        lambda table: table.commit([], properties={"a": 5}),
        r"`properties\['a'\]` cannot be `5`",
    ),
    "a name for keys": (lambda table: table.upsert(ROWS, on="id"), "`on` is one name"),
    "a number for a name": (lambda _: Table(5), "the name of a table` cannot be `5`"),
    "a number for a catalog": (lambda _: Table("a.b", catalog=5), "`catalog` cannot be `5`"),
    "a name for a partition": (
        lambda _: Table.create("a.b", ROWS, partition="kind"),
        "`partition` is one name",
    ),
    "a number for an order": (
        lambda _: Table.create("a.b", ROWS, sort=[5]),
        "`sort` cannot be `5`",
    ),
    "a number in properties": (
        lambda _: Table.create("a.b", ROWS, properties={"a": 5}),
        r"`properties\['a'\]` cannot be `5`",
    ),
    "a duration for a time": (
        lambda table: table.expire(older_than=timedelta(1)),
        r"`older_than` cannot be `datetime\.timedelta",
    ),
    "text for a count": (
        lambda table: table.expire(older_than=NOW, keep_last="3"),
        "`keep_last` cannot be `'3'`",
    ),
    "text for a duration": (lambda table: table.orphans(grace="3d"), "`grace` cannot be `'3d'`"),
    "a number for a branch": (lambda table: table.create_branch(5), "cannot be `5`"),
    "no name for a branch": (lambda table: table.create_branch(""), "needs a name, and `` is none"),
    "no name for a tag": (lambda table: table.create_tag(" "), "needs a name, and ` ` is none"),
    "no such branch": (lambda table: table.history("nope"), "no branch, tag or snapshot `nope`"),
    "a number to publish": (lambda table: table.publish(5), "no branch, tag or snapshot `5`"),
    "text for a limit": (lambda table: table.scan(limit="1"), "`limit` cannot be `'1'`"),
    "a name for columns": (lambda table: table.scan(columns="id"), "`columns` is one name"),
    "a number for a column": (lambda table: table.scan(columns=[5]), "`columns` cannot be `5`"),
    "a number for a time": (lambda table: table.scan(as_of=5), "`as_of` cannot be `5`"),
    "half a shard": (lambda table: table.scan().shards(1.5), r"`n` cannot be `1\.5`"),
    "no types": (lambda _: Table.folder(".", types=5), "`types` cannot be `5`"),
}


def test_a_tag_is_no_branch_and_a_branch_no_tag() -> None:
    table = Table.create("shop.orders", ROWS)
    table.append(ROWS)
    table.create_tag("v1")
    table.create_branch("audit")
    for use in (table.delete_branch, table.publish):
        with pytest.raises(UsageError, match=r"`v1` is a tag of table .*, and something else"):
            use("v1")
    with pytest.raises(UsageError, match=r"`audit` is a branch of table .*, and something"):
        table.delete_tag("audit")


@pytest.mark.parametrize("given", ARGUMENTS)
def test_an_argument_of_the_wrong_kind_is_told(given: str) -> None:
    table = Table.create("shop.orders", ROWS)
    table.append(ROWS)
    use, message = ARGUMENTS[given]
    with pytest.raises(UsageError, match=message) as caught:
        use(table)
    assert caught.value.hint
    assert [one.name for one in table.branches()] == ["main"]


@pytest.mark.parametrize(
    "use",
    [
        lambda table: table.refresh(),
        lambda table: table.append(ROWS),
        lambda table: table.commit([]),
        lambda table: table.delete("id = 1"),
        lambda table: table.upsert(ROWS, on=["id"]),
        lambda table: table.create_branch("audit"),
        lambda table: table.publish("audit"),
        lambda table: table.expire(older_than=datetime.now(UTC)),
        lambda table: table.orphans(),
        lambda table: table.evolve().add_column("note", "string").__exit__(None, None, None),
    ],
)
def test_a_table_that_was_dropped_meanwhile_is_named(use: Callable[[Table], object]) -> None:
    table = Table.create("shop.orders", ROWS)
    table.append(ROWS)
    Table.create("shop.order", ROWS)
    open_catalog().drop_table("shop.orders")
    with pytest.raises(UnknownTable, match=r"no table `shop\.orders`") as caught:
        use(table)
    assert caught.value.hint == "did you mean `shop.order`?"
    Table.create("shop.orders", ROWS)
    with pytest.raises(TableReplaced, match=r"`shop\.orders` of catalog `local` is another one"):
        use(table)
    assert len(Table("shop.orders").scan().to_arrow()) == 0
