"""One task by itself: which it is, after what an earlier run came to, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from flowkit.graph import NO_POLICIES, FlowDescription, Graph, Kind, Node
from flowkit.plan.admission import Limits
from flowkit.plan.events import (
    CancelRequested,
    Command,
    Event,
    FinishRun,
    RunStarted,
    StartTask,
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.plan.scheduler import Scheduler
from flowkit.values import Digest, Outcome, TaskKey

_ALL_AT_ONCE: Final = 1 << 30


def find_task(
    description: FlowDescription,
    parameters: Digest,
    finished: Mapping[TaskKey, Outcome],
    *,
    step: str,
    key: TaskKey | None,
) -> StartTask | None:
    """Return a task of a step as a run would start it, had all others ended as in an earlier run.

    Args:
        description: the flow as it is now.
        parameters: the manifest of the run's parameters.
        finished: the tasks of the earlier run that succeeded.
        step: the step.
        key: its task; by default the first one that the earlier run would lead to.

    Returns:
        None if the earlier run does not lead to the task.
    """
    # No limits: what matters is what could start, not what would be started first.
    free = replace(
        description, nodes=tuple(replace(node, policies=NO_POLICIES) for node in description.nodes)
    )
    graph = Graph(free)
    held = {
        one: outcome
        for one, outcome in finished.items()
        if one.step in graph
        and _still_fits(graph[one.step], outcome)
        and (one.step != step if key is None else one != key)
    }
    scheduler = Scheduler(graph, Limits(slots=_ALL_AT_ONCE))
    starts = [
        command
        for command in scheduler.handle(RunStarted(parameters, held))
        if isinstance(command, StartTask) and command.attempt.key.step == step
    ]
    if key is not None:
        starts = [one for one in starts if one.attempt.key == key]
    return min(starts, key=lambda one: one.attempt.key, default=None)


def _still_fits(node: Node, outcome: Outcome) -> bool:
    """Say whether a step, as it is now, could have come to an outcome."""
    if node.kind in (Kind.FOREACH, Kind.GANG):
        return outcome.width is not None
    if node.kind is Kind.SWITCH:
        return outcome.choice in node.targets
    return True


class OneTask:
    """Decides about a run of a single task, which gets one attempt; it is told what a run is."""

    next_deadline_s: float | None = None

    def __init__(self, task: StartTask) -> None:
        self._task = task
        self._is_cancelled = False

    def handle(self, event: Event) -> list[Command]:
        """Take note of an event; return what to do."""
        attempt = self._task.attempt
        match event:
            case RunStarted():
                return [self._task]
            case TaskSucceeded():
                return [FinishRun("succeeded")]
            case TaskFailed(failed):
                return [FinishRun("cancelled" if self._is_cancelled else "failed", (failed.key,))]
            case CancelRequested() if not self._is_cancelled:
                self._is_cancelled = True
                return [StopTask(attempt, "cancelled")]
        return []
