"""The records of runs: created once each, read back verified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from flowkit import wire
from flowkit.errors import Corrupt, KeyMissing, StoreError, VersionMoved
from flowkit.ports import Buffer
from flowkit.records import Clones, RunEnd, RunRecord, StoredCard
from flowkit.store.compression import compress, decompress
from flowkit.store.envelope import open_record, seal_record
from flowkit.store.gate import Gate
from flowkit.store.hashing import Pieces
from flowkit.store.keys import (
    DELETED,
    RUNS,
    attempt_key,
    check_key,
    flow_folder,
    is_flow_name,
    is_run_id,
    run_folder,
)
from flowkit.store.plausible import check_record
from flowkit.values import Attempt, RunId, TaskResult

Value = TypeVar("Value")

_TAGS: Final = "tags"
_CLONES: Final = "clones"
_COUNTED: Final = ("results", "logs", "cards", _CLONES)


class RunRecords:
    """The records of runs in a store. Each `create_…` returns False if it was there already.

    All methods raise UsageError for names that are none, Corrupt for damaged records, and
    StoreError if the storage fails.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def create_run(self, record: RunRecord) -> bool:
        """Record that a run begins. False too if a run of that id was deleted."""
        if self.is_deleted(record.run):
            return False
        key = _run_key(record.run, "run.json")
        if not self._create(key, "run", wire.encode(record)):
            return False
        # A run may have had the number, and have been deleted, since it was found to be free.
        if self.is_deleted(record.run):
            self._gate.writing.delete(key)
            return False
        return True

    def has_run(self, run: RunId) -> bool:
        """Say whether there is a run that was not deleted."""
        return self._is_there(_run_key(run, "run.json")) and not self.is_deleted(run)

    def is_deleted(self, run: RunId) -> bool:
        """Say whether there was such a run, and it was deleted, be it that some is still there."""
        return self._is_there(run_folder(run, under=DELETED))

    def deleted_run_ids(self) -> Iterator[RunId]:
        """Yield the runs that were deleted, in no order."""
        for key in self._gate.reading.list(DELETED):
            _, flow, run_id = key.split("/")
            yield RunId(flow, run_id)

    def run_record(self, run: RunId) -> RunRecord:
        """Return a run as it began. Raises KeyMissing."""
        key = _run_key(run, "run.json")
        record = self._read(key, "run", RunRecord)
        if record is None:
            raise KeyMissing(key)
        _check_owner(key, record.run, run)
        return record

    def run_ids(self, flow: str | None = None) -> Iterator[RunId]:
        """Yield the runs of a flow, or of all flows by name; numbered ones first, in order."""
        storage = self._gate.reading
        flows = filter(is_flow_name, storage.folders(RUNS)) if flow is None else [flow]
        for name in flows:
            deleted = set(_names(storage.list(flow_folder(name, under=DELETED))))
            folders = filter(is_run_id, storage.folders(flow_folder(name)))
            ids = [one for one in folders if one not in deleted]
            yield from (RunId(name, one) for one in sorted(ids, key=_by_number))

    def next_run_number(self, flow: str) -> int:
        """Return a number that no run of the flow has, or had before it was deleted.

        Another run may take it first: `create_run` tells.
        """
        storage = self._gate.reading
        taken = [
            *storage.folders(flow_folder(flow)),
            *_names(storage.list(flow_folder(flow, under=DELETED))),
        ]
        return 1 + max((int(one) for one in taken if one.isdecimal()), default=0)

    def create_result(self, run: RunId, result: TaskResult) -> bool:
        """Record how an attempt ended: from now on that is the truth about it."""
        return self._create(_result_key(run, result.attempt), "result", wire.encode(result))

    def result(self, run: RunId, attempt: Attempt) -> TaskResult | None:
        """Return how an attempt ended, or None if it has not."""
        key = _result_key(run, attempt)
        result = self._read(key, "result", TaskResult)
        if result is not None:
            _check_owner(key, result.attempt, attempt)
        return result

    def results(
        self, run: RunId, *, on_error: Callable[[StoreError], None] | None = None
    ) -> Iterator[TaskResult]:
        """Yield the results of a run, by step; a result that is deleted meanwhile is skipped.

        Damaged ones raise Corrupt, or are passed to `on_error` and skipped.
        """
        for key in self._gate.reading.list(f"{run_folder(run)}/results"):
            try:
                result = self._result_at(run, key)
            except Corrupt as error:
                if on_error is None:
                    raise
                on_error(error)
                continue
            if result is not None:
                yield result

    def create_clones(self, clones: Clones, *, number: int = 0) -> bool:
        """Record clones that a run has made: number 0 as it began, the others one by one later."""
        body = compress(Pieces([wire.encode(clones)]))
        return self._create(_clones_key(clones.run, number), _CLONES, body)

    def clones(self, run: RunId) -> Clones | None:
        """Return all clones of a run, or None if it has no such record."""
        later = self._gate.reading.list(f"{run_folder(run)}/clones")
        keys = [_clones_key(run, 0), *later]
        found = [one for key in keys if (one := self._clones_at(run, key)) is not None]
        return Clones(run, tuple(clone for one in found for clone in one.clones)) if found else None

    def has_clones(self, run: RunId) -> bool:
        """Say whether the clones that a run began with are recorded, be they none."""
        return self._is_there(_clones_key(run, 0))

    def _clones_at(self, run: RunId, key: str) -> Clones | None:
        body = self._find(key, _CLONES)
        if body is None:
            return None
        clones = _decoded(Clones, decompress(body, key=key), key)
        _check_owner(key, clones.run, run)
        return clones

    def create_end(self, end: RunEnd) -> bool:
        """Record how a run ended, and how many records of other kinds it has left until then."""
        end = replace(end, kept=self.count_records(end.run))
        return self._create(_run_key(end.run, "end.json"), "end", wire.encode(end))

    def count_records(self, run: RunId) -> dict[str, int]:
        """Count the records of a run that come one by one: its results, logs, cards and clones."""
        storage, folder = self._gate.reading, run_folder(run)
        counts = {kind: sum(1 for _ in storage.list(f"{folder}/{kind}")) for kind in _COUNTED}
        with suppress(KeyMissing):
            storage.size(_clones_key(run, 0))
            counts[_CLONES] += 1
        return {kind: count for kind, count in counts.items() if count}

    def run_end(self, run: RunId) -> RunEnd | None:
        """Return how a run ended, or None if it has not."""
        key = _run_key(run, "end.json")
        end = self._read(key, "end", RunEnd)
        if end is not None:
            _check_owner(key, end.run, run)
        return end

    def create_log(self, run: RunId, attempt: Attempt, data: bytes) -> bool:
        """Record what an attempt printed."""
        return self._create(_log_key(run, attempt), "log", data)

    def replace_log(self, run: RunId, attempt: Attempt, data: bytes) -> bool:
        """Put another log in the place of what an attempt printed; False if there is none.

        The one thing that is ever replaced: what should not have been printed has to go. It is
        gone even if this is cut short.
        """
        key = _log_key(run, attempt)
        return self._gate.writing.delete(key) and self._create(key, "log", data)

    def log(self, run: RunId, attempt: Attempt) -> bytes | None:
        """Return what an attempt printed, or None if nothing was recorded."""
        body = self._find(_log_key(run, attempt), "log")
        return None if body is None else bytes(body)

    def logged(self, run: RunId, step: str) -> Iterator[str]:
        """Yield `<task id>-<number>` for each attempt at a step of which a log was recorded."""
        keys = self._gate.reading.list(f"{run_folder(run)}/logs/{step}")
        return (name.removesuffix(".log") for name in _names(keys))

    def create_card(self, run: RunId, card: StoredCard) -> bool:
        """Record a card of an attempt."""
        body = compress(Pieces([wire.encode(card)]))
        return self._create(_card_key(run, card.attempt, card.number), "card", body)

    def cards(self, run: RunId, attempt: Attempt) -> list[StoredCard]:
        """Return the cards of an attempt, in the order of their numbers."""
        folder = attempt_key(run, attempt, kind="cards", suffix="")
        found = [self._card_at(run, key) for key in self._gate.reading.list(folder)]
        return sorted((one for one in found if one is not None), key=lambda one: one.number)

    def tags(self, run: RunId) -> tuple[str, ...]:
        """Return the user's tags of a run, sorted. Raises KeyMissing if there is no such run."""
        key = _run_key(run, "tags.json")
        body = self._find(key, _TAGS)
        return tuple(sorted(self.run_record(run).tags)) if body is None else _tags_in(key, body)

    def change_tags(
        self, run: RunId, change: Callable[[frozenset[str]], Iterable[str]]
    ) -> tuple[str, ...]:
        """Replace a run's tags by what `change` makes of them; returns the new ones, sorted.

        `change` is called again if somebody else was quicker. Raises KeyMissing.
        """
        key = _run_key(run, "tags.json")
        storage = self._gate.writing
        first = self.run_record(run).tags
        while True:
            stored = storage.load(key)
            tags = (
                first if stored is None else _tags_in(key, open_record(_TAGS, stored.data, key=key))
            )
            changed = tuple(sorted(set(change(frozenset(tags)))))
            record = b"".join(seal_record(_TAGS, wire.encode({_TAGS: changed}), key=key))
            try:
                storage.swap(key, record, expected=stored.version if stored else None)
            except VersionMoved:
                continue
            if not self.has_run(run):
                storage.delete(key)  # it came after all else was deleted
                raise KeyMissing(_run_key(run, "run.json"))
            return changed

    def delete_run(self, run: RunId) -> None:
        """Forget a run: its records now, its objects when garbage is collected next.

        A tombstone stays, so that the run's number is not given out again. May be repeated.
        """
        storage = self._gate.writing
        tombstone, first = run_folder(run, under=DELETED), _run_key(run, "run.json")
        # The tombstone first: what a crash leaves behind already counts as deleted.
        try:
            self._create(tombstone, "deleted", b"")
        except StoreError:
            # A disk that is full has room for it once the rest is gone.
            for key in storage.list(run_folder(run)):
                if key != first:
                    storage.delete(key)
            self._create(tombstone, "deleted", b"")
        storage.delete(first)
        for key in storage.list(run_folder(run)):
            storage.delete(key)

    def verify_record(self, key: str) -> None:
        """Check one record below `runs/` or `deleted/` fully. Raises Corrupt, KeyMissing."""
        match key.split("/"):
            case [top, flow, run_id] if top == DELETED:
                self._find(run_folder(RunId(flow, run_id), under=DELETED), "deleted")
            case [top, flow, run_id, "run.json"] if top == RUNS:
                self.run_record(RunId(flow, run_id))
            case [top, flow, run_id, "end.json"] if top == RUNS:
                self.run_end(RunId(flow, run_id))
            case [top, flow, run_id, "clones.zst"] if top == RUNS:
                self._clones_at(RunId(flow, run_id), key)
            case [top, flow, run_id, "clones", _] if top == RUNS:
                self._clones_at(RunId(flow, run_id), key)
            case [top, _, _, "tags.json"] if top == RUNS:
                body = self._find(key, _TAGS)
                if body is not None:
                    _tags_in(key, body)
            case [top, flow, run_id, "results", _, _] if top == RUNS:
                self._result_at(RunId(flow, run_id), key)
            case [top, _, _, "logs", _, _] if top == RUNS:
                self._find(key, "log")
            case [top, flow, run_id, "cards", _, _, _] if top == RUNS:
                self._card_at(RunId(flow, run_id), key)
            case _:
                raise Corrupt(key, "no record has such a key")

    def _result_at(self, run: RunId, key: str) -> TaskResult | None:
        result = self._read(key, "result", TaskResult)
        if result is not None:
            _check_owner(key, _result_key(run, result.attempt), key)
        return result

    def _card_at(self, run: RunId, key: str) -> StoredCard | None:
        body = self._find(key, "card")
        if body is None:
            return None
        card = _decoded(StoredCard, decompress(body, key=key), key)
        _check_owner(key, _card_key(run, card.attempt, card.number), key)
        return card

    def _is_there(self, key: str) -> bool:
        try:
            self._gate.reading.size(key)
        except KeyMissing:
            return False
        return True

    def _create(self, key: str, name: str, body: Buffer) -> bool:
        return self._gate.writing.create(key, *seal_record(name, body, key=key))

    def _find(self, key: str, name: str) -> memoryview | None:
        try:
            data = self._gate.reading.read(check_key(key))
        except KeyMissing:
            return None
        return open_record(name, data, key=key)

    def _read(self, key: str, name: str, kind: type[Value]) -> Value | None:
        body = self._find(key, name)
        return None if body is None else _decoded(kind, body, key)


