"""Runs, resumes, collections, deletions and tags on one store, one operation of it at a time.

Each actor is a thread that may do one operation of the storage, or be alone in the index, when it
is its turn; the turns are drawn. So thousands of interleavings are tried, and a seed repeats one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import shake_256
from pathlib import Path
from threading import Condition, Thread, get_ident
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from flowkit.client import Workspace, delete_run
from flowkit.client.tags import change_tags
from flowkit.errors import NotFound
from flowkit.graph.model import FlowDescription
from flowkit.metadata import Metadata
from flowkit.metadata.database import MEMORY, Answer, Database, Rows
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.runner.beginning import Beginning, record_beginning
from flowkit.store import Store, collect, reindex, verify_store
from flowkit.store.keys import FORMAT
from flowkit.testing import MemoryStorage
from flowkit.values import Attempt, Digest, Outcome, RunId, TaskKey, TaskResult

if TYPE_CHECKING:
    from flowkit.ports import Age, Buffer
    from flowkit.settings import Settings

IS_LONG = os.environ.get("FLOWKIT_CRASH") == "long"
SEEDS = 4000 if IS_LONG else 150
FLOW = "Flow"
TASKS = 3


class Turns:
    """Lets one of several threads go on at a time; which one is drawn. Each turn takes a second."""

    def __init__(self, draw: random.Random) -> None:
        self.now_s = 1_000_000.0
        self._draw = draw
        self._moved = Condition()
        self._waiting: set[int] = set()
        self._chosen: int | None = None
        self._alive = 0
        self._holder: int | None = None
        self.faults: list[BaseException] = []

    def __call__(self) -> None:
        """Wait for a turn, in a thread of an actor."""
        me = get_ident()
        with self._moved:
            self._waiting.add(me)
            self._moved.notify_all()
            self._moved.wait_for(lambda: self._chosen == me)
            self._chosen = None
            self._waiting.discard(me)
            self.now_s += 1

    def run(self, actors: list[Callable[[], object]]) -> None:
        """Let actors act until all have ended."""
        threads = [Thread(target=self._act, args=(one,), daemon=True) for one in actors]
        self._alive = len(threads)
        for thread in threads:
            thread.start()
        with self._moved:
            while self._alive:
                self._moved.wait_for(
                    lambda: self._chosen is None and len(self._waiting) == self._alive
                )
                if self._waiting:
                    self._chosen = self._draw.choice(sorted(self._waiting))
                    self._moved.notify_all()
        for thread in threads:
            thread.join()

    def _act(self, act: Callable[[], object]) -> None:
        try:
            self()
            act()
        except BaseException as error:
            self.faults.append(error)
        with self._moved:
            self._alive -= 1
            self._moved.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody else is in here."""
        me = get_ident()
        if self._holder == me:
            yield
            return
        self()
        while self._holder is not None:
            self()
        self._holder = me
        try:
            yield
        finally:
            self._holder = None


