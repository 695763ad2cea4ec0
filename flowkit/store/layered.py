"""A storage over another one: what it has not itself of objects, it reads there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from flowkit.errors import KeyMissing, UsageError
from flowkit.ports import Age, Buffer, Storage, Stored
from flowkit.store.keys import OBJECTS

SCHEME: Final = "layered"


class LayeredStorage(Storage):
    """Keys of its own, and below them the objects of another storage, which is only read.

    Records are its own alone: runs of the storage beneath are not seen here.
    """

    def __init__(self, own: Storage, beneath: Storage) -> None:
        self._own, self._beneath = own, beneath

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes, or a range of them. Raises KeyMissing."""
        try:
            return self._own.read(key, start=start, length=length)
        except KeyMissing:
            if not _is_shared(key):
                raise
        return self._beneath.read(key, start=start, length=length)

    def map(self, key: str, *, check: Callable[[memoryview], None] | None = None) -> memoryview:
        """Return all bytes as private memory. Raises KeyMissing."""
        try:
            return self._own.map(key, check=check)
        except KeyMissing:
            if not _is_shared(key):
                raise
        return self._beneath.map(key, check=check)

    def size(self, key: str) -> int:
        """Return the number of bytes. Raises KeyMissing."""
        try:
            return self._own.size(key)
        except KeyMissing:
            if not _is_shared(key):
                raise
        return self._beneath.size(key)

    def create(self, key: str, *buffers: Buffer) -> bool:
        """Store the buffers here; False if the key was here already."""
        return self._own.create(key, *buffers)

    def refresh(self, key: str) -> bool:
        """Make a key count as young again, here alone; False if it is nowhere."""
        if self._own.refresh(key):
            return True
        if _is_shared(key):
            with suppress(KeyMissing):
                self._beneath.size(key)
                return True
        return False

    def load(self, key: str) -> Stored | None:
        """Return a swappable value with its version, or None."""
        return self._own.load(key)

    def swap(self, key: str, data: bytes, *, expected: str | None) -> str:
        """Replace a value if its version is `expected`. Raises VersionMoved."""
        return self._own.swap(key, data, expected=expected)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys here that start with the folder `prefix`, sorted."""
        return self._own.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly in the folder `prefix` here, sorted."""
        return self._own.folders(prefix)

    def delete(self, key: str, *, unless_younger_s: Age = 0.0) -> bool:
        """Remove a key here; False if it is not here, or younger than `unless_younger_s`."""
        return self._own.delete(key, unless_younger_s=unless_younger_s)

    def clean(self, *, older_than_s: float) -> int:
        """Remove here what writers that died left half written; returns how many."""
        return self._own.clean(older_than_s=older_than_s)


def layered_url(folder: str, beneath: str) -> str:
    """Return the URL of a storage in a folder, over the one at another path or URL.

    >>> layered_url("/data/spin", "/data/store")
    'layered:///data/spin?beneath=/data/store'
    """
    return f"{SCHEME}://{quote(folder)}?beneath={quote(beneath)}"


def split_layered_url(url: str) -> tuple[str, str]:
    """Return the folder and what is beneath it. Raises UsageError.

    >>> split_layered_url("layered:///data/spin?beneath=/data/store")
    ('/data/spin', '/data/store')
    """
    try:
        parts = urlsplit(url)
        beneath = parse_qs(parts.query).get("beneath", [""])[0]
    except ValueError:
        beneath = ""
    if not beneath or not parts.path or parts.netloc:
        raise UsageError(
            f"`{url}` names no two storages",
            hint=f"write `{SCHEME}:///FOLDER?beneath=STORE`",
        )
    return unquote(parts.path), beneath


def _is_shared(key: str) -> bool:
    return key.startswith(f"{OBJECTS}/")
