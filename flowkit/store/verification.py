"""Looking for damage: every byte of a store read and compared, nothing unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowkit.errors import Corrupt, FlowkitError, KeyMissing, StoreError
from flowkit.store.keys import FORMAT, OBJECTS, digest_in, raw_key
from flowkit.store.reach import find_reachable
from flowkit.store.store import Store
from flowkit.values import Digest


@dataclass(frozen=True, slots=True)
class Damage:
    """Something wrong under a key, and what."""

    key: str
    reason: str


def verify_store(store: Store) -> Iterator[Damage]:
    """Yield all damage: altered or foreign keys, and objects that runs need and that are missing.

    Reads everything, seals or no seals. May be called beside running flows and collections.

    Raises StoreError if the storage fails, or its format cannot be read.
    """
    keys = list(store.storage.list(""))
    objects = [key for key in keys if key.startswith(f"{OBJECTS}/")]
    damaged: set[str] = set()
    for key in keys:
        reason = _find_fault(store, key)
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


def _present(store: Store) -> set[Digest | None]:
    return {digest_in(key) for key in store.storage.list(OBJECTS) if not key.endswith(".chunks")}


def _find_fault(store: Store, key: str) -> str | None:
    """Return what is wrong under a key, or None."""
    if key == FORMAT:
        return None  # looked at when the store was opened
    try:
        if key.startswith(f"{OBJECTS}/"):
            digest = digest_in(key)
            if digest is None:
                return "its name is no digest"
            store.objects.verify(key, digest)
        else:
            store.verify_record(key)
    except KeyMissing as error:
        if error.key == key or key not in store.storage.list(key.rpartition("/")[0]):
            return None  # it is gone itself
        return f"it needs `{error.key}`, which is missing"
    except Corrupt as error:
        return error.reason if error.key == key else error.message
    except FlowkitError as error:
        return error.message
    return None
