"""Properties of tables that are numbers, as anybody may have written them."""

from __future__ import annotations

import pytest

from flowkit.errors import UsageError
from flowkit.table.properties import number_property


def test_numbers_are_read_and_have_defaults() -> None:
    assert number_property({"n": " 12 "}, "n", 3) == 12
    assert number_property({"n": "-1"}, "n", 3) == -1
    assert number_property({}, "n", 3) == 3


@pytest.mark.parametrize("text", ["", "many", "1e3", "0x10", "1_000", "9" * 5000])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="the table's property `n` is") as caught:
        number_property({"n": text}, "n", 3)
    assert caught.value.hint == "set it to one, such as 3"
