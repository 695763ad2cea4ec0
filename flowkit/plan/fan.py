"""Lazy fan-outs, and the joins that collect them: no object per element.

A foreach of 100,000 elements is a range until its tasks are started, and 34 bytes an element
when they come back.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from flowkit.errors import FlowkitBug
from flowkit.plan.events import StartTask
from flowkit.values import Attempt, Digest, Digests, Frame, Outcome, TaskKey


class Fan(Struct, kw_only=True):
    """The elements of one foreach that have not started, and what their tasks have in common.

    `origin` is the task that fanned out, with `frames` around it; `manifest` what it left.
    `indexes` are the elements to start, in order, of which `taken` are gone.
    """

    step: str
    origin: TaskKey
    frames: tuple[Frame, ...]
    manifest: Digest
    width: int
    last_attempt: bool
    indexes: Sequence[int]
    taken: int = 0

    def __len__(self) -> int:
        return len(self.indexes) - self.taken

    def key(self, index: int) -> TaskKey:
        """Return the key of an element's task."""
        return TaskKey(self.step, (*self.origin.path, index))

    def task(self, index: int) -> StartTask:
        """Return an element's first attempt."""
        frame = Frame(self.origin.step, index, self.width, self.manifest)
        return StartTask(
            Attempt(self.key(index)),
            Digests(bytes(self.manifest)),
            (self.origin.step,),
            (*self.frames, frame),
            last_attempt=self.last_attempt,
        )

    def take(self) -> StartTask:
        """Remove the next element and return its first attempt."""
        index = self.indexes[self.taken]
        self.taken += 1
        return self.task(index)


def cloned_in(
    fan: Fan, reusable: Mapping[TaskKey, Outcome]
) -> tuple[list[tuple[TaskKey, Outcome]], Fan | None]:
    """Return the elements whose tasks are named, in order; and the others as a smaller fan.

    That is None if there are none.
    """
    found: list[tuple[TaskKey, Outcome]] = []
    others = array("Q")
    for index in fan.indexes:
        key = fan.key(index)
        outcome = reusable.get(key)
        if outcome is None:
            others.append(index)
        else:
            found.append((key, outcome))
    return found, replace(fan, indexes=others) if others else None


def split_fan(fan: Fan, size: int) -> tuple[Fan, Fan | None]:
    """Split off the first `size` elements; None if no others are left."""
    if len(fan.indexes) <= size:
        return fan, None
    first, rest = fan.indexes[:size], fan.indexes[size:]
    return replace(fan, indexes=first), replace(fan, indexes=rest)


class Arrivals:
    """The inputs of one waiting join, each at its place in split order.

    `missing` counts those that have not arrived. Steps are kept as their rank in the graph.
    """

    __slots__ = ("_digests", "_steps", "missing")

    def __init__(self, width: int) -> None:
        self._digests = bytearray(width * Digest.SIZE)
        # One more than the rank, so that 0 says that nothing has arrived.
        self._steps = array("H", bytes(2 * width))
        self.missing = width

    def add(self, position: int, manifest: Digest, rank: int) -> None:
        """Put an input at its place. Raises FlowkitBug if there is one."""
        if self._steps[position]:
            raise FlowkitBug(f"input {position} of a join arrived twice")
        self._steps[position] = rank + 1
        self._digests[position * Digest.SIZE : (position + 1) * Digest.SIZE] = manifest
        self.missing -= 1

    def inputs(self) -> Digests:
        """Return the manifests in split order."""
        return Digests(bytes(self._digests))

    def steps(self, order: Sequence[str]) -> tuple[str, ...]:
        """Return the step that each input is from, or one name if it is the same for all.

        `order`: the graph's steps by rank.
        """
        first = self._steps[0]
        if self._steps.count(first) == len(self._steps):
            return (order[first - 1],)
        return tuple(order[number - 1] for number in self._steps)