def _decoded(kind: type[Value], body: memoryview, key: str) -> Value:
    record = wire.decode(kind, body, name=key)
    try:
        check_record(record)
    except ValueError as error:
        raise Corrupt(key, str(error)) from error
    return record


def _run_key(run: RunId, name: str) -> str:
    return f"{run_folder(run)}/{name}"


def _clones_key(run: RunId, number: int) -> str:
    return _run_key(run, f"clones/{number}.zst" if number else "clones.zst")


def _result_key(run: RunId, attempt: Attempt) -> str:
    return attempt_key(run, attempt, kind="results", suffix=".json")


def _log_key(run: RunId, attempt: Attempt) -> str:
    return attempt_key(run, attempt, kind="logs", suffix=".log")


def _card_key(run: RunId, attempt: Attempt, number: int) -> str:
    return attempt_key(run, attempt, kind="cards", suffix=f"/{number}.zst")


def _check_owner(key: str, found: object, expected: object) -> None:
    """Raise Corrupt if a record is about something else than its key says."""
    if found != expected:
        raise Corrupt(key, f"it is about `{found}`")


def _names(keys: Iterable[str]) -> list[str]:
    return [key.rpartition("/")[2] for key in keys]


def _by_number(run_id: str) -> tuple[bool, int, str]:
    numbered = run_id.isdecimal()
    return (not numbered, int(run_id) if numbered else 0, run_id)


def _tags_in(key: str, body: memoryview) -> tuple[str, ...]:
    tags: Any = wire.decode(dict[str, tuple[str, ...]], body, name=key).get(_TAGS, ())
    return tuple(sorted(tags))
