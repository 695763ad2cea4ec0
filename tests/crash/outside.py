"""Everything that reads bytes from outside, each with some bytes that it takes.

A door may take what it is given or refuse it by an error of flowkit's, and nothing else. The doors
are tried with whatever hypothesis thinks of, and by the programs in `fuzz/`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pickle import dumps
from typing import Any, Final

import click
import zstandard

from flowkit import wire
from flowkit.cli.durations import duration
from flowkit.errors import FlowkitError
from flowkit.graph import FlowDescription, Kind, Node, Place
from flowkit.logs import encode_line, parse_log, whole_lines
from flowkit.records import Clone, Clones, RunEnd, RunRecord, StoredCard
from flowkit.settings.fields import WrongSettings, check_settings
from flowkit.store import Store, find_fault
from flowkit.store.compression import compress, decompress
from flowkit.store.envelope import open_record, seal_record
from flowkit.store.hashing import Pieces, digest_of
from flowkit.store.keys import chunks_key, compressed_key, raw_key, recipe_key
from flowkit.store.manifests import encode_manifest
from flowkit.store.recipes import Extent, Recipe, pack_chunks
from flowkit.store.serializers import find_serializer
from flowkit.store.serializers.inert import read_inert
from flowkit.testing import MemoryStorage
from flowkit.values import (
    ArtifactEntry,
    Attempt,
    Digest,
    Digests,
    Failure,
    Frame,
    Manifest,
    Outcome,
    Part,
    RunId,
    StoreAddress,
    TaskKey,
    TaskResult,
    TaskSpec,
)
from flowkit.worker import messages

Read = Callable[[bytes], object]

RUN: Final = RunId("Sent", "1")
KEY: Final = TaskKey("work", (3,))
DIGEST: Final = Digest(bytes(range(32)))
CONTENTS: Final = b"contents " * 20
START: Final = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Door:
    """Something that reads bytes from outside.

    `refusals` are what it says no with besides errors of flowkit's: that its caller translates.
    """

    read: Read
    seeds: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...] = ()

    def knock(self, data: bytes) -> None:
        """Give it bytes. Raises what it must not raise."""
        with suppress(FlowkitError, *self.refusals):
            self.read(data)


def as_text(read: Callable[[str], object]) -> Read:
    """Make a door for text of one for bytes: what is no UTF-8 is what Python makes of it."""
    return lambda data: read(data.decode(errors="surrogateescape"))


def _wire_values() -> list[object]:
    place = Place("flow.py", 1)
    nodes = (
        Node(name="start", place=place, kind=Kind.FOREACH, targets=("work",), foreach="items"),
        Node(name="work", place=place, kind=Kind.LINEAR, targets=("end",)),
        Node(name="end", place=place, kind=Kind.END, is_join=True),
    )
    described = FlowDescription(
        name="Sent", file="flow.py", start="start", end="end", nodes=nodes, doc="A flow."
    )
    attempt = Attempt(KEY, 1)
    failure = Failure(type_name="ValueError", message="no", traceback="line 1", where="f.py:1")
    outcome = Outcome(manifest=DIGEST, width=3, choice="end")
    clone = Clone(key=KEY, origin=RUN, attempt=0, outcome=outcome)
    spec = TaskSpec(
        run=RUN,
        attempt=attempt,
        flow_file="flow.py",
        store=StoreAddress(url="/store"),
        parameters=DIGEST,
        inputs=Digests([DIGEST, DIGEST]),
        input_steps=("start",),
        frames=(Frame("start", 3, 5, DIGEST),),
        base=DIGEST,
    )
    return [
        RunRecord(run=RUN, description=described, parameters=DIGEST, started_at=START, user="ann"),
        RunEnd(run=RUN, status="failed", finished_at=START, failed=(KEY,), failure=failure),
        Clones(RUN, (clone,)),
        StoredCard(attempt=attempt, number=0, type="blank", id="a", html="<p>", data="{}"),
        TaskResult(
            attempt=attempt,
            status="succeeded",
            started_at=START,
            finished_at=START,
            outcome=outcome,
        ),
        _manifest(),
        Recipe((Extent(DIGEST, 0, 5),), 5),
        spec,
        messages.Described(described),
        messages.Submit(spec, False),
        messages.Exited(attempt, -9),
        messages.ExitHooksCalled((("notify", failure),)),
    ]


def _manifest() -> Manifest:
    entry = ArtifactEntry(
        tag="json", type_name="int", digest=DIGEST, parts=(Part(None, 2, 0), Part(DIGEST, 9))
    )
    return Manifest(artifacts={"x": entry}, items=(entry,), items_per_block=4, item_digests=entry)


def _decode(kind: type, data: bytes) -> None:
    # What was read can be written, and is then read as the same.
    value = wire.decode(kind, data, name="given")
    again = wire.encode(value)
    assert wire.encode(wire.decode(kind, again, name="given")) == again


def _receive(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.settimeout(5)
        theirs.sendall(data[:50_000])
        theirs.shutdown(socket.SHUT_WR)
        channel = messages.Channel(ours)
        while not channel.closed:
            channel.receive()


def _sent(message: Any) -> bytes:
    body = wire.encode(message)
    return messages.HEADER.pack(messages.BYTES[type(message)], len(body)) + body


def _hold(key: str, data: bytes) -> Store:
    storage = MemoryStorage()
    storage.create(key, data)
    return Store(storage)


def _record(key: str, name: str, data: bytes, *, packed: bool = False) -> None:
    """Look at a record whose seal holds, as that of a stranger's store does."""
    body = compress(Pieces([data])) if packed else data
    store = _hold(key, b"".join(seal_record(name, body, key=key)))
    find_fault(store, key)
    run, attempt = RUN, Attempt(KEY)
    reads: tuple[Callable[[], object], ...] = (
        lambda: store.run_record(run),
        lambda: list(store.results(run)),
        lambda: store.clones(run),
        lambda: store.run_end(run),
        lambda: store.tags(run),
        lambda: store.cards(run, attempt),
    )
    for read in reads:
        with suppress(FlowkitError):
            read()


