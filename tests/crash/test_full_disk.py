"""A disk that is full: a clear error, nothing lost, and room can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flowkit import DataFrame, Table
from flowkit.table import CommitFailed, DataFileUnwritten

if TYPE_CHECKING:
    from conftest import Yard

SIZE_MB = 4


@pytest.fixture
def disk(yard: Yard) -> Iterator[Path]:
    """A small file system of its own under the home of all that runs."""
    yard.home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(yard.home)]
    if os.getuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("only root may mount a file system here")
    yield yard.home
    subprocess.run(["umount", "--lazy", str(yard.home)], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"x" * 4096):
            pass
    assert shutil.disk_usage(disk).free == 0


def test_a_full_disk_ends_a_run_and_room_can_be_made(yard: Yard, disk: Path) -> None:
    yard.write("""
        class Fill(FlowSpec):
            @step
            def start(self):
                self.kept = os.urandom(500_000)
                self.next(self.end)

            @step
            def end(self):
                self.large = os.urandom(int(os.environ["LARGE"]))
    """)
    assert yard.run("run", LARGE="1000").returncode == 0
    failed = yard.run("run", LARGE=str(SIZE_MB << 20))
    assert failed.returncode == 4
    assert "no space left" in failed.stderr
    assert "hint: free some space" in failed.stderr
    fill(disk)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            yard.command(*words),
            env=yard.environ(),
            capture_output=True,
            text=True,
            check=False,
        )

    listed = call("list", "runs")
    assert listed.returncode == 0
    assert "Fill/1" in listed.stdout
    assert call("show", "Fill/1").returncode == 0
    # The index may have no room to forget the run before garbage is collected.
    deleted = call("run", "delete", "Fill/1", "--yes").returncode
    collected = call("gc", "--grace", "0s")
    assert (collected.returncode, "removed 0" in collected.stdout) == (0, False)
    if deleted == 4:
        deleted = call("run", "delete", "Fill/1", "--yes").returncode
    assert deleted == 0
    resumed = yard.run("resume", LARGE="1000")
    assert (resumed.returncode, "start cloned 1 task" in resumed.stderr) == (0, True)
    assert "Fill/1" not in call("list", "runs").stdout
    assert call("store", "verify").returncode == 0


def test_a_disk_that_can_only_be_read_can_be_looked_at(yard: Yard, disk: Path) -> None:
    yard.write("""
        class Small(FlowSpec):
            @step
            def start(self):
                print("started")
                self.kept = 7
                self.next(self.end)

            @step
            def end(self):
                assert "FAIL" not in os.environ
    """)
    assert yard.run("run", FAIL="yes").returncode == 1

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            yard.command(*words), env=yard.environ(), capture_output=True, text=True, check=False
        )

    remount = ["mount", "-o", "remount", str(disk)]
    subprocess.run([*remount, "-o", "ro"], check=True)
    for words, shown in (
        (["list", "runs"], "Small/1"),
        (["show", "Small/1"], "start"),
        (["logs", "Small/1"], "started"),
        (["dump", "Small/1/start/0"], "kept"),
        (["store", "verify"], "undamaged"),
        (["gc"], "removed 0 objects"),
    ):
        looked = call(*words)
        assert (looked.returncode, looked.stderr) == (0, "")
        assert shown in looked.stdout
    refused = [
        call("tag", "add", "Small/1", "nice"),
        call("run", "delete", "Small/1", "--yes"),
        call("store", "reindex"),
        yard.run("run"),
        yard.run("resume"),
    ]
    for one in refused:
        assert one.returncode == 4, one.stderr
        assert one.stderr.startswith("error: ")
        assert "hint: " in one.stderr
        assert "Traceback" not in one.stderr
    subprocess.run([*remount, "-o", "rw"], check=True)
    resumed = yard.run("resume")
    assert (resumed.returncode, "start cloned 1 task" in resumed.stderr) == (0, True)


def test_a_table_on_a_full_disk_is_left_as_it_was(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_HOME", str(disk))
    table = Table.create("n.t", DataFrame({"data": [b""]}))
    table.append({"data": [b"first"]})
    with pytest.raises(DataFileUnwritten, match="No space left on device"):
        table.append({"data": [os.urandom(1 << 20) for _ in range(SIZE_MB)]})
    with table.writer() as writer:
        writer.write({"data": [b"second"]})
    fill(disk)
    with pytest.raises(CommitFailed, match=r"No space left on device|disk is full"):
        table.commit(writer.result)
    assert table.scan().count() == 1
    (disk / "filler").unlink()
    table.commit(writer.result)
    assert sorted(table.scan().to_arrow()["data"].to_pylist()) == [b"first", b"second"]
