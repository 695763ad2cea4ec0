"""Counting the bytes that are held, for many threads."""

from __future__ import annotations

import gc
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from flowkit.s3.memory import Held, MemoryBudget


def test_bytes_are_held_as_long_as_they_fit() -> None:
    budget = MemoryBudget(10)
    first = budget.take(6)
    assert first is not None
    assert budget.take(5) is None
    second = budget.take(4)
    assert second is not None
    assert budget.held_bytes == 10
    first.release()
    first.release()
    assert budget.held_bytes == 4


def test_bytes_that_nobody_has_any_more_are_given_back() -> None:
    budget = MemoryBudget(10)
    held = budget.take(10)
    assert budget.held_bytes == 10
    del held
    gc.collect()
    assert budget.held_bytes == 0


def test_nobody_overtakes_in_turn() -> None:
    budget = MemoryBudget(10)
    with ThreadPoolExecutor(3) as pool:
        # The last ones come first, and wait for the earlier ones.
        tasks: dict[int, Future[Held | None]] = {
            turn: pool.submit(budget.take_in_turn, turn, 6) for turn in (2, 1)
        }
        first = budget.take_in_turn(0, 6)
        assert first is not None
        assert not any(task.done() for task in tasks.values())
        first.release()
        second = tasks[1].result()
        assert second is not None
        assert not tasks[2].done()
        second.release()
        assert tasks[2].result() is not None


def test_a_turn_that_is_skipped_or_too_large_lets_the_next_one_pass() -> None:
    budget = MemoryBudget(10)
    budget.skip(0)
    assert budget.take_in_turn(1, 11) is None
    held = budget.take_in_turn(2, 10)
    budget.skip(1)
    assert held is not None
    assert budget.held_bytes == 10


def test_nobody_waits_once_it_has_ended() -> None:
    budget = MemoryBudget(10)
    held = budget.take(10)
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(budget.take_in_turn, turn, 5) for turn in (0, 1)]
        budget.end()
        for task in tasks:
            with pytest.raises(CancelledError):
                task.result()
    assert held is not None
