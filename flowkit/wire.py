"""Values to canonical JSON and back, strictly.

msgspec reads straight into the structs of `flowkit.values`, checks every type, and
costs a start-up 12 ms where pydantic costs 50: this code runs in every cold worker.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache
from typing import Any, TypeVar

import msgspec

from flowkit.errors import Corrupt, UsageError
from flowkit.values import Digest, Digests

Value = TypeVar("Value")


def _to_json(value: object) -> str:
    if isinstance(value, Digest):
        return value.hex()
    if isinstance(value, Digests):
        return b64encode(value.raw).decode("ascii")
    raise TypeError(f"{type(value).__name__} has no place in a wire value")


def _from_json(kind: type, value: Any) -> object:
    if kind is Digest:
        return Digest.parse(value)
    if kind is Digests:
        return Digests(b64decode(value, validate=True))
    raise TypeError(f"{kind.__name__} has no place in a wire value")


_encoder = msgspec.json.Encoder(enc_hook=_to_json, order="deterministic")


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_from_json)


def encode(value: object) -> bytes:
    """Encode a wire value as JSON: the same value always gives the same bytes.

    Raises UsageError for text that is none: a lone surrogate, such as stands for a byte of a file's
    name.
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{error.object[error.start : error.end]!a} is no text, and cannot be stored",
            hint="give text in Unicode",
        ) from error


def decode(kind: type[Value], data: bytes | memoryview, *, name: str) -> Value:
    """Decode JSON into a `kind`; `name` says in an error what was read.

    Unknown fields are ignored, so that older code reads newer records of the same format.

    Raises:
        Corrupt: the bytes are no such value.
    """
    try:
        known: Any = kind
        value: Value = _decoder(known).decode(data)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
        raise Corrupt(name, str(error)) from error
    return value
