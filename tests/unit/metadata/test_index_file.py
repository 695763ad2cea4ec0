"""The index's file: many processes, forks, old and new schemas, damage."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit.errors import FlowkitError, MetadataError
from flowkit.metadata import Metadata
from flowkit.records import Clones, RunRecord
from flowkit.values import Digest, Fingerprint, RunId, TaskKey, TaskResult

Make = Callable[..., RunRecord]
Result = Callable[..., TaskResult]

RUN = RunId("Train", "1")
SOURCES = str(Path(__file__).parents[3])

WRITER = """
import sys
from datetime import UTC, datetime
from flowkit.metadata import Metadata
from flowkit.values import Attempt, Digest, Outcome, RunId, TaskKey, TaskResult

path, writer, batches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.stdin.readline()
index = Metadata.open(path)
now = datetime.now(UTC)
run = RunId("Train", "1")
for batch in range(batches):
    keys = [TaskKey("fit", (writer, batch * 5 + at)) for at in range(5)]
    index.record_started(run, [Attempt(key) for key in keys], now)
    outcome = Outcome(manifest=Digest(bytes(32)))
    index.record_results(run, [
        TaskResult(attempt=Attempt(key), status="succeeded", started_at=now, finished_at=now,
                   outcome=outcome)
        for key in keys
    ])
    index.heartbeat(run, now)
    assert len(index.tasks(run, "fit", under=(writer,))) == (batch + 1) * 5
index.close()
"""


def start_writer(path: str, writer: int, batches: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, path, str(writer), str(batches)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=SOURCES,
    )


def test_many_processes_make_and_fill_one_index_at_once(index_path: str) -> None:
    processes = [start_writer(index_path, writer, 100) for writer in range(8)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    errors = [process.communicate()[1] for process in processes]

    assert errors == [""] * 8
    assert [process.returncode for process in processes] == [0] * 8
    index = Metadata.open(index_path)
    assert len(index.tasks(RUN, "fit", status="succeeded")) == 8 * 100 * 5
    index.close()


def test_threads_share_an_index(index: Metadata, success: Result) -> None:
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for at in range(50):
                index.record_results(RUN, [success("fit", writer, at)])
                assert index.task(RUN, TaskKey("fit", (writer, at))) is not None
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(index.tasks(RUN, "fit")) == 400


def in_a_child(action: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except FlowkitError:
            os._exit(4)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_goes_on_with_its_parents_index(index: Metadata, success: Result) -> None:
    index.record_results(RUN, [success("fit", 0)])

    def write() -> None:
        index.record_results(RUN, [success("fit", 1)])
        index.close()

    assert in_a_child(write) == 0
    index.record_results(RUN, [success("fit", 2)])

    assert len(index.tasks(RUN)) == 3


def test_a_child_that_only_closes_leaves_its_parents_index_alone(
    index: Metadata, success: Result
) -> None:
    index.record_results(RUN, [success("fit", 0)])
    assert in_a_child(index.close) == 0
    index.record_results(RUN, [success("fit", 1)])
    assert len(index.tasks(RUN)) == 2


def test_an_index_in_memory_is_not_for_children() -> None:
    index = Metadata.open(":memory:")
    assert in_a_child(lambda: index.clear()) == MetadataError.exit_code
    index.clear()
    index.close()


def test_a_batch_is_written_whole_or_not_at_all(index: Metadata, success: Result) -> None:
    naive = success("fit", 2, started_at=success("fit").started_at.replace(tzinfo=None))
    with pytest.raises(TypeError):
        index.record_results(RUN, [success("fit", 1), naive])
    assert index.tasks(RUN) == []
    index.record_results(RUN, [success("fit", 1)])
    assert len(index.tasks(RUN)) == 1


def test_a_run_is_written_whole_or_not_at_all(index: Metadata, record: Make) -> None:
    with pytest.raises(UnicodeEncodeError):
        index.record_run(record(1, tags=("half \ud83d",)))
    assert index.run(RUN) is None
    index.record_run(record(1))
    assert index.run(RUN) is not None


OPENER = """
import sys
from datetime import UTC, datetime
from flowkit.metadata import Metadata
from flowkit.values import RunId
sys.stdin.readline()
for number in range(150):
    index = Metadata.open(f"{sys.argv[1]}/{number // 5}.db")
    index.heartbeat(RunId("Train", sys.argv[2]), datetime.now(UTC))
    index.close()
