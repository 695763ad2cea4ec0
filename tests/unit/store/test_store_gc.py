"""Garbage collection: what runs reach stays, the rest goes once it is old."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from flowkit.errors import Corrupt
from flowkit.graph.model import FlowDescription
from flowkit.ports import Age
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.store import DirectoryStorage, GcReport, Store, verify_store
from flowkit.store import collect as collect_beside
from flowkit.testing import CountingStorage, MemoryStorage
from flowkit.values import Attempt, Digest, Manifest, Outcome, RunId, TaskKey, TaskResult

HOUR_S = 3600.0
START = datetime(2024, 5, 1, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(MemoryStorage(now=clock))


def noise(seed: int, size: int = 50_000) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def save(store: Store, base: Manifest | None = None, **values: object) -> Digest:
    writer = store.write_manifest(base=base)
    for name, value in values.items():
        writer.add(name, value)
    return writer.commit()


def collect(store: Store, *, dry_run: bool = False) -> GcReport:
    """Collect where no run goes on, so that age alone decides."""
    return collect_beside(store, dry_run=dry_run, lives=lambda record: False)


def start_run(
    store: Store,
    run: RunId,
    parameters: Digest,
    *,
    at: datetime = START,
    origin: RunId | None = None,
) -> None:
    description = FlowDescription(name=run.flow, file="flow.py", start="start", end="end", nodes=())
    record = RunRecord(
        run=run,
        description=description,
        parameters=parameters,
        started_at=at,
        user="me",
        origin=origin,
    )
    assert store.create_run(record)


def end_task(store: Store, run: RunId, manifest: Digest, key: TaskKey | None = None) -> None:
    result = TaskResult(
        attempt=Attempt(key or TaskKey("start")),
        status="succeeded",
        started_at=START,
        finished_at=START,
        outcome=Outcome(manifest=manifest),
    )
    assert store.create_result(run, result)


RUN = RunId("Flow", "1")


def test_what_runs_reach_stays(store: Store, clock: Clock) -> None:
    parameters = save(store, big=noise(1))
    start_run(store, RUN, parameters)
    first = save(store, big=noise(2), small=1)
    end_task(store, RUN, first)
    writer = store.write_manifest()
    writer.inherit("small", store.manifest(first).artifacts["small"])
    writer.add_items([noise(number) for number in range(3, 6)])
    end_task(store, RUN, writer.commit(), TaskKey("next"))
    clone = Clone(
        key=TaskKey("old"), origin=RUN, attempt=0, outcome=Outcome(manifest=save(store, c=noise(9)))
    )
    store.create_clones(Clones(RUN, (clone,)))
    clock.now_s += 10 * HOUR_S
    report = collect(store)
    assert report.unreached == report.deleted == 0
    assert report.kept == len(list(store.storage.list("objects"))) > 8
    assert list(verify_store(store)) == []


def test_what_no_run_reaches_goes_when_it_is_old(store: Store, clock: Clock) -> None:
    save(store, x=noise(1), text="text" * 20_000)
    count = len(list(store.storage.list("objects")))
    young = collect(store)
    assert (young.unreached, young.deleted) == (count, 0)
    clock.now_s += HOUR_S + 1
    dry = collect(store, dry_run=True)
    assert (dry.unreached, dry.deleted) == (count, 0)
    assert dry.unreached_bytes > 50_000
    old = collect(store)
    assert (old.unreached, old.deleted) == (count, count)
    assert old.deleted_bytes == dry.unreached_bytes
    assert list(store.storage.list("objects")) == []


def test_a_deleted_run_frees_its_own_objects_only(store: Store, clock: Clock) -> None:
    other = RunId("Flow", "2")
    shared, alone = noise(1), noise(2)
    for run, value in ((RUN, {"s": shared, "a": alone}), (other, {"s": shared})):
        start_run(store, run, save(store))
        end_task(store, run, save(store, **value))
    clock.now_s += 10 * HOUR_S
    store.delete_run(RUN)
    assert collect(store).deleted == 2  # its manifest, and what it had alone
    assert list(verify_store(store)) == []


def saving_again(store: Store, value: object) -> object:
    return save(store, x=value)


def putting_again(store: Store, value: object) -> object:
    assert isinstance(value, np.ndarray)
    return store.put(value.data)


@pytest.mark.parametrize("reuse", [saving_again, putting_again])
def test_what_is_reused_is_young_again(
    store: Store, clock: Clock, reuse: Callable[[Store, object], object]
) -> None:
    value = noise(1)
    manifest = save(store, x=value)
    part = store.manifest(manifest).artifacts["x"].parts[1].digest
    assert part is not None
    clock.now_s += 10 * HOUR_S
    # Another process, which has read nothing yet.
    reuse(Store(store.storage), value)
    collect(store)
    assert store.get(part) == value.tobytes()


def test_the_base_of_a_young_recipe_is_young_again(store: Store, clock: Clock) -> None:
    base = noise(1, 2 << 20)
    manifest = save(store, x=base)
    clock.now_s += 10 * HOUR_S
    changed = save(store, store.manifest(manifest), x=np.concatenate([base, noise(2)]))
    collect(store)
    loaded = store.load(Store(store.storage).manifest(changed).artifacts["x"])
    assert np.array_equal(loaded[: len(base)], base)  # type: ignore[index]


def test_recipes_keep_their_extents(store: Store, clock: Clock) -> None:
    base = noise(1, 2 << 20)
    manifest = save(store, x=base)
    start_run(store, RUN, save(store))
    changed = save(store, store.manifest(manifest), x=np.concatenate([base, noise(2)]))
    end_task(store, RUN, changed)
    clock.now_s += 10 * HOUR_S
    assert collect(store).deleted == 1  # the base's manifest; its array is an extent now
    assert list(verify_store(store)) == []


def test_what_a_live_run_may_need_stays_whatever_the_grace(tmp_path: Path) -> None:
    # Files look a minute old to the storage, which is older than a grace of none.
    store = Store(DirectoryStorage(tmp_path, now=lambda: time.time() + 60))
    save(store, of="a run that is gone")
    start_run(store, RUN, save(store), at=datetime.fromtimestamp(time.time() - 120, UTC))
    unfinished = save(store, x=noise(1))
    beside = collect_beside(store, grace_s=0.0)
    assert (beside.unreached, beside.deleted, beside.live) == (3, 0, (RUN,))
    assert store.load(Store(store.storage).manifest(unfinished).artifacts["x"]) is not None
    dead = collect_beside(store, grace_s=0.0, dry_run=True, lives=lambda record: False)
    assert dead.live == ()
    store.create_end(RunEnd(run=RUN, status="failed", finished_at=START))
    after = collect_beside(store, grace_s=0.0)
    assert (after.unreached, after.deleted, after.live) == (3, 3, ())


def test_what_is_written_while_garbage_is_collected_stays(tmp_path: Path) -> None:
    store = Store(DirectoryStorage(tmp_path))
    written: list[Digest] = []

    class Late(CountingStorage):
        """Lets a task write, and reuse what is there, once all objects are listed."""

        def folders(self, prefix: str) -> Iterator[str]:
            if not written:
                written.append(save(store, x=value, y=noise(2)))
            return super().folders(prefix)

    value = noise(1)
    save(store, x=value)
    collect_beside(Store(Late(store.storage)), grace_s=0.0)
    manifest = Store(DirectoryStorage(tmp_path)).manifest(written[0])
    assert [store.load(one) is not None for one in manifest.artifacts.values()] == [True, True]


def test_what_is_reused_before_a_pause_of_the_collection_stays(clock: Clock) -> None:
    class Sleepy(MemoryStorage):
        """Sleeps long between a writer that reuses a key and the removal of that."""

        def delete(self, key: str, *, unless_younger_s: Age = 0.0) -> bool:
            self.refresh(key)
            clock.now_s += HOUR_S
            return super().delete(key, unless_younger_s=unless_younger_s)

    store = Store(Sleepy(now=clock))
    save(store, x=noise(1))
    clock.now_s += HOUR_S
    report = collect_beside(store, grace_s=0.0, now=clock)
    assert (report.unreached, report.deleted) == (2, 0)


def test_nothing_goes_while_a_run_is_taking_over_from_another(store: Store, clock: Clock) -> None:
    resumed = RunId("Flow", "2")
    start_run(store, RUN, save(store))
    manifest = save(store, x=noise(1))
    end_task(store, RUN, manifest)
    clock.now_s += HOUR_S
    start_run(store, resumed, save(store), at=datetime.fromtimestamp(clock.now_s, UTC), origin=RUN)
    store.delete_run(RUN)
    clock.now_s += HOUR_S
    beside = collect_beside(store, grace_s=0.0, now=clock)
    assert (beside.unreached, beside.deleted, beside.live) == (2, 0, (resumed,))
    clone = Clone(key=TaskKey("start"), origin=RUN, attempt=0, outcome=Outcome(manifest=manifest))
    store.create_clones(Clones(resumed, (clone,)))
    after = collect_beside(store, grace_s=0.0, now=clock)
    assert (after.unreached, after.kept) == (0, 3)
    # One that took over nothing keeps nothing, and one that died never will.
    third = RunId("Flow", "3")
    store.delete_run(resumed)
    start_run(
        store, third, save(store), at=datetime.fromtimestamp(clock.now_s, UTC), origin=resumed
    )
    dead = collect_beside(store, grace_s=0.0, now=clock, dry_run=True, lives=lambda record: False)
    assert dead.live == ()
    assert store.create_clones(Clones(third, ()))
    assert collect_beside(store, grace_s=0.0, now=clock).deleted == 2


def test_a_damaged_record_stops_a_collection(store: Store, clock: Clock) -> None:
    start_run(store, RUN, save(store))
    end_task(store, RUN, save(store, x=noise(1)))
    (key,) = store.storage.list(f"runs/{RUN}/results")
    store.storage.delete(key)
    store.storage.create(key, b"torn")
    clock.now_s += 10 * HOUR_S
    before = list(store.storage.list("objects"))
    with pytest.raises(Corrupt) as caught:
        collect(store)
    assert caught.value.key == key
    assert list(store.storage.list("objects")) == before


def test_missing_objects_are_found(store: Store) -> None:
    start_run(store, RUN, save(store))
    manifest = save(store, x=noise(1))
    end_task(store, RUN, manifest)
    part = store.manifest(manifest).artifacts["x"].parts[1].digest
    for digest in (part, manifest):
        assert digest is not None
        key = f"objects/{digest.hex()[:2]}/{digest.hex()}"
        store.storage.delete(key)
        (damage,) = verify_store(Store(store.storage))
        assert damage.key == key
        assert "Flow/1" in damage.reason


def test_foreign_keys_are_found(store: Store) -> None:
    start_run(store, RUN, save(store))
    foreign = [
        "notes.txt",
        "objects/ab/notes",
        "runs/Flow/1/notes",
        "runs/Flow",
        f"objects/{'0' * 64}",
    ]
    for key in foreign:
        store.storage.create(key, b"hello")
    assert sorted(damage.key for damage in verify_store(store)) == sorted(foreign)


def test_a_collection_finishes_interrupted_deletions(store: Store) -> None:
    start_run(store, RUN, save(store))
    left = store.storage.read("runs/Flow/1/run.json")
    store.delete_run(RUN)
    store.storage.create("runs/Flow/1/run.json", left)
    collect(store)
    assert list(store.storage.list("runs")) == []


def test_verifying_unpickles_nothing(store: Store) -> None:
    start_run(store, RUN, save(store, x=b"cos\nabort\n(tR."))
    manifest = store.manifest(store.run_record(RUN).parameters)
    assert manifest.artifacts["x"].size_bytes == 14
    assert list(verify_store(store)) == []


class Interrupted(CountingStorage):
    """Does something of the test's before its n-th call of another storage."""

    def __init__(self, inner: MemoryStorage, nth: int, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self.left = nth
        self.act = act

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        self.step()
        return super().read(key, start=start, length=length)

    def map(self, key: str, *, check: Callable[[memoryview], None] | None = None) -> memoryview:
        self.step()
        return super().map(key, check=check)

    def create(self, key: str, *buffers: bytes | bytearray | memoryview) -> bool:
        self.step()
        return super().create(key, *buffers)

    def refresh(self, key: str) -> bool:
        self.step()
        return super().refresh(key)


def test_a_collection_at_any_moment_of_a_task_takes_nothing_it_needs() -> None:
    base, other = noise(1, 2 << 20), noise(2)
    values = {"x": np.concatenate([base, noise(3)]), "y": other, "z": "text " * 20_000}
    nth = 0
    finished = False
    while not finished:
        nth += 1
        clock = Clock()
        inner = MemoryStorage(now=clock)
        store = Store(inner)
        first = RunId("Flow", "1")
        start_run(store, first, save(store))
        manifest = save(store, x=base, y=other, z=values["z"])
        end_task(store, first, manifest)
        start_run(store, RunId("Flow", "2"), save(store))
        clock.now_s += 10 * HOUR_S
        # The run that made the base is deleted, and its objects are old, when the task saves.
        opened = store.manifest(manifest)
        store.delete_run(first)
        storage = Interrupted(inner, nth, lambda inner=inner: collect(Store(inner)))
        changed = save(Store(storage), opened, **values)
        end_task(store, RunId("Flow", "2"), changed)
        finished = storage.left > 0
        collect(store)
        assert list(verify_store(store)) == [], f"call {nth}"
        loaded = Store(inner).manifest(changed).artifacts
        assert np.array_equal(store.load(loaded["x"]), values["x"])  # type: ignore[arg-type]
    assert nth > 15
