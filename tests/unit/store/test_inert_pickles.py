"""Pickles are looked at without running any code that they name."""

from __future__ import annotations

import os
import pickle
import pickletools
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.store.serializers.inert import read_inert


class Colour(Enum):
    RED = "red"


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


class Harm:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


def dumped(value: object) -> bytes:
    return pickle.dumps(value, protocol=5)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        (1, "a", b"b", None, {2.5}),
        {"a": [date(2024, 5, 1), datetime(2024, 5, 1, tzinfo=UTC)]},
        Decimal("1.50"),
        1 << 100,
    ],
)
def test_plain_values_print_as_they_are(value: object) -> None:
    assert repr(read_inert(dumped(value))) == repr(value)


def test_objects_print_their_class_and_what_they_are_made_of() -> None:
    assert repr(read_inert(dumped(Colour.RED))) == "Colour('red')"
    assert repr(read_inert(dumped([Point(3)]))) == "[Point({'x': 3})]"
    assert repr(read_inert(dumped(UUID(int=5)))) == "UUID({'int': 5})"


def test_nothing_that_a_pickle_names_is_called(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for harm in (
        Harm(os.mkdir, str(marker)),
        Harm(exec, f"import os; os.mkdir({str(marker)!r})"),
        Harm(setattr, Point, "x", 1),
        [Harm(eval, "1"), {Harm(os.system, f"mkdir {marker}"): 1}],
    ):
        read_inert(dumped(harm))
        assert not marker.exists()
    pickle.loads(dumped(Harm(os.mkdir, str(marker))))
    assert marker.exists()


def test_a_pickle_of_few_bytes_and_endless_text_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100):
        value = [value, value]
    around: list[Any] = []
    around.append(around)
    for one in (value, around):
        with pytest.raises(ValueError, match="too much"):
            read_inert(dumped(one))


def test_memory_that_a_pickle_asks_for_is_not_taken() -> None:
    far = b"\x80\x05N" + pickle.LONG_BINPUT + (2**31 - 1).to_bytes(4, "little") + b"."
    assert read_inert(far) is None
    for code in (pickle.BINBYTES8, pickle.BINUNICODE8, pickle.BYTEARRAY8):
        with pytest.raises(ValueError, match="Error: "):
            read_inert(b"\x80\x05" + code + (1 << 60).to_bytes(8, "little") + b"x.")


CODES = [one.code.encode("latin-1") for one in pickletools.opcodes]


@given(st.lists(st.sampled_from(CODES) | st.binary(max_size=6), max_size=40).map(b"".join))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        repr(read_inert(b"\x80\x05" + data + b"."))
