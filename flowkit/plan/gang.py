"""Gangs: tasks of one step that start together, and end well together or not at all."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from flowkit.graph import Graph
from flowkit.plan.events import StartTask, TaskFailed
from flowkit.plan.fan import Fan
from flowkit.records import Clone
from flowkit.values import Attempt, Outcome, TaskKey


@dataclass(frozen=True, slots=True)
class Gang:
    """The next attempts of all nodes of a gang, in their order."""

    tasks: tuple[StartTask, ...]

    @classmethod
    def of(cls, fan: Fan) -> Gang:
        """Return the first attempts of a gang, whose nodes are the elements of a fan."""
        return cls(tuple(map(fan.task, fan.indexes)))

    @property
    def attempt(self) -> Attempt:
        """The attempt of the control task; those of the others have the same number."""
        return self.tasks[0].attempt

    def __len__(self) -> int:
        return len(self.tasks)

    def is_in(self, keys: Container[TaskKey]) -> bool:
        """Say whether all of its tasks are named."""
        return all(task.attempt.key in keys for task in self.tasks)

    def like(self, task: StartTask) -> Gang:
        """Return the attempts that follow, as `task` follows one of them."""
        number, last, fallback = task.attempt.number, task.last_attempt, task.fallback
        return Gang(
            tuple(
                replace(
                    one,
                    attempt=replace(one.attempt, number=number),
                    last_attempt=last,
                    fallback=fallback,
                )
                for one in self.tasks
            )
        )


class Roll:
    """How the nodes of a gang that runs have ended, until all of them have.

    `outcomes` are those of the nodes that ended well. `failed` is the node that failed first, and
    `report` what was told of it: that decides for all of them.
    """

    __slots__ = ("failed", "gang", "left", "outcomes", "report")

    def __init__(self, gang: Gang) -> None:
        self.gang = gang
        self.left = len(gang)
        self.outcomes: dict[TaskKey, Outcome] = {}
        self.failed: StartTask | None = None
        self.report: TaskFailed | None = None

    def succeed(self, task: StartTask, outcome: Outcome) -> None:
        """Note that a node ended well."""
        self.left -= 1
        self.outcomes[task.attempt.key] = outcome

    def fail(self, task: StartTask, report: TaskFailed) -> bool:
        """Note that a node ended badly; True if it is the first that did."""
        self.left -= 1
        is_first = self.failed is None
        if is_first:
            self.failed, self.report = task, report
        return is_first


def gang_of(key: TaskKey) -> TaskKey:
    """Return what names the gang of a node: the key of its control task."""
    return TaskKey(key.step, (*key.path[:-1], 0))


def tasks_of(item: StartTask | Fan | Gang) -> tuple[StartTask, ...]:
    """Return all attempts in something that may start."""
    if isinstance(item, Fan):
        return tuple(map(item.task, item.indexes))
    return item.tasks if isinstance(item, Gang) else (item,)


def whole_gangs(graph: Graph, clones: Mapping[TaskKey, Clone]) -> Iterator[TaskKey]:
    """Yield the tasks that may be cloned: those of a gang only if one attempt of it ended well.

    A node may have ended well in an attempt in which another has failed, and then that attempt
    never was.
    """
    gangs: dict[TaskKey, list[Clone]] = {}
    steps = {step for step in graph if graph.is_gang(step)}
    for key, clone in clones.items():
        if key.step in steps:
            gangs.setdefault(gang_of(key), []).append(clone)
        else:
            yield key
    for nodes in gangs.values():
        if are_one_attempt(nodes) and len(nodes) == _width(graph, nodes[0].key, clones):
            yield from (one.key for one in nodes)


def are_one_attempt(nodes: list[Clone]) -> bool:
    """Say whether nodes of a gang ended well in one and the same attempt of it."""
    return len({(one.origin, one.attempt) for one in nodes}) == 1


def _width(graph: Graph, node: TaskKey, clones: Mapping[TaskKey, Clone]) -> int | None:
    """Return the number of nodes that a gang had, as the task tells that led to it."""
    (opener,) = graph.parents(node.step)
    leading = clones.get(TaskKey(opener, node.path[:-1]))
    return leading.outcome.width if leading is not None else None
