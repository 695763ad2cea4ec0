"""Deciding what to compress, and Zstandard frames that state their size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flowkit.errors import Corrupt
from flowkit.store.hashing import Pieces
from flowkit.store.memory import memory_needed, new_memory

SMALL_BYTES: Final = 4 << 10
LARGE_BYTES: Final = 1 << 20
HUGE_BYTES: Final = 64 << 20

_SAMPLE_BYTES: Final = 16 << 10
_LEVEL: Final = 1
_TEXT: Final = bytes([9, 10, 13, *range(32, 127)])
_CONTENTS_MAX_BYTES: Final = 1 << 30
_PIECE_BYTES: Final = 1 << 20
_LIES: Final = "its frame does not hold what it states"


def compress_if_it_pays(pieces: Pieces, *, mapped: bool) -> bytes | None:
    """Return the bytes compressed, or None if they had better be stored as they are.

    `mapped`: they are a buffer that readers would like to map. The rules are those of
    `docs/format/objects.md`.
    """
    size = pieces.size_bytes
    if size < SMALL_BYTES or size > HUGE_BYTES or (mapped and size >= LARGE_BYTES):
        return None
    starts = {0, max(0, size // 2 - _SAMPLE_BYTES // 2), max(0, size - _SAMPLE_BYTES)}
    sample = b"".join(
        view for start in sorted(starts) for view in pieces.between(start, start + _SAMPLE_BYTES)
    )
    limit = 0.75
    if size >= LARGE_BYTES:
        limit = 0.5
        if len(sample.translate(None, _TEXT)) > 0.1 * len(sample):
            return None
    import zstandard

    if len(zstandard.ZstdCompressor(level=_LEVEL).compress(sample)) > limit * len(sample):
        return None
    return compress(pieces)


def compress(pieces: Pieces) -> bytes:
    """Return one Zstandard frame that states the size of its contents."""
    import zstandard

    packer = zstandard.ZstdCompressor(level=_LEVEL).compressobj(size=pieces.size_bytes)
    parts = [packer.compress(view) for view in pieces.views]
    return b"".join([*parts, packer.flush()])


def decompress(data: bytes | memoryview, *, key: str, size_bytes: int | None = None) -> memoryview:
    """Return the contents of one frame as private memory; `key` names it.

    A few bytes may say that they are a gigabyte, and be one: whoever knows how many it should be
    says so by `size_bytes`.

    Raises:
        Corrupt: it is no frame, or not of that size.
        StoreError: there is not enough memory.
    """
    import zstandard

    size = _stated_size(data, key)
    if size_bytes is not None and size != size_bytes:
        raise Corrupt(key, f"it is of {size} bytes and not of {size_bytes}")
    with memory_needed(key):
        memory = new_memory(size)
    at = 0
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(data)
        while at < size and (count := reader.readinto(memory[at:])):
            at += count
        if at < size or reader.read(1):
            raise Corrupt(key, _LIES)
    except (zstandard.ZstdError, MemoryError) as error:
        raise Corrupt(key, str(error)) from error
    return memory


def pieces_of(data: bytes | memoryview, *, key: str) -> Iterator[bytes]:
    """Yield the contents of one frame piece by piece, in little memory. Raises Corrupt."""
    import zstandard

    left = _stated_size(data, key)
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(data)
        while piece := reader.read(min(_PIECE_BYTES, left + 1)):
            left -= len(piece)
            if left < 0:
                raise Corrupt(key, _LIES)
            yield piece
    except (zstandard.ZstdError, MemoryError) as error:
        raise Corrupt(key, str(error)) from error
    if left:
        raise Corrupt(key, _LIES)


def _stated_size(data: bytes | memoryview, key: str) -> int:
    import zstandard

    try:
        size = zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise Corrupt(key, str(error)) from error
    if not 0 <= size <= _CONTENTS_MAX_BYTES:
        raise Corrupt(key, "its frame states no usable size")
    return size
