"""Recipes: how a large object is made of earlier ones, and finding out whether it is.

Nothing here touches a storage. `docs/format/recipes.md` is the definition.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from blake3 import blake3
from msgspec import Struct

from flowkit.errors import Corrupt
from flowkit.store.hashing import Pieces
from flowkit.values import Digest

RECIPE_FROM_BYTES: Final = 1 << 20
EXTENTS_MAX: Final = 16 << 10
SOURCES_MAX: Final = 64

_CHUNK_MIN: Final = 8 << 10
_CHUNK_AVERAGE: Final = 32 << 10
_CHUNK_MAX: Final = 128 << 10
_JOINED_BELOW: Final = 64 << 10
_FINGERPRINT: Final = 16
_PACKED: Final = struct.Struct(f"<I{_FINGERPRINT}s")

Chunk = tuple[int, bytes]
"""Length in bytes, and fingerprint."""


class Extent(Struct, frozen=True):
    """`length` bytes from byte `offset` of a plain object."""

    digest: Digest
    offset: int
    length: int


class Recipe(Struct, frozen=True):
    """An object as the concatenation of extents."""

    extents: tuple[Extent, ...]
    size_bytes: int

    @property
    def plain(self) -> list[Digest]:
        """The objects that it takes bytes from, each once."""
        return list(dict.fromkeys(extent.digest for extent in self.extents))

    @property
    def is_sound(self) -> bool:
        """Whether the extents can be what the recipe says; the objects may still be shorter."""
        return (
            len(self.extents) <= EXTENTS_MAX
            and all(one.length > 0 and one.offset >= 0 for one in self.extents)
            and sum(one.length for one in self.extents) == self.size_bytes
        )


class Source(Struct, frozen=True):
    """A plain object that may have some of the bytes: its contents, cut into chunks."""

    digest: Digest
    view: memoryview
    chunks: Sequence[Chunk]


class Found(Struct, frozen=True):
    """A recipe, and the bytes of its one new object, `fresh_digest`; no bytes if it needs none."""

    recipe: Recipe
    fresh: Pieces
    fresh_digest: Digest


def cut(view: memoryview) -> Iterator[Chunk]:
    """Yield the chunks of a buffer."""
    from flowkit.native import chunk_boundaries

    start = 0
    for end in chunk_boundaries(
        view, min_size=_CHUNK_MIN, average_size=_CHUNK_AVERAGE, max_size=_CHUNK_MAX
    ):
        yield end - start, blake3(view[start:end]).digest(_FINGERPRINT)
        start = end


def pack_chunks(chunks: Iterable[Chunk]) -> bytes:
    """Encode chunks as the body of a `chunks` record."""
    return b"".join(_PACKED.pack(*chunk) for chunk in chunks)


def unpack_chunks(body: memoryview, *, key: str) -> list[Chunk]:
    """Decode the body of a `chunks` record. Raises Corrupt; `key` names it."""
    if len(body) % _PACKED.size:
        raise Corrupt(key, "it ends within a chunk")
    return [(length, fingerprint) for length, fingerprint in _PACKED.iter_unpack(body)]


def find_known(pieces: Pieces, sources: Sequence[Source]) -> Found | None:
    """Find which of the bytes the sources have; None if they have less than half of them.

    Bytes of a source are hashed before they are relied on, so that damage does not spread.
    """
    extents: list[Extent | None] = []
    fresh: list[list[int]] = []
    atlas = _Atlas(sources)
    start = known = 0
    for length, fingerprint in _cut_pieces(pieces):
        extent = atlas.find(length, fingerprint)
        last = extents[-1] if extents else None
        if extent is None:
            if extents and last is None:
                fresh[-1][1] += length
            else:
                extents.append(None)
                fresh.append([start, start + length])
        else:
            known += length
            if last and last.digest == extent.digest and last.offset + last.length == extent.offset:
                extents[-1] = Extent(last.digest, last.offset, last.length + length)
            else:
                extents.append(extent)
        start += length
    if 2 * known < pieces.size_bytes or len(extents) > EXTENTS_MAX:
        return None
    return _assemble(pieces, extents, fresh)


class _Atlas:
    """Finds chunks in sources, preferring the one after the last one found."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._places: list[tuple[Source, int, Chunk]] = []
        self._by_fingerprint: dict[bytes, int] = {}
        self._intact: dict[int, bool] = {}
        self._next = 0
        for source in sources:
            offset = 0
            for chunk in source.chunks:
                self._by_fingerprint.setdefault(chunk[1], len(self._places))
                self._places.append((source, offset, chunk))
                offset += chunk[0]

    def find(self, length: int, fingerprint: bytes) -> Extent | None:
        """Return where these bytes are, after looking at them there."""
        at = self._next
        if at >= len(self._places) or self._places[at][2] != (length, fingerprint):
            at = self._by_fingerprint.get(fingerprint, -1)
        if at < 0:
            return None
        source, offset, chunk = self._places[at]
        if at not in self._intact:
            found = blake3(source.view[offset : offset + length]).digest(_FINGERPRINT)
            self._intact[at] = chunk[0] == length and found == fingerprint
        if not self._intact[at]:
            return None
        self._next = at + 1
        return Extent(source.digest, offset, length)


def _cut_pieces(pieces: Pieces) -> Iterator[Chunk]:
    """Yield the chunks of bytes in pieces; only small neighbours are copied together."""
    small: list[memoryview] = []
    for view in pieces.views:
        if view.nbytes < _JOINED_BELOW:
            small.append(view)
            continue
        yield from cut(memoryview(b"".join(small)))
        small = []
        yield from cut(view)
    yield from cut(memoryview(b"".join(small)))


def _assemble(pieces: Pieces, extents: list[Extent | None], fresh: list[list[int]]) -> Found:
    """Put the new bytes into one object, and name it in the extents that were left open."""
    fresh_pieces = Pieces(view for start, stop in fresh for view in pieces.between(start, stop))
    digest = fresh_pieces.digest()
    complete: list[Extent] = []
    offset = 0
    runs = iter(fresh)
    for extent in extents:
        if extent is None:
            start, stop = next(runs)
            complete.append(Extent(digest, offset, stop - start))
            offset += stop - start
        else:
            complete.append(extent)
    return Found(Recipe(tuple(complete), pieces.size_bytes), fresh_pieces, digest)
