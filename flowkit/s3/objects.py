"""What a scope takes and gives: objects, parts of them, and what to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from flowkit.errors import UsageError

if TYPE_CHECKING:
    from flowkit.s3.content import FileContent, MemoryContent, ScopeFolder

S3Value: TypeAlias = str | bytes | bytearray | memoryview | BufferedIOBase | RawIOBase
"""What can be written: text is encoded as UTF-8, a file is read to its end."""

HEADERS: Final = frozenset(
    {
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Type",
        "Storage-Class",
    }
)
"""What the client calls attributes beside a user's own metadata."""


@dataclass(frozen=True, slots=True)
class S3GetObject:
    """A part of an object: `length` bytes from `offset`; to the end if `length` is None."""

    key: str
    offset: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class S3PutObject:
    """An object to write, from a value or from the file at `path`, with what is said of it."""

    key: str
    value: S3Value | None = None
    path: str | Path | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RangeInfo:
    """Which part of an object was read: where it begins, its bytes, and those of the whole."""

    total_size: int
    request_offset: int
    request_length: int


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What S3 says of an object. `attributes` are None if it was listed, not asked for."""

    size_bytes: int
    modified_at: datetime
    etag: str | None
    attributes: Mapping[str, str] | None = None


class S3Object:
    """An object at S3, or a place where there is none; bytes only if they were asked for.

    Bytes can be had until the scope ends. Reading `blob` or `text` copies them, `buffer` does not,
    and `path` writes a file, where there is none yet.
    """

    def __init__(
        self,
        *,
        url: str,
        key: str,
        prefix: str,
        folder: ScopeFolder,
        facts: ObjectFacts | None = None,
        content: MemoryContent | FileContent | None = None,
        range_info: RangeInfo | None = None,
    ) -> None:
        self.url = url
        """`s3://bucket/key`."""
        self.key = key
        """The key that names the object in the scope: below its root, or the whole URL."""
        self.prefix = prefix
        """The URL of the prefix that was asked for, of the scope's root otherwise."""
        self._folder = folder
        self._facts = facts
        self._content = content
        self._range_info = range_info
        self._blob: bytes | None = None

    @property
    def exists(self) -> bool:
        """Whether there is such an object; False for what is only a prefix of others."""
        return self._facts is not None

    @property
    def downloaded(self) -> bool:
        """Whether the bytes are here."""
        return self._content is not None

    @property
    def size(self) -> int | None:
        """The bytes of the object, or of the part that was read; None if it does not exist."""
        if self._range_info is not None:
            return self._range_info.request_length
        return self._facts.size_bytes if self._facts else None

    @property
    def buffer(self) -> memoryview | None:
        """The bytes without a copy, read-only, as Arrow and NumPy take them."""
        if self._content is None:
            return None
        self._folder.check_open()
        return self._content.view().toreadonly()

    @property
    def blob(self) -> bytes | None:
        """The bytes; None if they were not asked for, or there are none."""
        if self._blob is None and (buffer := self.buffer) is not None:
            self._blob = bytes(buffer)
        return self._blob

    @property
    def text(self) -> str | None:
        """The bytes as UTF-8; None if they were not asked for.

        Raises:
            UsageError: they are not UTF-8.
        """
        buffer = self.buffer
        if buffer is None:
            return None
        try:
            return str(buffer, "utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"`{self.url}` is not UTF-8: {error}", hint="read `blob` instead of `text`"
            ) from error

    @property
    def path(self) -> str | None:
        """A temporary file with the bytes, there until the scope ends; None without bytes."""
        if self._content is None:
            return None
        self._folder.check_open()
        return str(self._content.path(self._folder))

    @property
    def has_info(self) -> bool:
        """Whether content type and metadata are known; listings do not tell them."""
        return self._attributes is not None

    @property
    def content_type(self) -> str | None:
        """The content type, if it is known."""
        return (self._attributes or {}).get("Content-Type")

    @property
    def metadata(self) -> dict[str, str] | None:
        """The user's metadata; None if it is not known. S3 keeps names in lower case."""
        if self._attributes is None:
            return None
        return {name: text for name, text in self._attributes.items() if name not in HEADERS}

    @property
    def encryption(self) -> str | None:
        """How S3 encrypts the object: always None, as the client does not tell."""
        return None

    @property
    def range_info(self) -> RangeInfo | None:
        """Which part was read; None for a whole object."""
        return self._range_info

    @property
    def last_modified(self) -> int | None:
        """When the object was written, in seconds since 1970; None if it does not exist."""
        return int(self._facts.modified_at.timestamp()) if self._facts else None

    @property
    def _attributes(self) -> Mapping[str, str] | None:
        return self._facts.attributes if self._facts else None

    def __repr__(self) -> str:
        if not self.exists:
            return f"<S3Object {self.url}: missing>"
        return f"<S3Object {self.url}: {self.size} bytes>"
