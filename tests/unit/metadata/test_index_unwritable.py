"""An index that cannot be written: it can be read; and batches, which are written whole."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowkit.errors import MetadataError
from flowkit.metadata import Metadata
from flowkit.records import RunRecord
from flowkit.values import RunId

Make = Callable[..., RunRecord]

SOURCES = str(Path(__file__).parents[3])


@contextmanager
def files_that_cannot_grow() -> Iterator[None]:
    """Let no file be made or grow, as on a full disk."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_an_index_on_a_full_disk_can_be_read_and_later_written(
    index_path: str, record: Make
) -> None:
    index = Metadata.open(index_path)
    index.record_run(record(1))
    index.close()
    with files_that_cannot_grow():
        index = Metadata.open(index_path)
        assert [row.run.id for row in index.runs()] == ["1"]
        for _ in range(2):
            with pytest.raises(MetadataError, match="cannot be read or written"):
                index.record_run(record(2))
        assert [row.run.id for row in index.runs()] == ["1"]
    index.record_run(record(2))
    assert [row.run.id for row in index.runs()] == ["2", "1"]
    index.close()


def test_what_another_process_left_in_the_log_is_not_overlooked(
    index_path: str, record: Make
) -> None:
    Metadata.open(index_path).close()
    # It dies with a commit in its log that the index's own file does not have.
    code = """
import os, sys
from datetime import UTC, datetime
from flowkit.metadata import Metadata
from flowkit.values import RunId
index = Metadata.open(sys.argv[1])
index.heartbeat(RunId("Train", "1"), datetime.now(UTC))
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, index_path], cwd=SOURCES, check=False)
    assert Path(f"{index_path}-wal").stat().st_size
    Path(f"{index_path}-shm").unlink()
    with files_that_cannot_grow(), pytest.raises(MetadataError, match="cannot be read or written"):
        Metadata.open(index_path)
    index = Metadata.open(index_path)
    assert index.seen_at(RunId("Train", "1")) is not None
    index.close()


def test_a_batch_of_records_is_written_whole(index_path: str, record: Make) -> None:
    index, other = Metadata.open(index_path), Metadata.open(index_path)
    assert index.is_empty
    with index.batch():
        index.record_run(record(1))
        index.record_run(record(2))
        assert other.is_empty
    assert len(other.runs()) == 2

    def break_off() -> None:
        with index.batch():
            index.clear()
            index.record_run(record(3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [row.run.id for row in other.runs()] == ["2", "1"]
    index.record_run(record(3))
    assert len(other.runs()) == 3
    index.close()
    other.close()
