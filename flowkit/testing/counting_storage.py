"""A storage that counts what is asked of another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from flowkit.ports import Age, Buffer, Storage, Stored


class CountingStorage(Storage):
    """Passes everything on to `inner`, and counts it.

    `calls` counts by operation and key, `("create", "runs/F/1/run.json")`; a listing counts under
    its prefix. `count` adds up.
    """

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.calls: Counter[tuple[str, str]] = Counter()

    def count(self, operation: str, prefix: str = "") -> int:
        """Return how often an operation was asked for with keys that start with `prefix`."""
        return sum(
            times
            for (name, key), times in self.calls.items()
            if name == operation and key.startswith(prefix)
        )

    def reset(self) -> None:
        """Forget what was counted."""
        self.calls.clear()

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Count a `read`."""
        self.calls["read", key] += 1
        return self.inner.read(key, start=start, length=length)

    def map(self, key: str, *, check: Callable[[memoryview], None] | None = None) -> memoryview:
        """Count a `map`."""
        self.calls["map", key] += 1
        return self.inner.map(key, check=check)

    def size(self, key: str) -> int:
        """Count a `size`."""
        self.calls["size", key] += 1
        return self.inner.size(key)

    def create(self, key: str, *buffers: Buffer) -> bool:
        """Count a `create`, whether the key was there or not."""
        self.calls["create", key] += 1
        return self.inner.create(key, *buffers)

    def refresh(self, key: str) -> bool:
        """Count a `refresh`."""
        self.calls["refresh", key] += 1
        return self.inner.refresh(key)

    def load(self, key: str) -> Stored | None:
        """Count a `load`."""
        self.calls["load", key] += 1
        return self.inner.load(key)

    def swap(self, key: str, data: bytes, *, expected: str | None) -> str:
        """Count a `swap`, won or lost."""
        self.calls["swap", key] += 1
        return self.inner.swap(key, data, expected=expected)

    def list(self, prefix: str) -> Iterator[str]:
        """Count a `list`."""
        self.calls["list", prefix] += 1
        return self.inner.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        """Count a `folders`."""
        self.calls["folders", prefix] += 1
        return self.inner.folders(prefix)

    def delete(self, key: str, *, unless_younger_s: Age = 0.0) -> bool:
        """Count a `delete`, whether something was removed or not."""
        self.calls["delete", key] += 1
        return self.inner.delete(key, unless_younger_s=unless_younger_s)

    def clean(self, *, older_than_s: float) -> int:
        """Count a `clean`."""
        self.calls["clean", ""] += 1
        return self.inner.clean(older_than_s=older_than_s)
