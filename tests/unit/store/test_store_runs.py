"""Records of runs: created once, and every altered byte noticed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from flowkit.errors import Corrupt, KeyMissing, UsageError
from flowkit.graph.model import FlowDescription
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.store import Store, reindex, reindex_run, verify_store
from flowkit.testing import CountingStorage, MemoryStorage
from flowkit.values import Attempt, Digest, Failure, Outcome, RunId, TaskKey, TaskResult

START = datetime(2024, 5, 1, 12, 30, 1, 250_000, tzinfo=UTC)
RUN = RunId("Flow", "12")
NOTHING = Digest(bytes(32))
KEYS = [TaskKey("start"), TaskKey("train", (0, 3)), TaskKey("loop", (1,), 2)]


def run_record(run: RunId = RUN, **fields: object) -> RunRecord:
    description = FlowDescription(name=run.flow, file="flow.py", start="start", end="end", nodes=())
    record = RunRecord(
        run=run, description=description, parameters=NOTHING, started_at=START, user="ünique"
    )
    return replace(record, **fields)  # type: ignore[arg-type]


def result_of(key: TaskKey, number: int = 0) -> TaskResult:
    return TaskResult(
        attempt=Attempt(key, number),
        status="succeeded",
        started_at=START,
        finished_at=START + timedelta(seconds=1.5),
        outcome=Outcome(manifest=Digest(bytes([number]) * 32), width=3),
        cpu_s=0.25,
    )


def clones_of(run: RunId, count: int) -> Clones:
    outcome = Outcome(manifest=Digest(bytes(range(32))))
    origin = RunId(run.flow, "1")
    return Clones(
        run,
        tuple(
            Clone(key=TaskKey("train", (index,)), origin=origin, attempt=0, outcome=outcome)
            for index in range(count)
        ),
    )


@pytest.fixture
def store() -> Store:
    return Store(MemoryStorage())


def fill(store: Store, run: RunId = RUN) -> None:
    """Write one record of every kind."""
    parameters = store.write_manifest().commit()
    assert store.create_run(run_record(run, parameters=parameters, tags=("b", "a")))
    for key in KEYS:
        result = replace(result_of(key), outcome=Outcome(manifest=parameters))
        assert store.create_result(run, result)
    empty = Clones(run, (Clone(key=TaskKey("old"), origin=run, attempt=1, outcome=result.outcome),))
    assert store.create_clones(empty)
    assert store.create_log(run, Attempt(KEYS[1]), b"line\n")
    store.change_tags(run, lambda tags: tags | {"c"})
    assert store.create_end(RunEnd(run=run, status="succeeded", finished_at=START))


def test_each_record_comes_back_and_is_created_once(store: Store) -> None:
    record = run_record(tags=("x",), origin=RunId("Flow", "3"))
    assert store.create_run(record)
    assert not store.create_run(replace(record, user="other"))
    assert store.run_record(RUN) == record
    end = RunEnd(
        run=RUN,
        status="failed",
        finished_at=START,
        failed=(KEYS[1],),
        failure=Failure(type_name="ValueError", message="no"),
    )
    assert store.run_end(RUN) is None
    assert store.create_end(end)
    assert not store.create_end(replace(end, status="cancelled"))
    assert store.run_end(RUN) == end
    assert store.clones(RUN) is None
    assert store.create_clones(clones_of(RUN, 3))
    assert not store.create_clones(clones_of(RUN, 2))
    assert store.clones(RUN) == clones_of(RUN, 3)


def test_results_and_logs_belong_to_attempts(store: Store) -> None:
    for key in KEYS:
        for number in (0, 1, 10):
            assert store.result(RUN, Attempt(key, number)) is None
            assert store.create_result(RUN, result_of(key, number))
            assert not store.create_result(RUN, replace(result_of(key, number), pid=7))
            assert store.create_log(RUN, Attempt(key, number), b"%d" % number)
            assert not store.create_log(RUN, Attempt(key, number), b"late")
    assert store.result(RUN, Attempt(KEYS[1], 10)) == result_of(KEYS[1], 10)
    assert store.log(RUN, Attempt(KEYS[1], 10)) == b"10"
    assert store.log(RUN, Attempt(KEYS[1], 2)) is None
    found = list(store.results(RUN))
    assert len(found) == 9
    assert {result.attempt for result in found} == {
        Attempt(key, number) for key in KEYS for number in (0, 1, 10)
    }
    assert list(store.results(RunId("Flow", "13"))) == []


def test_runs_are_listed_in_order_and_by_flow(store: Store) -> None:
    for flow, ids in {"B": ["10", "9", "argo-x", "1"], "A": ["2"]}.items():
        for one in ids:
            store.create_run(run_record(RunId(flow, one)))
    assert [str(run) for run in store.run_ids()] == ["A/2", "B/1", "B/9", "B/10", "B/argo-x"]
    assert [run.id for run in store.run_ids("B")] == ["1", "9", "10", "argo-x"]
    assert list(store.run_ids("C")) == []


def test_listing_runs_does_not_list_their_tasks() -> None:
    storage = CountingStorage(MemoryStorage())
    store = Store(storage)
    fill(store)
    storage.reset()
    assert list(store.run_ids()) == [RUN]
    assert store.next_run_number("Flow") == 13
    assert storage.count("list", "runs") == 0


def test_a_missing_run_is_named(store: Store) -> None:
    for look in (store.run_record, store.tags, lambda run: store.change_tags(run, set)):
        with pytest.raises(KeyMissing) as caught:
            look(RUN)
        assert caught.value.key == "runs/Flow/12/run.json"


def test_the_number_of_a_deleted_run_is_not_given_out_again(store: Store) -> None:
    assert store.next_run_number("Flow") == 1
    for number in ("1", "2", "text"):
        store.create_run(run_record(RunId("Flow", number)))
    assert store.next_run_number("Flow") == 3
    store.delete_run(RunId("Flow", "2"))
    assert store.next_run_number("Flow") == 3
    assert not store.create_run(run_record(RunId("Flow", "2")))
    assert [run.id for run in store.run_ids("Flow")] == ["1", "text"]
    assert store.next_run_number("Other") == 1


def test_a_deleted_run_leaves_a_tombstone_only(store: Store) -> None:
    fill(store)
    store.delete_run(RUN)
    store.delete_run(RUN)
    keys = [key for key in store.storage.list("") if not key.startswith("objects/")]
    assert keys == ["deleted/Flow/12", "format.json"]
    assert list(verify_store(store)) == []


def test_a_run_whose_deletion_was_interrupted_counts_as_deleted(store: Store) -> None:
    fill(store)
    left = store.storage.read("runs/Flow/12/end.json")
    store.delete_run(RUN)
    store.storage.create("runs/Flow/12/end.json", left)
    assert list(store.run_ids()) == []


def test_tags_begin_with_those_of_the_run(store: Store) -> None:
    store.create_run(run_record(tags=("b", "a")))
    assert store.tags(RUN) == ("a", "b")
    assert store.change_tags(RUN, lambda tags: tags | {"ü", "a"}) == ("a", "b", "ü")
    assert store.change_tags(RUN, lambda tags: [*tags - {"a"}, "c", "c"]) == ("b", "c", "ü")
    assert store.tags(RUN) == ("b", "c", "ü")
    assert store.change_tags(RUN, lambda tags: ()) == ()
    assert store.tags(RUN) == ()
    assert store.run_record(RUN).tags == ("b", "a")


def test_a_change_of_tags_is_made_again_if_another_came_first(store: Store) -> None:
    store.create_run(run_record(tags=("a",)))
    seen: list[frozenset[str]] = []

    def change(tags: frozenset[str]) -> frozenset[str]:
        seen.append(tags)
        if len(seen) == 1:
            store.change_tags(RUN, lambda other: other | {"theirs"})
        return tags | {"mine"}

    assert store.change_tags(RUN, change) == ("a", "mine", "theirs")
    assert store.tags(RUN) == ("a", "mine", "theirs")
    assert seen == [{"a"}, {"a", "theirs"}]


def test_no_change_of_tags_is_lost(store: Store) -> None:
    store.create_run(run_record())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.change_tags(RUN, lambda tags: tags | {str(n)}), range(40)))
    assert set(store.tags(RUN)) == {str(number) for number in range(40)}


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "-", "ä", "x" * 129, "a\n"])
def test_run_ids_from_outside_cannot_leave_the_store(store: Store, name: str) -> None:
    run = RunId("Flow", name)
    for use in (store.run_record, store.tags, store.clones, store.run_end, store.delete_run):
        with pytest.raises(UsageError):
            use(run)
    with pytest.raises(UsageError):
        store.create_run(run_record(run))


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a-b", "1a", "a\n"])
def test_flow_and_step_names_from_outside_cannot_leave_the_store(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        store.run_record(RunId(name, "1"))
    with pytest.raises(UsageError):
        list(store.run_ids(name))
    with pytest.raises(UsageError):
        store.next_run_number(name)
    with pytest.raises(UsageError):
        store.result(RUN, Attempt(TaskKey(name)))
    with pytest.raises(UsageError):
        store.create_log(RUN, Attempt(TaskKey(name)), b"")


def reading_everything(store: Store, run: RunId) -> None:
    store.run_record(run)
    store.run_end(run)
    store.clones(run)
    store.tags(run)
    list(store.results(run))
    for key in KEYS:
        store.log(run, Attempt(key))


def records(store: Store) -> list[str]:
    return list(store.storage.list(f"runs/{RUN}"))


def alterations(data: bytes) -> dict[str, bytes]:
    """Return one alteration per byte, and some of the whole."""
    flipped = {
        f"byte {at}, bit {at % 8}": data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        for at in range(len(data))
    }
    case = {
        f"case of byte {at}": data[:at] + data[at : at + 1].swapcase() + data[at + 1 :]
        for at in range(100)
    }
    whole = {
        "empty": b"",
        "torn": data[: len(data) // 2],
        "longer": data + b"\n",
        "twice": data * 2,
    }
    return {**flipped, **case, **whole}


def test_every_altered_byte_of_every_record_is_noticed_and_named(store: Store) -> None:
    fill(store)
    assert len(records(store)) == 8
    for key in records(store):
        good = store.storage.read(key)
        for what, bad in alterations(good).items():
            if bad == good:
                continue
            store.storage.delete(key)
            store.storage.create(key, bad)
            with pytest.raises(Corrupt) as caught:
                reading_everything(store, RUN)
            assert caught.value.key == key, what
        assert [damage.key for damage in verify_store(store)] == [key]
        store.storage.delete(key)
        store.storage.create(key, good)
    reading_everything(store, RUN)
    assert list(verify_store(store)) == []


@pytest.mark.parametrize(
    ("key", "read"),
    [
        ("run.json", Store.run_record),
        ("end.json", Store.run_end),
        ("clones.zst", Store.clones),
        ("results/start/0-0.json", lambda store, run: list(store.results(run))),
        (
            "results/start/0-0.json",
            lambda store, run: store.result(run, Attempt(TaskKey("start"))),
        ),
    ],
)
def test_a_record_under_the_wrong_key_is_noticed(
    store: Store, key: str, read: Callable[[Store, RunId], object]
) -> None:
    fill(store)
    other = RunId("Flow", "77")
    source = f"runs/{RUN}/{key}" if "results" not in key else f"runs/{RUN}/results/train/0.3-0.json"
    store.storage.create(f"runs/{other}/{key}", store.storage.read(source))
    with pytest.raises(Corrupt):
        read(store, other)


def test_a_record_of_another_kind_is_noticed(store: Store) -> None:
    fill(store)
    (key,) = store.storage.list(f"runs/{RUN}/logs")
    store.storage.delete(key)
    store.storage.create(key, store.storage.read(f"runs/{RUN}/end.json"))
    with pytest.raises(Corrupt) as caught:
        store.log(RUN, Attempt(KEYS[1]))
    assert caught.value.key == key


def test_foreign_folders_are_no_runs(store: Store) -> None:
    fill(store)
    for key in ("runs/not a flow/1/x", "runs/Flow/not a run/x", "runs/file"):
        store.storage.create(key, b"x")
    assert list(store.run_ids()) == [RUN]


def test_damaged_results_can_be_skipped(store: Store) -> None:
    fill(store)
    key = f"runs/{RUN}/results/start/0-0.json"
    store.storage.delete(key)
    store.storage.create(key, b"torn")
    errors: list[Corrupt] = []
    assert len(list(store.results(RUN, on_error=errors.append))) == 2  # type: ignore[arg-type]
    assert [error.key for error in errors] == [key]


class Heard:
    """An index that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def clear(self, run: RunId | None = None) -> None:
        if run is None:
            self.told.clear()
        else:
            self.told.append(("cleared", run))

    def forget_run(self, run: RunId) -> None:
        self.told.append(("forgotten", run))

    def record_run(self, record: RunRecord) -> None:
        self.told.append(("run", record.run))

    def record_results(self, run: RunId, results: object) -> None:
        assert isinstance(results, list)
        self.told += [("result", (run, result.attempt)) for result in results]

    def record_clones(self, clones: Clones) -> None:
        self.told.append(("clones", clones.run))

    def record_end(self, end: RunEnd) -> None:
        self.told.append(("end", end.run))

    def record_tags(self, run: RunId, tags: object) -> None:
        self.told.append(("tags", (run, tags)))


