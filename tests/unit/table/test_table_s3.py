"""Iceberg tables whose files are in S3: at the server, and with the keys, that `S3` uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowkit import DataFrame, StoreError, Table
from flowkit.table import open_catalog
from flowkit.testing import S3Server, open_s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with open_s3_server("lake") as server:
        yield server


@pytest.fixture
def project(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a catalog `lake`, in an environment that has keys, but names no server."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in server.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    configure(tmp_path)
    return tmp_path


def configure(folder: Path, **properties: str) -> None:
    known = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"s3://lake/{folder.name}",
        **properties,
    }
    lines = [f'"{name}" = "{value}"' for name, value in known.items()]
    (folder / "flowkit.toml").write_text("\n".join(["[catalogs.lake]", *lines]))


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "FLOWKIT_S3_ENDPOINT"])
def test_the_environment_says_where_tables_are(
    name: str, project: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, server.endpoint)
    table = Table.create("shop.orders", DataFrame({"id": [1]}), catalog="lake")
    assert table.location.startswith(f"s3://lake/{project.name}/")
    table.append({"id": [1, 2, 3]})
    table.delete("id = 2")
    shards = Table("shop.orders", catalog="lake").scan().shards(2)
    assert sorted(n for one in shards for n in DataFrame.read(one)["id"].to_pylist()) == [1, 3]
    assert table.orphans() == []


def test_an_endpoint_of_the_catalog_itself_wins(
    project: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    configure(project, **{"s3.endpoint": server.endpoint, "s3.region": "us-east-1"})
    assert Table.create("shop.orders", DataFrame({"id": [1]}), catalog="lake").snapshot is None
    configure(project)
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__S3__ENDPOINT", server.endpoint)
    assert Table("shop.orders", catalog="lake").snapshot is None


def test_the_server_of_a_profile_is_taken_and_amazon_otherwise(
    project: Path, server: S3Server
) -> None:
    assert "s3.endpoint" not in open_catalog("lake").properties
    (project / ".aws").mkdir()
    (project / ".aws/config").write_text(f"[default]\nendpoint_url = {server.endpoint}\n")
    assert open_catalog("lake").properties["s3.endpoint"] == server.endpoint


def test_metadata_that_cannot_be_reached_is_an_error(
    project: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    Table.create("shop.orders", DataFrame({"id": [1]}), catalog="lake")
    configure(project, warehouse="s3://no-such-bucket/x")
    with pytest.raises(StoreError, match=r"`shop\.lines` of catalog `lake` cannot be .*bucket"):
        Table.create("shop.lines", DataFrame({"id": [1]}), catalog="lake")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    configure(project, warehouse="s3://lake/other")
    with pytest.raises(StoreError, match=r"`shop\.orders` of catalog `lake` cannot be") as caught:
        Table("shop.orders", catalog="lake")
    assert "[catalogs.lake]" in str(caught.value.hint)
