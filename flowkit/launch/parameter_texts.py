"""Values of parameters, as programs give them, in the text of a command line.

Text is what the flow's own types are made from, in the process that knows them: a value means the
same whether a program gives it or a person types it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from numbers import Number
from os import PathLike, fspath
from typing import Any
from uuid import UUID

from flowkit.errors import UsageError
from flowkit.graph import ParameterDescription


def texts_of(
    parameters: Sequence[ParameterDescription], given: Mapping[str, object]
) -> dict[str, str | list[str]]:
    """Return the text of every value; None is none, and leaves the parameter's default alone.

    Text stays as it is. Lists are several texts where the parameter takes several, and JSON
    elsewhere, as mappings, dataclasses and pydantic models are. Names are checked by the flow.

    Raises:
        UsageError: a value has no text.
    """
    several = {_folded(one.name) for one in parameters if one.multiple or one.separator is not None}
    return {
        name: _text_of(name, value, several=_folded(name) in several)
        for name, value in given.items()
        if value is not None
    }


def _text_of(name: str, value: object, *, several: bool) -> str | list[str]:
    if several and isinstance(value, Sequence | Set) and not isinstance(value, str | bytes):
        return [_one_text(name, one) for one in value]
    return _one_text(name, value)


def _one_text(name: str, value: object) -> str:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PathLike) and isinstance(path := fspath(value), str):
        return path
    try:
        if isinstance(value, Number | Decimal | UUID):
            return str(value)
        return json.dumps(_json_of(value), default=_json_of, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the value of parameter `{name}` is a `{type(value).__name__}`, which has no text: "
            f"{error}",
            hint="give text, a number, a date, a path, or what JSON can hold",
        ) from error


def _json_of(value: Any) -> object:
    """Return what JSON knows, or raise TypeError."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | Set) and not isinstance(value, str | bytes | bytearray):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if callable(dump := getattr(value, "model_dump", None)):  # a pydantic model
        return dump(mode="json")
    if callable(plain := getattr(value, "tolist", None)):  # an array or a number of numpy's
        return plain()
    if isinstance(value, Enum | date | PathLike | UUID | Decimal):
        return _one_text("", value)
    raise TypeError(f"`{type(value).__name__}` is no JSON")


def _folded(name: str) -> str:
    return name.replace("_", "-").lower()
