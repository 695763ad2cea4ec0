"""Deciding what runs next: facts in, requests out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from flowkit.errors import FlowkitBug
from flowkit.graph import Graph, Kind
from flowkit.plan.admission import Admission, Limits
from flowkit.plan.alarms import Alarms
from flowkit.plan.events import (
    PARAMETERS_STEP,
    CancelRequested,
    ClockTicked,
    CloneTask,
    Command,
    Event,
    FindReusable,
    FinishRun,
    ReusableFound,
    RunStarted,
    StartTask,
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.plan.fan import Fan, cloned_in, split_fan
from flowkit.plan.gang import Gang, Roll, gang_of, tasks_of
from flowkit.plan.joins import Joins
from flowkit.plan.tally import StepProgress, Tally
from flowkit.values import Attempt, Digest, Digests, Outcome, TaskKey

ASKED_AT_ONCE = 1000
"""How many elements of a foreach one `FindReusable` asks about."""


class Scheduler:
    """Decides what runs next; the same events always give the same commands.

    `handle` takes one event and returns what to do about it, in order. Reports that come late,
    come again or concern no running attempt change nothing, so an event may be told twice.

    Time is what `ClockTicked` says. Delays and limits count from the first tick after the fact,
    so they are never cut short; the caller ticks no later than `next_deadline_s`.

    After the first task that failed for good, or a request to cancel, nothing starts: what runs
    may end, and then the run is finished.

    The nodes of a gang start in answer to one event. When one fails the others are stopped, and
    what the first failure asks for is done with all, once all have ended: try again, have `@catch`
    stand in, or fail. Only then do those that ended well hand over.

    Clones are made when the run starts, of the tasks that it is told then; and, of the steps in
    `asks`, when a task could start: it does if the answer to `FindReusable` does not name it.
    """

    def __init__(self, graph: Graph, limits: Limits, asks: Collection[str] = ()) -> None:
        self._graph, self._asks = graph, frozenset(asks)
        self._asked: dict[int, tuple[StartTask | Fan | Gang, Fan | None]] = {}
        self._questions = 0
        self._grace_s = limits.stop_grace_s
        self._admission = Admission(graph, limits)
        self._running: dict[TaskKey, StartTask] = {}
        self._timeouts = Alarms()
        self._retries = Alarms()
        self._delayed: dict[TaskKey, StartTask | Gang] = {}  # until their alarms
        self._joins = Joins(graph)
        self._rolls: dict[TaskKey, Roll] = {}  # gangs that wait or run
        self._tallies = {step: Tally() for step in graph}
        self._failed: list[TaskKey] = []
        self._began = self._cancelled = self._ended = self._finished = False

    def handle(self, event: Event) -> list[Command]:
        """Take note of an event; return what to do, in order.

        Raises:
            FlowkitBug: a task reports what its step cannot do, or nothing is left that could run
                although the run is not over.
        """
        commands: list[Command] = []
        match event:
            case _ if self._finished:
                return commands
            case RunStarted(parameters, reusable) if not self._began:
                self._began = True
                commands += self._clone(self._first(parameters), reusable)
            case TaskSucceeded(attempt, outcome) if task := self._retire(attempt):
                self._tallies[attempt.key.step].done += 1
                if self._rolls and (roll := self._roll(attempt.key)) is not None:
                    roll.succeed(task, outcome)
                    commands += self._settle(roll)
                else:
                    for item in self._hand_over(task, outcome):
                        commands += self._line_up(item)
            case TaskFailed(attempt) if task := self._retire(attempt):
                if (roll := self._roll(attempt.key)) is not None:
                    commands += self._take_failure_of_node(roll, task, event)
                else:
                    self._take_failure(task, event)
            case ReusableFound(number, reusable) if number in self._asked:
                commands += self._take_answer(*self._asked.pop(number), reusable)
            case ClockTicked(now_s):
                commands += self._tick(now_s)
            case CancelRequested() if not self._cancelled:
                commands += self._cancel()
        commands += self._start()
        commands += self._finish()
        return commands

    @property
    def next_deadline_s(self) -> float | None:
        """The earliest moment at which a tick changes something, or None.

        It may have passed: then a tick is due now.
        """
        moments = (self._timeouts.next_s, self._retries.next_s)
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def progress(self) -> Mapping[str, StepProgress]:
        """How far each step is, as of now, by step in topological order."""
        return {
            step: StepProgress(
                known=tally.known,
                running=self._admission.running(step),
                done=tally.done,
                failed=tally.failed,
                cloned=tally.cloned,
            )
            for step, tally in self._tallies.items()
        }

    @property
    def _stopping(self) -> bool:
        return self._cancelled or bool(self._failed)

    def _retire(self, attempt: Attempt) -> StartTask | None:
        """Take an ended attempt off the books; None if it is not running."""
        task = self._running.get(attempt.key)
        if task is None or task.attempt != attempt:
            return None
        del self._running[attempt.key]
        self._admission.leave(attempt.key.step)
        self._timeouts.drop(attempt.key)
        return task

    def _first(self, parameters: Digest) -> StartTask:
        key, inputs = TaskKey(self._graph.start), Digests(bytes(parameters))
        return self._known(StartTask(Attempt(key), inputs, (PARAMETERS_STEP,)))

    def _known(self, task: StartTask) -> StartTask:
        """Count a task that may start now, and say whether its first attempt is its last."""
        step = task.attempt.key.step
        self._tallies[step].known += 1
        return task if self._is_last(step, 0) else replace(task, last_attempt=False)

    def _is_last(self, step: str, number: int) -> bool:
        retry = self._graph[step].policies.retry
        return retry is None or number >= retry.times

    def _clone(self, first: StartTask, reusable: Mapping[TaskKey, Outcome]) -> Iterator[Command]:
        """Clone from the start as far as possible; what comes next goes in line.

        The stack holds iterators, not tasks, so that 100,000 clones need no more than a few.
        """
        stack: list[Iterator[StartTask]] = [iter((first,))]
        while stack:
            task = next(stack[-1], None)
            if task is None:
                stack.pop()
                continue
            key = task.attempt.key
            outcome = reusable.get(key)
            if outcome is None:
                yield from self._line_up(task)
                continue
            self._tallies[key.step].cloned += 1
            yield CloneTask(key, outcome)
            for item in reversed(self._hand_over(task, outcome)):
                if isinstance(item, Gang) and item.is_in(reusable):
                    stack.append(iter(item.tasks))
                elif isinstance(item, Gang):
                    yield from self._line_up(item)
                elif isinstance(item, Fan):
                    found, others = cloned_in(item, reusable)
                    if others is not None:
                        yield from self._line_up(others)
                    if (join := self._joins.closing(item)) is None:
                        stack.append(map(item.task, (key.path[-1] for key, _ in found)))
                        continue
                    self._tallies[item.step].cloned += len(found)
                    yield from (CloneTask(*one) for one in found)
                    if joined := self._joins.arrive_at_once(join, item, found):
                        stack.append(iter((self._known(joined),)))
                else:
                    stack.append(iter((item,)))

    def _line_up(self, item: StartTask | Fan | Gang) -> Iterator[Command]:
        """Put what may start in line; of a step that is memoised, ask first."""
        step = item.step if isinstance(item, Fan) else item.attempt.key.step
        if step not in self._asks:
            self._add(item)
            return
        rest = None
        if isinstance(item, Fan):
            # One block at a time: a question names its tasks one by one.
            item, rest = split_fan(item, ASKED_AT_ONCE)
        self._questions += 1
        self._asked[self._questions] = (item, rest)
        yield FindReusable(self._questions, tasks_of(item))

    def _add(self, item: StartTask | Fan | Gang) -> None:
        """Put what is to run in line."""
        if isinstance(item, Gang):
            self._rolls[item.attempt.key] = Roll(item)
        self._admission.add(item)

    def _take_answer(
        self, item: StartTask | Fan | Gang, rest: Fan | None, reusable: Mapping[TaskKey, Outcome]
    ) -> Iterator[Command]:
        """Clone what was found, and put the others in line."""
        if self._stopping:
            return
        found: Sequence[StartTask] = ()
        others: StartTask | Fan | Gang | None = item
        if isinstance(item, Fan):
            named, others = cloned_in(item, reusable)
            found = [item.task(key.path[-1]) for key, _ in named]
        elif item.is_in(reusable) if isinstance(item, Gang) else item.attempt.key in reusable:
            found, others = tasks_of(item), None
        if others is not None:
            self._add(others)
        for task in found:
            yield from self._clone(task, reusable)
        if rest is not None:
            yield from self._line_up(rest)

    def _hand_over(self, task: StartTask, outcome: Outcome) -> Sequence[StartTask | Fan | Gang]:
        """Pass a task's outcome on; return what may start because of it."""
        key = task.attempt.key
        node = self._graph[key.step]
        targets = node.targets
        match node.kind:
            case Kind.END:
                self._ended = True
            case Kind.FOREACH:
                return (self._fan(task, outcome),)
            case Kind.GANG:
                return (Gang.of(self._fan(task, outcome)),)
            case Kind.SWITCH:
                targets = tuple(target for target in targets if target == outcome.choice)
                if not targets:
                    raise FlowkitBug(f"task `{key}` chose `{outcome.choice}`, which is no target")
        ready = [self._deliver(target, task, outcome.manifest) for target in targets]
        return [one for one in ready if one is not None]

    def _fan(self, task: StartTask, outcome: Outcome) -> Fan:
        key = task.attempt.key
        if not outcome.width:
            raise FlowkitBug(f"task `{key}` fanned out to {outcome.width} elements")
        (target,) = self._graph[key.step].targets
        self._tallies[target].known += outcome.width
        return Fan(
            step=target,
            origin=key,
            frames=task.frames,
            manifest=outcome.manifest,
            width=outcome.width,
            last_attempt=self._is_last(target, 0),
            indexes=range(outcome.width),
        )

    def _deliver(self, target: str, task: StartTask, manifest: Digest) -> StartTask | None:
        """Pass a manifest on to a step; return its task, unless it waits for other inputs."""
        key = task.attempt.key
        if self._graph[target].is_join:
            joined = self._joins.arrive(target, task, manifest)
            return None if joined is None else self._known(joined)
        turn = key.iteration + 1 if target == key.step else 0
        following = TaskKey(target, key.path, turn)
        inputs = Digests(bytes(manifest))
        return self._known(StartTask(Attempt(following), inputs, (key.step,), task.frames))

    def _take_failure(self, task: StartTask, report: TaskFailed) -> None:
        """Put the next attempt of a failed task in line, or note that it failed for good.

        While the run is stopping there is no next attempt, and a task that had one left is among
        those that did not run, not among those that failed.
        """
        key = task.attempt.key
        following = self._following(task, report)
        if following is None:
            self._fail(key, 1)
        else:
            self._try_again(following, at_once=following.fallback)

    def _fail(self, key: TaskKey, tasks: int) -> None:
        """Note that a task failed for good: or so many, as nodes of a gang, this one first."""
        if not self._cancelled:
            self._tallies[key.step].failed += tasks
            self._failed.append(key)
            self._drop_retries()

    def _try_again(self, item: StartTask | Gang, *, at_once: bool) -> None:
        key = item.attempt.key
        if self._stopping:
            return
        retry = self._graph[key.step].policies.retry
        if retry is None or at_once or retry.delay_s <= 0:
            self._add(item)
        else:
            self._delayed[key] = item
            self._retries.set(key, retry.delay_s)

    def _take_failure_of_node(
        self, roll: Roll, task: StartTask, report: TaskFailed
    ) -> Iterator[Command]:
        """Stop the other nodes of a gang when the first has failed."""
        if roll.fail(task, report) and not self._cancelled:
            for one in roll.gang.tasks:
                if one.attempt.key in self._running:
                    self._timeouts.drop(one.attempt.key)
                    yield StopTask(one.attempt, "gang")
        yield from self._settle(roll)

    def _roll(self, key: TaskKey) -> Roll | None:
        """Return how the gang around a task stands, if it is a node of one."""
        return self._rolls.get(gang_of(key))

    def _settle(self, roll: Roll) -> Iterator[Command]:
        """When all nodes of a gang have ended, hand over; or do what the first failure asks for."""
        if roll.left:
            return
        del self._rolls[roll.gang.attempt.key]
        if roll.failed is None or roll.report is None:
            for task in roll.gang.tasks:
                for item in self._hand_over(task, roll.outcomes[task.attempt.key]):
                    yield from self._line_up(item)
            return
        key = roll.failed.attempt.key
        self._tallies[key.step].done -= len(roll.outcomes)
        following = self._following(roll.failed, roll.report)
        if following is None:
            self._fail(key, len(roll.gang))
        else:
            self._try_again(roll.gang.like(following), at_once=following.fallback)

    def _following(self, task: StartTask, report: TaskFailed) -> StartTask | None:
        """Return the attempt that policies allow after a failure, or None."""
        attempt = replace(task.attempt, number=task.attempt.number + 1)
        step = attempt.key.step
        if report.retryable and not task.last_attempt:
            return replace(task, attempt=attempt, last_attempt=self._is_last(step, attempt.number))
        catch = self._graph[step].policies.catch
        could_not = report.died or self._graph.is_gang(step)
        if could_not and catch is not None and not task.fallback:
            # A process that died could not catch for itself, nor a node for its whole gang.
            return replace(task, attempt=attempt, last_attempt=True, fallback=True)
        return None

    def _tick(self, now_s: float) -> Iterator[Command]:
        for key in self._timeouts.ring(now_s):
            yield StopTask(self._running[key].attempt, "timeout")
        for key in self._retries.ring(now_s):
            self._add(self._delayed.pop(key))

    def _cancel(self) -> Iterator[Command]:
        self._cancelled = True
        self._timeouts.clear()
        self._drop_retries()
        for task in self._running.values():
            yield StopTask(task.attempt, "cancelled")

    def _drop_retries(self) -> None:
        self._retries.clear()
        self._delayed.clear()

    def _start(self) -> Iterator[Command]:
        while not self._stopping and (task := self._admission.take()) is not None:
            key = task.attempt.key
            self._running[key] = task
            timeout = self._graph[key.step].policies.timeout
            if timeout is not None:
                self._timeouts.set(key, timeout.limit_s + self._grace_s)
            yield task

    def _finish(self) -> Iterator[Command]:
        """Finish the run when nothing runs and nothing will."""
        if self._running or self._delayed or not (self._began or self._cancelled):
            return
        if self._asked and not self._stopping:
            return
        self._finished = True
        if self._ended:
            yield FinishRun("succeeded")
        elif self._stopping:
            yield FinishRun("cancelled" if self._cancelled else "failed", tuple(self._failed))
        else:
            raise FlowkitBug(f"nothing is left to run, but `{self._graph.end}` was not reached")
