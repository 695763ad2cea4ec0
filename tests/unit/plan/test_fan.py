"""Fans that open and joins that wait, without an object per element."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.errors import FlowkitBug
from flowkit.plan.fan import Arrivals, Fan
from flowkit.values import Attempt, Digest, Digests, Frame, TaskKey

MANIFEST = Digest(bytes(range(32)))


def digest(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


def a_fan(indexes: range | array[int]) -> Fan:
    return Fan(
        step="body",
        origin=TaskKey("origin", (7,)),
        frames=(Frame("outer", 7, 9, MANIFEST),),
        manifest=MANIFEST,
        width=5,
        last_attempt=False,
        indexes=indexes,
    )


def test_elements_are_taken_in_order_until_none_is_left() -> None:
    fan = a_fan(range(5))
    taken = []
    while fan:
        taken.append(fan.take().attempt.key.path)
    assert taken == [(7, index) for index in range(5)]
    assert len(fan) == 0


def test_a_fan_may_have_gaps() -> None:
    fan = a_fan(array("Q", [1, 4]))
    assert len(fan) == 2
    assert [fan.take().attempt.key, fan.take().attempt.key] == [fan.key(1), fan.key(4)]


def test_an_element_knows_where_it_comes_from() -> None:
    task = a_fan(range(5)).task(3)
    assert task.attempt == Attempt(TaskKey("body", (7, 3)))
    assert task.inputs == Digests([MANIFEST])
    assert task.input_steps == ("origin",)
    assert task.frames == (Frame("outer", 7, 9, MANIFEST), Frame("origin", 3, 5, MANIFEST))
    assert not task.last_attempt


@given(st.permutations(range(6)), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_inputs_come_out_in_split_order_whenever_they_arrive(
    order: list[int], ranks: list[int]
) -> None:
    arrivals = Arrivals(6)
    for already, position in enumerate(order):
        assert arrivals.missing == 6 - already
        arrivals.add(position, digest(position), ranks[position])
    assert arrivals.missing == 0
    assert arrivals.inputs() == Digests(map(digest, range(6)))
    names = [f"step_{rank}" for rank in ranks]
    steps = arrivals.steps(["step_0", "step_1", "step_2"])
    assert steps == (tuple(names) if len(set(names)) > 1 else (names[0],))


def test_an_input_arrives_once() -> None:
    arrivals = Arrivals(2)
    arrivals.add(1, MANIFEST, 0)
    with pytest.raises(FlowkitBug):
        arrivals.add(1, MANIFEST, 0)