def test_an_index_is_told_every_record_again(store: Store) -> None:
    fill(store)
    other = RunId("Other", "1")
    store.create_run(run_record(other))
    index = Heard()
    index.told.append(("old", None))
    assert reindex(store, index) == []
    assert ("old", None) not in index.told
    assert index.told[0] == ("run", RUN)
    assert {what for what, _ in index.told} == {"run", "result", "clones", "end", "tags"}
    assert [value for what, value in index.told if what == "tags"] == [
        (RUN, ("a", "b", "c")),
        (other, ()),
    ]
    assert {value for what, value in index.told if what == "result"} == {
        (RUN, Attempt(key)) for key in KEYS
    }


def test_damaged_records_are_left_out_of_an_index_and_named(store: Store) -> None:
    fill(store)
    other = RunId("Other", "1")
    fill(store, other)
    bad = [
        f"runs/{RUN}/run.json",
        f"runs/{other}/clones.zst",
        f"runs/{other}/results/start/0-0.json",
    ]
    for key in bad:
        store.storage.delete(key)
        store.storage.create(key, b"torn")
    index = Heard()
    assert sorted(damage.key for damage in reindex(store, index)) == sorted(bad)
    assert [value for what, value in index.told if what == "run"] == [other]
    assert sum(what == "result" for what, _ in index.told) == 2


