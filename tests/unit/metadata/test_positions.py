"""Task keys as text that sorts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.metadata.positions import below, candidates, key_at, position
from flowkit.values import TaskKey

numbers = st.integers(0, 12) | st.integers(0, 10**12)


def keys(depth: int) -> st.SearchStrategy[TaskKey]:
    path = st.tuples(*[numbers] * depth)
    return st.builds(TaskKey, st.just("fit"), path, numbers)


@given(st.integers(0, 4).flatmap(lambda depth: st.lists(keys(depth), max_size=8)))
def test_positions_sort_as_keys_do(unsorted: list[TaskKey]) -> None:
    assert sorted(unsorted, key=position) == sorted(unsorted)


@given(st.integers(0, 4).flatmap(keys))
def test_a_position_is_read_back(key: TaskKey) -> None:
    assert key_at("fit", position(key)) == key
    assert key in candidates("fit", key.task_id)


@given(keys(3), keys(3), st.integers(0, 3))
def test_the_keys_below_a_path_are_one_range(key: TaskKey, other: TaskKey, depth: int) -> None:
    first, last = below(key.path[:depth])
    assert first <= position(key) < last
    assert (first <= position(other) < last) == (other.path[:depth] == key.path[:depth])


@pytest.mark.parametrize("text", ["", "0", "a", "b1", "a1x", "a1b2", "zz"])
def test_a_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        key_at("fit", text)
