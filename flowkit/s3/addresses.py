"""Where objects are: URLs, the root of a scope, and keys below it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from flowkit.s3.errors import S3InvalidUrl

_SCHEMES: Final = ("s3://", "s3a://")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]+")
_LONGEST_KEY_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket and a key in it; an empty key is the whole bucket."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"

    @classmethod
    def parse(cls, url: str) -> S3Address:
        """Read `s3://bucket/key`; slashes at the end are dropped.

        Raises:
            S3InvalidUrl: it is no such URL, or the client cannot ask for such a key.
        """
        scheme = next((one for one in _SCHEMES if url.startswith(one)), None)
        if scheme is None:
            raise S3InvalidUrl(f"`{url}` is no S3 URL", hint="write `s3://bucket/key`")
        bucket, _, key = url.removeprefix(scheme).partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise S3InvalidUrl(
                f"`{url}` names no bucket" if not bucket else f"`{bucket}` is no name of a bucket",
                hint="write `s3://bucket/key`",
            )
        return cls(bucket, _checked(key.rstrip("/"), url))

    def below(self, key: str) -> S3Address:
        """Return the address of a key below this one. Raises S3InvalidUrl."""
        key = _checked(key.rstrip("/"), key)
        return S3Address(self.bucket, "/".join(part for part in (self.key, key) if part))

    def key_of(self, other: S3Address) -> str:
        """Return the key below this address of another one that is there."""
        return other.key[len(self.key) + 1 :] if self.key else other.key


@dataclass(frozen=True, slots=True)
class Places:
    """How a scope reads keys: below a root, or as whole URLs where there is none."""

    root: S3Address | None

    @property
    def prefix(self) -> str:
        """The URL that keys are below; empty if they are URLs."""
        return str(self.root) if self.root else ""

    def find(self, key: str) -> S3Address:
        """Return the address that a key means. Raises S3InvalidUrl."""
        _check_text(key)
        is_url = key.startswith(_SCHEMES)
        if self.root is None:
            if not is_url:
                raise S3InvalidUrl(
                    f"`{key}` is no S3 URL, and `S3()` without a root takes nothing else",
                    hint="open `S3(s3root='s3://bucket/prefix')`, or write `s3://bucket/key`",
                )
            return S3Address.parse(key)
        if is_url:
            raise S3InvalidUrl(
                f"`{key}` is a URL, and keys here are below `{self.root}`",
                hint="give the key only, or open `S3()` without a root",
            )
        return self.root.below(key)

    def find_object(self, key: str) -> S3Address:
        """Return the address of one object. Raises S3InvalidUrl if the key is empty."""
        _check_text(key)
        if not key or key.endswith("/"):
            raise S3InvalidUrl(f"`{key}` is no key of an object", hint="name what to read or write")
        address = self.find(key)
        if not address.key:
            raise S3InvalidUrl(f"`{key}` names a bucket only", hint="write `s3://bucket/key`")
        return address

    def key_of(self, address: S3Address) -> str:
        """Return the key that means this address in the scope."""
        return self.root.key_of(address) if self.root else str(address)


def _check_text(key: object) -> None:
    if not isinstance(key, str):
        raise S3InvalidUrl(f"`{key!r}` is no key", hint="give text")


def _checked(key: str, written: str) -> str:
    """Return the key if the client can ask for it: object stores have no folders to go up from."""
    parts = key.split("/")
    if key and ("" in parts or "." in parts or ".." in parts):
        raise S3InvalidUrl(
            f"`{written}` has an empty part, `.` or `..` between slashes",
            hint="write a key such as `folder/name`",
        )
    if re.search(r"[\x00-\x1f\x7f]", key) or len(key.encode()) > _LONGEST_KEY_BYTES:
        raise S3InvalidUrl(
            f"{written[:80]!r} has control characters or more than {_LONGEST_KEY_BYTES} bytes",
            hint="use a shorter, printable key",
        )
    return key
