"""Building the index of runs again from the records in a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Final, Protocol

from flowkit.errors import Corrupt, KeyMissing, StoreError
from flowkit.records import Clones, RunEnd, RunRecord
from flowkit.store.keys import run_folder
from flowkit.store.store import Store
from flowkit.store.verification import Damage
from flowkit.values import RunId, TaskResult

_BATCH: Final = 1000


class RunIndex(Protocol):
    """What can be fed with the records of runs."""

    def batch(self) -> AbstractContextManager[None]:
        """Enter a block that is taken in whole or not at all."""

    def clear(self, run: RunId | None = None) -> None:
        """Forget all that records tell of, or what they tell of one run."""

    def forget_run(self, run: RunId) -> None:
        """Take in that a run was deleted, whatever is heard of it later."""

    def record_run(self, record: RunRecord) -> None:
        """Take in how a run began."""

    def record_results(self, run: RunId, results: Sequence[TaskResult]) -> None:
        """Take in how attempts ended."""

    def record_clones(self, clones: Clones) -> None:
        """Take in which tasks of earlier runs stand for a run's own."""

    def record_end(self, end: RunEnd) -> None:
        """Take in how a run ended."""

    def record_tags(self, run: RunId, tags: Sequence[str]) -> None:
        """Take in a run's tags."""


def reindex(store: Store, index: RunIndex) -> list[Damage]:
    """Clear an index and feed it every run; returns the damaged records that were left out.

    Until it is done, the index answers as before. Raises StoreError if the storage fails, and
    what the index raises.
    """
    damage: list[Damage] = []
    with index.batch():
        index.clear()
        for run in store.deleted_run_ids():
            index.forget_run(run)
        for run in store.run_ids():
            damage += _feed_run(store, run, index)
    return damage


def reindex_run(store: Store, run: RunId, index: RunIndex) -> list[Damage]:
    """Have an index agree with the store about one run; returns the damage.

    Raises what `reindex` raises.
    """
    # Read while nobody else can write to the index: whoever changes the run meanwhile comes later.
    with index.batch():
        index.clear(run)
        return _feed_run(store, run, index)


def _feed_run(store: Store, run: RunId, index: RunIndex) -> list[Damage]:
    """Feed an index one run, or have it forget one that was deleted; returns the damage."""
    damage: list[Damage] = []
    if not store.is_deleted(run):
        with _noting(damage):
            index.record_run(store.run_record(run))
            _feed(store, run, index, damage)
    # It may have been deleted while it was being read.
    if store.is_deleted(run):
        index.forget_run(run)
        return []
    if damage and next(store.storage.list(run_folder(run)), None) is None:
        return []  # whoever was about to begin it made its folder and died
    return damage


def _feed(store: Store, run: RunId, index: RunIndex, damage: list[Damage]) -> None:
    """Feed an index what follows a run's beginning, as far as it is intact."""
    with _noting(damage):
        if clones := store.clones(run):
            index.record_clones(clones)
    results = store.results(run, on_error=lambda error: _note(damage, error))
    while batch := list(islice(results, _BATCH)):
        index.record_results(run, batch)
    with _noting(damage):
        if end := store.run_end(run):
            index.record_end(end)
    with _noting(damage):
        index.record_tags(run, store.tags(run))


@contextmanager
def _noting(damage: list[Damage]) -> Iterator[None]:
    try:
        yield
    except (Corrupt, KeyMissing) as error:
        _note(damage, error)


def _note(damage: list[Damage], error: StoreError) -> None:
    if isinstance(error, Corrupt):
        damage.append(Damage(error.key, error.reason))
    elif isinstance(error, KeyMissing):
        damage.append(Damage(error.key, "it is missing"))
    else:
        raise error
