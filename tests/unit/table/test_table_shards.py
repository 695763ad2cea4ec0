"""Shards: small, balanced, the same again, and readable wherever the files are."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

import flowkit
from flowkit import DataFrame, Table, UsageError
from flowkit.table import (
    DataFileDamaged,
    DataFileMissing,
    DataFileUnlike,
    Shard,
    SnapshotExpired,
    UnknownColumn,
)


def make(files: int = 4, rows: int = 5000, **properties: str) -> Table:
    schema = pyarrow.schema([("id", "int64"), ("text", "string")])
    table = Table.create("big.rows", schema, properties=properties)
    for at in range(files):
        ids = range(at * rows, (at + 1) * rows)
        new = pyarrow.table({"id": ids, "text": [f"row {one * 7919 % 10007}" for one in ids]})
        table.iceberg.append(new.cast(table.schema))
    return table.refresh()


def make_large() -> Table:
    """A table of one file with 20 row groups, and a small one."""
    return make(1, 20_000, **{"write.parquet.row-group-limit": "1000"})


def ids_of(shards: list[Shard]) -> list[int]:
    return [one for shard in shards for one in DataFrame.read(shard)["id"].to_pylist()]


def path_of(table: Table, at: int = 0) -> Path:
    return Path(table.scan().plan().files[at].file.file_path.removeprefix("file://"))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 100])
def test_shards_have_every_row_once(n: int) -> None:
    table = make()
    shards = table.scan().shards(n)
    assert len(shards) == min(n, 4)
    assert sorted(ids_of(shards)) == list(range(20_000))


@pytest.mark.parametrize("n", [1, 2, 3, 8, 20, 50])
def test_a_large_file_is_cut_between_row_groups(n: int) -> None:
    table = make_large()
    assert len(table.scan().plan().files) == 1
    shards = table.scan().shards(n)
    assert len(shards) == min(n, 20)
    assert sorted(ids_of(shards)) == list(range(20_000))
    sizes = [shard.size_bytes for shard in shards]
    assert max(sizes) < 2.2 * min(sizes)
    assert sum(sizes) == table.scan().plan().size_bytes
    assert sum(shard.rows for shard in shards) == 20_000


def test_row_groups_that_lie_together_are_one_part() -> None:
    shard = make_large().scan().shards(1)[0]
    assert len(shard.parts) == 1
    for shard in make_large_again().scan().shards(2):
        for before, after in pairwise(shard.parts):
            assert before.stop != after.start


def make_large_again() -> Table:
    return Table("big.rows")


def test_shards_may_be_given_a_size() -> None:
    scan = make().scan()
    size = scan.plan().size_bytes
    assert len(scan.shards(bytes=size)) == 1
    assert len(scan.shards(bytes=size // 2 + 1)) == 2
    assert len(scan.shards(bytes="1GB")) == 1


@pytest.mark.parametrize("given", [{}, {"n": 2, "bytes": 10}, {"n": 0}, {"bytes": "much"}])
def test_a_number_of_shards_that_makes_no_sense_is_an_error(given: Any) -> None:
    with pytest.raises(UsageError):
        make(1, 10).scan().shards(**given)


def test_a_scan_with_a_limit_has_no_shards() -> None:
    with pytest.raises(UsageError, match="limit"):
        make(1, 10).scan(limit=3).shards(2)


def test_the_same_snapshot_gives_the_same_shards() -> None:
    make()
    snapshot = Table("big.rows").snapshot
    first = Table("big.rows").scan(where="id > 100").shards(3)
    Table("big.rows").iceberg.delete("id = 7")
    again = Table("big.rows").scan(where="id > 100", snapshot=snapshot).shards(3)
    assert again == first
    assert len(set(first)) == 3


def test_a_shard_is_small_and_comes_back_from_json_and_pickle() -> None:
    table = make()
    where = "id in (1, 2, 19000) or text like 'row 1%' and not (id = 5)"
    for shard in table.scan(where=where, columns=["text"]).shards(4):
        assert len(shard.to_json()) < 2500
        assert Shard.from_json(shard.to_json()) == shard
        assert pickle.loads(pickle.dumps(shard)) == shard
        assert json.loads(shard.to_json())["table"] == "big.rows"
        assert "big.rows" in repr(shard)
    with pytest.raises(UsageError, match="no shard"):
        Shard.from_json("{}")


def test_a_shard_is_read_by_another_process_without_the_catalog(home: Path) -> None:
    table = make()
    shards = table.scan(where="id >= 100 and id < 5100").shards(2)
    (home / "catalog.db").unlink()
    script = (
        "import sys; from flowkit import DataFrame; from flowkit.table import Shard\n"
        "for line in sys.stdin: print(len(DataFrame.read(Shard.from_json(line))))\n"
        "assert not {'sqlalchemy', 'pyiceberg'} & set(sys.modules), 'no need of these'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join(one.to_json() for one in shards),
        env={**os.environ, "PYTHONPATH": str(Path(flowkit.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert sum(map(int, done.stdout.split())) == 5000


def test_a_reader_may_ask_for_fewer_columns() -> None:
    shard = make().scan(where="id < 10").shards(1)[0]
    assert DataFrame.read(shard, columns=["text"]).columns == ["text"]
    assert len(DataFrame.read(shard, columns=["text"])) == 10
    with pytest.raises(UnknownColumn, match="`txt`") as caught:
        DataFrame.read(shard, columns=["txt"])
    assert caught.value.hint == "did you mean `text`?"


def test_a_file_that_is_gone_is_named() -> None:
    table = make()
    shard = table.scan().shards(1)[0]
    path = path_of(table)
    path.unlink()
    with pytest.raises(DataFileMissing, match=path.name):
        DataFrame.read(shard)
    with pytest.raises(DataFileMissing, match=path.name):
        list(table.scan().batches())


def test_a_shard_of_an_expired_snapshot_says_so() -> None:
    table = make()
    old = table.snapshot
    shard = table.scan().shards(1)[0]
    path = path_of(table)
    table.iceberg.overwrite(pyarrow.table({"id": [1], "text": ["x"]}).cast(table.schema))
    table.refresh()
    with table.iceberg.maintenance.expire_snapshots().by_ids(
        [one.snapshot_id for one in table.snapshots() if not one.refs]
    ) as expiring:
        assert expiring is not None
    path.unlink()
    with pytest.raises(SnapshotExpired, match=f"snapshot {old} of table `big.rows`"):
        DataFrame.read(shard)


def test_a_damaged_file_is_named() -> None:
    table = make()
    path = path_of(table, 1)
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-50], b"PAR1" + b"\0" * 1000 + whole[1004:]):
        path.write_bytes(damaged)
        for read in (table.scan().to_arrow, lambda: list(table.scan().batches())):
            with pytest.raises(DataFileDamaged, match=path.name):
                read()


def test_a_file_that_does_not_fit_the_table_is_named() -> None:
    table = make(1, 10)
    path = path_of(table)
    kept = pyarrow.parquet.read_table(path)
    fields = [kept.schema.field("id").with_type(pyarrow.string()), kept.schema.field("text")]
    unlike = kept.cast(pyarrow.schema(fields))
    pyarrow.parquet.write_table(unlike, path)
    with pytest.raises(DataFileUnlike, match=r"column `id` holds `string`.*has `int64`"):
        table.scan().to_arrow()


def test_batches_keep_within_the_memory_that_they_are_given() -> None:
    table = make_large()
    for memory in (64 << 10, 1 << 20):
        sizes = [batch.nbytes for batch in table.scan().batches(memory)]
        # The first of a row group before anything is known of its rows is a thousand rows.
        assert max(sizes[1:]) <= memory // 4
        assert sum(sizes) > 0
