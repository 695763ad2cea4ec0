"""A small store of every kind of file, what there is to read in it, and how it may rot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from flowkit.errors import StoreError
from flowkit.records import RunRecord
from flowkit.store import DirectoryStorage, Store
from flowkit.testing import CountingStorage, MemoryStorage
from flowkit.values import ArtifactEntry, Digest, RunId

if TYPE_CHECKING:
    from conftest import Yard

IS_LONG = os.environ.get("FLOWKIT_CRASH") == "long"

FLOW = """
    import numpy
    from flowkit.cards import Markdown

    class Rot(FlowSpec):
        alpha = Parameter("alpha", default=0.5)
        constant = {"a": [1, 2]}

        @card
        @step
        def start(self):
            current.card.append(Markdown("a report"))
            self.words = ["every byte counts"] * 5000
            self.big = numpy.arange(140_000)
            self.elements = ["x", 2, None]
            print("started")
            self.next(self.work, foreach="elements")

        @retry(times=1, minutes_between_retries=0)
        @step
        def work(self):
            print("working", current.retry_count)
            if self.input == 2 and current.retry_count == 0:
                raise ValueError("once")
            self.found = (self.input, {self.index})
            self.next(self.join)

        @step
        def join(self, inputs):
            self.big = inputs[0].big
            self.found = [one.found for one in inputs]
            if os.environ.get("FAILS"):
                raise ValueError("not yet")
            self.next(self.end)

        @step
        def end(self):
            self.big = self.big.copy()
            self.big[1000] = -1
"""

Read = Callable[[Store], object]


@dataclass(frozen=True, slots=True)
class Fact:
    """What is read in a store: its value when all was well, and the keys that it is read from."""

    name: str
    read: Read
    value: object
    keys: frozenset[str]

    def check(self, store: Store) -> None:
        """See that it reads as when all was well. Raises what reading it raises."""
        assert _same(self.read(store), self.value), f"`{self.name}` reads as another"


@dataclass(frozen=True, slots=True)
class Specimen:
    """All files of a store by key, and all facts in them."""

    files: Mapping[str, bytes]
    facts: tuple[Fact, ...]
    by_key: dict[str, list[Fact]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Specimen:
        """Read a store that is well."""
        storage = DirectoryStorage(root)
        files = {key: storage.read(key) for key in storage.list("")}
        memory = held(files)
        facts = []
        for name, read in _readings(Store(memory)):
            counting = CountingStorage(memory)
            value = read(Store(counting))
            keys = {key for how, key in counting.calls if how in ("read", "map", "size", "load")}
            facts.append(Fact(name, read, value, frozenset(keys & files.keys())))
        found = cls(files, tuple(facts))
        for fact in facts:
            for key in fact.keys:
                found.by_key.setdefault(key, []).append(fact)
        return found

    def of_kind(self, kind: str) -> list[tuple[str, bytes]]:
        """Return the files of a kind with their keys."""
        return [(key, data) for key, data in self.files.items() if kind_of(key) == kind]


def held(files: Mapping[str, bytes]) -> MemoryStorage:
    """Return a storage in memory with these files."""
    memory = MemoryStorage()
    for key, data in files.items():
        memory.create(key, data)
    return memory


def put_back(storage: MemoryStorage, key: str, data: bytes) -> None:
    """Put other bytes under a key, as nothing in flowkit would."""
    storage.delete(key)
    storage.create(key, data)


def kind_of(key: str) -> str:
    """Return which kind of file a key is: two of a kind could stand for one another."""
    top, *rest = key.split("/")
    if top == "objects":
        return "object" + "".join(f".{one}" for one in rest[-1].split(".")[1:])
    return rest[2] if len(rest) > 2 else top


def changes(data: bytes, *, masks: int) -> Iterator[tuple[str, bytes]]:
    """Yield every change of one byte by some masks, every truncation, and insertions.

    Small files are gone through byte by byte, large ones at some places. Which masks are used
    differs from byte to byte, so that a file sees all of them.
    """
    size = len(data)
    if size <= (50_000 if IS_LONG else 6_000):
        places = [*range(size)]
    else:
        places = sorted({*range(32), *range(0, size, size // (1000 if IS_LONG else 30)), size - 1})
    for at in places:
        for turn in range(masks):
            mask = 255 - (at * 37 + turn) % 255
            yield f"byte {at} ^ {mask:#04x}", data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
    for at in {*places[:: 1 if IS_LONG else max(1, len(places) // 30)], max(0, size - 2), size}:
        if at < size:
            yield f"cut at {at}", data[:at]
        for inserted in (b"\0", b"\n", data[at : at + 1] or b" "):
            yield f"{inserted!r} inserted at {at}", data[:at] + inserted + data[at:]


def grow(yard: Yard) -> None:
    """Make runs that leave files of every kind."""
    yard.write(FLOW)
    failed = yard.run("run", FAILS="1")
    assert failed.returncode == 1, failed.stderr
    resumed = yard.run("resume")
    assert resumed.returncode == 0, resumed.stderr
    store = Store.open(str(yard.home / "store"))
    for number in ("1", "2"):
        store.change_tags(RunId("Rot", number), lambda tags, number=number: {*tags, number})
    for number in ("3", "4"):
        run = RunId("Rot", number)
        assert store.create_run(structs.replace(store.run_record(RunId("Rot", "1")), run=run))
        store.delete_run(run)


def names_it(error: StoreError, key: str) -> bool:
    """Say whether an error names the file, or the object that it holds."""
    name = key.rpartition("/")[2].partition(".")[0]
    return key in error.message or (key.startswith("objects/") and name[:12] in error.message)


def _readings(store: Store) -> Iterator[tuple[str, Read]]:
    """Yield all that can be asked of a store that is well."""
    yield "runs", lambda store: list(store.run_ids())
    yield "next number", lambda store: store.next_run_number("Rot")
    manifests: set[Digest] = set()
    for run in store.run_ids():
        record = store.run_record(run)
        manifests.add(record.parameters)
        yield from _readings_of_run(run, record)
        results = list(store.results(run))
        clones = store.clones(run)
        outcomes = [one.outcome for one in (*results, *(clones.clones if clones else ()))]
        manifests |= {one.manifest for one in outcomes if one is not None}
        for result in results:
            at = result.attempt
            yield f"{run} {at}", lambda store, run=run, at=at: store.result(run, at)
            yield f"log {run} {at}", lambda store, run=run, at=at: store.log(run, at)
            yield f"cards {run} {at}", lambda store, run=run, at=at: store.cards(run, at)
    for digest in sorted(manifests):
        yield f"manifest {digest}", lambda store, digest=digest: store.manifest(digest)
        manifest = store.manifest(digest)
        entries = [
            *manifest.artifacts.items(),
            *((f"block {n}", e) for n, e in enumerate(manifest.items)),
        ]
        for name, entry in entries:
            yield f"{digest} {name}", _loading(entry)


def _readings_of_run(run: RunId, record: RunRecord) -> Iterator[tuple[str, Read]]:
    yield f"{run}", lambda store: store.run_record(run)
    yield f"tags {run}", lambda store: store.tags(run)
    yield f"end {run}", lambda store: store.run_end(run)
    yield f"clones {run}", lambda store: store.clones(run)
    yield f"results {run}", lambda store: list(store.results(run))


def _loading(entry: ArtifactEntry) -> Read:
    return lambda store: store.load(entry)


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if hasattr(one, "tobytes"):
        return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())
    return bool(one == other)