def _unsealed(data: bytes) -> None:
    open_record("run", data, key="runs/Sent/1/run.json")


def _frame(data: bytes) -> None:
    memory = decompress(data, key="given")
    assert len(memory) < 1 << 24 or len(data) > 100


def _open_manifest(data: bytes) -> None:
    """Read a manifest and all in it that no code is run for."""
    digest = digest_of(memoryview(data))
    store = _hold(raw_key(digest), data)
    find_fault(store, raw_key(digest))
    manifest = store.manifest(digest)
    for entry in [*manifest.artifacts.values(), *manifest.items]:
        with suppress(FlowkitError):
            if entry.tag not in ("pickle", "pandas", "frame", "arrow"):
                store.load(entry)
        with suppress(FlowkitError, ValueError):
            store.look_at(entry)
    with suppress(FlowkitError, IndexError):
        if all(entry.tag == "json" for entry in manifest.items):
            store.load_element(digest, 1)


def _manifest_text(data: bytes) -> None:
    _open_manifest(b"flowkit manifest 1 %012d\n" % len(data) + data + bytes(-len(data) % 64 + 64))


def _recipe(data: bytes) -> None:
    """Follow a recipe whose seal holds, over two objects that are there."""
    digest = digest_of(memoryview(b"lain"))
    key = recipe_key(digest)
    store = _hold(key, b"".join(seal_record("recipe", data, key=key)))
    store.storage.create(raw_key(digest_of(memoryview(b"plain"))), b"plain")
    find_fault(store, key)
    assert store.get(digest) == b"lain"


def _chunks(data: bytes) -> None:
    key = chunks_key(DIGEST)
    find_fault(_hold(key, b"".join(seal_record("chunks", data, key=key))), key)


def _object(data: bytes) -> None:
    digest = digest_of(memoryview(CONTENTS))
    key = compressed_key(digest)
    store = _hold(key, data)
    find_fault(store, key)
    assert store.get(digest) == CONTENTS


def _load(tag: str, data: bytes) -> None:
    """Load what a serializer other than pickle is said to have written: a head and a buffer."""
    head, _, rest = data.partition(b"\0")
    entry = ArtifactEntry(
        tag=tag,
        type_name="x",
        digest=DIGEST,
        parts=tuple(Part(digest_of(memoryview(one)), len(one)) for one in (head, rest)),
    )
    store = Store(MemoryStorage())
    for one in (head, rest):
        store.put(one)
    store.load(entry)


def _saved(value: object) -> bytes:
    """Return what a serializer writes of a value, for `_load`."""
    head, buffers = find_serializer(value).dump(value)
    pieces: list[Any] = []
    for buffer in buffers:
        pieces += buffer if isinstance(buffer, list) else [buffer]
    return bytes(head) + b"\0" + b"".join(bytes(piece) for piece in pieces)


