"""Why attempts failed, and what follows from it."""

from __future__ import annotations

from flowkit.errors import StepTimedOut
from flowkit.graph import Graph
from flowkit.ports import Exit
from flowkit.values import Attempt, Failure, TaskKey


class Failures:
    """The failures of a run's attempts, as far as others follow from them.

    A gang fails by the failure of the node that was first, whatever comes of the others.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._stopped: dict[Attempt, str] = {}
        self._told: dict[Attempt, Failure] = {}
        self._of_gangs: dict[Attempt, tuple[TaskKey, Failure]] = {}

    def stop(self, attempt: Attempt, reason: str) -> None:
        """Note why an attempt was told to stop."""
        if reason != "gang" or attempt not in self._stopped:
            self._stopped[attempt] = reason

    def end(self, attempt: Attempt) -> None:
        """Forget why an attempt was told to stop, since it has ended."""
        self._stopped.pop(attempt, None)

    def cause_of_death(self, exited: Exit) -> Failure:
        """Say why an attempt ended that has left no result."""
        node = self._graph[exited.attempt.key.step]
        match self._stopped.get(exited.attempt):
            case "timeout":
                limit_s = node.policies.timeout.limit_s if node.policies.timeout else 0.0
                error = StepTimedOut(step=node.name, limit_s=limit_s)
                return Failure(type_name="StepTimedOut", message=error.message, hint=error.hint)
            case "cancelled":
                return Failure(
                    type_name="Cancelled", message="the run was cancelled", retryable=False
                )
            case "gang":
                return self._by_its_gang(exited.attempt)
        return Failure(
            type_name="ProcessDied",
            message=f"the process of step `{node.name}` died: {exited.hint}",
            hint="its log has what it printed; `@retry` tries again, `@catch` goes on without it",
        )

    def note(self, attempt: Attempt, failure: Failure, *, died: bool) -> None:
        """Note how an attempt failed."""
        is_node = self._graph.is_gang(attempt.key.step)
        if died or is_node:
            self._told[attempt] = failure
        if is_node:
            self._of_gangs.setdefault(_control(attempt), (attempt.key, failure))

    def goes_on(self, attempt: Attempt, failure: Failure, *, died: bool) -> bool:
        """Say whether policies let another attempt follow, or what `@catch` does."""
        step = attempt.key.step
        policies = self._graph[step].policies
        could_not = died
        if self._graph.is_gang(step):
            could_not = True
            _, failure = self._of_gangs.get(_control(attempt), (attempt.key, failure))
        retries = policies.retry.times if policies.retry is not None else 0
        # `@catch` stands in once, as the attempt after the last retry.
        stands_in = could_not and policies.catch is not None and attempt.number <= retries
        return (failure.retryable and attempt.number < retries) or stands_in

    def caught_by(self, attempt: Attempt) -> Failure:
        """Return what an attempt catches in which `@catch` stands in for the one before."""
        before = Attempt(attempt.key, attempt.number - 1)
        own = self._told.pop(before, None)
        return own if own is not None else self._by_its_gang(before)

    def _by_its_gang(self, attempt: Attempt) -> Failure:
        first, failure = self._of_gangs[_control(attempt)]
        return Failure(
            type_name="GangStopped",
            message=f"node {first.path[-1]} of its gang failed: "
            f"{failure.type_name}: {failure.message}",
            hint="the nodes of a gang fail together; see the log of that one",
            retryable=failure.retryable,
        )


def _control(attempt: Attempt) -> Attempt:
    key = attempt.key
    return Attempt(TaskKey(key.step, (*key.path[:-1], 0)), attempt.number)