class Stepping(MemoryStorage):
    """A storage whose operations wait for their turn; while `turns` is None they do not."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now=now)
        self.turns: Turns | None = None

    def _step(self) -> None:
        if self.turns is not None:
            self.turns()

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        # The format is read under a lock of `cached_property`, which all stores share.
        if key != FORMAT:
            self._step()
        return super().read(key, start=start, length=length)

    def map(self, key: str, *, check: Callable[[memoryview], None] | None = None) -> memoryview:
        self._step()
        return super().map(key, check=check)

    def size(self, key: str) -> int:
        self._step()
        return super().size(key)

    def create(self, key: str, *buffers: Buffer) -> bool:
        self._step()
        return super().create(key, *buffers)

    def refresh(self, key: str) -> bool:
        self._step()
        return super().refresh(key)

    def swap(self, key: str, data: bytes, *, expected: str | None) -> str:
        self._step()
        return super().swap(key, data, expected=expected)

    def list(self, prefix: str) -> Iterator[str]:
        self._step()
        return super().list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        self._step()
        return super().folders(prefix)

    def delete(self, key: str, *, unless_younger_s: Age = 0.0) -> bool:
        if callable(unless_younger_s):
            # An age that is asked for before its turn is a pause too old.
            self._step()
        elif unless_younger_s or self.turns is not None:
            self._step()
        return super().delete(key, unless_younger_s=unless_younger_s)


class SteppingDatabase(Database):
    """An index that one actor at a time writes to, and whose readers wait for their turn."""

    turns: Turns | None = None

    @contextmanager
    def writing(self) -> Iterator[Any]:
        if self.turns is None:
            with super().writing() as connection:
                yield connection
            return
        with self.turns.alone(), super().writing() as connection:
            yield connection

    def read(
        self, sql: str, parameters: Sequence[object], answer: Callable[[Rows], Answer]
    ) -> Answer:
        if self.turns is None:
            return super().read(sql, parameters, answer)
        with self.turns.alone():
            return super().read(sql, parameters, answer)


def blob(name: str) -> bytes:
    """Return bytes that are too many to be packed."""
    return shake_256(name.encode()).digest(17_000)


class World:
    """A store and its index, what was done with them, and what must hold."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.turns = Turns(self.draw)
        self.storage = Stepping(now=lambda: self.turns.now_s)
        self.database = SteppingDatabase(MEMORY)
        self.index = Metadata(self.database)
        self.living: set[RunId] = set()
        self.due: dict[RunId, str] = {}
        """Of each run that succeeded, what its tasks' artifacts are named after."""
        self.deleted: set[RunId] = set()
        self.tags: dict[RunId, set[str]] = {}

    def workspace(self, store: Store | None = None) -> Workspace:
        """Open the store, as another process would, that knows nothing of it, or one that does."""
        settings = cast("Settings", SimpleNamespace(home=Path(os.devnull)))
        return Workspace(store or Store(self.storage), self.index, settings)

    def begin(self, store: Store, name: str, origin: RunId | None = None) -> RunRecord:
        """Begin a run, as a driver does."""

        def bind() -> Digest:
            writer = store.write_manifest()
            writer.add("parameter", blob(f"parameter {name}"))
            return writer.commit()

        parameters = bind()
        started_at = datetime.fromtimestamp(self.turns.now_s, UTC)

        def describe(run: RunId, parameters: Digest) -> RunRecord:
            self.living.add(run)
            return RunRecord(
                run=run,
                description=FlowDescription(
                    name=FLOW, file="flow.py", start="start", end="end", nodes=()
                ),
                parameters=parameters,
                started_at=started_at,
                user="me",
                origin=origin,
            )

        beginning = Beginning(FLOW, bind, describe)
        return record_beginning(self.workspace(store), beginning, parameters)

    def work(self, store: Store, record: RunRecord, name: str, numbers: range) -> None:
        """Compute tasks, as workers do."""
        for number in numbers:
            writer = Store(self.storage).write_manifest()
            writer.add("own", blob(f"{name} {number}"))
            writer.add("shared", blob(f"shared {number}"))
            result = TaskResult(
                attempt=Attempt(TaskKey("task", (number,))),
                status="succeeded",
                started_at=record.started_at,
                finished_at=record.started_at,
                outcome=Outcome(manifest=writer.commit()),
            )
            store.create_result(record.run, result)
            self.index.record_results(record.run, [result])

    def end(self, store: Store, record: RunRecord, status: Any = "succeeded") -> None:
        """End a run."""
        end = RunEnd(run=record.run, status=status, finished_at=record.started_at)
        store.create_end(end)
        self.index.record_end(end)
        self.living.discard(record.run)

    def run(self, name: str) -> RunId:
        """Run a flow from its beginning to its end."""
        store = self.workspace().store
        record = self.begin(store, name)
        self.work(store, record, name, range(TASKS))
        self.end(store, record)
        self.due[record.run] = name
        return record.run

    def resume(self, origin: RunId, name: str) -> None:
        """Resume a run that had all tasks but the last, as a driver does."""
        store = self.workspace().store
        finished = self.index.finished(origin)
        if not finished:
            assert origin in self.deleted
            return
        record = self.begin(store, name, origin)
        clones = tuple(
            Clone(key=key, origin=origin, attempt=0, outcome=clone.outcome)
            for key, clone in finished.items()
        )
        if store.is_deleted(record.origin or origin):
            self.end(store, record, "failed")
            return
        store.create_clones(Clones(record.run, clones))
        self.index.record_clones(Clones(record.run, clones))
        self.work(store, record, name, range(TASKS - 1, TASKS))
        self.end(store, record)
        self.due[record.run] = name

    def delete(self, run: RunId) -> None:
        """Delete a run."""
        self.deleted.add(run)
        delete_run(self.workspace(), run)

    def collect(self) -> None:
        """Collect garbage, whatever its age."""
        collect(
            self.workspace().store,
            grace_s=0.0,
            lives=lambda record: record.run in self.living,
            now=lambda: self.turns.now_s,
        )

    def tag(self, run: RunId, name: str) -> None:
        """Change a run's tags."""
        workspace = self.workspace()
        for at in range(2):
            add, remove = {f"{name}{at}"}, {f"{name}{at - 1}"}
            try:
                change_tags(workspace, run, add=add, remove=remove, system_tags=())
            except NotFound:
                assert run in self.deleted
                return
            mine = self.tags.setdefault(run, set())
            mine -= remove
            mine |= add

    def verify(self) -> None:
        """Look for damage beside the others: there is none."""
        assert list(verify_store(self.workspace().store)) == []

    def check(self) -> None:
        """See that all holds that was promised."""
        store = self.workspace().store
        assert list(verify_store(store)) == []
        rebuilt = Metadata.open(MEMORY)
        assert reindex(store, rebuilt) == []
        assert self.index.snapshot() == rebuilt.snapshot()
        runs = set(store.run_ids())
        assert runs.isdisjoint(self.deleted)
        assert runs >= self.due.keys() - self.deleted
        for run in runs & self.due.keys():
            clones = store.clones(run)
            outcomes = {one.key: one.outcome for one in clones.clones} if clones else {}
            for one in store.results(run):
                assert one.outcome is not None
                outcomes[one.attempt.key] = one.outcome
            assert len(outcomes) == TASKS
            for key, outcome in outcomes.items():
                artifacts = store.manifest(outcome.manifest).artifacts
                loaded = {name: store.load(entry) for name, entry in artifacts.items()}
                number = key.path[0]
                own = blob(f"{self.due[run]} {number}")
                assert loaded == {"own": own, "shared": blob(f"shared {number}")}
        for run, tags in self.tags.items():
            if run not in self.deleted:
                assert set(store.tags(run)) == tags
        self.collect()
        assert list(verify_store(store)) == []


