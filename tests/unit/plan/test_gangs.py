"""Gangs, one rule at a time: their nodes start together, and end well together or not at all."""

from __future__ import annotations

from hashlib import sha256

import pytest
from msgspec.structs import replace

from flowkit.graph import Catch, FlowDescription, Graph, Kind, Policies, Resources, Retry, Timeout
from flowkit.plan import (
    CancelRequested,
    ClockTicked,
    CloneTask,
    Command,
    Event,
    FindReusable,
    FinishRun,
    Limits,
    ReusableFound,
    RunStarted,
    Scheduler,
    StartTask,
    StopTask,
    TaskFailed,
    TaskSucceeded,
    tell_excess,
    whole_gangs,
)
from flowkit.records import Clone
from flowkit.testing.graphs import SHAPES, describe_flow, describe_node
from flowkit.values import Attempt, Digest, Outcome, RunId, TaskKey


def manifest(name: object) -> Digest:
    return Digest(sha256(str(name).encode()).digest())


def gang(**policies: object) -> FlowDescription:
    """Return a flow with a gang whose step has these policies."""
    flow = SHAPES["gang"]
    given = replace(Policies(parallel=True), **policies)  # type: ignore[arg-type]
    nodes = [replace(node, policies=given) if node.name == "train" else node for node in flow.nodes]
    return replace(flow, nodes=tuple(nodes))


def beside() -> FlowDescription:
    """Return a flow of a gang beside a foreach of as many tasks as one likes."""
    node, linear = describe_node, Kind.LINEAR
    return describe_flow(
        node("start", Kind.SPLIT, "open", "list"),
        node("open", Kind.GANG, "train"),
        node("train", linear, "gather", policies=Policies(parallel=True)),
        node("gather", linear, "join", is_join=True),
        node("list", Kind.FOREACH, "work"),
        node("work", linear, "collect"),
        node("collect", linear, "join", is_join=True),
        node("join", linear, "end", is_join=True),
        node("end", Kind.END),
    )


class Play:
    """A scheduler, and tasks told by name: `train/1#2` is the third attempt of node 1."""

    def __init__(self, flow: FlowDescription, *, asks: tuple[str, ...] = (), **limits: int) -> None:
        self.graph = Graph(flow)
        self.scheduler = Scheduler(self.graph, Limits(**limits), asks)  # type: ignore[arg-type]
        self.started: dict[Attempt, StartTask] = {}
        self.tell(RunStarted(manifest("parameters")))

    def tell(self, event: Event) -> list[str]:
        commands = self.scheduler.handle(event)
        self.started.update({one.attempt: one for one in commands if isinstance(one, StartTask)})
        return [told(one) for one in commands]

    def attempt(self, name: str) -> Attempt:
        task, _, number = name.partition("#")
        step, _, task_id = task.partition("/")
        key = TaskKey.parse(step, task_id or "0", depth=self.graph.depth(step))
        return Attempt(key, int(number or 0))

    def succeed(self, name: str, width: int | None = None) -> list[str]:
        return self.tell(TaskSucceeded(self.attempt(name), an_outcome(name, width)))

    def fail(self, name: str, *, retryable: bool = True, died: bool = False) -> list[str]:
        return self.tell(TaskFailed(self.attempt(name), retryable, died))

    def count(self, step: str = "train") -> tuple[int, int, int, int]:
        progress = self.scheduler.progress[step]
        return progress.waiting, progress.running, progress.done, progress.failed


def an_outcome(name: str, width: int | None = None) -> Outcome:
    return Outcome(manifest=manifest(name), width=width)


def told(command: Command) -> str:
    match command:
        case StartTask(attempt):
            number = f"#{attempt.number}" if attempt.number else ""
            return f"{attempt.key}{number}{' fallback' if command.fallback else ''}"
        case CloneTask(key):
            return f"clone {key}"
        case StopTask(attempt, reason):
            return f"stop {attempt.key}: {reason}"
        case FindReusable(number):
            return f"question {number}"
        case FinishRun(status, failed):
            return " ".join([status, *map(str, failed)])


def nodes(count: int, more: str = "") -> list[str]:
    return [f"train/{at}{more}" for at in range(count)]


