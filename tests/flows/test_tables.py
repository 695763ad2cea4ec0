"""Tables in flows: shards for a foreach, frames as artifacts, and what a run says it has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow
import pytest

from flowkit import DataFrame, Table
from flowkit.values import TableUse

if TYPE_CHECKING:
    from conftest import Lab

SHARDED = """
    from flowkit import DataFrame, Table

    class Sharded(FlowSpec):
        @step
        def start(self):
            self.shards = Table("air.flights").scan(where="id >= 100").shards(3)
            self.next(self.read, foreach="shards")

        @step
        def read(self):
            self.frame = DataFrame.read(self.input, columns=["id"])
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(len(one.frame) for one in inputs)
            self.next(self.end)

        @step
        def end(self):
            self.count = Table("air.routes").scan().count()
"""


@pytest.fixture
def tables(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Two tables in the lab's home, and their snapshots."""
    monkeypatch.setenv("FLOWKIT_HOME", str(lab.home))
    rows = pyarrow.table({"id": range(1000), "text": [f"row {at}" for at in range(1000)]})
    snapshots = {}
    for name in ("air.flights", "air.routes"):
        table = Table.create(name, rows)
        for start in range(0, 1000, 250):
            table.iceberg.append(rows.slice(start, 250).cast(table.schema))
        snapshots[name] = table.refresh().snapshot or 0
    return snapshots


def test_tasks_read_a_shard_each_and_the_run_says_what_it_has_read(
    lab: Lab, tables: dict[str, int]
) -> None:
    ran = lab.run(SHARDED)
    assert ran.status == "succeeded", ran.printed
    assert ran.value("total") == 900
    assert ran.value("count") == 1000
    frames = ran.values("frame", "read")
    assert all(isinstance(one, DataFrame) and one.columns == ["id"] for one in frames)
    uses = {
        name: TableUse(table=name, catalog="local", snapshot=snapshot, how="read")
        for name, snapshot in tables.items()
    }
    assert ran.run.tables == [uses["air.flights"], uses["air.routes"]]
    assert ran.run["read"]["0"].tables == (uses["air.flights"],)
    # Planning alone reads no rows.
    assert ran.run["start"].task.tables == ()


def test_a_resumed_run_tells_of_what_its_clones_have_read(lab: Lab, tables: dict[str, int]) -> None:
    failed = lab.run(SHARDED.replace("self.total = ", "self.total = 1 / 0 or "))
    assert [one.table for one in failed.run.tables] == ["air.flights"]
    lab.write(SHARDED)
    resumed = lab.resume()
    assert resumed.status == "succeeded"
    assert len([one for one in resumed.cloned if one.startswith("read/")]) == 3
    assert [one.table for one in resumed.run.tables] == ["air.flights", "air.routes"]
