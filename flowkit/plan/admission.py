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
from flowkit.plan.gang import Gang


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
    """The tasks of one step that may start, and how many of it run.

    `needs` is what a task takes. The next in line takes `wants`, and `size` slots, which is more
    if it is a gang.
    """

    __slots__ = ("at_once", "fans", "needs", "passed", "place", "running", "size", "tasks", "wants")

    def __init__(self, place: int, at_once: float, needs: Amounts) -> None:
        self.place = place
        self.at_once = at_once
        self.needs = self.wants = needs
        self.size = 1
        self.tasks: deque[StartTask | Gang] = deque()
        self.fans: deque[Fan] = deque()
        self.running = 0
        self.passed = 0


def tell_excess(graph: Graph, limits: Limits) -> Iterator[str]:
    """Say for each step that asks for more than there is what it asks for, and what it gets.

    Of gangs only those are known whose size stands in the code.
    """
    for step in graph:
        nodes = graph[step].num_parallel or ""
        if nodes.isdecimal() and int(nodes) > limits.slots:
            yield (
                f"step `{step}` leads to a gang of {nodes} tasks where {limits.slots} may run at "
                "once: they start when no other runs"
            )
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

    A gang waits in line like a task, for room for all of its nodes; then they are the next to be
    taken. One that asks for more than there is, in slots, at once or in resources, starts when
    nothing else has any of that. Slots are kept for it as resources are for a task.
    """

    def __init__(self, graph: Graph, limits: Limits) -> None:
        self._slots, self._patience = limits.slots, limits.patience
        capacity = _amounts(limits.cpu, limits.memory_mb, limits.gpu)
        self._capacity, self._free = capacity, list(capacity)
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
        self._called: deque[StartTask] = deque()  # the nodes of a gang that is let in

    def __len__(self) -> int:
        return self._running

    def running(self, step: str) -> int:
        """Return how many tasks of a step run."""
        return self._lane_of[step].running

    def add(self, item: StartTask | Fan | Gang) -> None:
        """Put a task, a gang, or all elements of a fan, in line."""
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
            if isinstance(item, Gang):
                self._size_up(lane)

    def take(self) -> StartTask | None:
        """Start the first task that fits: it counts as running from now. None if there is none."""
        if self._called:
            return self._called.popleft()
        if self._running >= self._slots:
            return None
        blocked: _Lane | None = None
        for entry in self._line:
            lane = self._lanes[entry % self._steps]
            if lane.running >= lane.at_once:
                continue
            if lane.running and lane.running + lane.size > lane.at_once:
                continue
            if self._running + lane.size > self._slots or not self._has_room(lane.wants):
                blocked = blocked or lane
                continue
            if blocked is not None and not self._leaves_room(lane, blocked):
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

    def _leaves_room(self, lane: _Lane, blocked: _Lane) -> bool:
        """Say whether another lane's task would leave what a blocked one waits for."""
        if blocked.size > 1 and self._running + lane.size + blocked.size > self._slots:
            return False
        return self._has_room(lane.wants, beside=blocked.wants)

    def _size_up(self, lane: _Lane) -> None:
        """Note what the gang that is next in a lane takes, which is never more than there is."""
        nodes = len(lane.tasks[0]) if lane.tasks and isinstance(lane.tasks[0], Gang) else 1
        lane.size = min(nodes, self._slots)
        cpu, memory, gpu = lane.needs
        wants = (nodes * cpu, nodes * memory, nodes * gpu)
        cpu, memory, gpu = map(min, wants, self._capacity)
        lane.wants = (cpu, memory, gpu)

    def _start(self, lane: _Lane, entry: int) -> StartTask:
        lane.passed = 0
        if entry < self._steps:
            item = lane.tasks.popleft()
            if not lane.tasks:
                self._line.remove(entry)
            if isinstance(item, Gang):
                self._size_up(lane)
                for _ in item.tasks:
                    self._use(lane)
                task, *others = item.tasks
                self._called.extend(others)
                return task
            self._use(lane)
            return item
        self._use(lane)
        fan = lane.fans[0]
        task = fan.take()
        if not fan:
            lane.fans.popleft()
        if not lane.fans:
            self._line.remove(entry)
        return task

    def _use(self, lane: _Lane) -> None:
        """Take what a task of a lane needs."""
        lane.running += 1
        self._running += 1
        self._free = [free - need for free, need in zip(self._free, lane.needs, strict=True)]


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
