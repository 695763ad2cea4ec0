"""Processes that commit at once, do the same commit, or are killed: rows are there once."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import LongType, NestedField

import flowkit
from flowkit.table.committing import commit_files
from flowkit.table.history import history

WORKER = """
import os, pickle, signal, sys
from pathlib import Path
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from flowkit.table.committing import commit_files
from flowkit.table.writing import open_writer

folder, action, numbers = Path(sys.argv[1]), sys.argv[2], [int(n) for n in sys.argv[3:]]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Catalog(SqlCatalog):
    def commit_table(self, *arguments, **options):
        if action == "die-before-the-catalog":
            die()
        made = super().commit_table(*arguments, **options)
        if action == "die-after-the-catalog":
            die()
        return made

catalog = Catalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")
table = catalog.load_table("n.t")

def write(*values):
    with open_writer(table) as writer:
        writer.write(pa.table({"n": list(values)}))
        if action == "die-while-writing":
            die()
    return writer.result

print("ready", flush=True)
sys.stdin.readline()
if action == "each":
    for number in numbers:
        commit_files(table, [write(number)])
else:
    part = write(*numbers)
    (folder / "part").write_bytes(pickle.dumps(part))
    if action == "die-before-the-commit":
        die()
    commit_files(table, [part], key="k")
"""


@pytest.fixture
def table(tmp_path: Path) -> Table:
    catalog = SqlCatalog("c", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/w")
    catalog.create_namespace("n")
    return catalog.create_table("n.t", Schema(NestedField(1, "n", LongType(), required=False)))


def start(folder: Path, action: str, *numbers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(folder), action, *map(str, numbers)]
    root = str(Path(flowkit.__file__).parent.parent)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env={**os.environ, "PYTHONPATH": root}, **pipes)  # type: ignore[call-overload,no-any-return]


def finish(*workers: subprocess.Popen[str]) -> list[int]:
    """Let workers go once all are ready; return how they ended."""
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
    return [worker.returncode for worker in workers]


def numbers(table: Table) -> list[int]:
    return sorted(table.refresh().scan().to_arrow().column("n").to_pylist())


def test_commits_of_four_processes_at_once_all_land(table: Table, tmp_path: Path) -> None:
    expected = list(range(20))
    workers = [start(tmp_path, "each", *expected[at::4]) for at in range(4)]
    assert finish(*workers) == [0] * 4
    assert numbers(table) == expected
    assert len(history(table)) == 20


def test_attempts_of_one_task_at_once_commit_once(table: Table, tmp_path: Path) -> None:
    workers = [start(tmp_path, "once", 1, 2, 3) for _ in range(4)]
    assert finish(*workers) == [0] * 4
    assert numbers(table) == [1, 2, 3]
    assert len(history(table)) == 1


@pytest.mark.parametrize(
    "action",
    [
        "die-while-writing",
        "die-before-the-commit",
        "die-before-the-catalog",
        "die-after-the-catalog",
    ],
)
def test_a_killed_commit_that_is_tried_again_is_made_once(
    table: Table, tmp_path: Path, action: str
) -> None:
    assert finish(start(tmp_path, action, 1, 2, 3)) == [-signal.SIGKILL]
    assert finish(start(tmp_path, "once", 1, 2, 3)) == [0]
    assert numbers(table) == [1, 2, 3]
    assert len(history(table)) == 1


def test_a_part_outlives_the_process_that_wrote_it(table: Table, tmp_path: Path) -> None:
    finish(start(tmp_path, "die-before-the-commit", 1, 2, 3))
    assert history(table) == []
    part = pickle.loads((tmp_path / "part").read_bytes())
    commit_files(table, [part])
    assert numbers(table) == [1, 2, 3]
