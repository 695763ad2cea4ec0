"""What the scheduler decides, one rule at a time."""

from __future__ import annotations

import sys
import tracemalloc
from collections import deque
from collections.abc import Mapping
from hashlib import sha256
from itertools import pairwise
from math import inf
from types import FrameType

import pytest
from msgspec.structs import replace

from flowkit.errors import FlowkitBug
from flowkit.graph import (
    Catch,
    FlowDescription,
    Graph,
    Kind,
    Policies,
    Retry,
    Timeout,
)
from flowkit.plan import (
    PARAMETERS_STEP,
    CancelRequested,
    ClockTicked,
    CloneTask,
    Command,
    Event,
    FinishRun,
    Limits,
    RunStarted,
    Scheduler,
    StartTask,
    StepProgress,
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.testing.graphs import SHAPES, describe_flow, describe_node
from flowkit.values import Attempt, Digest, Digests, Frame, Outcome, TaskKey


def manifest(name: str) -> Digest:
    """Return the manifest that the task of this name leaves."""
    return Digest(sha256(name.encode()).digest())


PARAMETERS = manifest("parameters")


def with_policies(description: FlowDescription, **policies: Policies) -> FlowDescription:
    """Give some steps of a flow policies."""
    nodes = [
        replace(node, policies=policies.get(node.name, node.policies)) for node in description.nodes
    ]
    return replace(description, nodes=tuple(nodes))


class Play:
    """A scheduler, and tasks told by name: `body/3` is the task, `body/3#1` its second attempt."""

    def __init__(
        self,
        description: FlowDescription,
        *,
        limits: Limits | None = None,
        reusable: Mapping[TaskKey, Outcome] | None = None,
    ) -> None:
        self.graph = Graph(description)
        self.scheduler = Scheduler(self.graph, limits or Limits())
        self.commands: list[Command] = []
        self.begin = self.tell(RunStarted(PARAMETERS, reusable or {}))

    def tell(self, event: Event) -> list[str]:
        """Tell an event; return what the scheduler asked for, as text."""
        commands = self.scheduler.handle(event)
        self.commands += commands
        return [told(command) for command in commands]

    def attempt(self, name: str) -> Attempt:
        task, _, number = name.partition("#")
        step, _, task_id = task.partition("/")
        key = TaskKey.parse(step, task_id or "0", depth=self.graph.depth(step))
        return Attempt(key, int(number or 0))

    def succeed(
        self, name: str, *, width: int | None = None, choice: str | None = None
    ) -> list[str]:
        outcome = Outcome(manifest=manifest(name.partition("#")[0]), width=width, choice=choice)
        return self.tell(TaskSucceeded(self.attempt(name), outcome))

    def fail(self, name: str, *, retryable: bool = True, died: bool = False) -> list[str]:
        return self.tell(TaskFailed(self.attempt(name), retryable, died))

    def started(self, name: str) -> StartTask:
        """Return the command that started an attempt."""
        attempt = self.attempt(name)
        (found,) = (c for c in self.commands if isinstance(c, StartTask) and c.attempt == attempt)
        return found


def told(command: Command) -> str:
    match command:
        case StartTask(attempt):
            number = f"#{attempt.number}" if attempt.number else ""
            return f"{attempt.key}{number}{' fallback' if command.fallback else ''}"
        case CloneTask(key):
            return f"clone {key}"
        case StopTask(attempt, reason):
            return f"stop {attempt.key}: {reason}"
        case FinishRun(status, failed):
            return " ".join([status, *map(str, failed)])


def fed(*names: str) -> Digests:
    return Digests(manifest(name) for name in names)


class TestShapes:
    def test_a_run_of_one_step_begins_and_ends(self) -> None:
        play = Play(SHAPES["single"])
        assert play.begin == ["start/0"]
        assert play.succeed("start/0") == ["succeeded"]

    def test_the_start_gets_the_parameters(self) -> None:
        start = Play(SHAPES["linear"]).started("start/0")
        assert start == StartTask(
            Attempt(TaskKey("start")), Digests([PARAMETERS]), (PARAMETERS_STEP,)
        )

    def test_a_step_gets_the_manifest_of_the_one_before(self) -> None:
        play = Play(SHAPES["linear"])
        assert play.succeed("start/0") == ["middle/0"]
        middle = play.started("middle/0")
        assert (middle.inputs, middle.input_steps) == (fed("start/0"), ("start",))
        assert (middle.frames, middle.joined, middle.last_attempt) == ((), None, True)

    def test_branches_are_joined_in_the_order_they_are_written(self) -> None:
        play = Play(SHAPES["split"])
        assert play.succeed("start/0") == ["b/0", "a/0"]
        assert play.succeed("a/0") == []
        assert play.succeed("b/0") == ["join/0"]
        join = play.started("join/0")
        assert (join.inputs, join.input_steps) == (fed("b/0", "a/0"), ("b", "a"))
        assert (join.frames, join.joined) == ((), None)

    def test_elements_are_joined_in_index_order_and_know_their_foreach(self) -> None:
        play = Play(SHAPES["foreach"])
        assert play.succeed("start/0", width=3) == ["body/0", "body/1", "body/2"]
        frame = Frame("start", 2, 3, manifest("start/0"))
        body = play.started("body/2")
        assert (body.inputs, body.input_steps) == (fed("start/0"), ("start",))
        assert body.frames == (frame,)
        for name in ("body/2", "body/0", "body/1", "tail/2", "tail/0"):
            assert "join/0" not in play.succeed(name)
        assert play.started("tail/2").frames == (frame,)
        assert play.succeed("tail/1") == ["join/0"]
        join = play.started("join/0")
        assert (join.inputs, join.input_steps) == (fed("tail/0", "tail/1", "tail/2"), ("tail",))
        assert (join.frames, join.joined) == ((), replace(frame, index=0))

    def test_nested_elements_are_joined_each_with_its_own(self) -> None:
        play = Play(SHAPES["nested_foreach"])
        play.succeed("start/0", width=2)
        play.succeed("outer/1", width=2)
        play.succeed("outer/0", width=1)
        assert play.succeed("inner/1.1") == []
        assert play.succeed("inner/0.0") == ["inner_join/0"]
        assert play.succeed("inner/1.0") == ["inner_join/1"]
        join = play.started("inner_join/1")
        assert join.inputs == fed("inner/1.0", "inner/1.1")
        assert join.frames == (Frame("start", 1, 2, manifest("start/0")),)
        assert join.joined == Frame("outer", 0, 2, manifest("outer/1"))
        play.succeed("inner_join/1")
        assert play.succeed("inner_join/0") == ["outer_join/0"]

    def test_branches_inside_a_foreach_wait_for_those_of_their_own_element(self) -> None:
        play = Play(SHAPES["split_in_foreach"])
        play.succeed("start/0", width=2)
        play.succeed("fork/0")
        play.succeed("fork/1")
        assert play.succeed("left/0") == []
        assert play.succeed("right/1") == []
        assert play.succeed("right/0") == ["fork_join/0"]
        assert play.started("fork_join/0").inputs == fed("left/0", "right/0")
        assert len(play.started("fork_join/0").frames) == 1

    def test_a_switch_runs_only_the_step_it_chose(self) -> None:
        play = Play(SHAPES["switch"])
        assert play.succeed("start/0", choice="no") == ["no/0"]
        assert play.succeed("no/0") == ["after/0"]
        assert play.started("after/0").input_steps == ("no",)

    def test_a_join_names_the_steps_of_its_inputs_where_they_differ(self) -> None:
        play = Play(SHAPES["switch_in_foreach"])
        play.succeed("start/0", width=3)
        play.succeed("decide/0", choice="no")
        play.succeed("decide/1", choice="join")
        play.succeed("decide/2", choice="yes")
        play.succeed("yes/2")
        assert play.succeed("no/0") == ["join/0"]
        join = play.started("join/0")
        assert join.inputs == fed("no/0", "decide/1", "yes/2")
        assert join.input_steps == ("no", "decide", "yes")

    def test_a_loop_counts_its_turns_and_hands_over_without_them(self) -> None:
        play = Play(SHAPES["loop_in_foreach"])
        play.succeed("start/0", width=2)
        assert play.succeed("turn/1", choice="turn") == ["turn/1@1"]
        assert play.succeed("turn/1@1", choice="turn") == ["turn/1@2"]
        assert play.started("turn/1@2").inputs == fed("turn/1@1")
        assert play.started("turn/1@2").input_steps == ("turn",)
        assert play.succeed("turn/1@2", choice="leave") == ["leave/1"]
        assert play.succeed("leave/1") == []
        play.succeed("turn/0", choice="leave")
        assert play.succeed("leave/0") == ["join/0"]

    @pytest.mark.parametrize("width", [None, 0])
    def test_a_foreach_without_elements_is_a_bug(self, width: int | None) -> None:
        play = Play(SHAPES["foreach"])
        with pytest.raises(FlowkitBug):
            play.succeed("start/0", width=width)

    @pytest.mark.parametrize("choice", [None, "after"])
    def test_a_choice_that_is_no_target_is_a_bug(self, choice: str | None) -> None:
        play = Play(SHAPES["switch"])
        with pytest.raises(FlowkitBug):
            play.succeed("start/0", choice=choice)

    def test_a_run_that_cannot_go_on_is_a_bug(self) -> None:
        limited = with_policies(SHAPES["linear"], middle=Policies(concurrency=0))
        play = Play(limited)
        with pytest.raises(FlowkitBug):
            play.succeed("start/0")


class TestReports:
    def test_a_report_that_comes_again_is_ignored(self) -> None:
        play = Play(SHAPES["split"])
        play.succeed("start/0")
        play.succeed("a/0")
        before = play.scheduler.progress
        assert play.succeed("a/0") == []
        assert play.fail("a/0") == []
        assert play.scheduler.progress == before

    def test_a_late_report_of_an_old_attempt_is_ignored(self) -> None:
        play = Play(with_policies(SHAPES["linear"], start=Policies(retry=Retry(2, 0))))
        assert play.fail("start/0") == ["start/0#1"]
        before = play.scheduler.progress
        assert play.succeed("start/0") == []
        assert play.fail("start/0") == []
        assert play.fail("start/0#2") == []
        assert play.scheduler.progress == before
        assert play.succeed("start/0#1") == ["middle/0"]

    def test_a_report_of_what_was_never_started_is_ignored(self) -> None:
        play = Play(SHAPES["linear"])
        assert play.succeed("middle/0") == []
        assert play.fail("end/0") == []
        assert play.succeed("start/0") == ["middle/0"]

    def test_a_run_starts_only_once(self) -> None:
        play = Play(SHAPES["linear"])
        assert play.tell(RunStarted(PARAMETERS)) == []
        assert play.succeed("start/0") == ["middle/0"]

    def test_nothing_is_asked_before_the_run_starts(self) -> None:
        scheduler = Scheduler(Graph(SHAPES["single"]), Limits())
        assert scheduler.handle(ClockTicked(3.0)) == []
        assert scheduler.handle(TaskFailed(Attempt(TaskKey("start")))) == []
        assert scheduler.next_deadline_s is None
        assert scheduler.handle(RunStarted(PARAMETERS)) != []

    def test_nothing_is_asked_after_the_run_is_finished(self) -> None:
        play = Play(SHAPES["single"])
        play.succeed("start/0")
        assert play.succeed("start/0") == []
        assert play.tell(CancelRequested()) == []
        assert play.tell(ClockTicked(1.0)) == []
        assert play.tell(RunStarted(PARAMETERS)) == []


class TestFailures:
    def test_a_failed_attempt_is_followed_by_others_with_the_same_inputs(self) -> None:
        play = Play(with_policies(SHAPES["linear"], middle=Policies(retry=Retry(2, 0))))
        play.succeed("start/0")
        assert play.fail("middle/0") == ["middle/0#1"]
        assert play.fail("middle/0#1") == ["middle/0#2"]
        attempts = [play.started(f"middle/0#{number}") for number in range(3)]
        assert [one.last_attempt for one in attempts] == [False, False, True]
        assert {one.inputs for one in attempts} == {fed("start/0")}
        assert {one.input_steps for one in attempts} == {("start",)}
        assert play.fail("middle/0#2") == ["failed middle/0"]

    def test_elements_know_whether_an_attempt_is_their_last(self) -> None:
        play = Play(with_policies(SHAPES["foreach"], body=Policies(retry=Retry(1, 0))))
        play.succeed("start/0", width=1)
        assert not play.started("body/0").last_attempt
        assert play.fail("body/0") == ["body/0#1"]
        assert play.started("body/0#1").last_attempt
        assert play.started("body/0#1").frames == play.started("body/0").frames

    def test_a_step_without_retry_fails_at_once(self) -> None:
        assert Play(SHAPES["linear"]).fail("start/0") == ["failed start/0"]

    def test_a_failure_that_forbids_another_try_gets_none(self) -> None:
        play = Play(with_policies(SHAPES["linear"], start=Policies(retry=Retry(2, 0))))
        assert play.fail("start/0", retryable=False) == ["failed start/0"]

    def test_catch_stands_in_for_a_process_that_died(self) -> None:
        caught = Policies(retry=Retry(1, 0), catch=Catch())
        play = Play(with_policies(SHAPES["linear"], start=caught))
        assert play.fail("start/0", died=True) == ["start/0#1"]
        assert play.fail("start/0#1", died=True) == ["start/0#2 fallback"]
        fallback = play.started("start/0#2")
        assert (fallback.last_attempt, fallback.inputs) == (True, Digests([PARAMETERS]))
        assert play.succeed("start/0#2") == ["middle/0"]

    def test_catch_stands_in_at_once_when_another_try_is_forbidden(self) -> None:
        caught = Policies(retry=Retry(3, 60), catch=Catch())
        play = Play(with_policies(SHAPES["linear"], start=caught))
        assert play.fail("start/0", died=True, retryable=False) == ["start/0#1 fallback"]
        assert play.started("start/0#1").last_attempt

    @pytest.mark.parametrize("died", [True, False])
    @pytest.mark.parametrize("retryable", [True, False])
    def test_a_fallback_that_fails_is_final(self, died: bool, retryable: bool) -> None:
        caught = Policies(retry=Retry(5, 0), catch=Catch())
        play = Play(with_policies(SHAPES["linear"], start=caught))
        play.fail("start/0", died=True, retryable=False)
        assert play.fail("start/0#1", died=died, retryable=retryable) == ["failed start/0"]

    def test_catch_does_not_stand_in_where_the_worker_could_catch(self) -> None:
        play = Play(with_policies(SHAPES["linear"], start=Policies(catch=Catch())))
        assert play.fail("start/0", died=False) == ["failed start/0"]

    def test_nothing_starts_after_a_failure_and_what_runs_may_end(self) -> None:
        retried = with_policies(SHAPES["foreach"], tail=Policies(retry=Retry(3, 0), catch=Catch()))
        play = Play(retried, limits=Limits(slots=3))
        play.succeed("start/0", width=5)
        play.succeed("body/1")
        play.succeed("body/2")
        assert play.fail("body/0") == []
        assert play.fail("tail/1") == []
        assert play.tell(ClockTicked(1e9)) == []
        assert play.succeed("tail/2") == ["failed body/0"]

    def test_failures_are_named_in_the_order_they_came(self) -> None:
        policies = Policies(retry=Retry(3, 0))
        play = Play(with_policies(SHAPES["split_in_foreach"], left=policies))
        play.succeed("start/0", width=2)
        play.succeed("fork/0")
        play.succeed("fork/1")
        assert play.fail("right/1") == []
        assert play.fail("left/0") == []
        assert play.fail("left/1", retryable=False) == []
        assert play.fail("right/0") == ["failed right/1 left/1 right/0"]
        assert play.scheduler.progress["left"].waiting == 1

    def test_a_retry_that_waits_does_not_keep_a_failed_run_alive(self) -> None:
        play = Play(with_policies(SHAPES["split"], a=Policies(retry=Retry(1, 60))))
        play.succeed("start/0")
        play.tell(ClockTicked(0.0))
        assert play.fail("a/0") == []
        assert play.fail("b/0") == ["failed b/0"]
        assert play.scheduler.next_deadline_s is None

    def test_an_attempt_that_fails_after_another_task_has_is_not_waited_for(self) -> None:
        play = Play(with_policies(SHAPES["split"], a=Policies(retry=Retry(1, 60))))
        play.succeed("start/0")
        assert play.fail("b/0") == []
        assert play.fail("a/0") == ["failed b/0"]


class TestCancelling:
    def test_all_that_runs_is_stopped_once_and_nothing_starts(self) -> None:
        play = Play(SHAPES["foreach"], limits=Limits(slots=2))
        play.succeed("start/0", width=3)
        stops = ["stop body/0: cancelled", "stop body/1: cancelled"]
        assert play.tell(CancelRequested()) == stops
        assert play.tell(CancelRequested()) == []
        assert play.succeed("body/0") == []
        assert play.fail("body/1", retryable=False) == ["cancelled"]

    def test_a_cancelled_attempt_is_not_tried_again(self) -> None:
        policies = Policies(retry=Retry(3, 0), catch=Catch())
        play = Play(with_policies(SHAPES["linear"], start=policies))
        play.tell(CancelRequested())
        assert play.fail("start/0", died=True) == ["cancelled"]
        assert play.scheduler.progress["start"].failed == 0

    def test_a_cancelled_run_names_what_failed_before(self) -> None:
        play = Play(SHAPES["split"])
        play.succeed("start/0")
        play.fail("b/0")
        assert play.tell(CancelRequested()) == ["stop a/0: cancelled"]
        assert play.fail("a/0") == ["cancelled b/0"]

    def test_a_run_whose_end_succeeds_nevertheless_has_succeeded(self) -> None:
        play = Play(SHAPES["single"])
        play.tell(CancelRequested())
        assert play.succeed("start/0") == ["succeeded"]

    def test_a_run_can_be_cancelled_before_it_starts(self) -> None:
        scheduler = Scheduler(Graph(SHAPES["single"]), Limits())
        assert scheduler.handle(CancelRequested()) == [FinishRun("cancelled")]
        assert scheduler.handle(RunStarted(PARAMETERS)) == []

    def test_retries_and_timeouts_end_with_the_run(self) -> None:
        policies = Policies(retry=Retry(1, 5), timeout=Timeout(5))
        play = Play(with_policies(SHAPES["split"], a=policies, b=policies))
        play.succeed("start/0")
        play.tell(ClockTicked(0.0))
        play.fail("a/0")
        assert play.tell(CancelRequested()) == ["stop b/0: cancelled"]
        assert play.scheduler.next_deadline_s is None
        assert play.tell(ClockTicked(1e9)) == []
        assert play.fail("b/0") == ["cancelled"]


class TestTime:
    def test_a_retry_waits_for_its_delay_from_the_next_tick_on(self) -> None:
        play = Play(with_policies(SHAPES["linear"], start=Policies(retry=Retry(2, 10))))
        play.tell(ClockTicked(100.0))
        assert play.fail("start/0") == []
        assert play.scheduler.next_deadline_s == 100
        assert play.tell(ClockTicked(103.0)) == []
        assert play.scheduler.next_deadline_s == 113
        assert play.tell(ClockTicked(112.5)) == []
        assert play.scheduler.progress["start"].waiting == 1
        assert play.tell(ClockTicked(113.0)) == ["start/0#1"]
        assert play.scheduler.next_deadline_s is None

    def test_a_report_of_an_attempt_that_waits_to_be_tried_again_is_ignored(self) -> None:
        play = Play(with_policies(SHAPES["linear"], start=Policies(retry=Retry(2, 10))))
        play.tell(ClockTicked(0.0))
        play.fail("start/0")
        assert play.succeed("start/0") == []
        assert play.succeed("start/0#1") == []
        assert play.tell(ClockTicked(0.0)) == []
        assert play.tell(ClockTicked(10.0)) == ["start/0#1"]

    def test_an_attempt_over_its_limit_and_grace_is_stopped_once(self) -> None:
        timed = with_policies(SHAPES["linear"], start=Policies(timeout=Timeout(60)))
        play = Play(timed, limits=Limits(stop_grace_s=5))
        assert play.scheduler.next_deadline_s == -inf
        assert play.tell(ClockTicked(7.0)) == []
        assert play.scheduler.next_deadline_s == 72
        assert play.tell(ClockTicked(71.9)) == []
        assert play.tell(ClockTicked(72.0)) == ["stop start/0: timeout"]
        assert play.scheduler.next_deadline_s is None
        assert play.tell(ClockTicked(1e9)) == []
        assert play.fail("start/0") == ["failed start/0"]

    def test_an_attempt_that_ended_in_time_is_not_stopped(self) -> None:
        timed = Policies(timeout=Timeout(60), retry=Retry(1, 0))
        play = Play(with_policies(SHAPES["linear"], start=timed), limits=Limits(stop_grace_s=5))
        play.tell(ClockTicked(0.0))
        assert play.fail("start/0") == ["start/0#1"]
        play.tell(ClockTicked(30.0))
        assert play.scheduler.next_deadline_s == 95
        assert play.tell(ClockTicked(65.0)) == []
        assert play.tell(ClockTicked(95.0)) == ["stop start/0: timeout"]
        assert isinstance(play.commands[-1], StopTask)
        assert play.commands[-1].attempt.number == 1

    def test_a_limit_ends_with_its_attempt(self) -> None:
        play = Play(with_policies(SHAPES["linear"], start=Policies(timeout=Timeout(60))))
        play.tell(ClockTicked(0.0))
        play.succeed("start/0")
        assert play.scheduler.next_deadline_s is None
        assert play.tell(ClockTicked(1e9)) == []

    def test_the_earlier_of_a_retry_and_a_timeout_comes_first(self) -> None:
        policies = {"a": Policies(retry=Retry(1, 8)), "b": Policies(timeout=Timeout(6))}
        play = Play(with_policies(SHAPES["split"], **policies), limits=Limits(stop_grace_s=0))
        play.succeed("start/0")
        play.fail("a/0")
        play.tell(ClockTicked(0.0))
        assert play.scheduler.next_deadline_s == 6
        assert play.tell(ClockTicked(9.0)) == ["stop b/0: timeout", "a/0#1"]

    def test_a_limit_still_holds_while_a_failed_run_drains(self) -> None:
        timed = with_policies(SHAPES["split"], a=Policies(timeout=Timeout(60)))
        play = Play(timed, limits=Limits(stop_grace_s=0))
        play.succeed("start/0")
        play.tell(ClockTicked(0.0))
        play.fail("b/0")
        assert play.scheduler.next_deadline_s == 60
        assert play.tell(ClockTicked(60.0)) == ["stop a/0: timeout"]
        assert play.fail("a/0") == ["failed b/0 a/0"]


def all_done(width: int) -> dict[TaskKey, Outcome]:
    """Return the outcomes of a finished run of the shape `foreach`."""
    done = {
        "start/0": Outcome(manifest=manifest("start/0"), width=width),
        "join/0": Outcome(manifest=manifest("join/0")),
        "end/0": Outcome(manifest=manifest("end/0")),
    }
    for step in ("body", "tail"):
        for index in range(width):
            name = f"{step}/{index}"
            done[name] = Outcome(manifest=manifest(name))
    return {keyed(name): outcome for name, outcome in done.items()}


def keyed(name: str) -> TaskKey:
    step, _, task_id = name.partition("/")
    return TaskKey.parse(step, task_id, depth=int(step in ("body", "tail")))


def all_but(names: list[str], *, width: int) -> dict[TaskKey, Outcome]:
    done = all_done(width)
    for name in names:
        del done[keyed(name)]
    return done


class TestResuming:
    def test_a_finished_run_is_cloned_whole(self) -> None:
        play = Play(SHAPES["foreach"], limits=Limits(slots=1), reusable=all_done(3))
        assert play.begin[0] == "clone start/0"
        assert play.begin[-3:] == ["clone join/0", "clone end/0", "succeeded"]
        assert len(play.begin) == 10
        assert play.scheduler.progress["body"] == StepProgress(
            known=3, running=0, done=0, failed=0, cloned=3
        )

    def test_what_is_missing_runs_and_the_rest_is_cloned_whatever_the_slots(self) -> None:
        reusable = all_but(["tail/1", "body/2", "tail/2"], width=4)
        play = Play(SHAPES["foreach"], limits=Limits(slots=1), reusable=reusable)
        cloned = ["start/0", "body/0", "tail/0", "body/1", "body/3", "tail/3"]
        assert play.begin == [*(f"clone {name}" for name in cloned), "tail/1"]
        assert play.scheduler.progress["body"].waiting == 1
        assert play.succeed("tail/1") == ["body/2"]
        assert play.succeed("body/2") == ["tail/2"]
        assert play.succeed("tail/2") == ["join/0"]
        assert play.started("join/0").inputs == fed("tail/0", "tail/1", "tail/2", "tail/3")

    def test_a_task_whose_input_ran_anew_runs_anew(self) -> None:
        play = Play(SHAPES["foreach"], reusable=all_but(["body/1"], width=2))
        assert play.begin == ["clone start/0", "clone body/0", "clone tail/0", "body/1"]
        assert play.succeed("body/1") == ["tail/1"]
        assert play.succeed("tail/1") == ["join/0"]
        assert play.succeed("join/0") == ["end/0"]

    def test_a_run_whose_start_runs_anew_clones_nothing(self) -> None:
        play = Play(SHAPES["foreach"], reusable=all_but(["start/0"], width=2))
        assert play.begin == ["start/0"]
        assert play.succeed("start/0", width=2) == ["body/0", "body/1"]

    def test_elements_behind_a_fan_that_ran_anew_run_anew(self) -> None:
        done = {
            TaskKey("start"): Outcome(manifest=manifest("start/0"), width=2),
            TaskKey("outer", (0,)): Outcome(manifest=manifest("outer/0"), width=2),
            TaskKey("inner", (0, 1)): Outcome(manifest=manifest("inner/0.1")),
            TaskKey("inner", (1, 0)): Outcome(manifest=manifest("inner/1.0")),
        }
        play = Play(SHAPES["nested_foreach"], reusable=done)
        cloned = ["clone start/0", "clone outer/0", "clone inner/0.1"]
        assert play.begin == [*cloned, "inner/0.0", "outer/1"]
        assert play.succeed("outer/1", width=1) == ["inner/1.0"]
        assert play.succeed("inner/0.0") == ["inner_join/0"]

    def test_choices_and_turns_are_cloned(self) -> None:
        done = {
            TaskKey("start"): Outcome(manifest=manifest("start/0")),
            TaskKey("turn"): Outcome(manifest=manifest("turn/0"), choice="turn"),
            TaskKey("turn", (), 1): Outcome(manifest=manifest("turn/0@1"), choice="turn"),
        }
        play = Play(SHAPES["loop"], reusable=done)
        cloned = ["clone start/0", "clone turn/0", "clone turn/0@1"]
        assert play.begin == [*cloned, "turn/0@2"]
        assert play.started("turn/0@2").inputs == fed("turn/0@1")

    def test_branches_are_cloned_in_the_order_they_are_written(self) -> None:
        done = {
            TaskKey(step): Outcome(manifest=manifest(f"{step}/0")) for step in ("start", "a", "b")
        }
        play = Play(SHAPES["split"], reusable=done)
        assert play.begin == ["clone start/0", "clone b/0", "clone a/0", "join/0"]
        assert play.started("join/0").inputs == fed("b/0", "a/0")

    def test_a_hundred_thousand_clones_are_made_at_once(self) -> None:
        reusable = all_but(["join/0", "end/0"], width=50_000)
        play = Play(SHAPES["foreach"], reusable=reusable)
        assert play.begin.count("clone start/0") == 1
        assert len(play.begin) == 100_002
        assert play.begin[-1] == "join/0"
        assert len(play.started("join/0").inputs) == 50_000

    def test_ten_thousand_steps_in_a_row_are_cloned_without_recursion(self) -> None:
        names = [f"step_{at}" for at in range(10_000)]
        steps = [describe_node(name, Kind.LINEAR, after) for name, after in pairwise(names)]
        flow = describe_flow(*steps, describe_node(names[-1], Kind.END))
        done = {TaskKey(name): Outcome(manifest=PARAMETERS) for name in names}
        begin = Play(flow, reusable=done).begin
        assert len(begin) == 10_001
        assert begin[-1] == "succeeded"


class TestProgress:
    def test_counts_follow_the_tasks(self) -> None:
        retried = with_policies(SHAPES["foreach"], body=Policies(retry=Retry(1, 10)))
        play = Play(retried, limits=Limits(slots=2))
        play.succeed("start/0", width=4)
        progress = play.scheduler.progress
        assert list(progress) == ["start", "body", "tail", "join", "end"]
        assert progress["start"] == StepProgress(known=1, running=0, done=1, failed=0, cloned=0)
        assert progress["body"] == StepProgress(known=4, running=2, done=0, failed=0, cloned=0)
        assert progress["body"].waiting == 2
        assert progress["tail"].known == 0
        play.fail("body/0")
        play.fail("body/1", retryable=False)
        body = play.scheduler.progress["body"]
        assert body == StepProgress(known=4, running=1, done=0, failed=1, cloned=0)
        assert body.waiting == 2


def run_foreach(width: int) -> int:
    """Run a foreach whose body has two steps; return how many tasks were started."""
    play = Scheduler(Graph(SHAPES["foreach"]), Limits())
    started = 0
    due = deque(play.handle(RunStarted(PARAMETERS)))
    while isinstance(command := due.popleft(), StartTask):
        started += 1
        is_start = command.attempt.key.step == "start"
        outcome = Outcome(manifest=PARAMETERS, width=width if is_start else None)
        due.extend(play.handle(TaskSucceeded(command.attempt, outcome)))
    return started


def test_a_wide_foreach_takes_less_than_a_hundred_bytes_a_task() -> None:
    width = 10_000
    run_foreach(10)
    tracemalloc.start()
    try:
        assert run_foreach(width) == 2 * width + 3
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 100 * width


def calls_of(width: int) -> int:
    """Count the function calls, Python's and C's, of running a foreach."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        run_foreach(width)
    finally:
        sys.setprofile(None)
    return calls


def test_work_grows_with_the_number_of_tasks_and_no_faster() -> None:
    few, some, many = calls_of(100), calls_of(600), calls_of(1100)
    assert many - some == pytest.approx(some - few, rel=0.01)


def test_opening_a_fan_costs_the_same_whatever_its_width() -> None:
    peaks = []
    for width in (1_000, 1_000_000_000):
        play = Play(SHAPES["foreach"], limits=Limits(slots=4))
        tracemalloc.start()
        try:
            assert len(play.succeed("start/0", width=width)) == 4
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000
