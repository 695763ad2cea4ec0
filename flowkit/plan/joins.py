"""The joins that wait for their inputs."""

from __future__ import annotations

from msgspec.structs import replace

from flowkit.graph import Graph
from flowkit.plan.events import StartTask
from flowkit.plan.fan import Arrivals
from flowkit.values import Attempt, Digest, TaskKey


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
        arrivals = self._waiting.get(waiting)
        if arrivals is None:
            arrivals = self._waiting[waiting] = Arrivals(width)
        arrivals.add(position, manifest, self._graph.rank(key.step))
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