def _scenes(world: World, old: RunId, failed: RunId) -> list[list[Callable[[], object]]]:
    """Return what may be done at once: each a few things that could get into one another's way."""

    def reindexed() -> None:
        assert reindex(world.workspace().store, world.index) == []

    resumed = [lambda: world.resume(failed, "failed"), lambda: world.delete(failed)]
    collected = [world.collect, world.collect]
    anew = [lambda: world.run("old"), lambda: world.run("new"), lambda: world.delete(old)]
    tagged = [lambda: world.tag(old, "a"), lambda: world.tag(old, "b")]
    return [
        [*resumed, *collected, world.verify],
        [*anew, *collected, world.verify],
        [*resumed, *anew, *collected, *tagged, reindexed],
        [lambda: world.delete(old), lambda: world.delete(failed), *tagged, reindexed],
        [lambda: world.delete(old), reindexed, world.collect],
    ]


@pytest.mark.parametrize("part", range(10))
def test_any_interleaving_keeps_what_was_promised(part: int) -> None:
    for seed in range(part, SEEDS, 10):
        world = World(seed)
        store = world.workspace().store
        old = world.run("old")
        failed = world.begin(store, "failed")
        world.work(store, failed, "failed", range(TASKS - 1))
        world.end(store, failed, "failed")
        world.storage.turns = world.database.turns = world.turns
        world.turns.run(world.draw.choice(_scenes(world, old, failed.run)))
        world.storage.turns = world.database.turns = None
        if world.turns.faults:
            raise ExceptionGroup(f"seed {seed}", world.turns.faults)  # type: ignore[type-var]
        try:
            world.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
