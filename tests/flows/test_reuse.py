"""Reuse: tasks that any earlier run has computed are cloned, and only those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowkit.runner import RunOptions

if TYPE_CHECKING:
    from conftest import Lab, Ran

FLOW = """
    class Sum(FlowSpec):
        alpha = Parameter(default=3)
        beta = Parameter(default=5)
        FACTOR = 2

        @step
        def start(self):
            self.rows = [1, 2, 3]
            self.text = "as before"
            self.next(self.square, foreach="rows")

        @step
        def square(self):
            self.value = self.input**2
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(one.value for one in inputs)
            self.merge_artifacts(inputs, exclude=["value"])
            self.next(self.scale)

        @step
        def scale(self):
            self.scaled = self.total * self.alpha
            self.next(self.end)

        @step
        def end(self):
            self.answer = self.scaled + self.beta * self.FACTOR
"""
ALL = ["end/0", "join/0", "scale/0", "square/0", "square/1", "square/2", "start/0"]


def reusing(lab: Lab, text: str | None = None, **parameters: Any) -> Ran:
    return lab.run(text, options=RunOptions(reuse=True, parameters=parameters))


def everything(ran: Ran) -> dict[str, dict[str, Any]]:
    """Return all artifacts of all tasks of a run."""
    return {
        task.pathspec.split("/", 2)[2]: {name: getattr(task.data, name) for name in task.data}
        for step in ran.run
        for task in step
    }


def test_a_second_run_of_the_same_computes_nothing(any_lab: Lab) -> None:
    first = any_lab.run(FLOW)
    second = reusing(any_lab)
    assert second.started == []
    assert sorted(second.cloned) == ALL
    assert everything(second) == everything(first)
    assert second.run["end"].task.origin_pathspec == f"{first.run.pathspec}/end/0"


def test_without_being_asked_nothing_is_reused(lab: Lab) -> None:
    lab.run(FLOW)
    assert lab.run().cloned == []


@pytest.mark.parametrize(
    ("old", "new", "parameters", "started"),
    [
        ("", "", {"alpha": "4"}, ["end/0", "scale/0"]),
        ("", "", {"beta": "6"}, ["end/0"]),
        ("FACTOR = 2", "FACTOR = 3", {}, ["end/0"]),
        ("self.total * self.alpha", "self.alpha * self.total", {}, ["scale/0"]),
        # An element in front moves the others; and the sum is what it was.
        ("[1, 2, 3]", "[0, 1, 2, 3]", {}, ["join/0", "square/0", "start/0"]),
        ("[1, 2, 3]", "[3, 2, 1]", {}, ["join/0", "start/0"]),
        ("as before", "as now", {}, ["join/0", "start/0"]),
    ],
)
def test_what_changed_runs_anew_and_what_does_not_see_it_is_cloned(
    lab: Lab, old: str, new: str, parameters: dict[str, str], started: list[str]
) -> None:
    lab.run(FLOW)
    changed = FLOW.replace(old, new) if old else FLOW
    lab.write(changed, lab.file.name)
    reused = lab.run(options=RunOptions(reuse=True, parameters=parameters))
    assert reused.started == started
    fresh = lab.run(options=RunOptions(parameters=parameters))
    assert fresh.cloned == []
    assert everything(reused) == everything(fresh)
