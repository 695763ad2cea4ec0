"""Writing objects: whole or not at all."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from io import BufferedIOBase, RawIOBase
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowkit.errors import UsageError
from flowkit.s3.errors import S3NotFound
from flowkit.s3.objects import HEADERS, S3PutObject, S3Value
from flowkit.s3.translation import translated

if TYPE_CHECKING:
    from flowkit.s3.addresses import S3Address
    from flowkit.s3.connection import Connection
    from flowkit.s3.reading import Reader

_PART_BYTES: Final = 8 << 20
_MOST_PARTS: Final = 9_000
"""S3 takes 10,000; a file may grow while it is read."""
_PARTS_AT_A_TIME: Final = 4
_LARGE_AT_A_TIME: Final = 4
"""Of each large object so many parts are in memory."""
_ONE_REQUEST_BYTES: Final = 16 << 20
"""Up to here an object that must be new is sent in one request, which S3 makes conditional."""
_HEADER_NAMES: Final = frozenset(name.lower() for name in HEADERS)


class Writer:
    """Writes objects in the calling thread."""

    def __init__(self, connection: Connection, reader: Reader) -> None:
        self._connection, self._reader = connection, reader
        self._large = threading.BoundedSemaphore(_LARGE_AT_A_TIME)

    def put(self, address: S3Address, given: S3PutObject, *, overwrite: bool) -> bool:
        """Write an object; False if there is one already and it is not to be overwritten.

        Raises:
            UsageError: the value, the file, the content type or the metadata cannot be sent.
            S3Error: S3 refuses it.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        attributes = attributes_of(given)
        data, size_bytes = _data_of(given)
        if not overwrite and self._exists(address):
            return False
        is_new_only = not overwrite and size_bytes is not None and size_bytes <= _ONE_REQUEST_BYTES
        store = self._connection.store(address.bucket, uploads=True)
        is_small = size_bytes is not None and size_bytes <= _PART_BYTES
        with nullcontext() if is_small else self._large, translated(address):
            try:
                obstore.put(
                    store,
                    address.key,
                    data,
                    attributes=attributes,
                    mode="create" if is_new_only else "overwrite",
                    chunk_size=max(_PART_BYTES, (size_bytes or 0) // _MOST_PARTS),
                    max_concurrency=_PARTS_AT_A_TIME,
                )
            except AlreadyExistsError:
                return False
        return True

    def _exists(self, address: S3Address) -> bool:
        try:
            self._reader.info(address)
        except S3NotFound as error:
            if error.key is None:
                raise
            return False
        return True


def attributes_of(given: S3PutObject) -> dict[str, str]:
    """Return what is said of an object as the client takes it. Raises UsageError."""
    attributes: dict[str, str] = {}
    if given.content_type is not None:
        attributes["Content-Type"] = _header_text("content_type", given.content_type)
    for name, text in (given.metadata or {}).items():
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or name.lower() in _HEADER_NAMES:
            raise UsageError(
                f"`{name}` cannot be a name of metadata",
                hint="use letters, digits, `-`, `_` and `.`; a content type is `content_type`",
            )
        attributes[name.lower()] = _header_text(f"metadata `{name}`", text)
    return attributes


def _header_text(what: str, text: object) -> str:
    if not isinstance(text, str) or not re.fullmatch(r"[ -~]*", text):
        raise UsageError(
            f"{what} is {text!r}, which no header can carry",
            hint="use a text of printable ASCII; encode anything else, as JSON for instance",
        )
    return text


def _data_of(given: S3PutObject) -> tuple[memoryview | Path | Iterator[bytes], int | None]:
    """Return what to send, and how many bytes it is where that is known."""
    if (given.value is None) == (given.path is None):
        raise UsageError(
            f"`{given.key}` is given {'neither' if given.value is None else 'both'} a value "
            "and a path",
            hint="give `value` or `path`",
        )
    if given.path is not None:
        if not isinstance(given.path, str | os.PathLike):
            raise UsageError(
                f"`{given.path!r}` is no path of a file to write to `{given.key}`",
                hint="give text or a `Path`",
            )
        path = Path(given.path)
        if not path.is_file() or not os.access(path, os.R_OK):
            raise UsageError(
                f"`{path}` is no file that can be read, to be written to `{given.key}`",
                hint="check the path, and who may read the file",
            )
        return path, os.path.getsize(path)
    return _value_of(given.key, given.value)


def _value_of(key: str, value: S3Value | None) -> tuple[memoryview | Iterator[bytes], int | None]:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, BufferedIOBase | RawIOBase):
        pieces = _pieces_of(value)
        value = next(pieces, b"")
        if len(value) == _PART_BYTES:
            return chain((value,), pieces), None
    if isinstance(value, bytes | bytearray | memoryview):
        view = memoryview(value)
        if view.contiguous:
            return view.cast("B"), view.nbytes
    raise UsageError(
        f"a value of type `{type(value).__name__}` cannot be written to `{key}`",
        hint="give text, bytes, or a file that is open for reading bytes",
    )


def _pieces_of(stream: BufferedIOBase | RawIOBase) -> Iterator[bytes]:
    """Read a stream to its end in pieces that are of full size but for the last one."""
    while True:
        piece = bytearray()
        # A pipe may give less than it is asked for, long before its end.
        while len(piece) < _PART_BYTES and (more := stream.read(_PART_BYTES - len(piece))):
            piece += more
        if piece:
            yield bytes(piece)
        if len(piece) < _PART_BYTES:
            return
