"""Collecting garbage: removing the objects that no run reaches, beside running flows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from flowkit.errors import KeyMissing, StoreError
from flowkit.records import RunRecord
from flowkit.store.keys import DELETED, OBJECTS, RECIPE_SUFFIX, RUNS, digest_in
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
    now: Callable[[], float] = time.time,
) -> GcReport:
    """Delete what no run reaches and nobody has written or reused for `grace_s` seconds.

    Safe beside running flows, whatever the grace: a task's objects are named by no result before
    it ends, so nothing goes that was written or reused since the oldest live run began, nor what
    is written or reused while this collects. While a live run is taking over the tasks of another,
    which may just have been deleted, nothing goes at all.

    Args:
        store: what to collect in.
        grace_s: seconds for which what nobody needs is kept all the same.
        dry_run: only count.
        lives: whether a run without an end may be going on. Left out, every such run may.
        now: returns Unix time in seconds, by the clock that the runs' starts are told by.

    Raises:
        Corrupt: a record or manifest is damaged, so what it reaches is not known; nothing was
            deleted then.
        StoreError: the storage failed.
    """
    began_s = now() - _CLOCK_TICK_S
    found = _find_garbage(store, lives, began_s)
    unreached_bytes = deleted = deleted_bytes = leftovers = 0

    def spared_age_s() -> float:
        """Return the age of what goes: asked for late, so that no pause is taken for one."""
        return max(grace_s, now() - found.spared_since_s)

    for key in found.unreached:
        try:
            size = store.storage.size(key)
        except KeyMissing:
            continue  # another collection was quicker
        unreached_bytes += size
        if not dry_run and store.storage.delete(key, unless_younger_s=spared_age_s):
            deleted += 1
            deleted_bytes += size
    if not dry_run:
        _finish_deletions(store)
        leftovers = store.storage.clean(older_than_s=spared_age_s())
    return GcReport(
        kept=found.kept,
        unreached=len(found.unreached),
        unreached_bytes=unreached_bytes,
        deleted=deleted,
        deleted_bytes=deleted_bytes,
        leftovers=leftovers,
        live=tuple(record.run for record in found.live),
    )


@dataclass(frozen=True, slots=True)
class _Garbage:
    """Objects that no run reaches, in the order to delete them, and the runs that may be driven.

    `spared_since_s`: what was written or reused since then stays; minus infinity while a run is
    taking over the tasks of another.
    """

    unreached: list[str]
    kept: int
    live: list[RunRecord]
    spared_since_s: float


def _find_garbage(store: Store, lives: Callable[[RunRecord], bool], began_s: float) -> _Garbage:
    # Before anything is listed: a run that ends in between has told all that it reaches, and what
    # a run that begins later writes is young.
    seen = set(store.run_ids())
    live = _live_runs(store, seen, lives)
    # Listed before the runs are read: an object that comes later is not even considered, and one
    # that was there and is reused meanwhile is young again when its turn comes.
    keys = list(store.storage.list(OBJECTS))
    reached = find_reachable(store, keys, on_error=_raise_damage)
    # A resumed run reaches what is old and what it did not make young. Where the run that it takes
    # over from was deleted before it was read above, the resumed one has begun by now, or it will
    # see that and give up.
    late = [run for run in store.run_ids() if run not in seen]
    late += [one.run for one in live if one.origin is not None]
    unsettled = [one for one in _live_runs(store, late, lives) if not _has_taken_over(store, one)]
    reached.update(find_reachable(store, keys, on_error=_raise_damage, runs=late))
    live += [one for one in unsettled if one not in live]
    unreached = [key for key in keys if (digest := digest_in(key)) and digest not in reached]
    # First what stands on others, so that nothing is left that lacks what it stands on.
    unreached.sort(key=lambda key: not key.endswith(RECIPE_SUFFIX))
    starts_s = [one.started_at.timestamp() for one in live]
    return _Garbage(
        unreached=unreached,
        kept=len(keys) - len(unreached),
        live=live,
        spared_since_s=-math.inf if unsettled else min([began_s, *starts_s]),
    )


def _live_runs(
    store: Store, runs: Iterable[RunId], lives: Callable[[RunRecord], bool]
) -> list[RunRecord]:
    """Return those of the runs that may still write, as they began."""
    found = []
    for run in runs:
        if store.run_end(run) is None:
            with suppress(KeyMissing):  # deleted meanwhile
                record = store.run_record(run)
                if lives(record):
                    found.append(record)
    return found


def _has_taken_over(store: Store, record: RunRecord) -> bool:
    """Say whether a run has told which tasks of an earlier one it takes over, if it does."""
    return record.origin is None or store.has_clones(record.run)


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
