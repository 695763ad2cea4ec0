"""Looking for damage: every byte of a store read and compared, nothing unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flowkit.errors import Corrupt, FlowkitError, KeyMissing, StoreError
from flowkit.store.keys import FORMAT, OBJECTS, digest_in, raw_key, run_folder
from flowkit.store.reach import find_reachable
from flowkit.store.store import Store
from flowkit.values import Digest, RunId

_NO_FILE: Final = "it is no file that can be read"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something wrong under a key, and what."""

    key: str
    reason: str


def verify_store(store: Store) -> Iterator[Damage]:
    """Yield all damage: what was altered, what is foreign, and what is missing.

    An object is missed if a run needs it, a record if the run's end counted it. Reads everything,
    seals or no seals. Where the format's own file is damaged, all else is read as of the version
    that we know. May be called beside running flows and collections.

    Raises StoreError if the storage fails, or its format is that of a later version.
    """
    try:
        keys = list(store.storage.list(""))
    except Corrupt as error:
        if error.key != FORMAT:
            raise
        yield Damage(FORMAT, error.reason)
        store = store.despite_format()
        keys = list(store.storage.list(""))
    objects = [key for key in keys if key.startswith(f"{OBJECTS}/")]
    damaged: set[str] = set()
    for key in keys:
        reason = find_fault(store, key)
        if reason is not None:
            damaged.add(key)
            yield Damage(key, reason)
    errors: list[StoreError] = []
    reached = find_reachable(store, objects, on_error=errors.append)
    yield from (
        Damage(error.key, error.reason)
        for error in errors
        if isinstance(error, Corrupt) and error.key not in damaged
    )
    # Listed again: what was stored since is not missing.
    missing = reached.keys() - _present(store)
    if missing:
        # Looked at again: what was deleted with its run meanwhile is not missing either.
        again = find_reachable(store, objects, on_error=lambda error: None)
        missing = (missing & again.keys()) - _present(store)
    for digest in sorted(missing):
        yield Damage(raw_key(digest), f"it is missing, and run `{again[digest]}` needs it")
    if keys and FORMAT not in keys:
        yield Damage(FORMAT, "it is missing")
    for run in store.run_ids():
        yield from _missing_records(store, run)


def _present(store: Store) -> set[Digest | None]:
    return {digest_in(key) for key in store.storage.list(OBJECTS) if not key.endswith(".chunks")}


def _missing_records(store: Store, run: RunId) -> Iterator[Damage]:
    """Yield what a run has lost of the records that it had."""
    folder = run_folder(run)
    first = f"{folder}/run.json"
    try:
        store.storage.size(first)
        end = store.run_end(run)
    except KeyMissing:
        # It may have been deleted, or whoever was about to begin it made its folder and died.
        if not store.is_deleted(run) and next(store.storage.list(folder), None) is not None:
            yield Damage(first, "it is missing")
        return
    except Corrupt:
        return  # told already
    if end is not None:
        left = store.count_records(run)
        for kind, count in sorted(end.kept.items()):
            if left.get(kind, 0) < count and not store.is_deleted(run):
                reason = f"{left.get(kind, 0)} are left of {count} when the run ended"
                yield Damage(f"{folder}/{kind}", reason)


def find_fault(store: Store, key: str) -> str | None:
    """Return what is wrong under a key, or None. Objects that it needs are not looked at."""
    try:
        if key == FORMAT:
            pass  # a look at the format comes before the use of any storage
        elif key.startswith(f"{OBJECTS}/"):
            digest = digest_in(key)
            if digest is None:
                return "its name is no digest"
            store.objects.verify(key, digest)
        else:
            store.verify_record(key)
        # What may be absent is not missed by those who read it.
        store.storage.size(key)
    except KeyMissing as error:
        if key not in store.storage.list(key.rpartition("/")[0]):
            return None  # it is gone itself
        if error.key != key:
            return f"it needs `{error.key}`, which is missing"
        return None if _is_readable(store, key) else _NO_FILE
    except Corrupt as error:
        return error.reason if error.key == key else error.message
    except FlowkitError as error:
        return error.message
    return None


def _is_readable(store: Store, key: str) -> bool:
    """Say whether a key that is listed can be read: somebody may have just written it again."""
    try:
        store.storage.size(key)
    except KeyMissing:
        return False
    return True
