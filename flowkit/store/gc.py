"""Collecting garbage: removing the objects that no run reaches, beside running flows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from flowkit.errors import KeyMissing, StoreError
from flowkit.records import RunRecord
from flowkit.store.keys import DELETED, OBJECTS, RUNS, digest_in
from flowkit.store.reach import find_reachable
from flowkit.store.store import Store
from flowkit.values import RunId

_CLOCK_TICK_S = 0.02
"""File systems stamp files by a clock that may be a tick behind: 10 ms where they are longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What a collection found. Counts are of keys below `objects/`.

    `unreached` keys are needed by no run; of these, `deleted` are gone (none in a dry run), the
    others too young. `unreached_bytes` and `deleted_bytes` are what they take in the storage.
    `leftovers` are files of writers that died, removed too. `live` are the runs that may still
    be going on.
    """

    kept: int
    unreached: int
    unreached_bytes: int
    deleted: int
    deleted_bytes: int
    leftovers: int
    live: tuple[RunId, ...] = ()


def collect(
    store: Store,
    *,
    grace_s: float = 3600.0,
    dry_run: bool = False,
    lives: Callable[[RunRecord], bool] = lambda record: True,
) -> GcReport:
    """Delete what no run reaches and nobody has written or reused for `grace_s` seconds.

    Safe beside running flows, whatever the grace: a task's objects are named by no result before
    it ends, so nothing goes that was written or reused since the oldest live run began, nor what
    is written or reused while this collects.

    Args:
        store: what to collect in.
        grace_s: seconds for which what nobody needs is kept all the same.
        dry_run: only count.
        lives: whether a run without an end may be going on. Left out, every such run may.

    Raises:
        Corrupt: a record or manifest is damaged, so what it reaches is not known; nothing was
            deleted then.
        StoreError: the storage failed.
    """
    began_s = time.time() - _CLOCK_TICK_S
    # Listed before the runs are read: an object that comes later is not even considered, and one
    # that was there and is reused meanwhile is young again when its turn comes.
    keys = list(store.storage.list(OBJECTS))
    # Before their results are read: a run that ends in between has told all that it reaches.
    live = _live_runs(store, lives)
    spared_since_s = min([began_s, *(one.started_at.timestamp() for one in live)])
    reached = find_reachable(store, keys, on_error=_raise_damage)
    unreached = [key for key in keys if (digest := digest_in(key)) and digest not in reached]
    unreached_bytes = deleted = deleted_bytes = leftovers = 0

    def spared_age_s() -> float:
        return max(grace_s, time.time() - spared_since_s)

    for key in unreached:
        try:
            size = store.storage.size(key)
        except KeyMissing:
            continue  # another collection was quicker
        unreached_bytes += size
        if not dry_run and store.storage.delete(key, unless_younger_s=spared_age_s()):
            deleted += 1
            deleted_bytes += size
    if not dry_run:
        _finish_deletions(store)
        leftovers = store.storage.clean(older_than_s=spared_age_s())
    return GcReport(
        kept=len(keys) - len(unreached),
        unreached=len(unreached),
        unreached_bytes=unreached_bytes,
        deleted=deleted,
        deleted_bytes=deleted_bytes,
        leftovers=leftovers,
        live=tuple(record.run for record in live),
    )


def _live_runs(store: Store, lives: Callable[[RunRecord], bool]) -> list[RunRecord]:
    """Return the runs that may still write, as they began."""
    found = []
    for run in store.run_ids():
        if store.run_end(run) is None:
            with suppress(KeyMissing):  # deleted meanwhile
                record = store.run_record(run)
                if lives(record):
                    found.append(record)
    return found


def _raise_damage(error: StoreError) -> None:
    # A manifest that is gone hides nothing that could still be used; one that is damaged may be
    # mended from a copy, and then what it reaches is wanted.
    if not isinstance(error, KeyMissing):
        raise error


def _finish_deletions(store: Store) -> None:
    """Remove what is left of runs whose deletion was interrupted."""
    for tombstone in list(store.storage.list(DELETED)):
        for key in store.storage.list(tombstone.replace(DELETED, RUNS, 1)):
            store.storage.delete(key)
