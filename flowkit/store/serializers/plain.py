"""Plain values as JSON, and bytes as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, Final

import msgspec

from flowkit.ports import Buffer, Serializer

_NODES_MAX: Final = 10_000
_LEVELS_MAX: Final = 64
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class JsonSerializer(Serializer):
    """None, bool, int, float, str, and lists and dicts of these, if JSON keeps them exactly.

    Exact types only; no NaN or infinity; no list or dict in two places, since its copies would
    no longer be one object.
    """

    tag = "json"

    def accepts(self, value: object) -> bool:
        """Say whether the value is plain, small enough, and free of sharing."""
        kind = type(value)
        if kind is not list and kind is not dict:
            return _is_scalar(value)
        level: list[Any] = [value]
        seen: set[int] = set()
        count = 1
        for _ in range(_LEVELS_MAX):
            below: list[Any] = []
            for container in level:
                if id(container) in seen:
                    return False
                seen.add(id(container))
                count += len(container)
                if count > _NODES_MAX or not _collect(container, below):
                    return False
            if not below:
                return True
            level = below
        return False

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer]]:
        """Return the JSON and no buffers."""
        return _encode(value), ()

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Read the JSON."""
        return _decode(head)


class BytesSerializer(Serializer):
    """Exactly `bytes`: the head, as they are."""

    tag = "bytes"

    def accepts(self, value: object) -> bool:
        """Say whether the value is `bytes` and no subclass."""
        return type(value) is bytes

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer]]:
        """Return the value as its own head."""
        assert isinstance(value, bytes)
        return value, ()

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Return the head."""
        return head


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return is_text(value)
    if kind is int:
        return bool(_INT_MIN <= value <= _INT_MAX)
    if kind is float:
        return isfinite(value)
    return value is None or kind is bool


def is_text(value: str) -> bool:
    """Say whether UTF-8 can hold the text: lone surrogates it cannot."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _collect(container: list[Any] | dict[Any, Any], below: list[Any]) -> bool:
    """Check names and scalars, and collect containers; False if something is none of these."""
    members: Iterable[Any] = container
    if type(container) is dict:
        for name in container:
            if type(name) is not str or not (name.isascii() or is_text(name)):
                return False
        members = container.values()
    for member in members:
        kind = type(member)
        if kind is list or kind is dict:
            below.append(member)
        elif not _is_scalar(member):
            return False
    return True
