"""Tables of a real REST catalog, and of Glue, with their files on a real S3 server.

No machine of ours has an AWS account: moto's server stands in for Glue, with its protocol.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from flowkit import DataFrame, Table
from flowkit.table import CatalogError, DataFileUnwritten
from flowkit.testing import CatalogServer, open_catalog_server, open_s3_server
from flowkit.testing.servers import ask, find_program, free_ports, stop, wait_until

FLOW = """
from flowkit import DataFrame, FlowSpec, Table, step


class Squares(FlowSpec):
    @step
    def start(self):
        self.shards = Table("n.numbers").scan(where="n >= 100").shards(4)
        Table.create("n.squares", DataFrame({"n": [1], "square": [1]}))
        self.next(self.work, foreach="shards")

    @step
    def work(self):
        with Table("n.squares").writer() as writer:
            writer.write(DataFrame.read(self.input).sql("select n, n * n as square from this"))
        self.part = writer.result
        self.next(self.join)

    @step
    def join(self, inputs):
        Table("n.squares").commit([one.part for one in inputs])
        self.next(self.end)

    @step
    def end(self):
        self.rows = Table("n.squares").scan().count()
"""

COMMITS = """
import sys
from flowkit import Table
for number in range(3):
    Table("n.shared").append({"by": [int(sys.argv[1])], "number": [number]})
"""


@pytest.fixture(scope="module")
def server() -> Iterator[CatalogServer]:
    with open_catalog_server() as server:
        yield server


@pytest.fixture(autouse=True)
def project(server: CatalogServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose settings name the server, with a home of its own."""
    configure(tmp_path, server.properties)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYICEBERG_HOME", str(tmp_path))
    return tmp_path


def configure(folder: Path, properties: Mapping[str, str]) -> None:
    lines = [f'"{name}" = "{value}"' for name, value in properties.items()]
    text = "\n".join(['catalog = "lake"', "[catalogs.lake]", *lines])
    (folder / "flowkit.toml").write_text(text)


def flowkit(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flowkit", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def glue(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings that name a Glue catalog instead."""
    [port] = free_ports(1)
    program = find_program("moto_server", package="moto[server]")
    uri = f"http://127.0.0.1:{port}"
    log = project / "moto.log"
    with log.open("wb") as output, open_s3_server("warehouse") as store:
        process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        access = {
            "access-key-id": store.environment["AWS_ACCESS_KEY_ID"],
            "secret-access-key": store.environment["AWS_SECRET_ACCESS_KEY"],
            "region": "us-east-1",
        }
        configure(
            project,
            {
                "type": "glue",
                "warehouse": "s3://warehouse/lake",
                "glue.endpoint": uri,
                "s3.endpoint": store.endpoint,
                **{
                    f"{service}.{name}": access[name]
                    for service in ("glue", "s3")
                    for name in access
                },
            },
        )
        try:
            wait_until(lambda: ask(uri, "GET", "/moto-api/") == 200, process, log, name="Glue")
            yield
        finally:
            stop(process)


def test_everything_that_a_table_does_it_does_on_a_rest_catalog() -> None:
    do_everything()


@pytest.mark.usefixtures("glue")
def test_everything_that_a_table_does_it_does_on_glue() -> None:
    do_everything()


def do_everything() -> None:
    table = Table.create("shop.orders", DataFrame({"id": [1], "kind": ["a"]}), partition=["kind"])
    assert (table.catalog, Table.names()) == ("lake", ["shop.orders"])
    assert table.metadata_location.startswith("s3://warehouse/")
    table.append({"id": [1, 2, 3], "kind": ["a", "b", "a"]})
    table.overwrite({"id": [4], "kind": ["b"]})
    table.upsert({"id": [3, 5], "kind": ["a", "c"]}, on=["id"])
    table.delete("id = 1")
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [3, 4, 5]
    assert len(table.scan(where="kind = 'a'").plan().files) == 1
    batches = table.scan(where="id > 3").batches("1MB")
    assert sorted(id for batch in batches for id in batch["id"].to_pylist()) == [4, 5]
    table.create_branch("audit")
    table.append({"id": [6], "kind": ["d"]}, branch="audit")
    assert (table.scan().count(), table.scan(branch="audit").count()) == (3, 4)
    table.publish("audit")
    assert table.scan().count() == 4
    with table.evolve() as change:
        change.rename_column("kind", "sort")
    assert Table("shop.orders").scan(where="sort = 'd'").to_arrow()["id"].to_pylist() == [6]


def test_a_flow_reads_shards_and_commits_parts_there(project: Path) -> None:
    numbers = Table.create("n.numbers", DataFrame({"n": [1]}))
    for start in range(0, 200, 50):
        numbers.append({"n": list(range(start, start + 50))})
    (project / "squares.py").write_text(FLOW)
    flowkit("run", "squares.py")
    squares = Table("n.squares").scan().to_arrow()
    assert sorted(squares["square"].to_pylist()) == [n * n for n in range(100, 200)]
    assert [row.run for row in Table("n.squares").history()] == ["Squares/1"]
    assert "n.squares" in flowkit("table", "list")
    assert "10000" in flowkit("table", "scan", "n.squares", "--where", "n = 100")


def test_commits_of_many_processes_all_land() -> None:
    Table.create("n.shared", DataFrame({"by": [0], "number": [0]}))
    started = [subprocess.Popen([sys.executable, "-c", COMMITS, str(by)]) for by in range(4)]
    assert [process.wait(120) for process in started] == [0, 0, 0, 0]
    rows = Table("n.shared").scan().to_arrow().to_pylist()
    found = sorted((row["by"], row["number"]) for row in rows)
    assert found == [(by, number) for by in range(4) for number in range(3)]


def test_wrong_credentials_are_said_to_be_so(server: CatalogServer, project: Path) -> None:
    configure(project, {**server.properties, "credential": "flowkit:wrong"})
    with pytest.raises(CatalogError, match=r"`lake` at `http.*` refuses this") as raised:
        Table.names()
    assert "credentials" in str(raised.value.hint)


def test_a_server_that_has_gone_is_said_to_be_so(project: Path) -> None:
    with open_catalog_server() as gone:
        configure(project, gone.properties)
        table = Table.create("n.gone", DataFrame({"id": [1]}))
        table.append({"id": [1]})
    with pytest.raises(CatalogError, match="does not answer"):
        Table("n.gone")
    with pytest.raises(DataFileUnwritten, match="cannot be written"):
        table.append({"id": [2]})