def _arrays() -> dict[str, Door]:
    import numpy
    import pandas
    import pyarrow

    table = pyarrow.table({"a": [1, None, 3], "b": ["x", "y", None], "c": [[1], [], None]})
    fields = numpy.zeros(2, [("a", "<i4"), ("b", "<f8", (2,))])
    values: dict[str, list[object]] = {
        "numpy": [numpy.arange(6).reshape(2, 3), numpy.asfortranarray(numpy.eye(2)), fields],
        "arrow": [table, table.column("b"), table.schema, pyarrow.array([1.5, None])],
        "pandas": [pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), pandas.Series([1.5])],
        "json": [{"a": [1, None, "x"]}],
        "bytes": [b"bytes"],
    }
    doors = {
        f"serializer {tag}": Door(partial(_load, tag), tuple(map(_saved, given)))
        for tag, given in values.items()
    }
    whole = _saved(table).partition(b"\0")[2]
    doors["serializer frame"] = Door(partial(_load, "frame"), (b"\0" + whole,))
    return doors


def _records() -> dict[str, Door]:
    folder, values = "runs/Sent/1", {type(one): one for one in _wire_values()}
    kinds: dict[str, tuple[type, str, bool]] = {
        f"{folder}/run.json": (RunRecord, "run", False),
        f"{folder}/end.json": (RunEnd, "end", False),
        f"{folder}/results/work/3-0.json": (TaskResult, "result", False),
        f"{folder}/clones.zst": (Clones, "clones", True),
        f"{folder}/cards/work/3-0/0.zst": (StoredCard, "card", True),
    }
    doors = {
        f"record {name}": Door(
            partial(_record, key, name, packed=packed), (wire.encode(values[kind]),)
        )
        for key, (kind, name, packed) in kinds.items()
    }
    tags = partial(_record, f"{folder}/tags.json", "tags")
    doors["record tags"] = Door(tags, (wire.encode({"tags": ("a", "b")}),))
    return doors


def _durations(text: str) -> None:
    parameter = click.Option(["--grace"])
    duration(click.Context(click.Command("gc")), parameter, text)


def _settings(text: str) -> None:
    for name in ("home", "store", "sync", "cpu", "max_workers", "namespace", "verify", "catalogs"):
        with suppress(WrongSettings):
            check_settings({name: text})


def doors() -> Mapping[str, Door]:
    """Return all doors by name."""
    values = _wire_values()
    by_kind = {type(one).__name__: one for one in values}
    wire_doors = {
        f"wire {name}": Door(partial(_decode, type(one)), (wire.encode(one),))
        for name, one in by_kind.items()
    }
    sent = tuple(_sent(one) for one in values if type(one) in messages.BYTES)
    key = "runs/Sent/1/run.json"
    sealed = b"".join(seal_record("run", wire.encode(values[0]), key=key))
    recipe = wire.encode(Recipe((Extent(digest_of(memoryview(b"plain")), 1, 4),), 4))
    text = wire.encode(_manifest())
    log = encode_line(1, "stdout", b"x") + encode_line(2, "stderr", b"y", ended=False)
    frame = zstandard.compress(CONTENTS)
    pickle = dumps([1, "x", {"x": DIGEST}])
    return {
        **wire_doors,
        **_records(),
        **_arrays(),
        "messages": Door(_receive, (*sent, b"".join(sent))),
        "envelope": Door(_unsealed, (sealed,)),
        "compression": Door(_frame, (frame,)),
        "object": Door(_object, (frame,)),
        "manifest": Door(_open_manifest, (b"".join(encode_manifest(_manifest(), [b"77"])),)),
        "manifest text": Door(_manifest_text, (text,)),
        "recipe": Door(_recipe, (recipe,)),
        "chunks": Door(_chunks, (pack_chunks([(9, bytes(16)), (5, bytes(16))]),)),
        "log": Door(lambda data: [one.time_us for one in whole_lines(parse_log(data))], (log,)),
        "inert pickle": Door(read_inert, (pickle,), (ValueError,)),
        "duration": Door(as_text(_durations), (b"90s", b"1.5h", b"7"), (click.BadParameter,)),
        "settings": Door(as_text(_settings), (b"true", b"/home", b"3.5", b'{"a": {"b": "c"}}')),
    }
