"""What a task can see, read from the store: for its worker, and for a driver before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from flowkit.graph import FlowDescription
from flowkit.plan import Fingerprints, TaskSight
from flowkit.store import Store
from flowkit.values import Digest, Fingerprint, Frame, TaskSpec

if TYPE_CHECKING:
    from flowkit.plan import Artifacts, StartTask

    Placed = TaskSpec | StartTask
    """A task with its inputs, to be started or started."""

MOST_INPUTS: Final = 10_000
"""A join of more is not worth opening all its inputs once more, unless somebody asks for it."""
_KEPT: Final = 8


class TaskSights:
    """Fingerprints of the tasks of one run, from manifests; no artifact is loaded.

    `constants` are the run's parameters and constants.
    """

    def __init__(self, store: Store, description: FlowDescription, parameters: Digest) -> None:
        self._store = store
        self.constants: Final = store.manifest(parameters).artifacts
        self._fingerprints = Fingerprints(description, self.constants)
        self._elements: dict[Digest, bytes | None] = {}

    def fingerprint(self, task: Placed) -> Fingerprint | None:
        """Return a task's fingerprint, or None if it cannot be told. Raises StoreError."""
        sight = TaskSight(
            key=task.attempt.key,
            inputs=self.inputs(task),
            input_steps=task.input_steps,
            frames=task.frames,
            joined=task.joined,
            element=self._element,
            elements=self._all_elements,
        )
        return self._fingerprints.of(sight)

    def inputs(self, task: Placed) -> Iterator[Artifacts]:
        """Yield the artifacts of each input, without parameters and constants."""
        for digest in task.inputs:
            found = self._store.manifest(digest).artifacts
            yield {name: entry for name, entry in found.items() if name not in self.constants}

    def _element(self, frame: Frame) -> Digest | None:
        if frame.items not in self._elements:
            entry = self._store.manifest(frame.items).item_digests
            digests = self._store.load(entry) if entry is not None else None
            self._elements[frame.items] = digests if isinstance(digests, bytes) else None
            while len(self._elements) > _KEPT:
                del self._elements[next(iter(self._elements))]
        known = self._elements[frame.items]
        at = frame.index * Digest.SIZE
        return Digest(known[at : at + Digest.SIZE]) if known is not None else None

    def _all_elements(self, frame: Frame) -> Digest | None:
        entry = self._store.manifest(frame.items).item_digests
        return entry.digest if entry is not None else None
