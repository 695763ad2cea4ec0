"""Records that prove themselves: a line with name, version and digest, then the body.

`docs/format/records.md` is the definition.
"""

from __future__ import annotations

from blake3 import blake3

from flowkit.errors import Corrupt, StoreTooNew
from flowkit.ports import Buffer

VERSION = 1


def seal_record(name: str, body: Buffer, *, key: str) -> list[Buffer]:
    """Return the buffers that make a record of a body, to be stored under a key."""
    start = f"flowkit {name} {VERSION}".encode()
    digest = _digest(start, key, body)
    return [start + b" " + digest.encode() + b"\n", body]


def open_record(name: str, data: bytes, *, key: str) -> memoryview:
    """Return the body of a record after checking every byte of it.

    Raises:
        Corrupt: the bytes are not a record of this name that was written under this key.
        StoreTooNew: they are one of a later version.
    """
    line, _, _ = data[:256].partition(b"\n")
    body = memoryview(data)[len(line) + 1 :]
    start, _, digest = line.rpartition(b" ")
    if _digest(start, key, body).encode() != digest:
        raise Corrupt(key, "its digest does not fit its contents and its place")
    known, _, version = start.decode("ascii", "replace").rpartition(" ")
    if known != f"flowkit {name}" or not version.isdecimal():
        raise Corrupt(key, f"it is no record of a `{name}`")
    if int(version) > VERSION:
        raise StoreTooNew(found=int(version), known=VERSION)
    return body


def _digest(start: bytes, key: str, body: Buffer) -> str:
    """Return what proves a record. The key is in it, so that no record stands in for another."""
    named = key.encode(errors="surrogateescape")  # a foreign file may have any name
    return blake3(b"%b\n%b\n" % (start, named)).update(body).hexdigest()
