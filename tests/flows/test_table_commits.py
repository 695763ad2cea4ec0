"""A flow's parts become visible once, however often its tasks are tried."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import LongType, NestedField, StringType

from flowkit.table.history import history

if TYPE_CHECKING:
    from conftest import Lab, Ran

# Steps fail or die while a file of their name is there, so that their code need not change.
HEAD = """
    from pathlib import Path
    HERE = Path(__file__).parent

    def open_table():
        from pyiceberg.catalog.sql import SqlCatalog
        catalog = SqlCatalog(
            "c", uri=f"sqlite:///{HERE}/catalog.db", warehouse=f"file://{HERE}/warehouse"
        )
        return catalog.load_table("n.t")

    def write(*values):
        import pyarrow
        from flowkit.table.writing import open_writer
        with open_writer(open_table()) as writer:
            by = current.pathspec.partition("/")[2]
            writer.write(pyarrow.table({"n": list(values), "by": [by] * len(values)}))
        return writer.result

    def commit(parts, **options):
        from flowkit.table.committing import commit_files
        return commit_files(open_table(), parts, **options)

    def happen(name):
        if (HERE / f"fail-{name}").exists():
            raise ValueError(f"told to fail: {name}")
        mark = HERE / f"die-{name}"
        if mark.exists():
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
"""

WIDE = """
    class Wide(FlowSpec):
        @step
        def start(self):
            self.numbers = [1, 2, 3, 4]
            self.next(self.work, foreach="numbers")

        @retry(times=1, minutes_between_retries=0)
        @step
        def work(self):
            self.part = write(self.input)
            happen("after-write")
            self.next(self.join)

        @retry(times=1, minutes_between_retries=0)
        @step
        def join(self, inputs):
            happen("before-commit")
            self.snapshot = commit([one.part for one in inputs])
            happen("after-commit")
            self.next(self.end)

        @step
        def end(self):
            pass
"""

ALONE = """
    class Alone(FlowSpec):
        @retry(times=1, minutes_between_retries=0)
        @step
        def start(self):
            from pathlib import Path
            self.numbers = [int(n) for n in (HERE / "numbers").read_text().split()]
            self.first = commit([write(*self.numbers)])
            happen("between")
            self.second = commit([write(*self.numbers)])
            happen("after-commit")
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture
def table(lab: Lab) -> Table:
    catalog = SqlCatalog(
        "c", uri=f"sqlite:///{lab.folder}/catalog.db", warehouse=f"file://{lab.folder}/warehouse"
    )
    catalog.create_namespace("n")
    schema = Schema(
        NestedField(1, "n", LongType(), required=False),
        NestedField(2, "by", StringType(), required=False),
    )
    return catalog.create_table("n.t", schema)


def run(lab: Lab, text: str, **given: Any) -> Ran:
    return lab.run(dedent(HEAD) + dedent(text), **given)


def numbers(table: Table) -> list[int]:
    return sorted(table.refresh().scan().to_arrow().column("n").to_pylist())


def tell(lab: Lab, *names: str) -> None:
    for mark in [*lab.folder.glob("fail-*"), *lab.folder.glob("die-*")]:
        mark.unlink()
    for name in names:
        (lab.folder / name).touch()


def test_the_parts_of_a_foreach_are_committed_in_its_join(lab: Lab, table: Table) -> None:
    ran = run(lab, WIDE)
    assert ran.status == "succeeded", ran.end
    assert numbers(table) == [1, 2, 3, 4]
    [row] = history(table)
    assert row.snapshot_id == ran.value("snapshot", "join")
    assert (row.run, row.task) == ("Wide/1", "Wide/1/join/0")
    assert row.commit_key == "Wide/1/join/0#0"


@pytest.mark.parametrize("dies", ["after-write", "before-commit", "after-commit"])
def test_rows_are_there_once_when_a_task_is_killed_and_retried(
    lab: Lab, table: Table, dies: str
) -> None:
    tell(lab, f"die-{dies}")
    ran = run(lab, WIDE)
    assert ran.status == "succeeded", ran.end
    assert any(name.endswith("#1") for name in ran.started)
    assert numbers(table) == [1, 2, 3, 4]
    assert len(history(table)) == 1


@pytest.mark.parametrize("fails", ["before-commit", "after-commit"])
def test_rows_are_there_once_when_a_run_is_resumed_again_and_again(
    lab: Lab, table: Table, fails: str
) -> None:
    tell(lab, f"fail-{fails}")
    assert run(lab, WIDE).status == "failed"
    assert lab.resume().status == "failed"
    tell(lab)
    ran = lab.resume()
    assert ran.status == "succeeded", ran.end
    assert ran.cloned == ["start/0", "work/0", "work/1", "work/2", "work/3"]
    assert numbers(table) == [1, 2, 3, 4]
    [row] = history(table)
    assert row.snapshot_id == ran.value("snapshot", "join")
    assert row.run == ("Wide/1" if fails == "after-commit" else "Wide/3")


def test_every_run_adds_its_rows(lab: Lab, table: Table) -> None:
    run(lab, WIDE)
    lab.run()
    assert numbers(table) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [row.run for row in history(table)] == ["Wide/1", "Wide/2"]


@pytest.mark.parametrize("mark", ["die-between", "die-after-commit"])
def test_each_of_a_tasks_commits_is_made_once(lab: Lab, table: Table, mark: str) -> None:
    (lab.folder / "numbers").write_text("1 2")
    tell(lab, mark)
    ran = run(lab, ALONE)
    assert ran.status == "succeeded", ran.end
    assert numbers(table) == [1, 1, 2, 2]
    keys = [row.commit_key for row in history(table)]
    assert keys == ["Alone/1/start/0#0", "Alone/1/start/0#1"]


def test_a_resumed_task_that_wrote_the_same_rows_anew_commits_nothing(
    lab: Lab, table: Table
) -> None:
    (lab.folder / "numbers").write_text("1 2")
    SAME = ALONE.replace("write(*self.numbers)", "write_plain(*self.numbers)")
    plain = dedent(HEAD).replace('by = current.pathspec.partition("/")[2]', 'by = ""')
    tell(lab, "fail-after-commit")
    text = plain + dedent(SAME.replace("write_plain", "write"))
    assert lab.run(text).status == "failed"
    tell(lab)
    assert lab.resume().status == "succeeded"
    assert numbers(table) == [1, 1, 2, 2]


def test_a_resumed_task_with_other_rows_is_not_taken_for_the_one_that_committed(
    lab: Lab, table: Table
) -> None:
    (lab.folder / "numbers").write_text("1 2")
    tell(lab, "fail-after-commit")
    assert run(lab, ALONE).status == "failed"
    (lab.folder / "numbers").write_text("3 4 5")
    tell(lab)
    ran = lab.resume()
    assert ran.status == "failed"
    assert ran.failure.type_name == "CommitConflict"
    assert numbers(table) == [1, 1, 2, 2]
