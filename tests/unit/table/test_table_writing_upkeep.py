"""Branches, publishing, expiry and orphans: nothing that is needed is ever deleted."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import LongType, NestedField

from flowkit.errors import UsageError
from flowkit.table.committing import commit_files
from flowkit.table.errors import NotAncestor, UnknownRef
from flowkit.table.expiry import expire
from flowkit.table.history import history, snapshots
from flowkit.table.orphans import clean_orphans, orphans
from flowkit.table.refs import (
    RefRow,
    create_branch,
    create_tag,
    delete_branch,
    delete_tag,
    publish,
    refs,
)
from flowkit.table.writing import open_writer
from flowkit.table.written import WrittenFiles

SCHEMA = Schema(NestedField(1, "n", LongType(), required=False))
LATER = timedelta(hours=1)


class BusyCatalog(SqlCatalog):
    """A catalog in which somebody else is quicker once: `meanwhile` is what they do."""

    meanwhile: Callable[[], object] | None = None

    def commit_table(self, *arguments: Any, **options: Any) -> Any:
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
    return catalog.create_table("n.t", SCHEMA)


def part(table: Table, *numbers: int) -> WrittenFiles:
    with open_writer(table) as writer:
        writer.write(pa.table({"n": list(numbers)}))
    return writer.result


def add(table: Table, *numbers: int, **options: Any) -> int:
    return commit_files(table, [part(table, *numbers)], **options)


def numbers(table: Table, ref: str = "main") -> list[int]:
    read = table.refresh().scan().use_ref(ref).to_arrow()
    return sorted(read.column("n").to_pylist())


def age(tmp_path: Path, by: timedelta, pattern: str = "**/*") -> None:
    """Make files look as if they had been written long ago."""
    then = (datetime.now(UTC) - by).timestamp()
    for path in (tmp_path / "w").glob(pattern):
        os.utime(path, (then, then))


def files(tmp_path: Path, pattern: str = "**/*") -> set[Path]:
    return {path for path in (tmp_path / "w").glob(pattern) if path.is_file()}


def test_branches_and_tags_are_created_listed_and_deleted(table: Table) -> None:
    first = add(table, 1)
    second = add(table, 2)
    assert create_branch(table, "audit") == second
    assert create_branch(table, "old", at=first) == first
    assert create_tag(table, "v1", at="old") == first
    assert refs(table) == [
        RefRow("audit", "branch", second),
        RefRow("main", "branch", second),
        RefRow("old", "branch", first),
        RefRow("v1", "tag", first),
    ]
    assert numbers(table, "v1") == [1]
    delete_branch(table, "audit")
    delete_tag(table, "v1")
    assert [one.name for one in refs(table)] == ["main", "old"]


def test_names_that_are_taken_or_not_there_are_refused(table: Table) -> None:
    add(table, 1)
    create_tag(table, "v1")
    for name in ("v1", "main"):
        with pytest.raises(UsageError):
            create_branch(table, name)
    for act in (delete_branch, publish):
        with pytest.raises(UnknownRef):
            act(table, "v1")
    with pytest.raises(UnknownRef):
        delete_tag(table, "nope")
    with pytest.raises(UnknownRef):
        create_branch(table, "b", at=12345)
    with pytest.raises(UsageError):
        delete_branch(table, "main")


def test_a_table_without_a_snapshot_has_nothing_to_branch_from(table: Table) -> None:
    with pytest.raises(UsageError):
        create_branch(table, "audit")


def test_a_branch_is_created_although_somebody_was_quicker(
    catalog: BusyCatalog, table: Table
) -> None:
    add(table, 1)
    catalog.meanwhile = lambda: create_branch(catalog.load_table("n.t"), "theirs")
    create_branch(table, "ours")
    assert [one.name for one in refs(table)] == ["main", "ours", "theirs"]


def test_a_branch_is_written_audited_and_published(table: Table) -> None:
    add(table, 1)
    create_branch(table, "audit")
    add(table, 2, branch="audit")
    written = add(table, 3, branch="audit")
    assert (numbers(table), numbers(table, "audit")) == ([1], [1, 2, 3])
    assert publish(table, "audit") == written
    assert numbers(table) == [1, 2, 3]
    assert publish(table, "audit") == written


def test_a_branch_that_misses_something_of_main_is_not_published(table: Table) -> None:
    add(table, 1)
    create_branch(table, "audit")
    add(table, 2, branch="audit")
    add(table, 3)
    with pytest.raises(NotAncestor):
        publish(table, "audit")
    assert numbers(table) == [1, 3]


def test_ancestry_is_checked_again_when_somebody_was_quicker(
    catalog: BusyCatalog, table: Table
) -> None:
    add(table, 1)
    create_branch(table, "audit")
    add(table, 2, branch="audit")
    late = part(table, 3)
    catalog.meanwhile = lambda: commit_files(catalog.load_table("n.t"), [late])
    with pytest.raises(NotAncestor):
        publish(table, "audit")
    assert numbers(table) == [1, 3]


def test_a_commit_that_was_published_is_known_by_its_key(table: Table) -> None:
    add(table, 1)
    create_branch(table, "audit")
    made = add(table, 2, branch="audit", key="k")
    publish(table, "audit")
    assert add(table, 2, key="k") == made


def test_old_snapshots_and_their_files_go(table: Table, tmp_path: Path) -> None:
    add(table, 1)
    commit_files(table, [part(table, 2)], mode="replace")
    last = commit_files(table, [part(table, 3)], mode="replace")
    done = expire(table, older_than=datetime.now(UTC) + LATER)
    assert len(done.snapshot_ids) == 2
    assert [row.snapshot_id for row in snapshots(table)] == [last]
    assert numbers(table) == [3]
    assert len(files(tmp_path, "**/*.parquet")) == 1
    assert len(files(tmp_path, "**/snap-*.avro")) == 1
    assert all(not Path(one.removeprefix("file://")).exists() for one in done.deleted_files)


def test_files_that_a_kept_snapshot_needs_stay(table: Table, tmp_path: Path) -> None:
    add(table, 1)
    create_tag(table, "v1")
    add(table, 2)
    commit_files(table, [part(table, 3)], mode="replace")
    expire(table, older_than=datetime.now(UTC) + LATER)
    assert numbers(table, "v1") == [1]
    assert numbers(table) == [3]
    assert len(files(tmp_path, "**/*.parquet")) == 2


def test_young_and_recent_snapshots_stay(table: Table) -> None:
    for number in range(5):
        add(table, number)
    assert expire(table, older_than=datetime.now(UTC) - LATER).snapshot_ids == ()
    expire(table, older_than=datetime.now(UTC) + LATER, keep_last=3)
    assert len(history(table)) == 3
    assert numbers(table) == [0, 1, 2, 3, 4]


def test_a_branch_can_still_be_published_after_expiry(table: Table) -> None:
    add(table, 1)
    create_branch(table, "audit")
    for number in (2, 3, 4):
        add(table, number, branch="audit")
    expire(table, older_than=datetime.now(UTC) + LATER)
    publish(table, "audit")
    assert numbers(table) == [1, 2, 3, 4]


def test_expiry_takes_a_commit_that_was_quicker_into_account(
    catalog: BusyCatalog, table: Table
) -> None:
    add(table, 1)
    add(table, 2)
    late = part(table, 3)
    catalog.meanwhile = lambda: commit_files(catalog.load_table("n.t"), [late])
    expire(table, older_than=datetime.now(UTC) + LATER)
    assert numbers(table) == [1, 2, 3]
    assert len(snapshots(table)) == 1


def test_a_time_without_a_zone_is_refused(table: Table) -> None:
    with pytest.raises(UsageError):
        expire(table, older_than=datetime(2020, 1, 1))


@pytest.mark.parametrize(
    "act", [clean_orphans, lambda one: expire(one, older_than=datetime.now(UTC))]
)
def test_nothing_is_deleted_where_files_may_be_shared(
    catalog: BusyCatalog, act: Callable[[Table], object]
) -> None:
    shared = catalog.create_table("n.shared", SCHEMA, properties={"gc.enabled": "false"})
    with pytest.raises(UsageError):
        act(shared)


def test_files_that_nothing_leads_to_are_listed_and_cleaned(table: Table, tmp_path: Path) -> None:
    add(table, 1)
    commit_files(table, [part(table, 2)], mode="replace")
    needed = files(tmp_path)
    lost = part(table, 3, 4)
    stray = tmp_path / "w" / "n" / "t" / "metadata" / "stray-m0.avro"
    stray.write_bytes(b"torn")
    age(tmp_path, timedelta(days=4))
    expected = {*lost.paths, f"file://{stray}"}
    assert {one.location for one in orphans(table)} == expected
    assert next(one.size_bytes for one in orphans(table) if "stray" in one.location) == 4
    assert {one.location for one in clean_orphans(table)} == expected
    assert files(tmp_path) == needed
    assert orphans(table) == []


def test_what_a_running_task_wrote_is_no_orphan(table: Table) -> None:
    waiting = part(table, 1)
    assert clean_orphans(table, grace=timedelta(hours=1)) == []
    commit_files(table, [waiting])
    assert numbers(table) == [1]


def test_what_was_committed_late_is_no_orphan(table: Table, tmp_path: Path) -> None:
    waiting = part(table, 1)
    age(tmp_path, timedelta(days=9))
    commit_files(table, [waiting])
    assert clean_orphans(table) == []
    assert numbers(table) == [1]


def test_files_of_branches_and_old_snapshots_are_no_orphans(table: Table, tmp_path: Path) -> None:
    add(table, 1)
    create_branch(table, "audit")
    add(table, 2, branch="audit")
    commit_files(table, [], mode="replace")
    age(tmp_path, timedelta(days=9))
    assert clean_orphans(table) == []
    assert numbers(table, "audit") == [1, 2]


def test_a_grace_that_would_take_files_of_running_tasks_is_refused(table: Table) -> None:
    with pytest.raises(UsageError):
        orphans(table, grace=timedelta(minutes=5))
