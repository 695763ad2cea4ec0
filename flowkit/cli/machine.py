"""Output for machines: one JSON document with a versioned schema."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from flowkit import wire
from flowkit.wording import steering_escaped

_NUMBERS: Final[Mapping[str, int]] = {
    "show-run": 2,  # 1 had parameters as text
}
"""The numbers of schemas that are no longer what they were at first."""


def print_json(schema: str, **fields: object) -> None:
    """Print `{"schema": "flowkit.<schema>/<number>", ...}` on stdout: keys sorted, indented by two.

    The number goes up when a field changes its meaning or goes away, not when one is added.
    """
    number = _NUMBERS.get(schema, 1)
    document = wire.encode({"schema": f"flowkit.{schema}/{number}", **fields})
    sys.stdout.write(indented(document) + "\n")


def indented(document: bytes) -> str:
    """Lay a JSON document out for reading; its order stays.

    Characters that a terminal obeys are escaped, also those that JSON allows as they are.
    """
    import msgspec

    text = msgspec.json.format(document, indent=2).decode()
    # They can only stand in texts, where an escape means the same.
    return steering_escaped(text)


def parsed(document: str) -> object:
    """Read a JSON document that another room has made, to put it into a larger one."""
    import msgspec

    found: object = msgspec.json.decode(document)
    return found


def plain_value(value: object) -> dict[str, object]:
    """Return `{"value": ...}` for what JSON can hold exactly, else `{"text": ...}` of its repr."""
    import msgspec

    if isinstance(value, dict) and type(value) is not dict:
        from flowkit.flow import ConfigValue

        value = value.to_dict() if isinstance(value, ConfigValue) else value
    try:
        document = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _text_of(value)
    back = msgspec.json.decode(document)
    # Tuples, sets, dates and more have a JSON form too, but it does not say what they were.
    return {"value": value} if type(back) is type(value) and back == value else _text_of(value)


def _text_of(value: object) -> dict[str, object]:
    # A repr may hold what UTF-8 cannot, such as the names of some files.
    return {"text": repr(value).encode("utf-8", "backslashreplace").decode()}
