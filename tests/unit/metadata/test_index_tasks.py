"""Questions about a run's steps, tasks and attempts."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from msgspec.structs import replace

from flowkit.metadata import AttemptRow, Metadata
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.values import (
    Attempt,
    Digest,
    Failure,
    Fingerprint,
    Outcome,
    RunId,
    TaskKey,
    TaskResult,
)

Make = Callable[..., RunRecord]
Result = Callable[..., TaskResult]

RUN = RunId("Train", "1")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def task_ids(rows: list[AttemptRow]) -> list[str]:
    return [row.key.task_id for row in rows]


def clones(digest: Callable[[int], Digest], run: RunId = RUN) -> Clones:
    origin = RunId("Train", "0")
    return Clones(
        run,
        (
            Clone(
                key=TaskKey("start"),
                origin=origin,
                attempt=0,
                outcome=Outcome(manifest=digest(1), width=3),
            ),
            Clone(
                key=TaskKey("fit", (0,)),
                origin=RunId("Train", "older"),
                attempt=2,
                outcome=Outcome(manifest=digest(2), choice="pick"),
            ),
        ),
    )


def test_a_result_comes_back_with_all_that_was_recorded(index: Metadata, success: Result) -> None:
    caught = Failure(type_name="KeyError", message="'x'", traceback="…", where="flow.py:3")
    made = success("fit", 3, 1, at=5, caught=caught)
    index.record_results(RUN, [made])

    row = index.task(RUN, TaskKey("fit", (3, 1)))

    assert row == AttemptRow(
        run=RUN,
        attempt=made.attempt,
        status="succeeded",
        started_at=made.started_at,
        finished_at=made.finished_at,
        outcome=made.outcome,
        failure=None,
        caught=caught,
        origin=None,
        host="laptop",
        pid=42,
        cpu_s=0.25,
        peak_memory_bytes=1 << 33,
    )


def test_tasks_come_in_the_order_people_count(index: Metadata, success: Result) -> None:
    paths = [(3, 10), (0, 0), (3, 9), (10, 0), (2, 100), (100_000, 7), (2, 99)]
    index.record_results(RUN, [success("fit", *path) for path in paths])
    turns = [Attempt(TaskKey("loop", (), turn)) for turn in (0, 9, 10, 2)]
    index.record_results(RUN, [replace(success("loop"), attempt=turn) for turn in turns])

    rows = index.tasks(RUN, "fit")

    assert [row.key.path for row in rows] == sorted(paths)
    assert task_ids(index.tasks(RUN, "loop")) == ["0", "0@2", "0@9", "0@10"]
    assert len(index.tasks(RUN)) == len(paths) + len(turns)


def test_a_task_is_its_latest_attempt_and_every_attempt_is_kept(
    index: Metadata, success: Result, failed: Result
) -> None:
    index.record_results(RUN, [failed("fit", 0, attempt=0), success("fit", 0, attempt=10)])
    index.record_results(RUN, [failed("fit", 0, attempt=9), failed("fit", 1)])

    rows = index.tasks(RUN)

    assert [(row.attempt.number, row.status) for row in rows] == [(10, "succeeded"), (0, "failed")]
    assert rows[1].failure == Failure(type_name="ValueError", message="häßlich\nno", hint="fix it")
    attempts = index.attempts(RUN, TaskKey("fit", (0,)))
    assert [row.attempt.number for row in attempts] == [0, 9, 10]
    assert index.attempts(RUN, TaskKey("fit", (7,))) == []
    assert index.task(RUN, TaskKey("fit", (7,))) is None


def test_status_asks_for_the_latest_attempt(
    index: Metadata, success: Result, failed: Result
) -> None:
    index.record_results(
        RUN, [failed("fit", 0), success("fit", 0, attempt=1), failed("fit", 1), success("fit", 2)]
    )

    assert task_ids(index.tasks(RUN, status="failed")) == ["1"]
    assert task_ids(index.tasks(RUN, "fit", status="succeeded")) == ["0", "2"]


def test_pages_of_tasks_together_are_all_tasks(index: Metadata, success: Result) -> None:
    index.record_results(RUN, [success("fit", number) for number in range(25)])

    pages = [task_ids(index.tasks(RUN, "fit", limit=10, offset=at)) for at in (0, 10, 20, 30)]

    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert [one for page in pages for one in page] == [str(number) for number in range(25)]
    assert task_ids(index.tasks(RUN, "fit", offset=23)) == ["23", "24"]


def test_a_page_may_begin_after_a_task(index: Metadata, success: Result) -> None:
    index.record_results(RUN, [success("fit", number) for number in range(12)])
    index.record_results(RUN, [success("end")])

    assert task_ids(index.tasks(RUN, "fit", after=TaskKey("fit", (8,)), limit=2)) == ["9", "10"]
    assert task_ids(index.tasks(RUN, "fit", after=TaskKey("fit", (11,)))) == []
    found = index.tasks(RUN, after=TaskKey("end"), limit=1)
    assert [str(row.key) for row in found] == ["fit/0"]


def test_a_page_costs_the_same_however_many_tasks_come_after_it(
    index: Metadata, success: Result
) -> None:
    width = 10_000
    index.record_results(RUN, [success("fit", number) for number in range(width)])

    def took_s(after: int) -> float:
        times = []
        for _ in range(5):
            began = time.thread_time()
            assert len(index.tasks(RUN, "fit", after=TaskKey("fit", (after,)), limit=10)) == 10
            times.append(time.thread_time() - began)
        return min(times)

    assert took_s(0) < 5 * took_s(width - 11)


def test_tasks_under_an_element_are_those_of_its_path(index: Metadata, success: Result) -> None:
    paths = [(1, 0), (1, 5), (1, 12), (11, 0), (2, 0), (0, 1)]
    index.record_results(RUN, [success("fit", *path) for path in paths])

    assert task_ids(index.tasks(RUN, "fit", under=(1,))) == ["1.0", "1.5", "1.12"]
    assert task_ids(index.tasks(RUN, "fit", under=(1, 5))) == ["1.5"]
    assert task_ids(index.tasks(RUN, "fit", under=(3,))) == []


@pytest.mark.parametrize("text", ["0", "7", "0@2", "3.10@1", "12.0.4"])
def test_a_task_is_found_by_its_id(index: Metadata, success: Result, text: str) -> None:
    depth = 0 if text in ("0", "0@2") else text.count(".") + 1
    key = TaskKey.parse("fit", text, depth=depth)
    index.record_results(RUN, [replace(success("fit"), attempt=Attempt(key))])

    row = index.find_task(RUN, "fit", text)

    assert row is not None
    assert row.key == key
    assert index.find_task(RUN, "fit", "1") is None
    assert index.find_task(RUN, "start", text) is None


@pytest.mark.parametrize("text", ["", "x", "01", "1.", "-1", "0@0", "1@x"])
def test_a_text_that_is_no_task_id_finds_nothing(
    index: Metadata, success: Result, text: str
) -> None:
    index.record_results(RUN, [success("fit", 1), success("fit")])
    assert index.find_task(RUN, "fit", text) is None


def test_an_attempt_that_started_runs_until_its_result_comes(
    index: Metadata, record: Make, success: Result
) -> None:
    index.record_run(record(1, started_at=datetime.now(UTC)))
    at = record(1).started_at
    index.record_started(RUN, [Attempt(TaskKey("fit", (n,))) for n in range(2)], at)
    assert [(row.status, row.started_at) for row in index.tasks(RUN)] == [("running", at)] * 2
    assert len(index.tasks(RUN, status="running")) == 2
    assert index.tasks(RUN, status="lost") == []

    index.record_results(RUN, [success("fit", 0)])

    assert [row.status for row in index.tasks(RUN)] == ["succeeded", "running"]
    (step,) = index.steps(RUN)
    assert (step.total, step.succeeded, step.running) == (2, 1, 1)


def test_a_late_start_does_not_hide_a_result(index: Metadata, success: Result) -> None:
    index.record_results(RUN, [success("fit", 0)])
    known = index.tasks(RUN)
    index.record_started(RUN, [Attempt(TaskKey("fit", (0,)))], datetime.now(UTC))
    assert index.tasks(RUN) == known


def test_what_ran_when_the_driver_died_is_lost(index: Metadata, record: Make) -> None:
    index.record_run(record(1, started_at=LONG_AGO))
    index.record_started(RUN, [Attempt(TaskKey("start"))], LONG_AGO)

    assert [row.status for row in index.tasks(RUN)] == ["lost"]
    assert [row.status for row in index.tasks(RUN, status="lost")] == ["lost"]
    assert index.tasks(RUN, status="running") == []
    (step,) = index.steps(RUN)
    assert (step.running, step.lost, step.total) == (0, 1, 1)


def test_nothing_runs_in_a_run_that_ended(index: Metadata, record: Make, success: Result) -> None:
    index.record_run(record(1))
    index.record_results(RUN, [success("start")])
    index.record_started(RUN, [Attempt(TaskKey("fit", (0,)))], LONG_AGO)
    index.record_end(RunEnd(run=RUN, status="cancelled", finished_at=datetime.now(UTC)))
    index.record_started(RUN, [Attempt(TaskKey("fit", (1,)))], LONG_AGO)

    assert [str(row.key) for row in index.tasks(RUN)] == ["start/0"]


def test_steps_are_counted_by_the_latest_attempt_of_each_task(
    index: Metadata, record: Make, success: Result, failed: Result
) -> None:
    index.record_run(record(1))
    index.record_results(
        RUN,
        [
            success("start", at=0),
            failed("fit", 0, at=2),
            success("fit", 0, attempt=1, at=30),
            failed("fit", 1, at=3),
            success("fit", 2, at=4),
            success("pick", at=10),
        ],
    )

    steps = index.steps(RUN)

    assert [
        (step.step, step.total, step.succeeded, step.failed, step.cloned) for step in steps
    ] == [("start", 1, 1, 0, 0), ("fit", 3, 2, 1, 0), ("pick", 1, 1, 0, 0)]
    first = success("start").started_at
    assert steps[1].started_at == first + timedelta(seconds=2)
    assert steps[1].finished_at == first + timedelta(seconds=31)
    assert index.steps(RunId("Train", "2")) == []
    assert index.steps(RUN, "fit") == [steps[1]]
    assert index.steps(RUN, "end") == []


def test_a_task_counts_once_however_many_attempts_it_took(
    index: Metadata, failed: Result, success: Result
) -> None:
    index.record_results(RUN, [failed("fit", 0, attempt=number) for number in (0, 1, 3)])
    index.record_results(RUN, [success("fit", 1, attempt=2)])

    (step,) = index.steps(RUN)

    assert (step.total, step.succeeded, step.failed) == (2, 1, 1)


def test_cloned_steps_come_first_in_the_order_of_the_flow(
    index: Metadata, record: Make, success: Result, digest: Callable[[int], Digest]
) -> None:
    index.record_run(record(1))
    index.record_results(RUN, [success("pick", at=1)])
    index.record_clones(clones(digest))

    steps = index.steps(RUN)

    assert [(step.step, step.succeeded, step.cloned) for step in steps] == [
        ("start", 1, 1),
        ("fit", 1, 1),
        ("pick", 1, 0),
    ]
    assert steps[0].started_at is None


def test_a_clone_is_a_success_that_names_its_origin(
    index: Metadata, digest: Callable[[int], Digest]
) -> None:
    index.record_clones(clones(digest))

    row = index.task(RUN, TaskKey("fit", (0,)))

    assert row is not None
    assert (row.status, row.origin) == ("succeeded", RunId("Train", "older"))
    assert row.attempt == Attempt(TaskKey("fit", (0,)), 2)
    assert row.outcome == Outcome(manifest=digest(2), choice="pick")
    assert row.started_at is None


def test_finished_is_what_a_resume_may_clone(
    index: Metadata, success: Result, failed: Result, digest: Callable[[int], Digest]
) -> None:
    cloned = clones(digest)
    retried = success("fit", 1, attempt=1, outcome=Outcome(manifest=digest(9), width=4))
    index.record_clones(cloned)
    index.record_results(RUN, [failed("fit", 1), retried, failed("fit", 2)])
    index.record_started(RUN, [Attempt(TaskKey("end"))], LONG_AGO)

    assert index.finished(RUN) == {
        **{clone.key: clone for clone in cloned.clones},
        TaskKey("fit", (1,)): Clone(
            key=TaskKey("fit", (1,)), origin=RUN, attempt=1, outcome=retried.outcome
        ),
    }
    assert index.finished(RunId("Train", "2")) == {}


def test_the_previous_manifest_is_of_the_latest_earlier_run_that_has_one(
    index: Metadata,
    record: Make,
    success: Result,
    failed: Result,
    digest: Callable[[int], Digest],
) -> None:
    key = TaskKey("fit", (0,))
    for number in range(1, 6):
        index.record_run(record(number))
    for number in (1, 2, 5):
        made = success("fit", 0, outcome=Outcome(manifest=digest(number)))
        index.record_results(RunId("Train", str(number)), [made])
    index.record_results(RunId("Train", "3"), [failed("fit", 0)])
    index.record_run(record(9, flow="Score"))
    index.record_results(RunId("Score", "9"), [success("fit", 0)])

    def previous(number: int, key: TaskKey = key) -> Digest | None:
        return index.previous_manifest("Train", RunId("Train", str(number)), key)

    assert [previous(number) for number in range(1, 6)] == [
        None,
        digest(1),
        digest(2),
        digest(2),
        digest(2),
    ]
    assert previous(5, TaskKey("fit", (1,))) is None
    assert previous(77) is None


def test_records_in_any_order_and_repeated_give_the_same_index(
    record: Make,
    success: Result,
    failed: Result,
    digest: Callable[[int], Digest],
) -> None:
    made = record(1, tags=("old",))
    writes: list[Callable[[Metadata], None]] = [
        lambda index: index.record_run(made),
        lambda index: index.record_results(RUN, [failed("pick"), success("pick", attempt=1)]),
        lambda index: index.record_clones(clones(digest)),
        lambda index: index.record_end(
            RunEnd(run=RUN, status="failed", finished_at=LONG_AGO, failed=(TaskKey("pick"),))
        ),
        lambda index: index.record_tags(RUN, ("new",)),
        lambda index: index.record_started(
            RUN, [Attempt(TaskKey("pick"), 0), Attempt(TaskKey("end"))], LONG_AGO
        ),
    ]
    snapshots = []
    for order in permutations(writes):
        index = Metadata.open(":memory:")
        for write in (*order, *order[:3]):
            write(index)
        snapshots.append((index.snapshot(), index.run(RUN), index.tasks(RUN), index.steps(RUN)))
        index.close()

    assert len(snapshots) == 720
    assert all(snapshot == snapshots[0] for snapshot in snapshots)
    assert [str(row.key) for row in snapshots[0][2]] == ["fit/0", "pick/0", "start/0"]


def test_passing_knowledge_is_no_part_of_a_snapshot(
    index: Metadata, record: Make, success: Result
) -> None:
    index.record_run(record(1))
    index.record_results(RUN, [success("start")])
    known = index.snapshot()

    index.heartbeat(RUN, datetime.now(UTC))
    index.record_started(RUN, [Attempt(TaskKey("end"))], LONG_AGO)

    assert index.snapshot() == known
    index.record_results(RUN, [success("start", cpu_s=0.5)])
    assert index.snapshot() != known


def test_what_was_computed_is_found_by_its_fingerprint(
    index: Metadata, record: Make, success: Result, failed: Result, digest: Callable[[int], Digest]
) -> None:
    def print_(number: int) -> Fingerprint:
        return Fingerprint(digest=digest(number), components={"code": "0" * 32})

    older, newer = record(1), record(2)
    swallowed = Failure(type_name="ValueError", message="no")
    for one in (older, newer):
        index.record_run(one)
    index.record_results(older.run, [success("fit", 0, fingerprint=print_(1))])
    index.record_results(
        newer.run,
        [
            success("fit", 1, fingerprint=print_(2), caught=swallowed),
            replace(failed("fit", 2), fingerprint=print_(3)),
            success("pick", fingerprint=print_(4)),
        ],
    )
    moved = Clone(
        key=TaskKey("fit", (5,)),
        origin=older.run,
        attempt=0,
        outcome=Outcome(manifest=digest(9)),
        origin_key=TaskKey("fit", (0,)),
        fingerprint=digest(1),
    )
    index.record_clones(Clones(newer.run, (moved,)))
    asked = [digest(number) for number in (1, 2, 3, 4)]

    other = RunId("Train", "3")
    found = index.computed(other, "fit", asked)
    assert list(found) == [digest(1)]
    assert (found[digest(1)].origin, found[digest(1)].key) == (older.run, TaskKey("fit", (0,)))
    assert index.computed(older.run, "fit", asked) == {}
    assert list(index.computed(other, "pick", asked)) == [digest(4)]
    assert index.computed(newer.run, "pick", asked) == {}
    assert index.computed(RunId("Other", "3"), "fit", asked) == {}
    row = index.task(newer.run, TaskKey("fit", (5,)))
    assert row is not None
    assert (row.computed_in, row.computed_by) == (older.run, Attempt(TaskKey("fit", (0,))))


@pytest.mark.parametrize("order", [*permutations(range(4))], ids=repr)
def test_clones_are_found_once_the_run_that_computed_them_is_deleted(
    order: tuple[int, ...],
    index: Metadata,
    record: Make,
    success: Result,
    digest: Callable[[int], Digest],
) -> None:
    def print_(number: int) -> Fingerprint:
        return Fingerprint(digest=digest(number), components={"code": "0" * 32})

    first, second, third = (record(number).run for number in (1, 2, 3))
    computed = [success("fit", at, fingerprint=print_(at)) for at in range(3)]
    taken = [
        Clone(
            key=result.attempt.key,
            origin=first,
            attempt=0,
            outcome=result.outcome,
            fingerprint=digest(at),
        )
        for at, result in enumerate(computed)
        if result.outcome is not None
    ]
    asked, other = [digest(at) for at in range(4)], RunId("Train", "4")
    index.record_results(third, [success("fit", 9, fingerprint=print_(3))])
    writes = (
        lambda: index.record_results(first, computed),
        lambda: index.record_clones(Clones(second, tuple(taken))),
        lambda: index.record_clones(Clones(third, tuple(taken[:1])), source=second),
        lambda: index.forget_run(first),
    )
    for at in order:
        writes[at]()

    found = index.computed(other, "fit", asked)
    assert list(found) == asked
    assert {found[one].origin for one in asked[:3]} == {first}
    assert list(index.computed(second, "fit", asked)) == [digest(0), digest(3)]
    assert list(index.computed(third, "fit", asked)) == asked[:3]

    index.forget_run(second)
    assert list(index.computed(other, "fit", asked)) == [digest(0), digest(3)]


def test_clones_copied_as_a_step_are_found_as_those_recorded_one_by_one(
    index: Metadata, record: Make, success: Result, digest: Callable[[int], Digest]
) -> None:
    first, second, third = (record(number).run for number in (1, 2, 3))
    prints = [Fingerprint(digest=digest(at), components={"code": "0" * 32}) for at in range(3)]
    index.record_results(
        first, [success("fit", at, fingerprint=one) for at, one in enumerate(prints)]
    )
    for earlier, run in ((first, second), (second, third)):
        finished = index.finished(earlier)
        index.record_clones(Clones(run, tuple(finished.values())), source=earlier)
    copied = index.snapshot()
    for run in (second, third):
        taken = Clones(run, tuple(index.finished(run).values()))
        index.clear(run)
        index.record_clones(taken)
    assert index.snapshot() == copied

    asked = [digest(at) for at in range(3)]
    assert index.computed(first, "fit", asked) == {}
    index.forget_run(first)
    found = index.computed(second, "fit", asked)
    assert list(found) == asked
    fourth = RunId("Train", "4")
    index.record_clones(Clones(fourth, tuple(index.finished(third).values())), source=third)
    for run in (second, third):
        index.forget_run(run)
    assert index.computed(RunId("Train", "5"), "fit", asked) == found


def test_tasks_are_found_by_their_ids_in_order(index: Metadata, success: Result) -> None:
    made = [success("fit", at) for at in range(12)] + [success("fit", 10, attempt=1)]
    index.record_results(RUN, [*made, success("start"), success("pick", 3)])
    found = index.find_tasks(RUN, "fit", ["10", "2", "0", "3", "99", "no id", "-1"])
    assert task_ids(found) == ["0", "2", "3", "10"]
    assert found[-1].attempt.number == 1
    assert index.find_tasks(RUN, "fit", []) == []
    many = index.find_tasks(RUN, "fit", map(str, range(2000)))
    assert task_ids(many) == [str(at) for at in range(12)]
    assert task_ids(index.find_tasks(RUN, "start", ["0"])) == ["0"]


def test_the_origins_of_a_steps_clones_are_told(
    index: Metadata, success: Result, digest: Callable[[int], Digest]
) -> None:
    index.record_results(RUN, [success("fit", 7), success("pick")])
    index.record_clones(clones(digest))
    assert index.origins(RUN, "fit") == [RunId("Train", "older")]
    assert index.origins(RUN, "start") == [RunId("Train", "0")]
    assert index.origins(RUN, "pick") == []


@pytest.mark.parametrize("left_out", [None, TaskKey("start"), TaskKey("fit", (1,))])
@pytest.mark.parametrize("has_clones", [False, True])
def test_clones_of_a_resumed_run_are_recorded_as_others_are(
    tmp_path: Path,
    success: Result,
    failed: Result,
    digest: Callable[[int], Digest],
    left_out: TaskKey | None,
    has_clones: bool,
) -> None:
    """Whole steps are copied within the index, and come to the same rows."""
    known = Fingerprint(digest=digest(7), components={})
    results = [success("fit", at) for at in range(12)]
    results += [success("fit", 12, attempt=1, fingerprint=known), failed("fit", 12), failed("pick")]
    results.append(success("start", outcome=Outcome(manifest=digest(8), width=13)))
    moved = Clone(
        key=TaskKey("pick", (3,)),
        origin=RunId("Train", "older"),
        attempt=2,
        outcome=Outcome(manifest=digest(2), width=5, choice="end"),
        origin_key=TaskKey("pick", (10,)),
        fingerprint=digest(9),
    )
    resumed, new = RunId("Train", "1"), RunId("Train", "2")
    snapshots = []
    for told in (resumed, None):
        index = Metadata.open(str(tmp_path / f"{told}.db"))
        index.record_results(resumed, results)
        if has_clones:
            index.record_results(resumed, [success("fit", 0, attempt=2)])
            index.record_clones(Clones(resumed, (moved,)))
        finished = index.finished(resumed)
        kept = {key: clone for key, clone in finished.items() if key != left_out}
        for _ in range(2):
            index.record_clones(Clones(new, tuple(kept.values())), source=told)
        assert index.finished(new) == kept
        snapshots.append(index.snapshot())
        index.close()
    assert snapshots[0] == snapshots[1]
