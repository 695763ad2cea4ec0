"""Questions about flows and runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from flowkit.metadata import Metadata
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.values import Attempt, Digest, Failure, Outcome, RunId, TaskKey

Make = Callable[..., RunRecord]


def ids(rows: list) -> list[str]:
    return [str(row.run) for row in rows]


def end_of(record: RunRecord, status: str = "succeeded") -> RunEnd:
    return RunEnd(
        run=record.run,
        status=status,  # type: ignore[arg-type]
        finished_at=record.started_at + timedelta(seconds=9),
        failed=(TaskKey("fit", (3,)), TaskKey("start")) if status == "failed" else (),
        failure=Failure(type_name="ValueError", message="no") if status == "failed" else None,
    )


def test_a_run_comes_back_with_all_that_was_recorded(index: Metadata, record: Make) -> None:
    made = record(
        7,
        origin=RunId("Train", "3"),
        tags=("b", "a"),
        host="laptop",
        pid=12,
        flowkit_version="0.1",
        python_version="3.11.2",
    )
    index.record_run(made)
    index.record_end(end_of(made, "failed"))

    row = index.run(made.run)

    assert row is not None
    assert row.run == made.run
    assert row.status == "failed"
    assert (row.started_at, row.finished_at) == (
        made.started_at,
        made.started_at + timedelta(seconds=9),
    )
    assert row.started_at.tzinfo is UTC
    assert (row.user, row.tags, row.system_tags) == ("ann", ("a", "b"), ("user:ann",))
    assert (row.origin, row.parameters) == (RunId("Train", "3"), made.parameters)
    assert (row.start_step, row.end_step) == ("start", "end")
    assert (row.host, row.pid) == ("laptop", 12)
    assert (row.flowkit_version, row.python_version) == ("0.1", "3.11.2")
    assert row.failed == (TaskKey("fit", (3,)), TaskKey("start"))
    assert row.failure == Failure(type_name="ValueError", message="no")


def test_a_run_that_is_not_there_is_none(index: Metadata) -> None:
    assert index.run(RunId("Train", "1")) is None
    assert index.latest_run("Train") is None
    assert index.runs() == []


def test_runs_come_newest_first_and_numbers_count_as_numbers(index: Metadata, record: Make) -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    for number in (9, 10, 8):
        index.record_run(record(number, started_at=noon))
    index.record_run(record(1, started_at=noon + timedelta(days=1)))

    assert ids(index.runs("Train")) == ["Train/1", "Train/10", "Train/9", "Train/8"]


def test_pages_of_runs_together_are_all_runs(index: Metadata, record: Make) -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    for number in range(1, 12):
        # Some begin together, so that a page may end between equals.
        index.record_run(
            record(number, tags=("a", "b"), started_at=noon + timedelta(hours=number // 4))
        )

    paged: list[str] = []
    before = None
    while page := index.runs("Train", limit=3, before=before):
        assert len(page) <= 3
        assert all(row.tags == ("a", "b") for row in page)
        paged += ids(page)
        before = page[-1].run

    assert paged == [f"Train/{number}" for number in range(11, 0, -1)]
    assert paged == ids(index.runs("Train"))


def test_runs_are_filtered_by_every_tag_named(index: Metadata, record: Make) -> None:
    index.record_run(record(1, tags=("a",)))
    index.record_run(record(2, tags=("a", "b")))
    index.record_run(record(3, tags=("b",), system_tags=("user:bob",)))

    assert ids(index.runs(tags=["a"])) == ["Train/2", "Train/1"]
    assert ids(index.runs(tags=["a", "b"])) == ["Train/2"]
    assert ids(index.runs(tags=["user:bob", "b"])) == ["Train/3"]
    assert ids(index.runs(tags=["c"])) == []


def test_runs_are_filtered_by_user_time_and_flow(index: Metadata, record: Make) -> None:
    made = [record(1), record(2, user="bob"), record(3, flow="Score"), record(4)]
    for one in made:
        index.record_run(one)

    assert ids(index.runs(user="bob")) == ["Train/2"]
    assert ids(index.runs(since=made[1].started_at)) == ["Train/4", "Score/3", "Train/2"]
    assert ids(index.runs(until=made[1].started_at)) == ["Train/1"]
    assert ids(index.runs("Score")) == ["Score/3"]


def test_runs_are_counted_as_they_are_filtered(index: Metadata, record: Make) -> None:
    for made in (record(1, tags=("a", "b")), record(2, tags=("a",)), record(3, flow="Score")):
        index.record_run(made)
        index.record_end(end_of(made, "failed" if made.run.id == "2" else "succeeded"))

    assert index.count_runs() == 3
    assert index.count_runs("Train") == 2
    assert index.count_runs(tags=["a", "b"]) == 1
    assert index.count_runs("Train", status="failed") == 1
    assert index.count_runs(user="bob") == 0


def test_status_counts_before_the_limit(index: Metadata, record: Make) -> None:
    for number in range(1, 7):
        made = record(number)
        index.record_run(made)
        index.record_end(end_of(made, "succeeded" if number % 2 else "failed"))

    assert ids(index.runs(status="failed", limit=2)) == ["Train/6", "Train/4"]
    latest = index.latest_run("Train", status="succeeded")
    assert latest is not None
    assert latest.run == RunId("Train", "5")


def test_flows_count_their_runs(index: Metadata, record: Make) -> None:
    for made in (record(1), record(5), record(2, flow="Score")):
        index.record_run(made)

    flows = index.flows()

    assert [(flow.name, flow.runs) for flow in flows] == [("Score", 1), ("Train", 2)]
    assert (flows[1].first_started_at, flows[1].last_started_at) == (
        record(1).started_at,
        record(5).started_at,
    )


def test_flows_may_be_asked_for_by_tag(index: Metadata, record: Make) -> None:
    for made in (
        record(1, tags=("a", "b")),
        record(2, tags=("a",)),
        record(3, flow="Score", system_tags=("user:bob",), tags=("a",)),
    ):
        index.record_run(made)

    assert [(flow.name, flow.runs) for flow in index.flows(tags=["a", "user:ann"])] == [
        ("Train", 2)
    ]
    assert [flow.name for flow in index.flows(tags=["b", "user:bob"])] == []


def test_a_run_of_a_living_process_heard_of_lately_is_running(
    index: Metadata, record: Make
) -> None:
    made = record(1, host=socket.gethostname(), pid=os.getpid(), started_at=datetime.now(UTC))
    index.record_run(made)

    row = index.run(made.run)

    assert row is not None
    assert (row.status, row.finished_at) == ("running", None)


def test_a_run_not_heard_of_for_long_is_lost(index: Metadata, record: Make) -> None:
    index.record_run(record(1, host=socket.gethostname(), pid=os.getpid()))
    row = index.run(RunId("Train", "1"))
    assert row is not None
    assert row.status == "lost"


def test_a_heartbeat_says_who_drives_the_run_now(index: Metadata, record: Make) -> None:
    index.record_run(record(1, host="elsewhere", pid=1))
    index.heartbeat(RunId("Train", "1"), datetime.now(UTC))
    index.heartbeat(RunId("Train", "1"), datetime.now(UTC) - timedelta(hours=1))

    row = index.run(RunId("Train", "1"))

    assert row is not None
    assert (row.status, row.host, row.pid) == ("running", socket.gethostname(), os.getpid())


def test_a_run_whose_process_is_gone_is_lost_at_once(index: Metadata, record: Make) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    now = datetime.now(UTC)
    index.record_run(record(1, host=socket.gethostname(), pid=gone.pid, started_at=now))
    index.record_run(record(2, host="elsewhere", pid=gone.pid, started_at=now))

    assert [(row.run.id, row.status) for row in index.runs()] == [("2", "running"), ("1", "lost")]


def test_running_and_lost_runs_are_told_apart_in_pages(index: Metadata, record: Make) -> None:
    now = datetime.now(UTC)
    for number in range(1, 241):
        alive = number % 120 == 0
        index.record_run(record(number, started_at=now if alive else record(number).started_at))
    index.record_end(end_of(record(5)))

    assert ids(index.runs(status="running")) == ["Train/240", "Train/120"]
    assert len(index.runs(status="lost")) == 237
    assert ids(index.runs(status="lost", limit=2)) == ["Train/239", "Train/238"]
    assert (index.count_runs(status="running"), index.count_runs(status="lost")) == (2, 237)


def test_changed_tags_replace_those_at_the_start(index: Metadata, record: Make) -> None:
    made = record(1, tags=("old", "kept"))
    index.record_run(made)
    index.record_tags(made.run, ("kept", "new"))
    index.record_run(made)

    row = index.run(made.run)

    assert row is not None
    assert (row.tags, row.system_tags) == (("kept", "new"), ("user:ann",))


def test_tags_may_be_recorded_before_their_run(index: Metadata, record: Make) -> None:
    made = record(1, tags=("old",))
    index.record_tags(made.run, ())
    assert index.runs() == []
    index.record_run(made)

    row = index.run(made.run)

    assert row is not None
    assert row.tags == ()


def test_a_forgotten_run_leaves_nothing(
    index: Metadata, record: Make, success: Callable[..., object]
) -> None:
    empty = index.snapshot()
    index.record_run(record(2))
    kept = index.snapshot()
    index.record_run(record(1, tags=("a",)))
    index.forget_run(RunId("Train", "1"))
    assert ids(index.runs()) == ["Train/2"]
    assert ids(index.runs(tags=["a"])) == []
    assert index.snapshot() == kept
    index.clear()
    assert index.snapshot() == empty


def test_one_run_can_be_cleared_and_told_of_again(index: Metadata, record: Make) -> None:
    index.record_run(record(1, tags=("a",)))
    index.record_run(record(2))
    both = index.snapshot()
    index.clear(RunId("Train", "1"))
    assert [row.run.id for row in index.runs()] == ["2"]
    index.forget_run(RunId("Train", "1"))
    index.clear(RunId("Train", "1"))  # the deletion came to nothing
    index.record_run(record(1, tags=("a",)))
    assert index.snapshot() == both


def test_what_is_written_late_of_a_forgotten_run_is_ignored(
    index: Metadata, record: Make, success: Callable[..., object]
) -> None:
    index.record_run(record(2))
    kept, run, now = index.snapshot(), RunId("Train", "1"), datetime.now(UTC)
    index.forget_run(run)
    index.record_run(record(1, tags=("a",)))
    index.record_results(run, [success("start")])  # type: ignore[list-item]
    index.record_started(run, [Attempt(TaskKey("end"))], now)
    outcome = Outcome(manifest=Digest(bytes(32)))
    clone = Clone(key=TaskKey("fit"), origin=run, attempt=0, outcome=outcome)
    index.record_clones(Clones(run, (clone,)))
    index.record_tags(run, ("b",))
    index.heartbeat(run, now)
    index.record_end(RunEnd(run=run, status="succeeded", finished_at=now))
    assert index.snapshot() == kept
    assert index.tasks(run) == []
    assert index.seen_at(run) is None


def test_signs_of_life_outlive_what_records_give_back(index: Metadata, record: Make) -> None:
    run, now = RunId("Train", "2"), datetime.now(UTC)
    long_ago = record(2, started_at=now - timedelta(hours=1), pid=os.getpid())
    index.record_run(long_ago)
    index.heartbeat(run, now)
    index.record_started(run, [Attempt(TaskKey("end"))], now)
    index.clear()
    index.record_run(long_ago)
    assert [row.status for row in index.runs()] == ["running"]
    assert [row.status for row in index.tasks(run)] == ["running"]


def test_a_sign_of_life_of_an_older_run_of_the_same_id_counts_for_nothing(
    index: Metadata, record: Make
) -> None:
    run, now = RunId("Train", "2"), datetime.now(UTC)
    index.heartbeat(run, now - timedelta(minutes=1))
    index.record_run(record(2, started_at=now, host="elsewhere", pid=4))
    (row,) = index.runs()
    assert (row.status, row.host, row.pid) == ("running", "elsewhere", 4)


def test_times_keep_every_microsecond(index: Metadata, record: Make) -> None:
    times = [
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 59, 59, 999997, tzinfo=UTC),
        datetime(2024, 3, 10, 1, 2, 3, 333333, tzinfo=UTC).astimezone(),
    ]
    for number, time in enumerate(times):
        index.record_run(record(number, started_at=time))

    found = {row.run.id: row.started_at for row in index.runs()}

    assert [found[str(number)] for number in range(len(times))] == times


def test_a_time_without_a_zone_is_refused(index: Metadata, record: Make) -> None:
    with pytest.raises(TypeError):
        index.record_run(record(1, started_at=datetime(2024, 1, 1)))
    assert index.runs() == []
