"""Any flow with gangs, any order of reports: what a scheduler promises about gangs.

A run is driven with drawn reports until it ends. Beside the scheduler stands a table of the gangs
whose nodes run, kept by the promises alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from flowkit.graph import FlowDescription, Graph, Kind, Node
from flowkit.plan import (
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
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.testing.graphs import SHAPES, flow_descriptions
from flowkit.values import Attempt, Digest, Outcome, TaskKey

MOST_TURNS = 2
MOST_EVENTS = 400
GangName = tuple[str, tuple[int, ...]]


def name_of(key: TaskKey) -> GangName:
    return key.step, key.path[:-1]


def manifest(attempt: Attempt) -> Digest:
    """Return what an attempt leaves: another manifest than any other attempt."""
    return Digest(sha256(str(attempt).encode()).digest())


@dataclass
class Running:
    """A gang that runs: its nodes, those that still do, and how the others ended."""

    number: int
    nodes: dict[int, StartTask]
    left: set[int]
    done: dict[int, Digest] = field(default_factory=dict)
    failed: TaskFailed | None = None


class Drive:
    """One run, told drawn reports; what is asked of it is held against the promises."""

    def __init__(self, flow: FlowDescription, limits: Limits, data: st.DataObject) -> None:
        self.graph, self.limits, self.data = Graph(flow), limits, data
        self.nodes = {node.name: node for node in flow.nodes}
        self.leads = {
            target: node for node in flow.nodes if node.kind is Kind.GANG for target in node.targets
        }
        self.scheduler = Scheduler(self.graph, limits)
        self.now_s = 0.0
        self.log: list[tuple[Event, list[Command]]] = []
        self.running: dict[TaskKey, StartTask] = {}
        self.gangs: dict[GangName, Running] = {}
        self.widths: dict[GangName, int] = {}
        self.whole: dict[GangName, list[Digest]] = {}
        self.next: dict[GangName, tuple[int, bool]] = {}
        self.is_stopping = self.is_cancelled = False
        self.finish: FinishRun | None = None

    def play(self, *, failures: float, cancels: bool) -> None:
        self.tell(ClockTicked(self.now_s))
        self.tell(RunStarted(Digest(bytes(32))))
        chance = st.floats(0, 1, exclude_max=True)
        while self.finish is None:
            assert len(self.log) < MOST_EVENTS, "the run does not end"
            if cancels and len(self.log) > 6 and not self.is_stopping:
                self.is_stopping = self.is_cancelled = True
                self.tell(CancelRequested())
                continue
            if not self.running:
                self.now_s += 30
                self.tell(ClockTicked(self.now_s))
                continue
            key = self.data.draw(st.sampled_from(sorted(self.running)))
            may_fail = self.graph.is_gang(key.step) and len(self.log) < MOST_EVENTS // 4
            if may_fail and self.data.draw(chance) < failures:
                self.fail(key)
            else:
                self.succeed(key)

    def succeed(self, key: TaskKey) -> None:
        task = self.running.pop(key)
        left = manifest(task.attempt)
        node = self.nodes[key.step]
        outcome = Outcome(manifest=left, width=self.width(node), choice=self.choice(node, key))
        if node.kind is Kind.GANG:
            self.widths[node.targets[0], key.path] = outcome.width or 0
        gang = self.gangs.get(name_of(key))
        if gang is not None:
            gang.done[key.path[-1]] = left
            self.leave(key, gang)
        self.tell(TaskSucceeded(task.attempt, outcome))

    def fail(self, key: TaskKey) -> None:
        task = self.running.pop(key)
        retryable, died = self.data.draw(st.booleans()), self.data.draw(st.booleans())
        report = TaskFailed(task.attempt, retryable, died)
        gang = self.gangs[name_of(key)]
        is_first = gang.failed is None
        gang.failed = gang.failed or report
        others = {gang.nodes[at].attempt for at in gang.left - {key.path[-1]}}
        self.leave(key, gang)
        commands = self.tell(report)
        stopped = {one.attempt for one in commands if isinstance(one, StopTask)}
        assert stopped == (others if is_first and not self.is_cancelled else set())

    def width(self, node: Node) -> int | None:
        return self.data.draw(st.integers(1, 4)) if node.kind.fans_out else None

    def choice(self, node: Node, key: TaskKey) -> str | None:
        if node.kind is not Kind.SWITCH:
            return None
        ways = [one for one in node.targets if key.iteration < MOST_TURNS or one != node.name]
        return self.data.draw(st.sampled_from(ways))

    def leave(self, key: TaskKey, gang: Running) -> None:
        """Take an ended node off the table; with the last one it is known what comes of all."""
        gang.left.discard(key.path[-1])
        if gang.left:
            return
        name = name_of(key)
        del self.gangs[name]
        policies = self.nodes[key.step].policies
        if gang.failed is None:
            self.whole[name] = [gang.done[at] for at in sorted(gang.done)]
            return
        times = policies.retry.times if policies.retry else 0
        was_fallback = gang.nodes[0].fallback
        if gang.failed.retryable and gang.number < times and not was_fallback:
            self.next[name] = gang.number + 1, False
        elif policies.catch and not was_fallback:
            self.next[name] = gang.number + 1, True
        else:
            self.is_stopping = True

    def tell(self, told: Event) -> list[Command]:
        before = len(self.running)
        commands = self.scheduler.handle(told)
        self.log.append((told, commands))
        started = [one for one in commands if isinstance(one, StartTask)]
        assert not (started and self.is_stopping)
        for one in started:
            self.running[one.attempt.key] = one
            self.check_inputs(one)
        if not self.check_gangs(started):
            assert len(self.running) <= max(self.limits.slots, before)
        for command in commands:
            assert not isinstance(command, CloneTask)
            if isinstance(command, FinishRun):
                assert not self.running
                self.finish = command
        return commands

    def check_gangs(self, started: Iterable[StartTask]) -> int:
        """Check that gangs start as a whole, with one number, where there is room for them.

        Returns how many have started.
        """
        fresh: dict[GangName, list[StartTask]] = {}
        for one in started:
            if self.graph.is_gang(one.attempt.key.step):
                fresh.setdefault(name_of(one.attempt.key), []).append(one)
        for name, nodes in fresh.items():
            assert name not in self.gangs, "two attempts of a gang at once"
            assert [one.attempt.key.path[-1] for one in nodes] == list(range(self.widths[name]))
            number, fallback = self.next.pop(name, (0, False))
            assert {one.attempt.number for one in nodes} == {number}
            assert {one.fallback for one in nodes} == {fallback}
            width = len(nodes)
            others = len(self.running) - width
            assert len(self.running) <= self.limits.slots or not others, "too large beside others"
            step = self.nodes[name[0]]
            of_step = sum(key.step == step.name for key in self.running)
            at_once = step.policies.concurrency
            assert at_once is None or of_step <= max(at_once, width)
            self.gangs[name] = Running(
                number, {one.attempt.key.path[-1]: one for one in nodes}, set(range(width))
            )
            event("a gang larger than all slots" if width > self.limits.slots else "a gang")
        return len(fresh)

    def check_inputs(self, task: StartTask) -> None:
        """Check that what joins a gang gets the manifests of one attempt, in node order."""
        joined = task.joined
        if joined is not None and self.nodes[joined.step].kind is Kind.GANG:
            (target,) = self.nodes[joined.step].targets
            assert list(task.inputs) == self.whole[target, task.attempt.key.path]


def has_gang(flow: FlowDescription) -> bool:
    return any(node.kind is Kind.GANG for node in flow.nodes)


@given(
    flow=flow_descriptions().filter(has_gang),
    slots=st.integers(1, 4),
    cpu=st.sampled_from([None, 2.0, 4.0]),
    patience=st.integers(0, 2),
    failures=st.sampled_from([0.0, 0.3, 0.8]),
    cancels=st.sampled_from([False, False, False, True]),
    data=st.data(),
)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
def test_gangs_start_and_end_as_one(
    flow: FlowDescription,
    slots: int,
    cpu: float | None,
    patience: int,
    failures: float,
    cancels: bool,
    data: st.DataObject,
) -> None:
    limits = Limits(slots=slots, cpu=cpu, patience=patience)
    drive = Drive(flow, limits, data)
    drive.play(failures=failures, cancels=cancels)
    again = Scheduler(Graph(flow), limits)
    assert [again.handle(told) for told, _ in drive.log] == [asked for _, asked in drive.log]
    assert drive.finish is not None
    if not failures and not cancels:
        assert drive.finish.status == "succeeded"


@pytest.mark.parametrize("slots", [1, 3, 8])
def test_gangs_and_a_wide_foreach_share_slots_without_either_starving(slots: int) -> None:
    # Two to five nodes, in each of forty elements; which task ends first is random.
    graph, draw = Graph(SHAPES["gang_in_foreach"]), Random(slots)
    scheduler = Scheduler(graph, Limits(slots=slots))
    running: list[Attempt] = []
    starts: Counter[str] = Counter()
    commands = scheduler.handle(RunStarted(Digest(bytes(32))))
    while not any(isinstance(one, FinishRun) for one in commands):
        for one in commands:
            if isinstance(one, StartTask):
                running.append(one.attempt)
                starts[one.attempt.key.step] += 1
        attempt = running.pop(draw.randrange(len(running)))
        widths = {"start": 40, "open": draw.randint(2, 5)}
        outcome = Outcome(manifest=manifest(attempt), width=widths.get(attempt.key.step))
        commands = scheduler.handle(TaskSucceeded(attempt, outcome))
    assert commands == [FinishRun("succeeded")]
    assert starts["open"] == starts["gather"] == 40
