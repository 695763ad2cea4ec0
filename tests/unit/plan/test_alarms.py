"""Alarms ring late, never early."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from flowkit.plan.alarms import Alarms
from flowkit.values import TaskKey

A, B, C = TaskKey("a"), TaskKey("b"), TaskKey("c")


def test_the_time_of_an_alarm_counts_from_the_next_tick() -> None:
    alarms = Alarms()
    alarms.ring(10.0)
    alarms.set(A, 5.0)
    assert alarms.next_s == 10
    assert alarms.ring(100.0) == []
    assert alarms.next_s == 105
    assert alarms.ring(104.9) == []
    assert alarms.ring(105.0) == [A]
    assert alarms.next_s is None


def test_before_the_first_tick_a_tick_is_long_due() -> None:
    alarms = Alarms()
    assert alarms.next_s is None
    alarms.set(A, 5.0)
    assert alarms.next_s == -inf


def test_alarms_ring_in_the_order_of_their_moments() -> None:
    alarms = Alarms()
    alarms.set(A, 9.0)
    alarms.set(B, 2.0)
    alarms.ring(0.0)
    alarms.set(C, 2.0)
    alarms.ring(1.0)
    assert alarms.next_s == 2
    assert alarms.ring(20.0) == [B, C, A]


def test_a_dropped_alarm_does_not_ring() -> None:
    alarms = Alarms()
    alarms.set(A, 2.0)
    alarms.drop(A)
    assert alarms.next_s is None
    alarms.set(A, 2.0)
    alarms.set(B, 2.0)
    alarms.ring(0.0)
    alarms.drop(A)
    alarms.drop(C)
    assert alarms.ring(2.0) == [B]


def test_cleared_alarms_do_not_ring() -> None:
    alarms = Alarms()
    alarms.set(A, 2.0)
    alarms.ring(0.0)
    alarms.set(B, 2.0)
    alarms.clear()
    assert alarms.next_s is None
    assert alarms.ring(10.0) == []
    alarms.drop(A)


def test_a_clock_that_goes_back_is_taken_to_stand_still() -> None:
    alarms = Alarms()
    alarms.ring(10.0)
    alarms.set(A, 2.0)
    alarms.ring(3.0)
    assert alarms.next_s == 12


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1.0, 2.0, 3.5])), max_size=12),
    st.sets(st.integers(0, 11)),
)
def test_alarms_agree_with_a_sorted_list(
    settings: list[tuple[int, float]], dropped: set[int]
) -> None:
    alarms, expected = Alarms(), []
    for now, (tick, length_s) in sorted(enumerate(settings), key=lambda one: one[1][0]):
        key = TaskKey("step", (now,))
        alarms.set(key, length_s)
        alarms.ring(float(tick))
        if tick + length_s > 5 and now not in dropped:
            expected.append((tick + length_s, key))
    for index in sorted(dropped):
        alarms.drop(TaskKey("step", (index,)))
    alarms.ring(5.0)
    assert alarms.next_s == min((due for due, _ in expected), default=None)
    rung = alarms.ring(100.0)
    assert set(rung) == {key for _, key in expected}
    due_s = {key: due for due, key in expected}
    assert [due_s[key] for key in rung] == sorted(due_s.values())