"""


def test_processes_may_open_and_close_new_indexes_together(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path), str(opener)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=SOURCES,
        )
        for opener in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [""] * 8


def test_what_was_written_is_there_when_opened_again(index_path: str, record: Make) -> None:
    index = Metadata.open(index_path)
    index.record_run(record(1))
    index.close()
    index.close()
    again = Metadata.open(index_path)
    assert [row.run for row in again.runs()] == [RUN]
    again.close()


def test_a_closed_index_says_so(index: Metadata) -> None:
    index.close()
    with pytest.raises(MetadataError) as caught:
        index.runs()
    assert caught.value.hint


def test_an_index_of_a_newer_flowkit_is_refused(index_path: str) -> None:
    Metadata.open(index_path).close()
    with sqlite3.connect(index_path) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()

    with pytest.raises(MetadataError) as caught:
        Metadata.open(index_path)

    assert "99" in caught.value.message
    assert "pip install --upgrade" in (caught.value.hint or "")


def test_an_index_of_before_clones_were_kept_apart_is_brought_up_to_date(
    index_path: str, success: Result, digest: Callable[[int], Digest]
) -> None:
    first, second, gone = (RunId("Train", str(number)) for number in (1, 2, 3))
    index = Metadata.open(index_path)
    for run, at in ((first, 0), (gone, 1)):
        found_by = Fingerprint(digest=digest(at), components={"code": "0" * 32})
        index.record_results(run, [success("fit", at, fingerprint=found_by)])
        index.record_clones(Clones(second, tuple(index.finished(run).values())))
    index.forget_run(gone)
    known = index.snapshot()
    index.close()
    with sqlite3.connect(index_path) as connection:
        for statement in (
            "DROP INDEX attempts_by_fingerprint",
            "ALTER TABLE attempts DROP COLUMN has_origin",
            "DROP TABLE clone_origins",
            "CREATE INDEX attempts_by_fingerprint ON attempts (flow, step, fingerprint) "
            "WHERE fingerprint IS NOT NULL",
            "UPDATE schema_version SET version = 3",
        ):
            connection.execute(statement)
    connection.close()

    again = Metadata.open(index_path)

    assert again.snapshot() == known
    assert list(again.computed(first, "fit", [digest(0), digest(1)])) == [digest(1)]
    again.close()


def test_a_file_that_is_no_index_asks_for_a_reindex(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    path.write_bytes(b"this was never a database" * 400)
    with pytest.raises(MetadataError) as caught:
        Metadata.open(str(path))
    assert "flowkit store reindex" in (caught.value.hint or "")


@pytest.mark.parametrize("damage", ["zeros", "truncated"])
def test_a_damaged_index_asks_for_a_reindex_and_can_be_replaced(
    index_path: str, record: Make, success: Result, damage: str
) -> None:
    index = Metadata.open(index_path)
    index.record_run(record(1))
    index.record_results(RUN, [success("fit", at) for at in range(2000)])
    index.close()
    file = Path(index_path)
    whole = file.read_bytes()
    if damage == "zeros":
        file.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    else:
        file.write_bytes(whole[: len(whole) // 3])

    def use() -> None:
        Metadata.open(index_path).tasks(RUN)

    with pytest.raises(MetadataError) as caught:
        use()
    assert "flowkit store reindex" in (caught.value.hint or "")

    fresh = Metadata.open_sound(index_path)
    assert fresh.runs() == []
    fresh.record_run(record(1))
    assert len(fresh.runs()) == 1
    fresh.close()


@pytest.mark.parametrize("harmed", ["a page of results", "the list of free pages"])
def test_damage_that_no_question_meets_is_found_and_can_be_replaced(
    index_path: str, record: Make, success: Result, harmed: str
) -> None:
    index = Metadata.open(index_path)
    index.record_run(record(1))
    index.record_results(RUN, [success("fit", at) for at in range(500)])
    index.check()
    if harmed == "the list of free pages":
        index.forget_run(RUN)
        index.record_run(record(2))
    index.close()
    data = bytearray(Path(index_path).read_bytes())
    if harmed == "the list of free pages":
        data[36:40] = (int.from_bytes(data[36:40], "big") + 1).to_bytes(4, "big")
    else:
        data[-4096:] = b"\xff" * 4096
    Path(index_path).write_bytes(data)

    index = Metadata.open(index_path)
    assert len(index.runs()) == 1
    with pytest.raises(MetadataError) as caught:
        index.check()
    assert "flowkit store reindex" in (caught.value.hint or "")
    assert "\n" not in caught.value.message
    index.close()

    fresh = Metadata.open_sound(index_path)
    fresh.record_run(record(1))
    fresh.check()
    fresh.close()
    again = Metadata.open(index_path)
    assert len(again.runs()) == 1
    again.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE runs SET parameters = 'xyz'",
        "UPDATE runs SET origin = 'nowhere'",
        "UPDATE runs SET started_at = 'noon'",
        "UPDATE attempts SET position = 'z'",
        "UPDATE attempts SET manifest = 'abc'",
        "UPDATE attempts SET failure = '{'",
        "DROP TABLE run_ends",
    ],
)
def test_what_makes_no_sense_is_damage(
    index_path: str, record: Make, success: Result, change: str
) -> None:
    index = Metadata.open(index_path)
    index.record_run(record(1))
    index.record_results(RUN, [success("fit", 1)])
    with sqlite3.connect(index_path) as connection:
        connection.execute(change)
    connection.close()

    def use() -> None:
        index.runs()
        index.tasks(RUN)

    with pytest.raises(MetadataError) as caught:
        use()
    assert "flowkit store reindex" in (caught.value.hint or "")
    index.close()


def test_a_disk_that_takes_no_more_is_no_damage(index_path: str) -> None:
    Metadata.open(index_path).close()
    code = """
