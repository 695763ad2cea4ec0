"""Changes of runs: whoever dies half way through one leaves a note of it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from flowkit.metadata import Metadata
from flowkit.records import RunRecord
from flowkit.values import RunId

RUN = RunId("Train", "1")


def test_a_change_that_ends_well_leaves_nothing(index: Metadata) -> None:
    with index.changing(RUN):
        assert index.cut_off() == []  # this process lives
    assert index.cut_off() == []


def test_a_change_that_raises_is_cut_off_until_it_is_settled(index: Metadata) -> None:
    with pytest.raises(ZeroDivisionError), index.changing(RUN):
        raise ZeroDivisionError
    (change,) = index.cut_off()
    assert change.run == RUN
    index.settle(change)
    assert index.cut_off() == []


def test_a_change_can_be_said_not_to_be_done(index: Metadata) -> None:
    with index.changing(RUN) as change:
        change.is_done = False
    assert [one.run for one in index.cut_off()] == [RUN]


def test_a_process_that_dies_in_a_change_leaves_it_cut_off(index: Metadata) -> None:
    ours = RunId("Train", "2")
    with index.changing(ours):
        child = os.fork()
        if child == 0:
            with index.changing(RUN):
                os._exit(0)
        os.waitpid(child, 0)
        assert [one.run for one in index.cut_off()] == [RUN]


def test_changes_outlive_what_empties_an_index(
    index: Metadata, record: Callable[..., RunRecord]
) -> None:
    with index.changing(RUN) as change:
        change.is_done = False
    index.record_run(record())
    index.forget_run(RUN)
    index.clear()
    assert [one.run for one in index.cut_off()] == [RUN]
