"""BLAKE3 digests of bytes, and bytes that come in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from blake3 import blake3

from flowkit.ports import Buffer
from flowkit.values import Digest


def digest_of(data: Buffer) -> Digest:
    """Return the digest of some bytes, using one thread."""
    return Digest(blake3(data).digest())


def as_bytes(buffer: Buffer) -> memoryview:
    """View a C-contiguous buffer of any shape as plain bytes, without a copy."""
    view = memoryview(buffer)
    if view.nbytes == 0:
        return memoryview(b"")
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


class Pieces:
    """Buffers that count as one: their bytes follow one another, and are never copied together."""

    __slots__ = ("_starts", "size_bytes", "views")

    def __init__(self, buffers: Iterable[Buffer]) -> None:
        self.views: Sequence[memoryview] = [
            view for one in buffers if (view := as_bytes(one)).nbytes
        ]
        self._starts: list[int] = []
        self.size_bytes = 0
        for view in self.views:
            self._starts.append(self.size_bytes)
            self.size_bytes += view.nbytes

    @classmethod
    def of(cls, buffer: Buffer | Sequence[Buffer]) -> Pieces:
        """Take a buffer that may or may not come in pieces."""
        return cls([buffer] if isinstance(buffer, bytes | bytearray | memoryview) else buffer)

    def digest(self) -> Digest:
        """Return the digest of all bytes."""
        hasher = blake3()
        for view in self.views:
            hasher.update(view)
        return Digest(hasher.digest())

    def between(self, start: int, stop: int) -> Iterator[memoryview]:
        """Yield views of the bytes from `start` up to `stop`."""
        for view, begin in zip(self.views, self._starts, strict=True):
            low, high = max(start - begin, 0), min(stop - begin, view.nbytes)
            if low < high:
                yield view[low:high]

    def joined(self) -> bytes:
        """Return all bytes as one, copied unless they are one already."""
        return b"".join(self.views)
