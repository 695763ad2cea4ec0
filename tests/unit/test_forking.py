"""Mapping over forked processes."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from flowkit import ChildDied, StepRaised, UsageError, parallel_imap_unordered, parallel_map


class TwoArguments(Exception):
    """Does not come back from a pickle."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_results_come_in_the_order_of_the_items() -> None:
    offset = 10
    assert parallel_map(lambda x: x + offset, range(7), max_parallel=3) == list(range(10, 17))


def test_no_items_give_no_results() -> None:
    assert parallel_map(str, []) == []


def test_unordered_results_come_as_they_are_ready() -> None:
    reader, writer = os.pipe()

    def second_first(item: str) -> str:
        if item == "slow":
            os.read(reader, 1)  # until the other one is known here
        return item

    results = parallel_imap_unordered(second_first, ["slow", "quick"], max_parallel=2)
    assert next(results) == "quick"
    os.write(writer, b".")
    assert list(results) == ["slow"]
    os.close(reader)
    os.close(writer)


def test_items_are_taken_as_processes_become_free() -> None:
    taken: list[int] = []

    def items() -> object:
        for number in range(5):
            taken.append(number)
            yield number

    results = parallel_imap_unordered(abs, items(), max_parallel=2)  # type: ignore[arg-type]
    next(results)
    assert taken == [0, 1]
    results.close()  # type: ignore[attr-defined]


def test_every_item_has_a_process_of_its_own() -> None:
    pids = parallel_map(lambda _: os.getpid(), range(3), max_parallel=1)
    assert len({*pids, os.getpid()}) == 4


def test_an_exception_is_raised_again_with_the_traceback_of_its_process() -> None:
    def fails(item: int) -> int:
        return 1 // item

    with pytest.raises(ZeroDivisionError) as raised:
        parallel_map(fails, [0])
    assert "in fails" in str(raised.value.__cause__)


def test_an_exception_that_cannot_travel_is_told_by_its_text() -> None:
    def fails(item: int) -> int:
        raise TwoArguments(item, item)

    with pytest.raises(StepRaised, match="TwoArguments: 1 and 1"):
        parallel_map(fails, [1])


def test_a_result_that_cannot_travel_is_an_error() -> None:
    with pytest.raises(Exception, match="pickle"):
        parallel_map(lambda _: threading.Lock(), [1])


def test_a_killed_process_is_an_error_and_the_others_are_ended(tmp_path: Path) -> None:
    reads, writes = os.pipe()

    def dies(item: int) -> int:
        if item == 1:
            os.write(writes, str(os.getpid()).encode())
            signal.pause()
        (tmp_path / "first").write_bytes(os.read(reads, 20))
        os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(ChildDied, match="SIGKILL") as raised:
        parallel_map(dies, [1, 2], max_parallel=2)
    os.close(reads)
    os.close(writes)
    assert (raised.value.place, raised.value.status) == (1, -9)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "first").read_text()), 0)


def test_a_dead_process_is_noticed_though_another_holds_its_pipe() -> None:
    def leaves_a_child(item: int) -> int:
        if os.fork() == 0:
            os.setpgid(0, 0)
            signal.alarm(20)
            signal.pause()
        os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(ChildDied):
        parallel_map(leaves_a_child, [1])


def test_a_large_result_comes_whole_by_way_of_the_folder(tmp_path: Path) -> None:
    (big,) = parallel_map(lambda size: b"x" * size, [30_000_000], dir=str(tmp_path))
    assert len(big) == 30_000_000
    assert list(tmp_path.iterdir()) == []


def test_no_process_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="max_parallel"):
        parallel_imap_unordered(abs, [1], max_parallel=0)
