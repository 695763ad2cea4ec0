"""The loop: what executors report becomes events, what the scheduler asks for becomes actions."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from flowkit.errors import FlowkitError
from flowkit.graph import Graph
from flowkit.metadata import Metadata
from flowkit.plan import (
    CancelRequested,
    ClockTicked,
    CloneTask,
    Command,
    Event,
    FindReusable,
    FinishRun,
    ReusableFound,
    RunStarted,
    Scheduler,
    StartTask,
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.ports import Executor, Exit, Output
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.runner.failing import Failures
from flowkit.runner.feed import IndexFeed
from flowkit.runner.logbook import LogBook
from flowkit.runner.origin import deleted_meanwhile
from flowkit.runner.progress import (
    Idled,
    Listener,
    Noticed,
    Printed,
    RunBegan,
    RunEnded,
    TaskEnded,
    TasksCloned,
    TaskStarted,
)
from flowkit.runner.stopping import StopSwitch
from flowkit.store import Store
from flowkit.values import Attempt, Failure, RunId, StoreAddress, TaskKey, TaskResult, TaskSpec

if TYPE_CHECKING:
    from flowkit.plan import OneTask
    from flowkit.runner.reuse import Reuse

EndStatus = Literal["succeeded", "failed", "cancelled"]

LONGEST_WAIT_S = 0.1
CANCEL_GRACE_S = 2.0
_PATIENCE = 2
"""How often a step in this process may swallow an interrupt before the next one kills it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """What a run is driven with."""

    record: RunRecord
    graph: Graph
    scheduler: Scheduler | OneTask
    executor: Executor
    store: Store
    address: StoreAddress
    metadata: Metadata
    logs: LogBook
    listener: Listener
    namespace: str | None
    max_num_splits: int | None
    keep_cards: Callable[[Attempt], None]
    """Keep what a process that died has left of the cards of its attempt."""
    base_run: RunId | None
    """An earlier run, whose large artifacts new ones may share bytes with."""
    stop: StopSwitch
    source: RunId | None = None
    """The run whose tasks this one takes over as it begins; None if it begins anew."""
    reuse: Reuse | None = None
    """Finds what the scheduler asks for; None if it asks for nothing."""
    skip_decorators: bool = False
    """Whether steps are called as if they had no decorators."""


