"""Everything else as a pickle with its large buffers beside it, and why one cannot be made."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from flowkit.ports import Buffer, Serializer

_IN_BAND_BELOW: Final = 4 << 10
_DEPTH_MAX: Final = 20

CANNOT_PICKLE: Final = (
    pickle.PicklingError,
    TypeError,
    AttributeError,
    ValueError,
    LookupError,
    RuntimeError,
    ImportError,
    OSError,
)
"""What picklers, and the methods of classes that they call, raise for what they cannot take."""


class PickleSerializer(Serializer):
    """Any object that can be pickled, by value with cloudpickle where plain pickle cannot.

    Buffers of 4 KiB and more go out of band, so that they keep their identity, and can be mapped.
    """

    tag = "pickle"

    def accepts(self, value: object) -> bool:
        """Accept everything; `dump` finds out."""
        return True

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer]]:
        """Return the pickle and its out-of-band buffers. Raises what the pickler raises."""
        try:
            return _dump(value, pickle.dumps)
        except CANNOT_PICKLE:
            import cloudpickle

            return _dump(value, cloudpickle.dumps)

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Unpickle: runs code that the pickle names."""
        return pickle.loads(head, buffers=buffers)


def _dump(value: object, dumps: Callable[..., bytes]) -> tuple[bytes, Sequence[Buffer]]:
    buffers: list[memoryview] = []

    def in_band(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _IN_BAND_BELOW:
            return True
        buffers.append(view)
        return False

    return dumps(value, protocol=5, buffer_callback=in_band), buffers


def find_culprit(value: object) -> str:
    """Return the path to the innermost part that cannot be pickled, such as `.model['lock']`.

    The empty text means the value itself, or that nothing inside it could be blamed.
    """
    path = ""
    for _ in range(_DEPTH_MAX):
        for step, part in _parts(value):
            if not _can_pickle(part):
                path, value = path + step, part
                break
        else:
            return path
    return path


def _can_pickle(value: object) -> bool:
    try:
        PickleSerializer().dump(value)
    except CANNOT_PICKLE:
        return False
    return True


def _parts(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield f"[{key!r}]", part
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield f"[{index}]", part
    elif isinstance(value, set | frozenset):
        for part in value:
            yield "{…}", part
    for name, part in getattr(value, "__dict__", {}).items():
        yield f".{name}", part
    for kind in type(value).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(value, name) and name not in ("__dict__", "__weakref__"):
                yield f".{name}", getattr(value, name)
