"""Steps that are asked about before they start: clones among tasks that run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import sha256
from random import Random

import pytest

from flowkit.graph import FlowDescription, Graph, Kind
from flowkit.plan import (
    CancelRequested,
    CloneTask,
    Command,
    FindReusable,
    FinishRun,
    Limits,
    ReusableFound,
    RunStarted,
    Scheduler,
    StartTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.plan.gang import gang_of
from flowkit.plan.scheduler import ASKED_AT_ONCE
from flowkit.testing.graphs import SHAPES
from flowkit.values import Digest, Outcome, TaskKey

WIDTH = 3
TURNS = 2


def manifest(key: TaskKey) -> Digest:
    return Digest(sha256(str(key).encode()).digest())


class Played:
    """A run that is driven to its end: what was cloned, started and asked, and how it ended."""

    def __init__(
        self,
        flow: FlowDescription,
        *,
        known: Callable[[TaskKey], bool],
        asks: frozenset[str] | None = None,
        width: int = WIDTH,
        slots: int = 2,
    ) -> None:
        self.graph, self.known, self.width = Graph(flow), known, width
        asked = frozenset(self.graph) if asks is None else asks
        self.scheduler = Scheduler(self.graph, Limits(slots=slots), asked)
        self.cloned: list[TaskKey] = []
        self.started: list[StartTask] = []
        self.asked: list[TaskKey] = []
        self.largest = 0
        self.end: FinishRun | None = None
        self._left = deque(self.scheduler.handle(RunStarted(Digest(bytes(32)))))

    def outcome(self, key: TaskKey) -> Outcome:
        node = self.graph[key.step]
        choice = None
        if node.kind is Kind.SWITCH:
            own = key.step in node.targets and key.iteration < TURNS
            others = [target for target in node.targets if target != key.step]
            choice = key.step if own else others[sum(key.path) % len(others)]
        width = self.width if node.kind.fans_out else None
        return Outcome(manifest=manifest(key), width=width, choice=choice)

    def play(self) -> Played:
        while self._left:
            self._obey(self._left.popleft())
        return self

    def _obey(self, command: Command) -> None:
        match command:
            case FindReusable(number, tasks):
                keys = [task.attempt.key for task in tasks]
                self.asked += keys
                self.largest = max(self.largest, len(keys))
                found = {key: self.outcome(key) for key in keys if self.known(key)}
                self._left += self.scheduler.handle(ReusableFound(number, found))
                assert self.scheduler.handle(ReusableFound(number, found)) == []
            case CloneTask(key, outcome):
                assert outcome == self.outcome(key)
                self.cloned.append(key)
            case StartTask(attempt):
                self.started.append(command)
                outcome = self.outcome(attempt.key)
                self._left += self.scheduler.handle(TaskSucceeded(attempt, outcome))
            case FinishRun():
                self.end = command


@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_is_found_the_same_tasks_come_about_with_the_same_inputs(shape: str) -> None:
    flow = SHAPES[shape]
    plain = Played(flow, known=lambda key: False, asks=frozenset()).play()
    inputs = {task.attempt.key: task.inputs for task in plain.started}
    assert plain.asked == []
    for seed in range(6):
        draw = Random(seed)
        share = seed / 5
        drawn = {key for key in inputs if draw.random() < share}
        gangs = {key: gang_of(key) for key in inputs if Graph(flow).is_gang(key.step)}
        torn = {gang for key, gang in gangs.items() if key not in drawn}
        reused = {key for key in drawn if gangs.get(key) not in torn}
        play = Played(flow, known=drawn.__contains__).play()
        assert play.end is not None
        assert play.end.status == "succeeded"
        assert sorted(play.asked) == sorted(inputs)
        assert set(play.cloned) == reused
        assert {task.attempt.key: task.inputs for task in play.started} == {
            key: value for key, value in inputs.items() if key not in reused
        }
        progress = play.scheduler.progress
        assert sum(one.cloned for one in progress.values()) == len(reused)
        assert all(one.waiting == 0 for one in progress.values())


def test_only_the_steps_that_ask_are_asked_about() -> None:
    play = Played(SHAPES["foreach"], known=lambda key: True, asks=frozenset({"body"})).play()
    assert {key.step for key in play.asked} == {"body"}
    assert {key.step for key in play.cloned} == {"body"}


def test_a_wide_foreach_is_asked_about_in_blocks() -> None:
    play = Played(
        SHAPES["foreach"], known=lambda key: bool(key.path and key.path[0] % 2), width=2500
    ).play()
    assert play.largest == ASKED_AT_ONCE
    assert sum(key.step == "body" for key in play.asked) == 2500
    assert sum(key.step == "body" for key in play.cloned) == 1250


def begun() -> tuple[Scheduler, FindReusable]:
    scheduler = Scheduler(Graph(SHAPES["linear"]), Limits(), {"middle"})
    (start,) = scheduler.handle(RunStarted(Digest(bytes(32))))
    assert isinstance(start, StartTask)
    key = start.attempt.key
    (question,) = scheduler.handle(TaskSucceeded(start.attempt, Outcome(manifest=manifest(key))))
    assert isinstance(question, FindReusable)
    return scheduler, question


def test_a_run_does_not_end_while_it_waits_for_an_answer() -> None:
    scheduler, question = begun()
    (task,) = question.tasks
    assert scheduler.handle(ReusableFound(question.number, {})) == [task]


def test_a_cancelled_run_waits_for_no_answer_and_follows_none() -> None:
    scheduler, question = begun()
    assert scheduler.handle(CancelRequested()) == [FinishRun("cancelled")]
    key = question.tasks[0].attempt.key
    answer = ReusableFound(question.number, {key: Outcome(manifest=manifest(key))})
    assert scheduler.handle(answer) == []


def test_after_a_failure_nothing_is_cloned_any_more() -> None:
    scheduler = Scheduler(Graph(SHAPES["split"]), Limits(), {"a"})
    (start,) = scheduler.handle(RunStarted(Digest(bytes(32))))
    assert isinstance(start, StartTask)
    commands = scheduler.handle(
        TaskSucceeded(start.attempt, Outcome(manifest=manifest(start.attempt.key)))
    )
    (question,) = [one for one in commands if isinstance(one, FindReusable)]
    (running,) = [one for one in commands if isinstance(one, StartTask)]
    (end,) = scheduler.handle(TaskFailed(running.attempt))
    assert isinstance(end, FinishRun)
    assert end.status == "failed"
    assert scheduler.handle(ReusableFound(question.number, {})) == []