class TestRunning:
    def test_all_nodes_start_at_once_and_hand_over_at_once(self) -> None:
        play = Play(gang())
        assert play.succeed("start", width=3) == nodes(3)
        assert play.count() == (0, 3, 0, 0)
        assert play.succeed("train/2") == []
        assert play.succeed("train/0") == []
        assert play.count() == (0, 1, 2, 0)
        assert play.succeed("train/1") == ["join/0"]
        join = play.started[play.attempt("join")]
        assert list(join.inputs) == [manifest(name) for name in nodes(3)]
        assert join.joined is not None
        assert (join.joined.step, join.joined.width) == ("start", 3)

    def test_reports_that_come_again_change_nothing(self) -> None:
        play = Play(gang())
        play.succeed("start", width=2)
        play.succeed("train/0")
        assert play.succeed("train/0") == []
        assert play.fail("train/0") == []
        assert play.succeed("train/1") == ["join/0"]

    def test_a_gang_of_one_is_a_gang(self) -> None:
        play = Play(gang())
        assert play.succeed("start", width=1) == ["train/0"]
        assert play.succeed("train/0") == ["join/0"]


class TestFailing:
    def test_the_first_failure_stops_the_others_and_decides_for_all(self) -> None:
        play = Play(gang(retry=Retry(1, 0)))
        play.succeed("start", width=4)
        play.succeed("train/3")
        assert play.fail("train/1") == ["stop train/0: gang", "stop train/2: gang"]
        assert play.fail("train/0", retryable=False, died=True) == []
        assert play.count() == (2, 1, 1, 0)
        # It has ended well before it was stopped, and runs again all the same.
        assert play.succeed("train/2") == nodes(4, "#1")
        assert play.count() == (0, 4, 0, 0)
        assert all(play.started[play.attempt(name)].last_attempt for name in nodes(4, "#1"))
        assert play.succeed("train/0") == []

    def test_a_gang_without_another_attempt_fails_by_its_first_node(self) -> None:
        play = Play(gang())
        play.succeed("start", width=3)
        play.succeed("train/0")
        play.fail("train/2")
        assert play.fail("train/1", died=True) == ["failed train/2"]
        assert play.count() == (0, 0, 0, 3)

    def test_what_must_not_be_tried_again_is_not(self) -> None:
        play = Play(gang(retry=Retry(3, 0)))
        play.succeed("start", width=2)
        play.fail("train/1", retryable=False)
        assert play.fail("train/0") == ["failed train/1"]

    def test_a_gang_waits_as_long_as_its_retry_says(self) -> None:
        play = Play(gang(retry=Retry(1, 30)))
        play.tell(ClockTicked(0))
        play.succeed("start", width=2)
        play.fail("train/0")
        assert play.fail("train/1") == []
        play.tell(ClockTicked(1))
        assert play.scheduler.next_deadline_s == 31
        assert play.tell(ClockTicked(31)) == nodes(2, "#1")

    @pytest.mark.parametrize("died", [True, False])
    def test_catch_stands_in_for_all_nodes(self, died: bool) -> None:
        play = Play(gang(retry=Retry(1, 30), catch=Catch("failure")))
        play.tell(ClockTicked(0))
        play.succeed("start", width=2)
        play.fail("train/0")
        play.succeed("train/1")
        play.tell(ClockTicked(0))
        play.tell(ClockTicked(30))
        play.succeed("train/1#1")
        assert play.fail("train/0#1", died=died) == nodes(2, "#2 fallback")
        play.succeed("train/0#2")
        assert play.succeed("train/1#2") == ["join/0"]

    def test_a_stand_in_that_fails_is_the_end(self) -> None:
        play = Play(gang(catch=Catch("failure")))
        play.succeed("start", width=2)
        play.fail("train/0")
        play.fail("train/1")
        play.fail("train/1#1")
        assert play.fail("train/0#1", died=True) == ["failed train/1"]

    def test_a_node_that_is_stopped_has_no_limit_of_time_any_more(self) -> None:
        play = Play(gang(timeout=Timeout(5)), stop_grace_s=1)
        play.tell(ClockTicked(0))
        play.succeed("start", width=3)
        play.tell(ClockTicked(0))
        assert play.fail("train/0") == ["stop train/1: gang", "stop train/2: gang"]
        assert play.tell(ClockTicked(10)) == []

    def test_nodes_that_take_too_long_are_stopped_and_the_first_to_end_decides(self) -> None:
        play = Play(gang(timeout=Timeout(5), retry=Retry(1, 0)), stop_grace_s=1)
        play.tell(ClockTicked(0))
        play.succeed("start", width=2)
        play.tell(ClockTicked(0))
        assert play.tell(ClockTicked(6)) == ["stop train/0: timeout", "stop train/1: timeout"]
        assert play.fail("train/1", died=True) == ["stop train/0: gang"]
        assert play.fail("train/0", died=True) == nodes(2, "#1")


