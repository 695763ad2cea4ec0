"""What is not a column among the arguments: numbers, switches and names, checked in one place.

The core knows its ranges too, but only of numbers that its types can hold; it never sees another.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import index

from flowkit.errors import UsageError

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

MOST_THREADS = 4096
"""More than any machine of today has processors."""


def check_integer(name: str, value: int, least: int, most: int) -> int:
    """Return the number.

    Raises:
        UsageError: it is no whole number, or not in [least, most].
    """
    try:
        number = index(value)
    except TypeError as error:
        raise _not_in(name, value, least, most) from error
    if not least <= number <= most:
        raise _not_in(name, number, least, most)
    return number


def check_threads(threads: int) -> int:
    """Return how many threads may work; raise UsageError as `check_integer` does."""
    return check_integer("threads", threads, 1, MOST_THREADS)


def check_switch(name: str, value: bool) -> bool:
    """Return what is on or off; raise UsageError if it is neither True nor False."""
    if not isinstance(value, bool):
        raise UsageError(
            f"`{name}` must be True or False, and is {_shown(value)}",
            hint=f"pass `{name}=True` or leave it out",
        )
    return value


def check_names(role: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names.

    Raises:
        UsageError: they are one text, or one of them is no text of Unicode.
    """
    if isinstance(names, str):
        raise UsageError(
            f"`{role}` must be a list of names, and is {_shown(names)}",
            hint=f"put the name into a list: `[{names!r}]`",
        )
    try:
        found = tuple(names)
    except TypeError as error:
        raise UsageError(
            f"`{role}` must be a list of names, and is {_shown(names)}",
            hint="leave it out to have all",
        ) from error
    for name in found:
        try:
            name.encode()  # a lone surrogate has no UTF-8, and so is in no file
        except (AttributeError, UnicodeEncodeError) as error:
            raise UsageError(
                f"`{role}` must be names, and one is {_shown(name)}",
                hint="leave it out to have all",
            ) from error
    return found


def _not_in(name: str, value: object, least: int, most: int) -> UsageError:
    return UsageError(
        f"`{name}` must be a whole number between {least} and {most}, and is {_shown(value)}",
        hint=f"choose `{name}` in that range",
    )


def _shown(value: object) -> str:
    """Quote a value, or name its type where it would be long."""
    if isinstance(value, int) and value.bit_length() > 128:
        return "a longer one"
    text = ascii(value)
    return f"`{text}`" if len(text) <= 60 else f"of type `{type(value).__name__}`"
