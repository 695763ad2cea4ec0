"""One snapshot for many parts, in every mode; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import BucketTransform, IdentityTransform, Transform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    IcebergType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from flowkit.errors import UsageError
from flowkit.table.committing import commit_files
from flowkit.table.errors import CommitConflict, CommitFailed, PartRefused, UnknownRef
from flowkit.table.history import KEY, history, snapshots
from flowkit.table.refs import create_branch, create_tag
from flowkit.table.writing import open_writer
from flowkit.table.written import WrittenFiles

SCHEMA = Schema(
    NestedField(1, "p", LongType(), required=False),
    NestedField(2, "name", StringType(), required=False),
    NestedField(3, "x", DoubleType(), required=False),
)
BY_P = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "p"))

Rows = list[tuple[Any, ...]]


class BusyCatalog(SqlCatalog):
    """A catalog in which somebody else is quicker, so many times: `meanwhile` is what they do."""

    meanwhile: Callable[[], object] | None = None
    times = 0

    def commit_table(self, *arguments: Any, **options: Any) -> Any:
        if self.times:
            self.times -= 1
            if self.meanwhile is not None:
                act, self.meanwhile = self.meanwhile, None
                act()
            raise CommitFailedException("somebody was quicker")
        return super().commit_table(*arguments, **options)


@pytest.fixture
def catalog(tmp_path: Path) -> BusyCatalog:
    catalog = BusyCatalog("c", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/w")
    catalog.create_namespace("n")
    return catalog


@pytest.fixture
def table(catalog: BusyCatalog) -> Table:
    return catalog.create_table("n.t", SCHEMA, partition_spec=BY_P)


def part(table: Table, *values: tuple[Any, ...]) -> WrittenFiles:
    names = ("p", "name", "x")
    columns = list(zip(*values, strict=True)) or [()] * 3
    types = (pa.int64(), pa.string(), pa.float64())
    with open_writer(table) as writer:
        writer.write(
            pa.table(
                {
                    name: pa.array(one, kind)
                    for name, one, kind in zip(names, columns, types, strict=True)
                }
            )
        )
    return writer.result


def rows(table: Table, branch: str = "main") -> Rows:
    read = table.catalog.load_table(table.name()).scan().use_ref(branch).to_arrow()
    return sorted((tuple(one.values()) for one in read.to_pylist()), key=repr)


A, B, C = (1, "a", 0.5), (2, "b", 1.5), (3, "c", None)


def test_many_parts_become_visible_in_one_snapshot(table: Table) -> None:
    parts = [part(table, one) for one in (A, B, C)]
    made = commit_files(table, parts)
    assert rows(table) == [A, B, C]
    assert [one.snapshot_id for one in snapshots(table)] == [made]
    assert table.current_snapshot().snapshot_id == made  # type: ignore[union-attr]


def test_a_thousand_parts_are_one_snapshot(table: Table) -> None:
    # Files that are not there: a commit goes by what parts say of them.
    one = part(table, A)
    [file] = one.files
    parts = [replace(one, files=(replace(file, path=f"{file.path}-{n}"),)) for n in range(1000)]
    commit_files(table, parts)
    assert len(history(table)) == 1
    assert len(list(table.scan().plan_files())) == 1000
    assert table.scan().count() == 1000


def test_the_snapshot_says_who_made_it_and_what_it_added(table: Table) -> None:
    commit_files(table, [part(table, A, B)], key="mine", properties={"why": "test"})
    [row] = history(table)
    assert (row.commit_key, row.summary["why"], row.operation) == ("mine", "test", "append")
    assert (row.added_rows, row.total_rows, row.refs) == (2, 2, ("main",))
    assert row.run is None


def test_a_commit_with_a_key_is_made_once(table: Table) -> None:
    first = commit_files(table, [part(table, A)], key="k")
    commit_files(table, [part(table, B)])
    assert commit_files(table, [part(table, C)], key="k") == first
    assert rows(table) == [A, B]


def test_the_same_files_are_appended_once_without_a_key(table: Table) -> None:
    once = part(table, A)
    assert commit_files(table, [once]) == commit_files(table, [once])
    assert rows(table) == [A]


def test_commits_without_keys_outside_a_task_are_all_made(table: Table) -> None:
    commit_files(table, [part(table, A)])
    commit_files(table, [part(table, A)])
    assert rows(table) == [A, A]


def test_a_part_given_twice_is_refused(table: Table) -> None:
    once = part(table, A)
    with pytest.raises(PartRefused):
        commit_files(table, [once, once])


def test_overwriting_replaces_the_partitions_that_the_parts_have(table: Table) -> None:
    commit_files(table, [part(table, A, B, C)])
    made = commit_files(table, [part(table, (1, "new", 9.0), (4, "d", 4.0))], mode="overwrite")
    assert rows(table) == [(1, "new", 9.0), B, C, (4, "d", 4.0)]
    assert len(history(table)) == 2
    assert history(table)[-1].snapshot_id == made
    assert history(table)[-1].deleted_rows == 1


def test_replacing_leaves_the_new_rows_only(table: Table) -> None:
    commit_files(table, [part(table, A, B)])
    commit_files(table, [part(table, C)], mode="replace")
    assert rows(table) == [C]
    commit_files(table, [], mode="replace")
    assert rows(table) == []
    assert len(history(table)) == 3


def test_deleting_keeps_the_rows_that_do_not_match_nulls_among_them(table: Table) -> None:
    commit_files(table, [part(table, A, B, C, (1, "keep", 0.1), (1, None, float("nan")))])
    commit_files(table, [], mode="delete", where="x >= 0.5")
    assert [one[1] for one in rows(table)] == ["keep", None, "c"]
    assert len(history(table)) == 2


def test_deleting_whole_partitions_reads_no_file(table: Table, tmp_path: Path) -> None:
    commit_files(table, [part(table, A, B)])
    [doomed] = tmp_path.glob("w/**/p=1/*.parquet")
    doomed.unlink()
    commit_files(table, [], mode="delete", where=EqualTo("p", 1))
    assert rows(table) == [B]


def test_deleting_nothing_keeps_all_files(table: Table, tmp_path: Path) -> None:
    commit_files(table, [part(table, A, B)])
    before = sorted(tmp_path.glob("w/**/*.parquet"))
    commit_files(table, [], mode="delete", where="x > 100 or name = 'aa'")
    assert rows(table) == [A, B]
    assert sorted(tmp_path.glob("w/**/*.parquet")) == before


def test_deleting_and_adding_is_one_snapshot(table: Table) -> None:
    commit_files(table, [part(table, A, B)])
    commit_files(table, [part(table, C)], mode="delete", where="p < 2")
    assert rows(table) == [B, C]
    assert len(history(table)) == 2


def test_an_upsert_replaces_rows_by_key_and_adds_the_others(table: Table) -> None:
    commit_files(table, [part(table, A, B, (1, "other", 7.0))])
    changes = part(table, (1, "a", 100.0), C)
    commit_files(table, [changes], mode="upsert", on=["p", "name"])
    assert rows(table) == [(1, "a", 100.0), (1, "other", 7.0), B, C]
    assert len(history(table)) == 2


def test_an_upsert_leaves_files_without_its_keys_alone(table: Table, tmp_path: Path) -> None:
    commit_files(table, [part(table, A, B)])
    untouched = next(tmp_path.glob("w/**/p=2/*.parquet"))
    commit_files(table, [part(table, (1, "a", 2.0))], mode="upsert", on=["p"])
    live = {task.file.file_path for task in table.scan().plan_files()}
    assert f"file://{untouched}" in live


@pytest.mark.parametrize(
    ("values", "on"), [(((1, "a", 1.0), (1, "b", 2.0)), ["p"]), (((None, "a", 1.0),), ["p"])]
)
def test_an_upsert_refuses_keys_that_are_null_or_twice(
    table: Table, values: tuple[Any, ...], on: list[str]
) -> None:
    with pytest.raises(PartRefused):
        commit_files(table, [part(table, *values)], mode="upsert", on=on)
    assert history(table) == []


def test_an_upsert_by_no_such_column_is_refused(table: Table) -> None:
    with pytest.raises(UsageError) as raised:
        commit_files(table, [part(table, A)], mode="upsert", on=["nope"])
    assert "`nope`" in str(raised.value)


VALUES: list[tuple[IcebergType, Any, Any]] = [
    (LongType(), 1, 2),
    (StringType(), "a b/ü", ""),
    (BooleanType(), True, False),
    (DoubleType(), float("nan"), -0.5),
    (DecimalType(20, 3), Decimal("-1.250"), Decimal("1.000")),
    (DateType(), date(1969, 1, 1), date(2020, 1, 1)),
    (TimeType(), time(1, 2, 3), time(0)),
    (TimestampType(), datetime(1969, 1, 1, 2, 3, 4, 5), datetime(2020, 1, 1)),
    (BinaryType(), b"\x00\xff", b""),
    (FixedType(2), b"\x00\xff", b"ab"),
    (UUIDType(), UUID(int=1).bytes, UUID(int=2).bytes),
]


@pytest.mark.parametrize(
    ("kind", "one", "other", "transform"),
    [
        pytest.param(*values, transform, id=f"{values[0]}-{transform}")
        for values in VALUES
        for transform in (IdentityTransform(), BucketTransform(1 << 20))
        if transform.can_transform(values[0])
    ],
)
def test_partitions_of_every_type_can_be_overwritten(
    catalog: BusyCatalog, kind: IcebergType, one: Any, other: Any, transform: Transform[Any, Any]
) -> None:
    schema = Schema(
        NestedField(1, "k", kind, required=False), NestedField(2, "x", LongType(), required=False)
    )
    spec = PartitionSpec(PartitionField(1, 1000, transform, "p"))
    table = catalog.create_table("n.typed", schema, partition_spec=spec)

    def written(*values: tuple[Any, int]) -> WrittenFiles:
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        arrow = schema_to_pyarrow(schema, include_field_ids=False)
        storage = pa.binary(16) if isinstance(kind, UUIDType) else arrow.field("k").type
        with open_writer(table) as writer:
            writer.write(
                pa.table(
                    {
                        "k": pa.array([value for value, _ in values], storage),
                        "x": [x for _, x in values],
                    }
                )
            )
        return writer.result

    commit_files(table, [written((one, 1), (other, 2), (None, 3))])
    commit_files(table, [written((one, 4))], mode="overwrite")
    commit_files(table, [written((None, 5))], mode="overwrite")
    assert sorted(table.scan().to_arrow().column("x").to_pylist()) == [2, 4, 5]


def test_a_part_of_another_table_is_refused(catalog: BusyCatalog, table: Table) -> None:
    other = catalog.create_table("n.other", SCHEMA)
    with pytest.raises(PartRefused) as raised:
        commit_files(table, [part(other, A)])
    assert "`n.other`" in raised.value.reason


def test_a_part_of_a_table_that_was_made_anew_is_refused(catalog: BusyCatalog) -> None:
    old = catalog.create_table("n.again", SCHEMA)
    lost = part(old, A)
    catalog.drop_table("n.again")
    with pytest.raises(PartRefused):
        commit_files(catalog.create_table("n.again", SCHEMA), [lost])


def test_a_part_of_an_earlier_partition_spec_is_refused(catalog: BusyCatalog, table: Table) -> None:
    early = part(table, A)
    with catalog.load_table("n.t").update_spec() as update:
        update.add_field("name", BucketTransform(4), "bucket")
    with pytest.raises(PartRefused) as raised:
        commit_files(table, [early])
    assert "partition spec" in raised.value.reason


def test_a_part_of_an_earlier_schema_is_taken_if_it_can_still_be_read(
    catalog: BusyCatalog, table: Table
) -> None:
    early = part(table, A)
    with catalog.load_table("n.t").update_schema() as update:
        update.add_column("added", LongType())
        update.rename_column("name", "title")
    commit_files(table, [early])
    assert rows(table) == [(*A, None)]


def test_a_part_without_a_column_that_became_required_is_refused(
    catalog: BusyCatalog, table: Table
) -> None:
    early = part(table, A)
    with catalog.load_table("n.t").update_schema(allow_incompatible_changes=True) as update:
        update.update_column("name", required=True)
    with pytest.raises(PartRefused) as raised:
        commit_files(table, [early])
    assert "`name`" in raised.value.reason


@pytest.mark.parametrize(
    "options",
    [{"where": "p = 1"}, {"mode": "delete"}, {"mode": "upsert"}, {"on": ["p"]}],
    ids=str,
)
def test_arguments_that_contradict_one_another_are_refused(
    table: Table, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        commit_files(table, [], **options)


@pytest.mark.parametrize("where", ["p =", "nope = 1", "p = 'text'"])
def test_a_filter_that_does_not_fit_is_refused(table: Table, where: str) -> None:
    with pytest.raises(UsageError) as raised:
        commit_files(table, [], mode="delete", where=where)
    assert where.split(" ")[0] in str(raised.value)


def test_a_part_goes_to_the_branch_it_was_written_for(table: Table) -> None:
    commit_files(table, [part(table, A)])
    create_branch(table, "audit")
    with open_writer(table, branch="audit") as writer:
        writer.write(pa.table({"p": [2]}))
    commit_files(table, [writer.result])
    assert rows(table) == [A]
    assert len(rows(table, "audit")) == 2


def test_parts_for_several_branches_need_a_branch(table: Table) -> None:
    commit_files(table, [part(table, A)])
    create_branch(table, "audit")
    with open_writer(table, branch="audit") as writer:
        writer.write(pa.table({"p": [2]}))
    parts = [writer.result, part(table, B)]
    with pytest.raises(UsageError):
        commit_files(table, parts)
    commit_files(table, parts, branch="audit")
    assert len(rows(table, "audit")) == 3


def test_a_key_counts_for_each_branch_that_has_it_in_its_history(table: Table) -> None:
    commit_files(table, [part(table, A)], key="before")
    create_branch(table, "audit")
    commit_files(table, [part(table, B)], key="k", branch="audit")
    commit_files(table, [part(table, B)], key="k")
    commit_files(table, [part(table, A)], key="before", branch="audit")
    assert rows(table) == rows(table, "audit") == [A, B]


def test_a_branch_that_is_not_there_or_is_a_tag_is_refused(table: Table) -> None:
    commit_files(table, [part(table, A)])
    create_tag(table, "v1")
    with pytest.raises(UnknownRef):
        commit_files(table, [part(table, B)], branch="audit")
    with pytest.raises(UsageError):
        commit_files(table, [part(table, B)], branch="v1")


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        ("append", {}, [A, B, C]),
        ("delete", {"where": "p <= 2"}, [C]),
        ("upsert", {"on": ["p"]}, [A, B, C]),
    ],
)
def test_a_commit_lands_after_others_that_were_quicker(
    catalog: BusyCatalog, table: Table, mode: Any, options: dict[str, Any], expected: Rows
) -> None:
    commit_files(table, [part(table, A)])
    late, quick = part(table, C), part(table, B)
    catalog.times, catalog.meanwhile = 2, lambda: _commit_in_peace(catalog, quick)
    commit_files(table, [late], mode=mode, **options)
    assert rows(table) == expected
    assert len(history(table)) == 3


def _commit_in_peace(catalog: BusyCatalog, one: WrittenFiles, **options: Any) -> None:
    times, catalog.times = catalog.times, 0
    commit_files(catalog.load_table("n.t"), [one], **options)
    catalog.times = times


def test_a_retry_finds_that_another_process_made_the_same_commit(
    catalog: BusyCatalog, table: Table
) -> None:
    ours, theirs = part(table, A), part(table, A)
    catalog.times = 1
    catalog.meanwhile = lambda: _commit_in_peace(catalog, theirs, key="k")
    commit_files(table, [ours], key="k")
    assert rows(table) == [A]


def test_failed_attempts_leave_no_manifests_and_no_rewritten_files(
    catalog: BusyCatalog, table: Table, tmp_path: Path
) -> None:
    commit_files(table, [part(table, A, (1, "b", 3.0))])
    catalog.times = 3
    commit_files(table, [], mode="delete", where="x > 1")
    reachable = {
        one
        for snapshot in table.metadata.snapshots
        for one in [
            snapshot.manifest_list,
            *(manifest.manifest_path for manifest in snapshot.manifests(table.io)),
        ]
    }
    found = {f"file://{path}" for path in tmp_path.glob("w/**/*.avro")}
    assert found == reachable
    assert len(list(tmp_path.glob("w/**/*.parquet"))) == 2


@pytest.mark.parametrize("mode", ["overwrite", "replace"])
def test_replacing_what_somebody_changed_since_is_a_conflict(
    catalog: BusyCatalog, table: Table, mode: Any
) -> None:
    commit_files(table, [part(table, A, B)])
    commit_files(catalog.load_table("n.t"), [part(table, (1, "new", 1.0))])
    with pytest.raises(CommitConflict) as raised:
        commit_files(table, [part(table, (1, "mine", 2.0))], mode=mode)
    assert "p=1" in raised.value.reason
    # The table is refreshed now: the caller has seen the change.
    commit_files(table, [part(table, (1, "mine", 2.0))], mode=mode)
    assert (1, "new", 1.0) not in rows(table)


def test_overwriting_other_partitions_than_somebody_changed_is_no_conflict(
    catalog: BusyCatalog, table: Table
) -> None:
    commit_files(table, [part(table, A, B)])
    commit_files(catalog.load_table("n.t"), [part(table, (2, "new", 1.0))])
    commit_files(table, [part(table, (1, "mine", 2.0))], mode="overwrite")
    assert rows(table) == [(1, "mine", 2.0), B, (2, "new", 1.0)]


def test_a_partition_that_appeared_in_an_empty_table_is_a_conflict(
    catalog: BusyCatalog, table: Table
) -> None:
    commit_files(catalog.load_table("n.t"), [part(table, A)])
    with pytest.raises(CommitConflict):
        commit_files(table, [part(table, (1, "mine", 2.0))], mode="overwrite")


def test_overwriting_across_partition_specs_is_refused(catalog: BusyCatalog) -> None:
    table = catalog.create_table("n.specs", SCHEMA)
    commit_files(table, [part(table, A)])
    with table.update_spec() as update:
        update.add_field("p", IdentityTransform(), "p")
    with pytest.raises(CommitConflict):
        commit_files(table, [part(table, B)], mode="overwrite")


def test_a_commit_gives_up_when_its_retries_are_used_up(
    catalog: BusyCatalog, tmp_path: Path
) -> None:
    limited = {"commit.retry.num-retries": "1"}
    table = catalog.create_table("n.limited", SCHEMA, properties=limited)
    catalog.times = 2
    with pytest.raises(CommitFailed) as raised:
        commit_files(table, [part(table, A)], key="k")
    assert raised.value.retryable
    commit_files(table, [part(table, A)], key="k")
    assert rows(table) == [A]


class LosingCatalog(BusyCatalog):
    """A catalog whose answer is lost after it has committed."""

    def commit_table(self, *arguments: Any, **options: Any) -> Any:
        made = super().commit_table(*arguments, **options)
        if self.times == 0 and self.meanwhile is None:
            self.meanwhile = lambda: None
            raise OSError("connection reset")
        return made


def test_a_commit_whose_answer_was_lost_is_not_made_again(tmp_path: Path) -> None:
    catalog = LosingCatalog("c", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/w")
    catalog.create_namespace("n")
    table = catalog.create_table("n.t", SCHEMA)
    commit_files(table, [part(table, A)])
    assert rows(table) == [A]
    assert len(history(table)) == 1
    assert KEY in history(table)[0].summary


def test_zoned_partitions_are_written(catalog: BusyCatalog) -> None:
    schema = Schema(NestedField(1, "at", TimestamptzType(), required=False))
    spec = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "at"))
    table = catalog.create_table("n.zoned", schema, partition_spec=spec)
    with open_writer(table) as writer:
        writer.write(pa.table({"at": pa.array([0], pa.timestamp("us", "UTC"))}))
    commit_files(table, [writer.result])
    assert table.scan(row_filter="at = '1970-01-01T00:00:00+00:00'").count() == 1