def test_an_index_is_told_of_one_run_or_that_it_is_gone(store: Store) -> None:
    fill(store)
    fill(store, RunId("Other", "1"))
    index = Heard()
    assert reindex_run(store, RUN, index) == []
    assert index.told[:2] == [("cleared", RUN), ("run", RUN)]
    assert {what for what, _ in index.told[2:]} == {"result", "clones", "end", "tags"}
    index.told.clear()
    never = RunId("Flow", "77")
    assert reindex_run(store, never, index) == []
    assert index.told == [("cleared", never)]
    store.delete_run(RUN)
    index.told.clear()
    assert reindex_run(store, RUN, index) == []
    assert index.told == [("cleared", RUN), ("forgotten", RUN)]


def test_a_folder_of_a_run_that_did_not_begin_is_no_damage(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store)
    (tmp_path / "runs/Flow/77").mkdir()
    assert reindex(store, Heard()) == []
    assert not [one for one in verify_store(store) if "77" in one.key]
    store.create_end(
        RunEnd(run=RunId("Flow", "77"), status="failed", finished_at=datetime.now(UTC))
    )
    assert [damage.key for damage in reindex(store, Heard())] == ["runs/Flow/77/run.json"]


def test_records_in_a_directory_are_readable_text(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store)
    line, _, body = (tmp_path / "runs/Flow/12/run.json").read_text().partition("\n")
    assert line.startswith("flowkit run 1 ")
    assert body.startswith('{"run":{"flow":"Flow","id":"12"},')


def test_clones_made_later_come_after_those_of_the_start(store: Store) -> None:
    fill(store)
    later = clones_of(RUN, 9).clones
    known = store.clones(RUN)
    assert known is not None
    assert store.create_clones(Clones(RUN, later[7:8]), number=3)
    assert store.create_clones(Clones(RUN, later[8:]), number=4)
    assert not store.create_clones(Clones(RUN, later), number=4)
    assert store.clones(RUN) == Clones(RUN, (*known.clones, *later[7:]))
    store.verify_record(f"runs/{RUN}/clones/3.zst")
