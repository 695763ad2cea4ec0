"""Dictionaries are for columns that repeat themselves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.table.encoding import dictionary_columns, estimate_distinct

ROWS = 50_000
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "has_dictionary"),
    [
        (pa.array(RANDOM.random(ROWS)), False),
        (pa.array(np.arange(ROWS)), False),
        (pa.array(RANDOM.integers(0, 500, ROWS)), True),
        (pa.array(np.arange(ROWS)).cast(pa.large_string()), False),
        (pa.array(RANDOM.integers(0, 20_000, ROWS)).cast(pa.large_string()), True),
        (pa.nulls(ROWS, pa.int64()), True),
        (pa.array([True, False] * (ROWS // 2)), True),
    ],
    ids=["random", "counted", "codes", "names", "repeated names", "nulls", "flags"],
)
def test_only_columns_that_repeat_themselves_get_one(
    values: pa.Array, has_dictionary: bool
) -> None:
    assert dictionary_columns(pa.table({"c": values}), ["c"]) == ["c"] * has_dictionary


def test_nested_columns_always_get_one() -> None:
    rows = pa.table({"l": [[n] for n in range(5000)]})
    assert dictionary_columns(rows, ["l.list.element"]) == ["l.list.element"]


@given(st.integers(2, 1000), st.data())
def test_the_estimate_meets_what_was_drawn(sampled: int, data: st.DataObject) -> None:
    distinct = data.draw(st.integers(1, sampled - 1))
    estimate = estimate_distinct(sampled, distinct)
    assert estimate >= distinct
    met = estimate * -np.expm1(-sampled / estimate)
    assert met == pytest.approx(distinct, rel=0.01, abs=0.5)
