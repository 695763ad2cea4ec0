"""Output for machines: one JSON document with a versioned schema."""

from __future__ import annotations

import sys

from flowkit import wire


def print_json(schema: str, **fields: object) -> None:
    """Print `{"schema": "flowkit.<schema>/1", ...}` on stdout, keys sorted, indented by two.

    The number goes up when a field changes its meaning or goes away, not when one is added.
    """
    document = wire.encode({"schema": f"flowkit.{schema}/1", **fields})
    sys.stdout.write(indented(document).decode() + "\n")


def indented(document: bytes) -> bytes:
    """Lay a JSON document out for reading; its order stays."""
    import msgspec

    return msgspec.json.format(document, indent=2)


def parsed(document: str) -> object:
    """Read a JSON document that another room has made, to put it into a larger one."""
    import msgspec

    found: object = msgspec.json.decode(document)
    return found


def plain_value(value: object) -> dict[str, object]:
    """Return `{"value": ...}` for what JSON can hold exactly, else `{"text": ...}` of its repr."""
    import msgspec

    try:
        document = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        return {"text": repr(value)}
    back = msgspec.json.decode(document)
    # Tuples, sets, dates and more have a JSON form too, but it does not say what they were.
    return (
        {"value": value} if type(back) is type(value) and back == value else {"text": repr(value)}
    )
