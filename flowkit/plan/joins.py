"""The joins that wait for their inputs."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from flowkit.graph import Graph, Kind
from flowkit.plan.events import StartTask
from flowkit.plan.fan import Arrivals, Fan
from flowkit.values import Attempt, Digest, Frame, Outcome, TaskKey


class Joins:
    """Collects what branches, elements and nodes of gangs leave, until a join has all of it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._order = tuple(graph)
        self._waiting: dict[TaskKey, Arrivals] = {}

    def arrive(self, join: str, task: StartTask, manifest: Digest) -> StartTask | None:
        """Take what a task has left for a join; return the join's task if that was the last."""
        key, frames = task.attempt.key, task.frames
        split = self._graph[self._graph.split_of(join)]
        joined = None
        if split.kind.fans_out:
            joined = replace(frames[-1], index=0)
            position, width = frames[-1].index, frames[-1].width
            waiting, frames = TaskKey(join, key.path[:-1]), frames[:-1]
        else:
            position, width = self._graph.branch_of(key.step, split.name), len(split.targets)
            waiting = TaskKey(join, key.path)
        arrivals = self._at(waiting, width)
        arrivals.add(position, manifest, self._graph.rank(key.step))
        return self._complete(waiting, arrivals, frames=frames, joined=joined)

    def closing(self, fan: Fan) -> str | None:
        """Return the join that closes a fan if its elements hand over to that and no other step."""
        node = self._graph[fan.step]
        if node.kind is not Kind.LINEAR:
            return None
        (target,) = node.targets
        is_closed = self._graph[target].is_join and self._graph.split_of(target) == fan.origin.step
        return target if is_closed else None

    def arrive_at_once(
        self, join: str, fan: Fan, outcomes: Iterable[tuple[TaskKey, Outcome]]
    ) -> StartTask | None:
        """Take what elements of a fan have left for the join that closes it, as `arrive` does."""
        waiting, rank = TaskKey(join, fan.origin.path), self._graph.rank(fan.step)
        arrivals = self._at(waiting, fan.width)
        for key, outcome in outcomes:
            arrivals.add(key.path[-1], outcome.manifest, rank)
        joined = Frame(fan.origin.step, 0, fan.width, fan.manifest)
        return self._complete(waiting, arrivals, frames=fan.frames, joined=joined)

    def _at(self, waiting: TaskKey, width: int) -> Arrivals:
        arrivals = self._waiting.get(waiting)
        if arrivals is None:
            arrivals = self._waiting[waiting] = Arrivals(width)
        return arrivals

    def _complete(
        self,
        waiting: TaskKey,
        arrivals: Arrivals,
        *,
        frames: tuple[Frame, ...],
        joined: Frame | None,
    ) -> StartTask | None:
        """Return the join's task if all has arrived that it waits for."""
        if arrivals.missing:
            return None
        del self._waiting[waiting]
        return StartTask(
            Attempt(waiting),
            arrivals.inputs(),
            arrivals.steps(self._order),
            frames=frames,
            joined=joined,
        )
