"""Collecting garbage: removing the objects that no run reaches, beside running flows."""

from __future__ import annotations

from dataclasses import dataclass

from flowkit.errors import KeyMissing, StoreError
from flowkit.store.keys import DELETED, OBJECTS, RUNS, digest_in
from flowkit.store.reach import find_reachable
from flowkit.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What a collection found. Counts are of keys below `objects/`.

    `unreached` keys are needed by no run; of these, `deleted` are gone (none in a dry run), the
    others too young. `unreached_bytes` and `deleted_bytes` are what they take in the storage.
    `leftovers` are files of writers that died, removed too.
    """

    kept: int
    unreached: int
    unreached_bytes: int
    deleted: int
    deleted_bytes: int
    leftovers: int


def collect(store: Store, *, grace_s: float = 3600.0, dry_run: bool = False) -> GcReport:
    """Delete what no run reaches and nobody has written or reused for `grace_s` seconds.

    Safe beside running flows as long as no task takes longer than `grace_s` from its first object
    to its result.

    Raises:
        Corrupt: a record or manifest is damaged, so what it reaches is not known; nothing was
            deleted then.
        StoreError: the storage failed.
    """
    # Listed before the runs are read: an object that comes later is not even considered, and one
    # that was there and is reused meanwhile is young again when its turn comes.
    keys = list(store.storage.list(OBJECTS))
    reached = find_reachable(store, keys, on_error=_raise_damage)
    unreached = [key for key in keys if (digest := digest_in(key)) and digest not in reached]
    unreached_bytes = deleted = deleted_bytes = 0
    for key in unreached:
        try:
            size = store.storage.size(key)
        except KeyMissing:
            continue  # another collection was quicker
        unreached_bytes += size
        if not dry_run and store.storage.delete(key, unless_younger_s=grace_s):
            deleted += 1
            deleted_bytes += size
    if not dry_run:
        _finish_deletions(store)
    return GcReport(
        kept=len(keys) - len(unreached),
        unreached=len(unreached),
        unreached_bytes=unreached_bytes,
        deleted=deleted,
        deleted_bytes=deleted_bytes,
        leftovers=0 if dry_run else store.storage.clean(older_than_s=grace_s),
    )


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
