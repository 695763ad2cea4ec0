"""A writer that is killed at any of its system calls leaves whole files or none."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowkit.store import DirectoryStorage, Store, collect, verify_store

# Kills its own process with SIGKILL before or after the n-th call of a function of `os`.
WRITER = """
import os, signal, sys
root, name, when, nth = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
real, calls = getattr(os, name), 0
def deadly(*args, **kwargs):
    global calls
    calls += 1
    if calls == nth and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **kwargs)
    if calls == nth and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return result
from flowkit.store import Store
store = Store.open(root)
setattr(os, name, deadly)
first = store.put(os.urandom(2 << 20))
writer = store.write_manifest()
writer.add("x", list(range(5000)))
writer.commit()
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["open", "mkdir", "writev", "utime", "fsync", "link", "unlink"])
def test_a_killed_writer_leaves_whole_files_or_none(tmp_path: Path, name: str, when: str) -> None:
    killed = 0
    for nth in range(1, 4):
        root = tmp_path / str(nth)
        done = subprocess.run([sys.executable, "-c", WRITER, str(root), name, when, str(nth)])
        assert done.returncode in (0, -signal.SIGKILL)
        killed += done.returncode != 0
        # To the storage, all that the writer left is an hour old.
        store = Store(DirectoryStorage(root, now=lambda: time.time() + 3600))
        assert list(verify_store(store)) == []
        collect(store)
        assert list(store.storage.list("objects")) == []
        assert not list((root / ".temporary").glob("*"))
        assert store.get(store.put(b"works still")) == b"works still"
    assert killed


TRACED = """
import os, sys
from flowkit.store import Store
from flowkit.values import Attempt, RunId, TaskKey
store = Store.open(sys.argv[1], sync=sys.argv[2] == "synced")
store.create_log(RunId("Flow", "1"), Attempt(TaskKey("start"), 0), b"the folders are there now")
for name in ("writev", "fsync", "link", "unlink"):
    def traced(*args, name=name, real=getattr(os, name)):
        print(name)
        return real(*args)
    setattr(os, name, traced)
store.create_log(RunId("Flow", "1"), Attempt(TaskKey("start"), 1), b"x")
"""


@pytest.mark.parametrize(
    ("how", "calls"),
    [
        ("synced", ["writev", "fsync", "link", "fsync", "unlink"]),
        ("unsynced", ["writev", "link", "unlink"]),
    ],
)
def test_bytes_are_on_the_disk_before_their_name_is(
    tmp_path: Path, how: str, calls: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACED, str(tmp_path / "store"), how],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == calls
