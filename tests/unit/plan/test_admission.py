"""Which of the tasks that may start does."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from flowkit.errors import UsageError
from flowkit.graph import FlowDescription, Graph, Kind, Policies, Resources
from flowkit.plan import Limits, tell_excess
from flowkit.plan.admission import Admission
from flowkit.plan.events import StartTask
from flowkit.plan.fan import Fan
from flowkit.testing.graphs import describe_flow, describe_node
from flowkit.values import Attempt, Digest, Digests, TaskKey

ANY = Digest(bytes(32))


def row(**policies: Policies) -> FlowDescription:
    """Return a flow of steps in a row, the first to start first, with these policies."""
    names = [*policies, "end"]
    steps = [
        describe_node(name, Kind.LINEAR, after, policies=policies[name])
        for name, after in pairwise(names)
    ]
    return describe_flow(*steps, describe_node("end", Kind.END))


class Line:
    """Tasks in line: `a3` is the task of step `a` with index 3."""

    def __init__(self, limits: Limits, **policies: Policies) -> None:
        self.admission = Admission(Graph(row(**policies)), limits)

    def add(self, *names: str) -> None:
        for name in names:
            attempt = Attempt(TaskKey(name[0], (int(name[1:]),)))
            self.admission.add(StartTask(attempt, Digests(), ()))

    def add_fan(self, step: str, indexes: range, *, path: tuple[int, ...] = ()) -> None:
        self.admission.add(
            Fan(
                step=step,
                origin=TaskKey("origin", path),
                frames=(),
                manifest=ANY,
                width=max(indexes) + 1,
                last_attempt=True,
                indexes=indexes,
            )
        )

    def take(self) -> str | None:
        task = self.admission.take()
        return None if task is None else name_of(task)

    def take_all(self) -> list[str]:
        return list(iter(self.take, None))

    def leave(self, *steps: str) -> None:
        for step in steps:
            self.admission.leave(step)


def name_of(task: StartTask) -> str:
    key = task.attempt.key
    return key.step + ".".join(map(str, key.path))


NONE = Policies()


def asking(cpu: float = 0, memory_mb: int = 0, gpu: int = 0) -> Policies:
    return Policies(resources=Resources(cpu, memory_mb, gpu))


def test_steps_that_ask_for_more_than_there_is_are_told() -> None:
    graph = Graph(
        row(
            a=Policies(resources=Resources(cpu=2.5, memory_mb=100, gpu=1)),
            b=Policies(resources=Resources(cpu=2, memory_mb=99)),
            c=Policies(),
        )
    )
    limits = Limits(cpu=2, memory_mb=99, gpu=0)
    assert list(tell_excess(graph, limits)) == [
        "step `a` asks for 2.5 cores where there are 2 and 100 MB of memory where there are 99 "
        "and 1 GPUs where there are 0: its tasks run one at a time, with all that there is"
    ]
    assert list(tell_excess(graph, Limits())) == []


def test_no_more_tasks_run_than_there_are_slots() -> None:
    line = Line(Limits(slots=2), a=NONE)
    line.add("a0", "a1", "a2", "a3")
    assert line.take_all() == ["a0", "a1"]
    line.leave("a")
    assert line.take_all() == ["a2"]
    assert (len(line.admission), line.admission.running("a")) == (2, 2)


def test_later_steps_come_first_and_tasks_of_a_step_in_their_order() -> None:
    line = Line(Limits(), a=NONE, b=NONE, c=NONE)
    line.add("b0", "a0", "c0", "b1")
    assert line.take_all() == ["c0", "b0", "b1", "a0"]


def test_tasks_come_before_elements_that_have_not_begun() -> None:
    line = Line(Limits(), a=NONE, b=NONE)
    line.add_fan("b", range(2))
    line.add("a0", "b7")
    assert line.take_all() == ["b7", "a0", "b0", "b1"]


def test_inner_fans_come_before_outer_ones_and_fans_of_a_step_in_their_order() -> None:
    line = Line(Limits(), a=NONE, b=NONE)
    line.add_fan("a", range(2))
    line.add_fan("b", range(2), path=(1,))
    line.add_fan("b", range(1), path=(0,))
    assert line.take_all() == ["b1.0", "b1.1", "b0.0", "a0", "a1"]


def test_a_step_keeps_to_its_own_limit_and_others_pass_it() -> None:
    line = Line(Limits(), a=NONE, b=Policies(concurrency=2))
    line.add("b0", "b1", "b2", "a0")
    assert line.take_all() == ["b0", "b1", "a0"]
    line.leave("a")
    assert line.take() is None
    line.leave("b")
    assert line.take_all() == ["b2"]


@pytest.mark.parametrize(
    ("limits", "needs"),
    [
        (Limits(cpu=1.0), asking(cpu=0.1)),
        (Limits(memory_mb=10), asking(memory_mb=1)),
        (Limits(gpu=10), asking(gpu=1)),
    ],
)
def test_tasks_share_what_there_is_to_the_last_bit(limits: Limits, needs: Policies) -> None:
    line = Line(limits, a=needs)
    line.add(*(f"a{index}" for index in range(12)))
    assert len(line.take_all()) == 10
    line.leave("a", "a")
    assert line.take_all() == ["a10", "a11"]


def test_a_step_without_resources_takes_a_slot_only() -> None:
    line = Line(Limits(cpu=1), a=NONE, b=asking(cpu=1))
    line.add("b0", "b1", "a0", "a1")
    assert line.take_all() == ["b0", "a0", "a1"]


def test_without_limits_only_slots_count() -> None:
    line = Line(Limits(slots=3), a=asking(cpu=1e6, memory_mb=10**9, gpu=99))
    line.add("a0", "a1", "a2", "a3")
    assert line.take_all() == ["a0", "a1", "a2"]


@pytest.mark.parametrize(
    "greedy", [asking(cpu=99), asking(memory_mb=99_999), asking(gpu=99), asking(99, 99_999, 99)]
)
def test_a_task_that_asks_for_more_than_there_is_runs_alone(greedy: Policies) -> None:
    line = Line(Limits(cpu=4, memory_mb=1000, gpu=1), a=asking(1, 1, 1), b=greedy)
    line.add("b0", "a0", "b1")
    assert line.take_all() == ["b0"]
    line.leave("b")
    assert line.take_all() == ["b1"]
    line.leave("b")
    assert line.take_all() == ["a0"]


def test_a_big_task_is_passed_no_more_often_than_patience_allows() -> None:
    line = Line(Limits(cpu=4, patience=3), a=asking(cpu=1), b=asking(cpu=4))
    line.add("a0")
    assert line.take() == "a0"
    line.add("b0", *(f"a{index}" for index in range(1, 20)))
    taken = []
    while (name := line.take()) != "b0":
        if name is None:
            line.leave("a")
        else:
            taken.append(name)
    assert taken == ["a1", "a2", "a3"]


def test_patience_is_new_once_the_step_has_had_its_turn() -> None:
    line = Line(Limits(cpu=2, patience=1), a=asking(cpu=1), b=asking(cpu=2))
    line.add("a0")
    assert line.take_all() == ["a0"]
    for turn in range(3):
        line.add(f"b{turn}", f"a{2 * turn + 1}", f"a{2 * turn + 2}")
        assert line.take_all() == [f"a{2 * turn + 1}"]
        line.leave("a", "a")
        assert line.take_all() == [f"b{turn}"]
        line.leave("b")
        assert line.take_all() == [f"a{2 * turn + 2}"]


def test_tasks_that_leave_room_for_the_one_in_line_pass_it_freely() -> None:
    # `b` waits for a GPU and needs one core of eight when it is free.
    line = Line(Limits(slots=99, cpu=8, gpu=1, patience=0), a=asking(cpu=1), b=asking(cpu=1, gpu=1))
    line.add("b0", "b1", *(f"a{index}" for index in range(20)))
    assert line.take() == "b0"
    assert Counter(name[0] for name in line.take_all()) == {"a": 6}
    line.leave("b")
    assert line.take() == "b1"


def test_slots_and_steps_limits_cost_no_patience() -> None:
    line = Line(Limits(cpu=2, patience=1), a=NONE, b=asking(cpu=2))
    line.add("b0", "b1")
    assert line.take_all() == ["b0"]
    line.add(*(f"a{index}" for index in range(9)))
    assert len(line.take_all()) == 9


def test_a_run_needs_a_slot() -> None:
    with pytest.raises(UsageError):
        Limits(slots=0)
