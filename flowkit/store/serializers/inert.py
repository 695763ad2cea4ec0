"""Pickles read without running any of the code that they name, to be looked at and no more."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Final

_HARMLESS: Final = ("date", "datetime", "time", "timedelta", "timezone")
"""Classes of `datetime` that are built for real: they cannot be changed, and do no harm."""
_MOST_PARTS: Final = 10_000


class Inert:
    """Stands for an object of a class that is not looked up: its name, and what it is made of."""

    def __new__(cls, *args: object, **kwargs: object) -> Inert:
        """Keep the arguments and do nothing with them."""
        made = super().__new__(cls)
        made.__dict__["inert_args"] = (*args, *kwargs.values())
        return made

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Do nothing: they were kept already."""

    def __setstate__(self, state: object) -> None:
        self.__dict__["inert_args"] = (*self.__dict__["inert_args"], state)

    def __hash__(self) -> int:
        return id(self)

    def append(self, item: object) -> None:
        """Keep what a class of lists would hold."""
        self.__setstate__(item)

    def __setitem__(self, key: object, item: object) -> None:
        self.__setstate__((key, item))

    def __repr__(self) -> str:
        args = ", ".join(map(repr, self.__dict__["inert_args"]))
        return f"{type(self).__name__}({args})"


# The one in Python, for the one in C takes as much memory as a pickle says that it will need.
_InPython: Any = pickle._Unpickler


class _InertUnpickler(_InPython):  # type: ignore[misc]
    def find_class(self, module: str, name: str) -> object:
        """Return a class that does nothing, but for those that are known to be harmless."""
        if module == "datetime" and name in _HARMLESS:
            return super().find_class(module, name)
        return type(name.rpartition(".")[2] or "object", (Inert,), {})

    def get_extension(self, code: int) -> None:
        """Refuse what names a class by a number."""
        raise pickle.UnpicklingError(f"it names a class by its number {code}")

    def persistent_load(self, pid: object) -> object:
        """Refuse what only its writer can find."""
        raise pickle.UnpicklingError("it names an object elsewhere")


def read_inert(head: bytes) -> object:
    """Return what a pickle holds, with stand-ins for objects of classes.

    Raises ValueError if it is no whole pickle, needs buffers beside it, or holds too much.
    """
    load: Callable[[], object] = _InertUnpickler(io.BytesIO(head)).load
    try:
        value = load()
        _count(value)
        return value
    except Exception as error:  # a pickle may ask for anything, of any object that it has made
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _count(value: object) -> None:
    """See that a value is small where each part counts as often as it would be printed.

    Lists of two of the same list, many levels deep, are few bytes and endless text.
    """
    pending: list[object] = [value]
    for _ in range(_MOST_PARTS):
        if not pending:
            return
        part = pending.pop()
        if isinstance(part, Mapping):
            pending += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple | set | frozenset):
            pending += part
        elif isinstance(part, Inert):
            pending += part.__dict__["inert_args"]
    raise ValueError("it holds itself, or too much")
