"""Which of the tasks that may start does: slots, limits of a step, and resources."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from flowkit.errors import UsageError
from flowkit.graph import Graph, Resources
from flowkit.plan.events import StartTask
from flowkit.plan.fan import Fan


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use at once; None is no limit.

    `slots`: tasks. `cpu`: cores, `memory_mb`: MB, `gpu`: devices, each summed over what running
    tasks ask for in their resources. `stop_grace_s`: seconds that an attempt has after its
    timeout to stop by itself. `patience`: how often other tasks may take resources that the
    first task in line is waiting for.

    Raises:
        UsageError: not a single task could run.
    """

    slots: int = 16
    cpu: float | None = None
    memory_mb: int | None = None
    gpu: int | None = None
    stop_grace_s: float = 10.0
    patience: int = 16

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise UsageError(
                f"a run with {self.slots} slots cannot start a task", hint="allow one at least"
            )


Amounts = tuple[float, float, float]
"""Thousandths of a core, MB of memory, GPU devices: whole numbers, so that sums stay exact."""


class _Lane:
    """The tasks of one step that may start, and how many of it run."""

    __slots__ = ("at_once", "fans", "needs", "passed", "place", "running", "tasks")

    def __init__(self, place: int, at_once: float, needs: Amounts) -> None:
        self.place = place
        self.at_once = at_once
        self.needs = needs
        self.tasks: deque[StartTask] = deque()
        self.fans: deque[Fan] = deque()
        self.running = 0
        self.passed = 0


def tell_excess(graph: Graph, limits: Limits) -> Iterator[str]:
    """Say for each step that asks for more than there is what it asks for, and what it gets."""
    for step in graph:
        asked = graph[step].policies.resources
        if asked is None:
            continue
        wants = (
            (asked.cpu, limits.cpu, "cores"),
            (asked.memory_mb, limits.memory_mb, "MB of memory"),
            (asked.gpu, limits.gpu, "GPUs"),
        )
        over = [
            f"{want:g} {unit} where there are {there:g}"
            for want, there, unit in wants
            if there is not None and want > there
        ]
        if over:
            yield (
                f"step `{step}` asks for {' and '.join(over)}: "
                "its tasks run one at a time, with all that there is"
            )


class Admission:
    """Tasks that may start, in the order in which they should, and what runs already.

    Tasks come before elements of a fan, and steps further from the start before nearer ones:
    what has begun is brought to its end before more is begun, so few tasks wait. Steps that are
    as far come as they are written; within a step the first to come is the first to start.

    A step that does not fit is passed by others that do. But when they took what it waits for
    `patience` times, they only start if they leave room for it; as nothing then takes its share,
    it runs when enough tasks ended. A task that asks for more than there is, gets all there is.
    """

    def __init__(self, graph: Graph, limits: Limits) -> None:
        self._slots, self._patience = limits.slots, limits.patience
        capacity = _amounts(limits.cpu, limits.memory_mb, limits.gpu)
        self._free = list(capacity)
        self._steps = len(graph)
        self._running = 0
        self._lanes: list[_Lane] = []
        order = _latest_first(graph)
        for place, step in enumerate(order):
            policies = graph[step].policies
            needs = _needs(policies.resources, capacity)
            at_once = inf if policies.concurrency is None else policies.concurrency
            self._lanes.append(_Lane(place, at_once, needs))
        self._lane_of = dict(zip(order, self._lanes, strict=True))
        # Where something waits, first in line first: a lane's place for its tasks, and that plus
        # the number of steps for its fans.
        self._line: list[int] = []

    def __len__(self) -> int:
        return self._running

    def running(self, step: str) -> int:
        """Return how many tasks of a step run."""
        return self._lane_of[step].running

    def add(self, item: StartTask | Fan) -> None:
        """Put a task, or all elements of a fan, in line."""
        if isinstance(item, Fan):
            lane = self._lane_of[item.step]
            if not lane.fans:
                insort(self._line, lane.place + self._steps)
            lane.fans.append(item)
        else:
            lane = self._lane_of[item.attempt.key.step]
            if not lane.tasks:
                insort(self._line, lane.place)
            lane.tasks.append(item)

    def take(self) -> StartTask | None:
        """Start the first task that fits: it counts as running from now. None if there is none."""
        if self._running == self._slots:
            return None
        blocked: _Lane | None = None
        for entry in self._line:
            lane = self._lanes[entry % self._steps]
            if lane.running >= lane.at_once:
                continue
            if not self._has_room(lane.needs):
                blocked = blocked or lane
                continue
            if blocked is not None and not self._has_room(lane.needs, beside=blocked.needs):
                if blocked.passed >= self._patience:
                    continue
                blocked.passed += 1
            return self._start(lane, entry)
        return None

    def leave(self, step: str) -> None:
        """Give back what a task of a step took."""
        lane = self._lane_of[step]
        lane.running -= 1
        self._running -= 1
        self._free = [free + need for free, need in zip(self._free, lane.needs, strict=True)]

    def _has_room(self, needs: Amounts, *, beside: Amounts = (0, 0, 0)) -> bool:
        """Say whether `needs` are free, and leave `beside` free where they take something."""
        wanted = zip(self._free, needs, beside, strict=True)
        return all(not need or need + other <= free for free, need, other in wanted)

    def _start(self, lane: _Lane, entry: int) -> StartTask:
        lane.running += 1
        lane.passed = 0
        self._running += 1
        self._free = [free - need for free, need in zip(self._free, lane.needs, strict=True)]
        if entry < self._steps:
            task = lane.tasks.popleft()
            if not lane.tasks:
                self._line.remove(entry)
            return task
        fan = lane.fans[0]
        task = fan.take()
        if not fan:
            lane.fans.popleft()
        if not lane.fans:
            self._line.remove(entry)
        return task


def _latest_first(graph: Graph) -> list[str]:
    """Sort steps by the longest way from the start, the longest first."""
    distance: dict[str, int] = {}
    for step in graph:
        distance[step] = 1 + max((distance[one] for one in graph.parents(step)), default=0)
    return sorted(graph, key=lambda step: -distance[step])


def _amounts(cpu: float | None, memory_mb: int | None, gpu: int | None) -> Amounts:
    return (
        inf if cpu is None else round(cpu * 1000),
        inf if memory_mb is None else memory_mb,
        inf if gpu is None else gpu,
    )


def _needs(resources: Resources | None, capacity: Amounts) -> Amounts:
    if resources is None:
        return (0, 0, 0)
    asked = _amounts(resources.cpu, resources.memory_mb, resources.gpu)
    cpu, memory, gpu = map(min, asked, capacity)
    return (cpu, memory, gpu)