class TestStopping:
    def test_a_cancelled_run_stops_all_nodes_once(self) -> None:
        play = Play(gang(retry=Retry(1, 0)))
        play.succeed("start", width=2)
        stopped = ["stop train/0: cancelled", "stop train/1: cancelled"]
        assert play.tell(CancelRequested()) == stopped
        assert play.fail("train/0", retryable=False, died=True) == []
        assert play.fail("train/1", retryable=False, died=True) == ["cancelled"]

    def test_a_gang_that_waits_for_its_retry_is_cancelled_with_the_run(self) -> None:
        play = Play(gang(retry=Retry(1, 30)))
        play.succeed("start", width=1)
        play.fail("train/0")
        assert play.tell(CancelRequested()) == ["cancelled"]

    def test_no_gang_is_tried_again_after_another_failure(self) -> None:
        play = Play(beside(), slots=4)
        play.succeed("start")
        play.succeed("list", width=1)
        play.succeed("open", width=2)
        play.fail("work/0")
        assert play.fail("train/1") == ["stop train/0: gang"]
        assert play.fail("train/0") == ["failed work/0 train/1"]


class TestAdmission:
    def test_a_gang_waits_until_there_is_room_for_all_of_it(self) -> None:
        play = Play(beside(), slots=3)
        assert play.succeed("start") == ["open/0", "list/0"]
        assert play.succeed("list", width=9) == ["work/0", "work/1"]
        assert play.succeed("open", width=3) == ["work/2"]

    def test_others_pass_it_only_as_often_as_patience_says(self) -> None:
        play = Play(beside(), slots=3, patience=2)
        play.succeed("start")
        play.succeed("list", width=9)
        assert play.succeed("open", width=3) == ["work/2"]
        assert play.succeed("work/0") == ["work/3"]
        assert play.succeed("work/1") == []
        assert play.succeed("work/2") == []
        assert play.succeed("work/3") == nodes(3)
        assert play.succeed("train/0") == ["work/4"]

    def test_a_gang_larger_than_all_slots_starts_when_nothing_else_runs(self) -> None:
        play = Play(beside(), slots=2, patience=0)
        play.succeed("start")
        play.succeed("list", width=3)
        assert play.succeed("open", width=5) == []
        assert play.succeed("work/0") == nodes(5)
        for name in nodes(3):
            assert play.succeed(name) == []
        assert play.succeed("train/3") == ["work/1"]
        assert play.succeed("train/4") == ["gather/0"]

    def test_a_gang_larger_than_its_limit_runs_one_at_a_time(self) -> None:
        flow = SHAPES["gang_in_foreach"]
        limited = Policies(parallel=True, concurrency=2)
        one_by_one = replace(
            flow,
            nodes=tuple(
                replace(node, policies=limited) if node.name == "train" else node
                for node in flow.nodes
            ),
        )
        play = Play(one_by_one)
        play.succeed("start", width=2)
        assert play.succeed("open/0", width=3) == ["train/0.0", "train/0.1", "train/0.2"]
        assert play.succeed("open/1", width=2) == []
        assert play.succeed("train/0.0") == []
        assert play.succeed("train/0.1") == []
        assert play.succeed("train/0.2") == ["gather/0", "train/1.0", "train/1.1"]

    def test_a_gang_asks_for_what_its_nodes_ask_for_together(self) -> None:
        play = Play(gang(resources=Resources(cpu=2)), cpu=4)
        assert play.succeed("start", width=3) == nodes(3)
        assert [play.succeed(name) for name in nodes(3)] == [[], [], ["join/0"]]

    def test_resources_are_kept_for_a_gang_that_waits(self) -> None:
        flow = beside()
        needs = {
            "train": Policies(parallel=True, resources=Resources(cpu=2)),
            "work": Policies(resources=Resources(cpu=1)),
        }
        asking = replace(
            flow,
            nodes=tuple(
                replace(node, policies=needs.get(node.name, node.policies)) for node in flow.nodes
            ),
        )
        play = Play(asking, cpu=4, patience=0)
        play.succeed("start")
        play.succeed("list", width=9)
        assert play.succeed("open", width=2) == []
        assert [play.succeed(f"work/{at}") for at in range(3)] == [[], [], []]
        assert play.succeed("work/3") == nodes(2)

    def test_a_gang_with_more_nodes_than_slots_is_told_of(self) -> None:
        flow = gang()
        four = replace(flow, nodes=(replace(flow.nodes[0], num_parallel="4"), *flow.nodes[1:]))
        assert list(tell_excess(Graph(four), Limits(slots=4))) == []
        assert list(tell_excess(Graph(four), Limits(slots=3))) == [
            "step `start` leads to a gang of 4 tasks where 3 may run at once: "
            "they start when no other runs"
        ]
        assert list(tell_excess(Graph(flow), Limits(slots=3))) == []