class Driver:
    """Drives one run from its start to its end."""

    def __init__(self, driven: Driven) -> None:
        self._with = driven
        self._run = driven.record.run
        self._feed = IndexFeed(driven.metadata, self._run, self._notice)
        self._started_at: dict[Attempt, datetime] = {}
        self._failures = Failures(driven.graph)
        self._first_failure: Failure | None = None
        self._finish: FinishRun | None = None
        self._interrupts = self._obeyed = 0
        self._is_waiting = False
        self._questions: deque[FindReusable] = deque()
        self._records_of_clones = itertools.count()

    def drive(self, clones: dict[TaskKey, Clone]) -> RunEnd:
        """Run until nothing is left to do, and record the end.

        Ctrl-C and SIGTERM cancel the run; a second one kills what has not stopped yet.

        Raises:
            FlowkitError: the store or the executor failed; the run can be resumed.
        """
        began = time.monotonic()
        record = self._with.record
        self._with.listener(RunBegan(record, tuple(self._with.graph)))
        reusable = {key: clone.outcome for key, clone in clones.items()}
        with self._signals():
            try:
                self._tell(ClockTicked(time.monotonic()))
                self._clone(RunStarted(record.parameters, reusable), clones)
                while self._finish is None:
                    self._turn()
            except FlowkitError as error:
                failure = Failure(type_name=type(error).__name__, message=error.message)
                with suppress(FlowkitError):  # a run without an end can be resumed as well
                    self._end("failed", failure)
                raise
            end = self._end(self._finish.status, self._first_failure, self._finish.failed)
        self._with.listener(RunEnded(end, time.monotonic() - began))
        return end

    @property
    def is_indexed(self) -> bool:
        """Whether the index was told all that the store was."""
        return self._feed.is_whole

    @property
    def _asked_to_stop(self) -> int:
        """How often the run was asked to stop, by a signal or from another thread."""
        return self._interrupts + self._with.stop.asked

    def _turn(self) -> None:
        if self._asked_to_stop > self._obeyed:
            self._cancel()
        deadline = self._with.scheduler.next_deadline_s
        patience = 0.0 if self._finish is not None or self._questions else LONGEST_WAIT_S
        if deadline is not None:
            patience = min(patience, max(0.0, deadline - time.monotonic()))
        try:
            self._is_waiting = True
            reports = self._with.executor.wait(patience)
        except KeyboardInterrupt:  # only where a step runs in this process
            reports = []
        finally:
            self._is_waiting = False
        for report in reports:
            if isinstance(report, Output):
                self._printed(report)
            else:
                self._exited(report)
        self._with.logs.flush()
        self._tell(ClockTicked(time.monotonic()))
        if self._questions:
            self._answer(self._questions.popleft())
        self._feed.tick()
        if not reports:
            self._with.listener(Idled(datetime.now(UTC)))

    def _answer(self, question: FindReusable) -> None:
        """Look for what earlier runs have computed already."""
        clones = self._with.reuse.find(question.tasks) if self._with.reuse is not None else {}
        reusable = {key: clone.outcome for key, clone in clones.items()}
        self._clone(ReusableFound(question.number, reusable), clones)

    def _clone(self, event: RunStarted | ReusableFound, clones: Mapping[TaskKey, Clone]) -> None:
        """Tell of tasks that can be cloned, and record the clones before anything follows them."""
        commands = self._with.scheduler.handle(event)
        taken = [clones[command.key] for command in commands if isinstance(command, CloneTask)]
        # A number is used up even where nothing is cloned: 0 is for what a run began with.
        number = next(self._records_of_clones)
        source = self._with.source if isinstance(event, RunStarted) else None
        # Be it that nothing is: a run that resumes and has no such record was killed before.
        if taken or source is not None:
            kept = Clones(self._run, tuple(taken))
            # What is deleted later is kept: garbage collections that learn of it find this run, and
            # remove nothing before its clones are recorded, be they none.
            if source is not None and self._with.store.is_deleted(source):
                raise deleted_meanwhile(source)
            self._with.store.create_clones(kept, number=number)
            self._feed.cloned(kept, source=source)
            for origin, these in _by_origin(taken, source).items():
                widths = {one.key: one.outcome.width for one in these if one.outcome.width}
                keys = tuple(clone.key for clone in these)
                self._with.listener(TasksCloned(keys, str(origin), widths))
        for command in commands:
            self._obey(command)

    def _tell(self, event: Event) -> None:
        for command in self._with.scheduler.handle(event):
            self._obey(command)

    def _obey(self, command: Command) -> None:
        match command:
            case FindReusable():
                self._questions.append(command)
            case StartTask():
                self._start(command)
            case StopTask(attempt, reason):
                self._failures.stop(attempt, reason)
                self._with.executor.cancel(attempt, grace_s=CANCEL_GRACE_S)
            case FinishRun():
                self._finish = command

    def _start(self, command: StartTask) -> None:
        record, attempt = self._with.record, command.attempt
        base = None
        if self._with.base_run is not None:
            base = self._feed.base(attempt.key)
        spec = TaskSpec(
            run=self._run,
            attempt=attempt,
            flow_file=record.description.file,
            store=self._with.address,
            parameters=record.parameters,
            inputs=command.inputs,
            input_steps=command.input_steps,
            frames=command.frames,
            joined=command.joined,
            last_attempt=command.last_attempt,
            fallback=self._failures.caught_by(attempt) if command.fallback else None,
            base=base,
            origin_run=record.origin.id if record.origin else None,
            namespace=self._with.namespace,
            user=record.user,
            tags=record.tags,
            max_num_splits=self._with.max_num_splits,
            project=record.project,
            triggers=record.triggers,
            skip_decorators=self._with.skip_decorators,
        )
        self._started_at[attempt] = now = datetime.now(UTC)
        self._with.executor.submit(spec)
        self._feed.started(attempt)
        self._with.listener(TaskStarted(attempt, now))

    def _printed(self, output: Output) -> None:
        self._with.logs.write(output)
        at = datetime.fromtimestamp(output.time_s, UTC)
        text = output.text.decode("utf-8", "replace")
        is_shown = self._with.executor.echoes
        self._with.listener(Printed(output.attempt, output.stream, at, text, is_shown))

    def _exited(self, exited: Exit) -> None:
        attempt = exited.attempt
        self._with.logs.close(attempt)
        result = self._with.store.result(self._run, attempt)
        if self._with.graph[attempt.key.step].policies.cards:
            self._with.keep_cards(attempt)
        died = result is None
        if result is None:
            result = self._bury(exited)
        self._feed.ended(result)
        started_at = self._started_at.pop(attempt)
        if result.failure is not None:
            self._failures.note(attempt, result.failure, died=died)
        self._failures.end(attempt)
        again = result.status == "failed" and self._goes_on(result, died=died)
        if result.failure is not None and not again:
            self._first_failure = self._first_failure or result.failure
        self._with.listener(_ended(result, started_at, again=again))
        if result.outcome is not None and result.status == "succeeded":
            self._tell(TaskSucceeded(attempt, result.outcome))
        else:
            retryable = result.failure is None or result.failure.retryable
            self._tell(TaskFailed(attempt, retryable=retryable, died=died))

    def _bury(self, exited: Exit) -> TaskResult:
        """Write a result for an attempt whose process did not; if it did after all, that counts."""
        attempt, now = exited.attempt, datetime.now(UTC)
        failure = self._failures.cause_of_death(exited)
        result = TaskResult(
            attempt=attempt,
            status="failed",
            started_at=self._started_at[attempt],
            finished_at=now,
            failure=failure,
            host=socket.gethostname(),
        )
        if self._with.store.create_result(self._run, result):
            return result
        return self._with.store.result(self._run, attempt) or result

    def _goes_on(self, result: TaskResult, *, died: bool) -> bool:
        """Whether a failed attempt is followed by another, or by what `@catch` does."""
        attempt, failure = result.attempt, result.failure
        if self._asked_to_stop or self._first_failure is not None or failure is None:
            return False
        return self._failures.goes_on(attempt, failure, died=died)

    def _cancel(self) -> None:
        is_first, self._obeyed = self._obeyed == 0, self._asked_to_stop
        if is_first:
            self._notice("stopping: what has finished is kept, and the run can be resumed")
            self._tell(CancelRequested())
        if self._obeyed > 1:  # also where two came before the first was noticed
            for attempt in list(self._started_at):
                self._with.executor.cancel(attempt, grace_s=0.0)

    def _end(
        self, status: EndStatus, failure: Failure | None, failed: tuple[TaskKey, ...] = ()
    ) -> RunEnd:
        end = RunEnd(
            run=self._run,
            status=status,
            finished_at=datetime.now(UTC),
            failed=failed,
            failure=failure if status == "failed" else None,
        )
        self._feed.flush()
        self._with.store.create_end(end)
        self._feed.finished(end)
        self._with.logs.remove_empty()
        return end

    def _notice(self, message: str) -> None:
        self._with.listener(Noticed(message))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Count Ctrl-C and SIGTERM instead of being torn out of a half-done step of the loop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(number: int, _frame: FrameType | None) -> None:
            if os.getpid() != pid:  # a child that a step in this process has forked
                signal.signal(number, before[number] or signal.SIG_DFL)
                os.kill(os.getpid(), number)
                return
            self._interrupts += 1
            if self._is_waiting and self._with.executor.echoes:
                if self._interrupts > _PATIENCE:
                    # The step swallows it again and again. The run is resumed like a lost one.
                    signal.signal(number, signal.SIG_DFL)
                    os.kill(os.getpid(), number)
                raise KeyboardInterrupt

        pid = os.getpid()
        # What is ignored stays so: Ctrl-C is not for what a script runs in its background.
        heard = [one for one in (signal.SIGINT, signal.SIGTERM) if not _is_ignored(one)]
        before: dict[int, Any] = {one: signal.signal(one, interrupt) for one in heard}
        try:
            yield
        finally:
            if os.getpid() == pid:
                for one, handler in before.items():
                    signal.signal(one, handler)


def _by_origin(clones: Sequence[Clone], source: RunId | None) -> dict[RunId, list[Clone]]:
    """Sort clones by the run that they are of: the one they came from, or which computed them."""
    found: dict[RunId, list[Clone]] = {}
    for clone in clones:
        found.setdefault(source or clone.origin, []).append(clone)
    return found


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


def _ended(result: TaskResult, started_at: datetime, *, again: bool) -> TaskEnded:
    outcome = result.outcome
    return TaskEnded(
        attempt=result.attempt,
        at=result.finished_at,
        status=result.status,
        duration_s=max(0.0, (result.finished_at - started_at).total_seconds()),
        failure=result.failure,
        caught=result.caught,
        again=again,
        width=outcome.width if outcome else None,
        choice=outcome.choice if outcome else None,
    )
