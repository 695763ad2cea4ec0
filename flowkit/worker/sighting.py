"""What a task can see, read from the store: for its worker, and for a driver before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from flowkit.graph import FlowDescription
from flowkit.plan import Fingerprints, TaskSight, identity_with
from flowkit.store import Store
from flowkit.values import BEHAVIOURS, Behaviour, Digest, Fingerprint, Frame, Manifest, TaskSpec

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
        self._elements: dict[Digest, tuple[bytes, Behaviour] | None] = {}
        self._sources = description.sources

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
            self._elements[frame.items] = self._find_elements(frame)
            while len(self._elements) > _KEPT:
                del self._elements[next(iter(self._elements))]
        known = self._elements[frame.items]
        if known is None:
            return None
        digests, behaviour = known
        at = frame.index * Digest.SIZE
        return identity_with(Digest(digests[at : at + Digest.SIZE]), behaviour, self._sources)

    def _find_elements(self, frame: Frame) -> tuple[bytes, Behaviour] | None:
        manifest = self._store.manifest(frame.items)
        entry = manifest.item_digests
        digests = self._store.load(entry) if entry is not None else None
        return (digests, _behaviour(manifest)) if isinstance(digests, bytes) else None

    def _all_elements(self, frame: Frame) -> Digest | None:
        manifest = self._store.manifest(frame.items)
        entry = manifest.item_digests
        return identity_with(entry.digest, _behaviour(manifest), self._sources) if entry else None


def _behaviour(manifest: Manifest) -> Behaviour:
    """Return the behaviour of a foreach's elements: that of which least is known."""
    found = {block.behaviour for block in manifest.items}
    return next((one for one in BEHAVIOURS if one in found), "")