class TestCloning:
    @pytest.mark.parametrize("lost", [None, 0, 2])
    def test_a_gang_is_cloned_as_a_whole_or_not(self, lost: int | None) -> None:
        keys = [TaskKey("train", (at,)) for at in range(3) if at != lost]
        known = {key: an_outcome(str(key)) for key in keys}
        known[TaskKey("start")] = an_outcome("start", 3)
        scheduler = Scheduler(Graph(gang()), Limits())
        commands = [told(one) for one in scheduler.handle(RunStarted(manifest("p"), known))]
        cloned = [f"clone {name}" for name in nodes(3)]
        whole = ["clone start/0", *cloned, "join/0"]
        assert commands == (whole if lost is None else ["clone start/0", *nodes(3)])

    @pytest.mark.parametrize("lost", [None, 1])
    def test_a_memoised_gang_is_asked_about_and_found_as_a_whole(self, lost: int | None) -> None:
        play = Play(gang(), asks=("train",))
        assert play.succeed("start", width=2) == ["question 1"]
        known = {TaskKey("train", (at,)): an_outcome(f"{at}") for at in range(2) if at != lost}
        whole = ["clone train/0", "clone train/1", "join/0"]
        assert play.tell(ReusableFound(1, known)) == (whole if lost is None else nodes(2))

    def test_a_gang_that_is_found_after_a_failure_is_not_cloned(self) -> None:
        play = Play(beside(), asks=("train",))
        play.succeed("start")
        play.succeed("list", width=2)
        assert play.succeed("open", width=1) == ["question 1"]
        assert play.fail("work/0") == []
        assert play.tell(ReusableFound(1, {TaskKey("train", (0,)): an_outcome("0")})) == []
        assert play.succeed("work/1") == ["failed work/0"]


RUN = RunId("AnyFlow", "1")


def clones(*attempts: int | None, opener: bool = True, width: int = 2) -> dict[TaskKey, Clone]:
    """Return the clones of a gang's nodes by the attempts in which they ended well."""
    found = {
        TaskKey("train", (at,)): number for at, number in enumerate(attempts) if number is not None
    }
    if opener:
        found[TaskKey("start")] = 0
    return {
        key: Clone(
            key=key,
            origin=RUN,
            attempt=number,
            outcome=an_outcome(str(key), width if key.step == "start" else None),
        )
        for key, number in found.items()
    }


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (clones(1, 1), ["start/0", "train/0", "train/1"]),
        (clones(0, 1), ["start/0"]),
        (clones(0, None), ["start/0"]),
        (clones(0, 0, width=3), ["start/0"]),
        (clones(0, 0, opener=False), []),
    ],
)
def test_a_gang_that_never_ended_well_as_a_whole_cannot_be_cloned(
    found: dict[TaskKey, Clone], kept: list[str]
) -> None:
    assert sorted(map(str, whole_gangs(Graph(gang()), found))) == kept
