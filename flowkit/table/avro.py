"""Avro files of codecs that the native core does not read, written out as one of none."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import pyarrow as pa

_MAGIC: Final = b"Obj\x01"
_SYNC_BYTES: Final = 16
_LARGEST_BYTES: Final = 1 << 30
"""How much a file may hold: a few bytes can be unpacked to any number."""
_PIECE_BYTES: Final = 1 << 20


def codec_of(file: bytes) -> str | None:
    """Return the codec that an Avro file names; None if its header cannot be read."""
    try:
        return _codec(_header(_Cursor(file)))
    except ValueError:
        return None


def unpacked(file: bytes, *, most: int = _LARGEST_BYTES) -> bytes:
    """Return an Avro file with the same records, its blocks as they are.

    Raises:
        KeyError: its codec is not known.
        ValueError: the file is malformed, or there are more than `most` bytes in its blocks.

    Source:
        Avro 1.11 specification, "Object Container Files".
    """
    cursor = _Cursor(file)
    meta = _header(cursor)
    unpack = _CODECS[_codec(meta)]
    sync = cursor.take(_SYNC_BYTES)
    meta["avro.codec"] = b"null"
    parts = [_MAGIC, _number(len(meta))]
    for key, value in meta.items():
        parts += [_sized(key.encode()), _sized(value)]
    parts += [_number(0), sync]
    while cursor.is_inside():
        count, block = cursor.number(), cursor.bytes()
        try:
            rows = unpack(block, most)
        except (OSError, lzma.LZMAError, pa.ArrowException, MemoryError) as error:
            raise ValueError(f"a block of it cannot be unpacked: {error}") from error
        most -= len(rows)
        parts += [_number(count), _sized(rows), cursor.take(_SYNC_BYTES)]
    return b"".join(parts)


class _Decompressor(Protocol):
    """What the standard library unpacks a stream with."""

    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Cursor:
    """A place in a file's bytes; raises ValueError rather than read past their end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def is_inside(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        stop = self._at + size
        if size < 0 or stop > len(self._data):
            raise ValueError("it ends too early")
        taken, self._at = self._data[self._at : stop], stop
        return taken

    def number(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return (value >> 1) ^ -(value & 1)
        raise ValueError("a number of it has more than 64 bits")

    def bytes(self) -> bytes:
        return self.take(self.number())


def _header(cursor: _Cursor) -> dict[str, bytes]:
    """Read what is in front of the marker."""
    if cursor.take(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is no Avro file")
    meta: dict[str, bytes] = {}
    while count := cursor.number():
        if count < 0:
            cursor.number()
        for _ in range(abs(count)):
            key = cursor.bytes().decode()
            meta[key] = cursor.bytes()
    return meta


def _codec(meta: Mapping[str, bytes]) -> str:
    return meta.get("avro.codec", b"null").decode()


def _number(value: int) -> bytes:
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    return bytes([*out, left])


def _sized(data: bytes) -> bytes:
    return _number(len(data)) + data


def _from_stream(decompressor: _Decompressor, block: bytes, most: int) -> bytes:
    rows = decompressor.decompress(block, most + 1)
    if len(rows) > most or not decompressor.eof:
        raise ValueError("a block of it is not whole, or too large")
    return rows


def _from_bzip2(block: bytes, most: int) -> bytes:
    return _from_stream(bz2.BZ2Decompressor(), block, most)


def _from_xz(block: bytes, most: int) -> bytes:
    return _from_stream(lzma.LZMADecompressor(memlimit=_LARGEST_BYTES), block, most)


def _from_snappy(block: bytes, most: int) -> bytes:
    # Snappy says the size first, as 7 bits a byte without a sign; a checksum is behind it.
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    # Three bytes stand for 64 at most.
    if size > min(most, 24 * len(block)) or len(block) < 5:
        raise ValueError("a block of it is no Snappy block")
    rows: bytes = pa.decompress(block[:-4], size, codec="snappy", asbytes=True)
    if zlib.crc32(rows) != int.from_bytes(block[-4:], "big"):
        raise ValueError("the checksum of a block does not hold")
    return rows


def _from_zstandard(block: bytes, most: int) -> bytes:
    pieces = []
    with pa.CompressedInputStream(pa.BufferReader(block), "zstd") as stream:
        while piece := stream.read(_PIECE_BYTES):
            pieces.append(bytes(piece))
            most -= len(piece)
            if most < 0:
                raise ValueError("a block of it is too large")
    return b"".join(pieces)


_CODECS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "bzip2": _from_bzip2,
    "snappy": _from_snappy,
    "xz": _from_xz,
    "zstandard": _from_zstandard,
}
