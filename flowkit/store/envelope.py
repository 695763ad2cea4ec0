"""Records that prove themselves: a line with name, version and digest, then the body.

`docs/format/records.md` is the definition.
"""

from __future__ import annotations

from blake3 import blake3

from flowkit.errors import Corrupt, StoreTooNew
from flowkit.ports import Buffer

VERSION = 1


def seal_record(name: str, body: Buffer) -> list[Buffer]:
    """Return the buffers that make a record of a body."""
    start = f"flowkit {name} {VERSION}".encode()
    digest = blake3(start + b"\n").update(body).hexdigest()
    return [start + b" " + digest.encode() + b"\n", body]


def open_record(name: str, data: bytes, *, key: str) -> memoryview:
    """Return the body of a record after checking every byte of it.

    Raises:
        Corrupt: the bytes are not a record of this name; `key` says where they were.
        StoreTooNew: they are one of a later version.
    """
    line, _, _ = data[:256].partition(b"\n")
    body = memoryview(data)[len(line) + 1 :]
    start, _, digest = line.rpartition(b" ")
    if blake3(start + b"\n").update(body).hexdigest().encode() != digest:
        raise Corrupt(key, "its digest does not fit its contents")
    known, _, version = start.decode("ascii", "replace").rpartition(" ")
    if known != f"flowkit {name}" or not version.isdecimal():
        raise Corrupt(key, f"it is no record of a `{name}`")
    if int(version) > VERSION:
        raise StoreTooNew(found=int(version), known=VERSION)
    return body
