"""Any flow, any order of reports: what a scheduler promises, held against a naive model.

The model knows no scheduler and no graph: it unfolds the description from the start again and
again, with a stack of the open splits, and reads the policies itself. Gangs have a model of their
own, in `test_gangs_model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from math import inf

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec import Struct
from msgspec.structs import replace

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
    StepProgress,
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.testing.graphs import flow_descriptions
from flowkit.values import Attempt, Digest, Frame, Outcome, TaskKey

PARAMETERS = Digest(bytes(32))
MOST_TURNS = 2


@dataclass(frozen=True)
class Level:
    """An open split around a task: which branch or element of how many."""

    frame: Frame
    is_foreach: bool


@dataclass(frozen=True)
class Existing:
    """A task that exists, since all it needs has succeeded."""

    key: TaskKey
    sources: tuple[TaskKey, ...]
    inputs: tuple[Digest, ...]
    input_steps: tuple[str, ...]
    levels: tuple[Level, ...] = ()
    joined: Frame | None = None
    is_element: bool = False

    @property
    def frames(self) -> tuple[Frame, ...]:
        return tuple(level.frame for level in self.levels if level.is_foreach)


def path_of(levels: tuple[Level, ...]) -> tuple[int, ...]:
    return tuple(level.frame.index for level in levels if level.is_foreach)


def unfold(
    description: FlowDescription, done: Mapping[TaskKey, Outcome]
) -> dict[TaskKey, Existing]:
    """Return all tasks that exist once those in `done` have succeeded."""
    nodes = {node.name: node for node in description.nodes}
    found: dict[TaskKey, Existing] = {}
    joins: dict[TaskKey, dict[int, Existing]] = {}
    first = TaskKey(description.start)
    left = [Existing(first, (), (PARAMETERS,), ("_parameters",))]
    while left:
        task = left.pop()
        assert task.key not in found
        found[task.key] = task
        if task.key not in done:
            continue
        for target, levels in hand_over(nodes[task.key.step], task, done[task.key]):
            if not nodes[target].is_join:
                left.append(following(task, done[task.key], target, levels))
                continue
            *outer, closed = levels
            key = TaskKey(target, path_of(tuple(outer)))
            arrived = joins.setdefault(key, {})
            arrived[closed.frame.index] = task
            if len(arrived) == closed.frame.width:
                ordered = [arrived[at] for at in range(closed.frame.width)]
                left.append(
                    Existing(
                        key,
                        tuple(one.key for one in ordered),
                        tuple(done[one.key].manifest for one in ordered),
                        tuple(one.key.step for one in ordered),
                        tuple(outer),
                        replace(closed.frame, index=0) if closed.is_foreach else None,
                    )
                )
    return found


def hand_over(node: Node, task: Existing, outcome: Outcome) -> list[tuple[str, tuple[Level, ...]]]:
    """Return where a task that succeeded leads, and the splits open there."""
    if node.kind is Kind.SWITCH:
        assert outcome.choice is not None
        return [(outcome.choice, task.levels)]
    if node.kind is Kind.FOREACH:
        width, targets = outcome.width or 0, node.targets * (outcome.width or 0)
    else:
        width, targets = len(node.targets), node.targets
    if node.kind not in (Kind.FOREACH, Kind.SPLIT):
        return [(target, task.levels) for target in targets]
    return [
        (
            target,
            (
                *task.levels,
                Level(Frame(node.name, at, width, outcome.manifest), node.kind is Kind.FOREACH),
            ),
        )
        for at, target in enumerate(targets)
    ]


def following(task: Existing, outcome: Outcome, target: str, levels: tuple[Level, ...]) -> Existing:
    is_turn = target == task.key.step
    opened = levels[len(task.levels) :]
    return Existing(
        TaskKey(target, path_of(levels), task.key.iteration + 1 if is_turn else 0),
        (task.key,),
        (outcome.manifest,),
        (task.key.step,),
        levels,
        is_element=any(level.is_foreach for level in opened),
    )


def distances(description: FlowDescription) -> dict[str, int]:
    """Return the longest way from the start to each step, loops left out."""
    found = {description.start: 0}
    for _ in description.nodes:
        for node in description.nodes:
            for target in node.targets:
                if node.name in found and target != node.name:
                    found[target] = max(found.get(target, 0), found[node.name] + 1)
    return found


def an_outcome(draw: st.DataObject, node: Node, key: TaskKey, *, salt: str = "") -> Outcome:
    """Draw how a task that succeeds goes on. Loops end."""
    manifest = Digest(sha256(f"{salt}{key}".encode()).digest())
    if node.kind is Kind.FOREACH:
        return Outcome(manifest=manifest, width=draw.draw(st.integers(1, 3)))
    if node.kind is Kind.SWITCH:
        ends = [target for target in node.targets if target != node.name]
        targets = node.targets if key.iteration < MOST_TURNS else ends
        return Outcome(manifest=manifest, choice=draw.draw(st.sampled_from(targets)))
    return Outcome(manifest=manifest)


class Upcoming(Struct, frozen=True):
    """The next attempt of a task; `due_s` is None until a tick dates a delay, 0 without one."""

    number: int = 0
    fallback: bool = False
    delay_s: float = 0.0
    due_s: float | None = 0.0


class AnyRun(RuleBasedStateMachine):
    """One run of any flow, told anything that could be told."""

    @initialize(
        description=flow_descriptions(with_gangs=False),
        slots=st.integers(1, 4),
        amounts=st.sampled_from([(None, None, None), (2.0, 8000, 1), (4.0, None, 1)]),
        patience=st.integers(0, 2),
        grace_s=st.sampled_from([0.0, 2.0]),
        temper=st.sampled_from(["calm", "fails", "cancelled"]),
        data=st.data(),
    )
    def begin(
        self,
        description: FlowDescription,
        slots: int,
        amounts: tuple[float | None, int | None, int | None],
        patience: int,
        grace_s: float,
        temper: str,
        data: st.DataObject,
    ) -> None:
        self.description, self.temper, self.data = description, temper, data
        self.nodes = {node.name: node for node in description.nodes}
        self.distance = distances(description)
        cpu, memory_mb, gpu = amounts
        self.limits = Limits(
            slots=slots,
            cpu=cpu,
            memory_mb=memory_mb,
            gpu=gpu,
            stop_grace_s=grace_s,
            patience=patience,
        )
        self.scheduler = Scheduler(Graph(description), self.limits)
        self.log: list[Event] = []
        self.told: list[Event] = []  # the log without what changed nothing
        self.commands: list[Command] = []
        self.running: dict[TaskKey, StartTask] = {}
        self.done: dict[TaskKey, Outcome] = {}
        self.cloned: set[TaskKey] = set()
        self.upcoming: dict[TaskKey, Upcoming] = {}
        self.stops_s: dict[TaskKey, float | None] = {}  # None until a tick dates it
        self.failed: list[TaskKey] = []
        self.cancelled = False
        self.now_s = -inf
        self.finish: FinishRun | None = None
        self.existing = unfold(description, {})
        self.reusable = self.an_earlier_run() if data.draw(st.booleans()) else {}
        self.tell(RunStarted(PARAMETERS, self.reusable))
        for task in self.existing.values():
            assert not self.is_clone(task) or task.key in self.cloned, "a clone was forgotten"

    def an_earlier_run(self) -> dict[TaskKey, Outcome]:
        done: dict[TaskKey, Outcome] = {}
        while fresh := [key for key in unfold(self.description, done) if key not in done]:
            for key in fresh:
                done[key] = an_outcome(self.data, self.nodes[key.step], key, salt="earlier ")
            if len(done) > 60:
                break
        lost = self.data.draw(st.sets(st.sampled_from(sorted(done)), max_size=3))
        return {key: outcome for key, outcome in done.items() if key not in lost}

    # --- what the model expects -----------------------------------------------------------

    @property
    def stopping(self) -> bool:
        return self.cancelled or bool(self.failed)

    def is_clone(self, task: Existing) -> bool:
        return task.key in self.reusable and self.cloned.issuperset(task.sources)

    def is_waiting(self, key: TaskKey) -> bool:
        """Say whether a task exists and may start, as far as only it is concerned."""
        if key in self.running or key in self.done or key in self.failed:
            return False
        due_s = self.upcoming.get(key, Upcoming()).due_s
        return due_s is not None and due_s <= max(self.now_s, 0.0)

    def line(self, task: Existing) -> tuple[bool, int]:
        """Return a task's place in line; the smaller comes first."""
        is_element = task.is_element and task.key not in self.upcoming
        return is_element, -self.distance[task.key.step]

    def may_run_beside(self, step: str) -> bool:
        at_once = self.nodes[step].policies.concurrency
        of_step = sum(key.step == step for key in self.running)
        return at_once is None or of_step < at_once

    def fits(self, step: str) -> bool:
        taken = [self.needs(key.step) for key in self.running]
        return all(
            sum(amounts) <= limit
            for *amounts, limit in zip(*taken, self.needs(step), self.capacity(), strict=True)
        )

    def capacity(self) -> tuple[Fraction | float, ...]:
        limits = (self.limits.cpu, self.limits.memory_mb, self.limits.gpu)
        return tuple(inf if one is None else Fraction(str(one)) for one in limits)

    def needs(self, step: str) -> tuple[Fraction | float, ...]:
        asked = self.nodes[step].policies.resources
        if asked is None:
            return (0, 0, 0)
        amounts = (asked.cpu, asked.memory_mb, asked.gpu)
        return tuple(
            min(Fraction(str(one)), most)
            for one, most in zip(amounts, self.capacity(), strict=True)
        )

    def next_after(self, task: StartTask, report: TaskFailed) -> Upcoming | None:
        """Return the attempt that the policies allow after a failure."""
        policies = self.nodes[task.attempt.key.step].policies
        number = task.attempt.number + 1
        times = policies.retry.times if policies.retry else 0
        if task.fallback:
            return None
        if report.retryable and number <= times:
            assert policies.retry is not None
            delay_s = policies.retry.delay_s
            return Upcoming(number, False, delay_s, None if delay_s else 0.0)
        if report.died and policies.catch:
            return Upcoming(number, fallback=True)
        return None

    # --- telling ----------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        self.log.append(event)
        self.told.append(event)
        commands = self.scheduler.handle(event)
        for command in commands:
            assert command not in self.commands, "asked twice"
            assert self.finish is None, "asked after the end"
            self.commands.append(command)
            match command:
                case CloneTask():
                    assert isinstance(event, RunStarted)
                    self.note_clone(command)
                case StartTask():
                    self.note_start(command)
                case StopTask(attempt, "timeout"):
                    assert isinstance(event, ClockTicked)
                    due_s = self.stops_s.pop(attempt.key)
                    assert due_s is not None
                    assert due_s <= self.now_s
                    assert self.running[attempt.key].attempt == attempt
                case StopTask(attempt, "cancelled"):
                    assert isinstance(event, CancelRequested)
                    assert self.running[attempt.key].attempt == attempt
                case FinishRun():
                    self.note_finish(command)
        if isinstance(event, CancelRequested):
            stopped = {one.attempt.key for one in commands if isinstance(one, StopTask)}
            assert stopped == set(self.running)
        self.check_rest()

    def note_clone(self, command: CloneTask) -> None:
        task = self.existing[command.key]
        assert self.is_clone(task)
        assert command.outcome == self.reusable[command.key]
        self.cloned.add(command.key)
        self.succeeded(command.key, command.outcome)

    def note_start(self, command: StartTask) -> None:
        key = command.attempt.key
        assert not self.stopping, "started although the run is stopping"
        assert self.is_waiting(key), "started at the wrong time"
        task, expected = self.existing[key], self.upcoming.get(key, Upcoming())
        policies = self.nodes[key.step].policies
        assert not self.is_clone(task)
        assert command.attempt.number == expected.number
        assert command.fallback == expected.fallback
        times = policies.retry.times if policies.retry else 0
        assert command.last_attempt == (expected.fallback or expected.number >= times)
        assert tuple(command.inputs) == task.inputs
        steps = command.input_steps
        assert (steps * len(task.inputs) if len(steps) == 1 else steps) == task.input_steps
        assert command.frames == task.frames
        assert command.joined == task.joined
        assert len(self.running) < self.limits.slots
        assert self.may_run_beside(key.step)
        assert self.fits(key.step)
        self.check_line(task)
        self.running[key] = command
        if policies.timeout:
            self.stops_s[key] = None

    def check_line(self, task: Existing) -> None:
        """Check that nothing that comes first in line could have started instead."""
        for other in self.existing.values():
            if other.key == task.key or not self.is_waiting(other.key):
                continue
            if self.may_run_beside(other.key.step) and self.fits(other.key.step):
                assert self.line(other) >= self.line(task), "started out of line"
                assert self.line(other) > self.line(task) or self.comes_as_written(task, other)
            is_sibling = other.sources == task.sources and other.key.step == task.key.step
            if is_sibling and self.line(task)[0] and self.line(other)[0]:
                assert other.key > task.key, "elements started out of order"

    def comes_as_written(self, task: Existing, other: Existing) -> bool:
        """Say whether of two branches of a split the first to be written started first."""
        if task.sources != other.sources or len(task.sources) != 1:
            return True
        targets = self.nodes[task.sources[0].step].targets
        return targets.index(task.key.step) <= targets.index(other.key.step)

    def note_finish(self, command: FinishRun) -> None:
        self.finish = command
        assert not self.running
        if TaskKey(self.description.end) in self.done:
            assert command == FinishRun("succeeded")
        else:
            assert self.stopping
            assert command.status == ("cancelled" if self.cancelled else "failed")
            assert command.failed == tuple(self.failed)

    def check_rest(self) -> None:
        """Check what must hold between events."""
        ended = self.stopping or TaskKey(self.description.end) in self.done
        assert (self.finish is not None) == (ended and not self.running)
        if not ended:
            self.check_nothing_idles()
        self.check_progress()
        self.check_deadline()

    def check_nothing_idles(self) -> None:
        delayed = [one for one in self.upcoming if one not in self.running]
        assert self.running or delayed
        if len(self.running) == self.limits.slots:
            return
        waiting = [
            task
            for task in self.existing.values()
            if self.is_waiting(task.key) and self.may_run_beside(task.key.step)
        ]
        for task in waiting:
            if self.fits(task.key.step):
                # Only for something that comes first in line, and not beside no other task.
                assert self.running
                assert any(
                    self.line(other) <= self.line(task) and not self.fits(other.key.step)
                    for other in waiting
                )

    def check_progress(self) -> None:
        progress = self.scheduler.progress
        for step in self.nodes:
            of_step = [key for key in self.existing if key.step == step]
            assert progress[step] == StepProgress(
                known=len(of_step),
                running=sum(key in self.running for key in of_step),
                done=sum(key in self.done and key not in self.cloned for key in of_step),
                failed=sum(key in self.failed for key in of_step),
                cloned=sum(key in self.cloned for key in of_step),
            )

    def check_deadline(self) -> None:
        moments: list[float | None] = list(self.stops_s.values())
        if not self.stopping:
            moments += [one.due_s for one in self.upcoming.values() if one.delay_s]
        if self.cancelled or not moments:
            assert self.scheduler.next_deadline_s is None
        else:
            dated = [moment for moment in moments if moment is not None]
            expected = self.now_s if len(dated) < len(moments) else min(dated)
            assert self.scheduler.next_deadline_s == expected

    # --- what happens -------------------------------------------------------------------------

    def end(self, key: TaskKey) -> StartTask:
        self.stops_s.pop(key, None)
        self.upcoming.pop(key, None)
        return self.running.pop(key)

    def succeeded(self, key: TaskKey, outcome: Outcome) -> None:
        self.done[key] = outcome
        self.existing = unfold(self.description, self.done)

    def succeed(self, key: TaskKey) -> None:
        task = self.end(key)
        outcome = an_outcome(self.data, self.nodes[key.step], key)
        self.succeeded(key, outcome)
        self.tell(TaskSucceeded(task.attempt, outcome))

    def fail(self, key: TaskKey, report: TaskFailed) -> None:
        following = self.next_after(self.end(key), report)
        if following is None and not self.cancelled:
            self.failed.append(key)
            self.upcoming = {k: one for k, one in self.upcoming.items() if k in self.running}
        elif following is not None and not self.stopping:
            self.upcoming[key] = following
        self.tell(report)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_task_succeeds(self, data: st.DataObject) -> None:
        self.data = data
        self.succeed(data.draw(st.sampled_from(sorted(self.running))))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def all_that_runs_succeeds(self, data: st.DataObject) -> None:
        self.data = data
        for key in sorted(self.running):
            self.succeed(key)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), retryable=st.booleans(), died=st.booleans())
    def a_task_fails(self, data: st.DataObject, retryable: bool, died: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        task = self.running[key]
        report = TaskFailed(task.attempt, retryable, died)
        if self.next_after(task, report) or self.temper != "calm":
            self.fail(key, report)

    @precondition(lambda self: self.running and self.temper == "fails")
    @rule(data=st.data())
    def a_task_fails_for_good(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.fail(key, TaskFailed(self.running[key].attempt, retryable=False))

    @precondition(lambda self: self.survivable())
    @rule(data=st.data(), forbids=st.booleans())
    def a_task_dies_and_is_tried_again(self, data: st.DataObject, forbids: bool) -> None:
        key, report = data.draw(st.sampled_from(self.survivable()))
        no_retry = replace(report, retryable=False)
        may_forbid = forbids and self.next_after(self.running[key], no_retry)
        self.fail(key, no_retry if may_forbid else report)

    def survivable(self) -> list[tuple[TaskKey, TaskFailed]]:
        """Return the reports of running tasks that died which do not end the run."""
        reports = [(key, TaskFailed(self.running[key].attempt, died=True)) for key in self.running]
        return sorted(
            (
                (key, report)
                for key, report in reports
                if self.next_after(self.running[key], report)
            ),
            key=lambda one: one[0],
        )

    @precondition(lambda self: self.finish is None)
    @rule()
    def much_time_passes(self) -> None:
        self.the_clock_ticks(0.5)
        self.the_clock_ticks(20.0)

    @precondition(lambda self: self.finish is None)
    @rule(by_s=st.sampled_from([0.0, 0.5, 3.0, 8.0]))
    def the_clock_ticks(self, by_s: float) -> None:
        self.now_s = max(self.now_s, 0.0) + by_s
        for key, stop_s in self.stops_s.items():
            timeout = self.nodes[key.step].policies.timeout
            assert timeout is not None
            if stop_s is None:
                self.stops_s[key] = self.now_s + timeout.limit_s + self.limits.stop_grace_s
        for key, one in self.upcoming.items():
            if one.due_s is None:
                self.upcoming[key] = replace(one, due_s=self.now_s + one.delay_s)
        due = {k for k, one in self.upcoming.items() if (one.due_s or 0.0) <= self.now_s}
        for key in due:
            self.upcoming[key] = replace(self.upcoming[key], due_s=0.0, delay_s=0.0)
        self.tell(ClockTicked(self.now_s))
        late = [key for key, stop_s in self.stops_s.items() if (stop_s or inf) <= self.now_s]
        assert not late, "a timeout was forgotten"

    @precondition(lambda self: self.temper == "cancelled" and self.finish is None)
    @rule()
    def the_run_is_cancelled(self) -> None:
        if self.cancelled:
            self.change_nothing(CancelRequested())
            return
        self.cancelled = True
        self.stops_s.clear()
        self.upcoming = {k: one for k, one in self.upcoming.items() if k in self.running}
        self.tell(CancelRequested())

    @rule(data=st.data())
    def a_report_comes_again(self, data: st.DataObject) -> None:
        # Before the end a tick, even of the same moment, may date an alarm.
        again = [e for e in self.told if self.finish or not isinstance(e, ClockTicked)]
        self.change_nothing(data.draw(st.sampled_from(again)))

    @precondition(lambda self: self.finish is None)
    @rule(data=st.data(), succeeded=st.booleans(), by=st.integers(-1, 1))
    def a_report_of_no_running_attempt_comes(
        self, data: st.DataObject, succeeded: bool, by: int
    ) -> None:
        key = data.draw(st.sampled_from(sorted(self.existing)))
        running = self.running.get(key)
        number = (running.attempt.number if running else 0) + by
        if running is None or by:
            attempt = Attempt(key, number)
            outcome = an_outcome(data, self.nodes[key.step], key)
            self.change_nothing(
                TaskSucceeded(attempt, outcome) if succeeded else TaskFailed(attempt)
            )

    def change_nothing(self, event: Event) -> None:
        before = len(self.commands)
        self.log.append(event)
        assert self.scheduler.handle(event) == []
        self.check_rest()
        assert len(self.commands) == before

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        # Most runs are cut off half-way: bring them to their end, or joins would go untested.
        for _ in range(60):
            for key in sorted(self.running):
                self.end_well(key)
            if self.finish is None:
                self.the_clock_ticks(12.0)
        again = Scheduler(Graph(self.description), self.limits)
        replayed = [command for event in self.log for command in again.handle(event)]
        assert replayed == self.commands

    def end_well(self, key: TaskKey) -> None:
        """End a task well without a draw: two elements, and the first way on that is no loop."""
        task, node = self.end(key), self.nodes[key.step]
        outcome = Outcome(
            manifest=PARAMETERS,
            width=2 if node.kind is Kind.FOREACH else None,
            choice=next((one for one in node.targets if one != key.step), None),
        )
        self.succeeded(key, outcome)
        self.tell(TaskSucceeded(task.attempt, outcome))


AnyRun.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnyRun = AnyRun.TestCase
