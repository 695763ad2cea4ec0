"""Deciding what runs next: facts in, requests out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
from flowkit.plan.fan import Arrivals, Fan, fan_without, split_fan, tasks_in
from flowkit.values import Attempt, Digest, Digests, Frame, Outcome, TaskKey

ASKED_AT_ONCE = 1000
"""How many elements of a foreach one `FindReusable` asks about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """How many tasks of a step there are in each state.

    `known`: all that exist so far, `done`: those that ran and succeeded, `failed`: those that
    failed for good, `cloned`: those that an earlier run's stand for.
    """

    known: int
    running: int
    done: int
    failed: int
    cloned: int

    @property
    def waiting(self) -> int:
        """Tasks that have not started, or wait to be tried again."""
        return self.known - self.running - self.done - self.failed - self.cloned


class _Tally:
    """The counters behind a StepProgress."""

    __slots__ = ("cloned", "done", "failed", "known")

    def __init__(self) -> None:
        self.known = self.done = self.failed = self.cloned = 0


class Scheduler:
    """Decides what runs next; the same events always give the same commands.

    `handle` takes one event and returns what to do about it, in order. Reports that come late,
    come again or concern no running attempt change nothing, so an event may be told twice.

    Time is what `ClockTicked` says. Delays and limits count from the first tick after the fact,
    so they are never cut short; the caller ticks no later than `next_deadline_s`.

    After the first task that failed for good, or a request to cancel, nothing starts: what runs
    may end, and then the run is finished.

    Clones are made when the run starts, of the tasks that it is told then; and, of the steps in
    `asks`, when a task could start: it does if the answer to `FindReusable` does not name it.
    """

    def __init__(self, graph: Graph, limits: Limits, asks: Collection[str] = ()) -> None:
        self._graph, self._asks = graph, frozenset(asks)
        self._asked: dict[int, tuple[StartTask | Fan, Fan | None]] = {}
        self._questions = 0
        self._grace_s = limits.stop_grace_s
        self._order = tuple(graph)
        self._admission = Admission(graph, limits)
        self._running: dict[TaskKey, StartTask] = {}
        self._timeouts = Alarms()
        self._retries = Alarms()
        self._delayed: dict[TaskKey, StartTask] = {}  # attempts that wait for their retry alarm
        self._joins: dict[TaskKey, Arrivals] = {}
        self._tallies = {step: _Tally() for step in graph}
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
                for item in self._hand_over(task, outcome):
                    commands += self._line_up(item)
            case TaskFailed(attempt) if task := self._retire(attempt):
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
        return self._task(
            TaskKey(self._graph.start), Digests(bytes(parameters)), (PARAMETERS_STEP,)
        )

    def _task(
        self,
        key: TaskKey,
        inputs: Digests,
        input_steps: tuple[str, ...],
        *,
        frames: tuple[Frame, ...] = (),
        joined: Frame | None = None,
    ) -> StartTask:
        """Return the first attempt of a task that may start now."""
        self._tallies[key.step].known += 1
        last = self._is_last(key.step, 0)
        return StartTask(Attempt(key), inputs, input_steps, frames, joined, last_attempt=last)

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
                if isinstance(item, Fan):
                    others = fan_without(item, reusable)
                    if others is not None:
                        yield from self._line_up(others)
                    stack.append(iter(tasks_in(item, reusable)))
                else:
                    stack.append(iter((item,)))

    def _line_up(self, item: StartTask | Fan) -> Iterator[Command]:
        """Put what may start in line; of a step that is memoised, ask first."""
        step = item.step if isinstance(item, Fan) else item.attempt.key.step
        if step not in self._asks:
            self._admission.add(item)
            return
        rest = None
        if isinstance(item, Fan):
            # One block at a time: a question names its tasks one by one.
            item, rest = split_fan(item, ASKED_AT_ONCE)
        self._questions += 1
        self._asked[self._questions] = (item, rest)
        tasks = tuple(map(item.task, item.indexes)) if isinstance(item, Fan) else (item,)
        yield FindReusable(self._questions, tasks)

    def _take_answer(
        self, item: StartTask | Fan, rest: Fan | None, reusable: Mapping[TaskKey, Outcome]
    ) -> Iterator[Command]:
        """Clone what was found, and put the others in line."""
        if self._stopping:
            return
        others: StartTask | Fan | None
        if isinstance(item, Fan):
            found, others = list(tasks_in(item, reusable)), fan_without(item, reusable)
        elif item.attempt.key in reusable:
            found, others = [item], None
        else:
            found, others = [], item
        if others is not None:
            self._admission.add(others)
        for task in found:
            yield from self._clone(task, reusable)
        if rest is not None:
            yield from self._line_up(rest)

    def _hand_over(self, task: StartTask, outcome: Outcome) -> Sequence[StartTask | Fan]:
        """Pass a task's outcome on; return what may start because of it."""
        key = task.attempt.key
        node = self._graph[key.step]
        targets = node.targets
        match node.kind:
            case Kind.END:
                self._ended = True
            case Kind.FOREACH:
                return (self._fan(task, outcome),)
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
            return self._arrive(target, task, manifest)
        turn = key.iteration + 1 if target == key.step else 0
        return self._task(
            TaskKey(target, key.path, turn),
            Digests(bytes(manifest)),
            (key.step,),
            frames=task.frames,
        )

    def _arrive(self, join: str, task: StartTask, manifest: Digest) -> StartTask | None:
        key, frames = task.attempt.key, task.frames
        split = self._graph[self._graph.split_of(join)]
        joined = None
        if split.kind is Kind.FOREACH:
            joined = replace(frames[-1], index=0)
            position, width = frames[-1].index, frames[-1].width
            waiting, frames = TaskKey(join, key.path[:-1]), frames[:-1]
        else:
            position, width = self._graph.branch_of(key.step, split.name), len(split.targets)
            waiting = TaskKey(join, key.path)
        arrivals = self._joins.get(waiting)
        if arrivals is None:
            arrivals = self._joins[waiting] = Arrivals(width)
        arrivals.add(position, manifest, self._graph.rank(key.step))
        if arrivals.missing:
            return None
        del self._joins[waiting]
        return self._task(
            waiting, arrivals.inputs(), arrivals.steps(self._order), frames=frames, joined=joined
        )

    def _take_failure(self, task: StartTask, report: TaskFailed) -> None:
        """Put the next attempt of a failed task in line, or note that it failed for good.

        While the run is stopping there is no next attempt, and a task that had one left is among
        those that did not run, not among those that failed.
        """
        key = task.attempt.key
        following = self._following(task, report)
        if following is None and not self._cancelled:
            self._tallies[key.step].failed += 1
            self._failed.append(key)
            self._drop_retries()
        elif following is not None and not self._stopping:
            retry = self._graph[key.step].policies.retry
            if retry is None or following.fallback or retry.delay_s <= 0:
                self._admission.add(following)
            else:
                self._delayed[key] = following
                self._retries.set(key, retry.delay_s)

    def _following(self, task: StartTask, report: TaskFailed) -> StartTask | None:
        """Return the attempt that policies allow after a failure, or None."""
        attempt = replace(task.attempt, number=task.attempt.number + 1)
        step = attempt.key.step
        if report.retryable and not task.last_attempt:
            return replace(task, attempt=attempt, last_attempt=self._is_last(step, attempt.number))
        catch = self._graph[step].policies.catch
        if report.died and catch is not None and not task.fallback:
            # The process that died could not catch for itself.
            return replace(task, attempt=attempt, last_attempt=True, fallback=True)
        return None

    def _tick(self, now_s: float) -> Iterator[Command]:
        for key in self._timeouts.ring(now_s):
            yield StopTask(self._running[key].attempt, "timeout")
        for key in self._retries.ring(now_s):
            self._admission.add(self._delayed.pop(key))

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
            status: Literal["cancelled", "failed"] = "cancelled" if self._cancelled else "failed"
            yield FinishRun(status, tuple(self._failed))
        else:
            raise FlowkitBug(f"nothing is left to run, but `{self._graph.end}` was not reached")