import resource, signal, sys
from datetime import UTC, datetime
from flowkit.errors import MetadataError
from flowkit.metadata import Metadata
from flowkit.values import Attempt, RunId, TaskKey
index = Metadata.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
run = RunId("Train", "1")
written = 0
try:
    for written in range(1000):
        index.record_started(run, [Attempt(TaskKey("fit", (written,)))], datetime.now(UTC))
except MetadataError as error:
    print(error.hint, written > 0, len(index.tasks(run)) == written)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, index_path],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("check the disk: `df -h` True True\n", "")


def test_an_index_that_is_sound_answers_until_it_is_built_again(
    index_path: str, record: Make
) -> None:
    index = Metadata.open(index_path)
    index.record_run(record(1))
    opened = Metadata.open_sound(index_path)
    with opened.batch():
        opened.clear()
        assert len(index.runs()) == 1
    assert index.runs() == []
    index.close()
    opened.close()


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MetadataError) as caught:
        Metadata.open(str(tmp_path / "file" / "home" / "metadata.db"))
    assert caught.value.hint


def test_a_path_that_is_a_folder_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(MetadataError) as caught:
        Metadata.open(str(tmp_path))
    assert caught.value.hint


def test_importing_the_room_does_not_import_sqlite() -> None:
    code = (
        "import sys; before = set(sys.modules); import flowkit.metadata; "
        "sys.exit('sqlite3' in set(sys.modules) - before)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=SOURCES, check=False).returncode == 0
