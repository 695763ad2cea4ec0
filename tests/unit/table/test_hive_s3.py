"""Hive tables whose files are in S3: listed and read with the environment's credentials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest

from flowkit import S3, DataFrame, StoreError, Table, UsageError
from flowkit.table import DataFileMissing
from flowkit.testing import S3Server, open_hive_metastore, open_s3_server

BUCKET = "hive-tables"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with open_s3_server() as server:
        server.create_bucket(BUCKET)
        yield server


@pytest.fixture
def s3(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """The bucket, with the environment in which clients find it."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with S3(s3root=f"s3://{BUCKET}") as scope:
        yield scope


def as_parquet(rows: dict[str, object]) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(rows), sink, row_group_size=10)
    return bytes(sink.getvalue())


def test_a_folder_in_s3_is_read_in_shards(s3: S3) -> None:
    for day in (1, 2, 3):
        for shop in ("a/b", "c:d e"):
            key = f"visits/day=2026-01-0{day}/shop={quote(shop, safe='')}/part.parquet"
            s3.put(key, as_parquet({"id": range(day * 100, day * 100 + 50)}))
    s3.put("visits/_SUCCESS", b"")
    table = Table.folder(f"s3://{BUCKET}/visits/")
    assert table.partition == ["day", "shop"]
    scan = table.scan(where="day > '2026-01-01' and shop = 'a/b' and id >= 210")
    assert [one.path.partition("/day=")[2] for one in scan.plan().files] == [
        "2026-01-02/shop=a%2Fb/part.parquet",
        "2026-01-03/shop=a%2Fb/part.parquet",
    ]
    assert scan.count() == sum(map(len, scan.batches())) == 90
    shards = scan.shards(4)
    assert len(shards) == 4
    assert sum(len(DataFrame.read(one)) for one in shards) == 90
    with pytest.raises(UsageError, match="no data files"):
        Table.folder(f"s3://{BUCKET}/nothing")


def test_what_cannot_be_listed_is_an_error(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"s3://no-such-bucket/t.*no bucket `no-such-bucket`"):
        Table.folder("s3://no-such-bucket/t")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    with pytest.raises(StoreError, match=f"s3://{BUCKET}/t.*cannot be listed"):
        Table.folder(f"s3://{BUCKET}/t")


def test_a_file_that_is_gone_is_named(s3: S3, server: S3Server) -> None:
    s3.put("gone/k=1/a.csv", b"id,name\n1,x\n2,\n")
    table = Table.folder(f"s3://{BUCKET}/gone")
    assert table.scan().to_arrow().to_pylist() == [
        {"id": 1, "name": "x", "k": 1},
        {"id": 2, "name": None, "k": 1},
    ]
    other = table.scan().shards(1)[0].to_json().replace("k=1/a.csv", "k=1/b.csv")
    with pytest.raises(DataFileMissing, match=r"gone/k=1/b\.csv"):
        DataFrame.read(type(table.scan().shards(1)[0]).from_json(other))


def test_partitions_of_a_metastore_may_be_in_s3(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("far/000000_0", as_parquet({"id": [1, 2]}))
    (tmp_path / "near").mkdir()
    (tmp_path / "near/000000_0").write_text("3\n")
    monkeypatch.chdir(tmp_path)
    with open_hive_metastore() as metastore:
        (tmp_path / "flowkit.toml").write_text(
            f'[catalogs.old]\ntype = "hive"\nuri = "{metastore.uri}"\n'
        )
        metastore.add_table("web.t", {"id": "bigint"}, location="s3a://x/y", keys={"k": "int"})
        metastore.add_partition("web.t", ["1"], location=f"s3a://{BUCKET}/far")
        metastore.add_partition("web.t", ["2"], location=f"{tmp_path}/near", storage="text")
        assert Table("web.t", catalog="old").scan().to_arrow().to_pylist() == [
            {"id": 1, "k": 1},
            {"id": 2, "k": 1},
            {"id": 3, "k": 2},
        ]
