"""Values from programs as the text of a command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from flowkit.errors import UsageError
from flowkit.graph import ParameterDescription
from flowkit.launch.parameter_texts import texts_of


class Colour(Enum):
    """A choice."""

    RED = "r"


@dataclass
class Point:
    """A pair."""

    x: int
    days: tuple[date, ...] = ()


class Model(BaseModel):
    """A model."""

    rate: float


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (3, "3"),
        (1e-05, "1e-05"),
        (True, "true"),
        (np.float64(0.5), "0.5"),
        (np.int64(4), "4"),
        (np.bool_(True), "true"),
        (Colour.RED, "RED"),
        (date(2026, 1, 31), "2026-01-31"),
        (Path("data/words.txt"), "data/words.txt"),
        ([1, "a", None], '[1, "a", null]'),
        ((), "[]"),
        ({"a": {"b": [Path("c")]}}, '{"a": {"b": ["c"]}}'),
        (Point(1, (date(2026, 1, 1),)), '{"x": 1, "days": ["2026-01-01"]}'),
        (Model(rate=0.5), '{"rate": 0.5}'),
        (np.arange(3), "[0, 1, 2]"),
    ],
)
def test_a_value_has_one_text(value: Any, text: str) -> None:
    assert texts_of((), {"x": value}) == {"x": text}


@pytest.mark.parametrize("declared", [{"multiple": True}, {"separator": ","}])
def test_a_list_is_several_texts_where_several_are_taken(declared: dict[str, Any]) -> None:
    known = (ParameterDescription(name="my-list", attribute="x", type_name="int", **declared),)
    assert texts_of(known, {"my_list": (1, True, "a,b")}) == {"my_list": ["1", "true", "a,b"]}
    assert texts_of(known, {"my_list": "1,2"}) == {"my_list": "1,2"}


def test_none_is_as_good_as_not_given() -> None:
    assert texts_of((), {"x": None}) == {}


@pytest.mark.parametrize("value", [object(), b"bytes", [float("nan")], {"a": b"b"}, Point])
def test_what_has_no_text_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="`x`"):
        texts_of((), {"x": value})
