"""Tasks of earlier runs that stand for new ones, because nothing they depend on has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from flowkit.client import Workspace
from flowkit.errors import MetadataError, StoreError
from flowkit.graph import Graph
from flowkit.plan import Artifacts, StartTask, are_equal, are_one_attempt, composed
from flowkit.records import Clone, RunRecord
from flowkit.values import Digest, Manifest, RunId, TaskKey
from flowkit.worker import TaskSights


class Reuse:
    """Finds, for tasks that could start, those of earlier runs with the same fingerprint.

    `within`: the only run to look in, all of whose tasks are read then. What goes wrong costs only
    time: the task runs.
    """

    def __init__(
        self,
        workspace: Workspace,
        record: RunRecord,
        *,
        within: RunId | None,
        warn: Callable[[str], None],
    ) -> None:
        self._store, self._metadata, self._warn = workspace.store, workspace.metadata, warn
        self._run, self._within = record.run, within
        graph = Graph(record.description)
        self._gangs = frozenset(filter(graph.is_gang, graph))
        self._joins = {node.name for node in record.description.nodes if node.is_join}
        self._sights = TaskSights(workspace.store, record.description, record.parameters)
        self._is_broken = False

    def find(self, tasks: Sequence[StartTask]) -> dict[TaskKey, Clone]:
        """Return the clones to make of tasks, which are all of one step; others have to run."""
        known: list[tuple[StartTask, Digest]] = []
        for task in tasks:
            try:
                fingerprint = self._sights.fingerprint(task)
            except StoreError:
                continue  # the task itself will meet the same, and tell it better
            if fingerprint is not None:
                known.append((task, fingerprint.digest))
        found = self._computed(tasks[0].attempt.key.step, [digest for _, digest in known])
        clones: dict[TaskKey, Clone] = {}
        for task, digest in known:
            if digest in found and (clone := self._clone(task, found[digest])) is not None:
                clones[task.attempt.key] = clone
        if tasks[0].attempt.key.step in self._gangs:
            # Nodes that ended well in different attempts have never been one gang.
            is_whole = len(clones) == len(tasks) and are_one_attempt([*clones.values()])
            return clones if is_whole else {}
        return clones

    def _computed(self, step: str, digests: list[Digest]) -> Mapping[Digest, Clone]:
        if self._is_broken or not digests:
            return {}
        try:
            if self._within is not None:
                return self._finished.get(step, {})
            return self._metadata.computed(self._run, step, digests)
        except MetadataError as error:
            self._is_broken = True
            self._warn(f"{error.message}; no earlier task is found, so all run anew")
            return {}

    @cached_property
    def _finished(self) -> dict[str, dict[Digest, Clone]]:
        """What there is in the run `within`, by step."""
        assert self._within is not None
        found: dict[str, dict[Digest, Clone]] = {}
        finished = self._metadata.finished(self._within).values()
        # Of tasks with one fingerprint, the one that was computed there.
        for clone in sorted(finished, key=lambda clone: clone.origin == self._within):
            if clone.fingerprint is not None:
                found.setdefault(clone.key.step, {})[clone.fingerprint] = clone
        return found

    def _clone(self, task: StartTask, earlier: Clone) -> Clone | None:
        """Return the clone that stands for a task; None if its objects are not all there."""
        key = task.attempt.key
        try:
            manifest = self._manifest(task, earlier.outcome.manifest)
            # From here on it is kept: the run that it came from may be deleted at any time.
            if manifest is None or not self._store.refresh_manifest(manifest):
                return None
        except StoreError:
            return None
        return replace(
            earlier,
            key=key,
            outcome=replace(earlier.outcome, manifest=manifest),
            origin_key=None if earlier.computed == key else earlier.computed,
        )

    def _manifest(self, task: StartTask, earlier: Digest) -> Digest | None:
        """Return the manifest that the task would leave: the earlier one if it is the same."""
        old = self._store.manifest(earlier)
        constants = self._sights.constants
        if task.attempt.key.step in self._joins:
            artifacts = composed(
                old, inherited={}, constants=constants, taken=self._taken(task, old)
            )
        else:
            (inherited,) = self._sights.inputs(task)
            artifacts = composed(old, inherited=inherited, constants=constants)
        if artifacts is None:
            return None
        if are_equal(artifacts, old.artifacts):
            return earlier
        return self._store.put_manifest(replace(old, artifacts=artifacts))

    def _taken(self, task: StartTask, old: Manifest) -> Iterator[str]:
        """Yield the names that a join took over from its inputs, by merging or as it read them."""
        own, constants = old.own or (), self._sights.constants
        left = {name for name in old.artifacts if name not in constants and name not in own}
        inputs: Iterator[Artifacts] = self._sights.inputs(task)
        while left and (artifacts := next(inputs, None)) is not None:
            # The others were parameters or constants of that run, and are no longer.
            yield from left.intersection(artifacts)
            left = left.difference(artifacts)
