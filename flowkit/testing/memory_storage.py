"""A storage in memory: the second implementation of the port, and a quick one for tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

from blake3 import blake3

from flowkit.errors import KeyMissing, VersionMoved
from flowkit.ports import Age, Buffer, Storage, Stored


@dataclass(slots=True)
class _Entry:
    data: bytes
    touched_at_s: float


class MemoryStorage(Storage):
    """Keys in a dictionary, for one process; threads may share it.

    `now` returns seconds; the age of keys is judged by it, so a test can let time pass.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._entries: dict[str, _Entry] = {}
        self._now = now
        self._lock = Lock()

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes, or a range of them. Raises KeyMissing."""
        data = self._entry(key).data
        return data[start : None if length is None else start + length]

    def map(self, key: str, *, check: Callable[[memoryview], None] | None = None) -> memoryview:
        """Return a copy of the bytes, checked every time. Raises KeyMissing."""
        view = memoryview(bytearray(self._entry(key).data))
        if check is not None:
            check(view)
        return view

    def size(self, key: str) -> int:
        """Return the number of bytes. Raises KeyMissing."""
        return len(self._entry(key).data)

    def create(self, key: str, *buffers: Buffer) -> bool:
        """Store the buffers as one value; False if the key was already there."""
        data = b"".join(buffers)
        with self._lock:
            is_new = _checked(key) not in self._entries
            entry = self._entries.setdefault(key, _Entry(data, 0.0))
            entry.touched_at_s = self._now()
            return is_new

    def refresh(self, key: str) -> bool:
        """Make a key count as young again; False if it is not there."""
        with self._lock:
            entry = self._entries.get(_checked(key))
            if entry is not None:
                entry.touched_at_s = self._now()
            return entry is not None

    def load(self, key: str) -> Stored | None:
        """Return a swappable value, or None. Its version is the digest of its bytes."""
        entry = self._entries.get(_checked(key))
        return None if entry is None else Stored(entry.data, blake3(entry.data).hexdigest())

    def swap(self, key: str, data: bytes, *, expected: str | None) -> str:
        """Replace a value if its version is `expected`. Raises VersionMoved."""
        with self._lock:
            current = self.load(key)
            if (current.version if current else None) != expected:
                raise VersionMoved(key)
            self._entries[key] = _Entry(data, self._now())
        return blake3(data).hexdigest()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys in the folder `prefix` and below, sorted."""
        folder = _folder(prefix)
        return iter(sorted(key for key in self._entries if key.startswith(folder)))

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly in the folder `prefix`, sorted."""
        folder = _folder(prefix)
        rest = (key[len(folder) :] for key in self._entries if key.startswith(folder))
        return iter(sorted({name.partition("/")[0] for name in rest if "/" in name}))

    def delete(self, key: str, *, unless_younger_s: Age = 0.0) -> bool:
        """Remove a key; False if it is not there, or younger than `unless_younger_s`."""
        with self._lock:
            entry = self._entries.get(_checked(key))
            if entry is None:
                return False
            age_s = self._now() - entry.touched_at_s
            least_s = unless_younger_s() if callable(unless_younger_s) else unless_younger_s
            if age_s < least_s:
                return False
            del self._entries[key]
            return True

    def clean(self, *, older_than_s: float) -> int:
        """Find nothing: no write here is ever half done."""
        return 0

    def _entry(self, key: str) -> _Entry:
        entry = self._entries.get(_checked(key))
        if entry is None:
            raise KeyMissing(key)
        return entry


def _checked(key: str) -> str:
    if not key or any(
        not name or name[0] == "." or {"\\", "\0"} & {*name} for name in key.split("/")
    ):
        raise ValueError(f"`{key}` is not a key")
    return key


def _folder(prefix: str) -> str:
    folder = prefix.removesuffix("/")
    return f"{_checked(folder)}/" if folder else ""
