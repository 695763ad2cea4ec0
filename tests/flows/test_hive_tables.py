"""Hive folders in flows: a foreach over shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow
import pyarrow.dataset

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Lab

SHARDED = """
    from flowkit import DataFrame, Table

    class Sharded(FlowSpec):
        @step
        def start(self):
            table = Table.folder(FOLDER)
            self.shards = table.scan(columns=["id", "day"], where="day >= 2 and id < 900").shards(3)
            self.next(self.read, foreach="shards")

        @step
        def read(self):
            self.frame = DataFrame.read(self.input)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.ids = sorted(at for one in inputs for at in one.frame["id"].to_pylist())
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_tasks_read_a_shard_of_a_folder_each(lab: Lab, tmp_path: Path) -> None:
    rows = pyarrow.table({"id": range(1000), "day": [at % 7 for at in range(1000)]})
    pyarrow.dataset.write_dataset(
        rows, tmp_path / "t", format="parquet", partitioning=["day"], partitioning_flavor="hive"
    )
    ran = lab.run(SHARDED.replace("FOLDER", repr(str(tmp_path / "t"))))
    assert ran.status == "succeeded", ran.printed
    assert ran.value("ids") == [at for at in range(900) if at % 7 >= 2]
    assert len(ran.values("frame", "read")) == 3
    # There is no snapshot that the run could have read.
    assert ran.run.tables == []
