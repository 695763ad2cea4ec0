"""Fingerprints: what a task depends on, told before it runs.

Two tasks of a step with the same fingerprint come to the same, so far as code can be followed and
nothing outside decides: time, network, files and chance are not in it. Where it is not known what
a step reads, all that it could read counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from blake3 import blake3
from msgspec.json import encode

from flowkit.graph import FlowDescription, Kind, Node
from flowkit.values import ArtifactEntry, Behaviour, Digest, Fingerprint, Frame, Manifest, TaskKey

Artifacts = Mapping[str, ArtifactEntry]

_TAG = "flowkit fingerprint 1"
_DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSight:
    """All that a task can see of its run, besides parameters and constants.

    `inputs` gives the artifacts of each input, without parameters and constants, and is gone
    through once. `element` returns the digest of a foreach's element and `elements` that of all of
    them, or None where the manifest of the foreach does not tell.
    """

    key: TaskKey
    inputs: Iterable[Artifacts]
    input_steps: tuple[str, ...]
    frames: tuple[Frame, ...]
    joined: Frame | None
    element: Callable[[Frame], Digest | None]
    elements: Callable[[Frame], Digest | None]


class Fingerprints:
    """Fingerprints of the tasks of one run; what tasks of a step have in common is kept."""

    def __init__(self, description: FlowDescription, constants: Artifacts) -> None:
        self._constants = constants
        self._kinds = {one.attribute: "parameter" for one in description.parameters}
        self._kinds.update({one.attribute: "config" for one in description.configs})
        self._python = description.python
        self._sources = description.sources
        self._versions = dict(description.versions)
        self._nodes = {node.name: node for node in description.nodes}
        self._common: dict[str, dict[str, str] | None] = {}

    def of(self, sight: TaskSight) -> Fingerprint | None:
        """Return a task's fingerprint; None if something that it depends on cannot be told."""
        node = self._nodes[sight.key.step]
        if not node.code or node.reach.untold:
            return None
        common = self._of_step(node)
        if common is None:
            return None
        components = dict(common)
        if node.is_join:
            inputs = self._digest_of_inputs(sight)
            if inputs is None:
                return None
            components["inputs"] = inputs
        else:
            for artifacts in sight.inputs:
                for name in _seen(node, artifacts):
                    identity = self._identity(artifacts[name])
                    if identity is None:
                        return None
                    components[f"artifact:{name}"] = identity.hex()[:_DIGITS]
        gangs = [self._is_gang(frame) for frame in sight.frames]
        if not _add_place(components, node, sight, gangs):
            return None
        lines = (f"{name}={components[name]}" for name in sorted(components))
        text = "\n".join((_TAG, node.name, *lines))
        return Fingerprint(digest=Digest(blake3(text.encode()).digest()), components=components)

    def _is_gang(self, frame: Frame) -> bool:
        node = self._nodes.get(frame.step)
        return node is not None and node.kind is Kind.GANG

    def _of_step(self, node: Node) -> dict[str, str] | None:
        """Return the components that all tasks of a step share, or None if some cannot be told."""
        if node.name not in self._common:
            self._common[node.name] = self._find_of_step(node)
        return self._common[node.name]

    def _find_of_step(self, node: Node) -> dict[str, str] | None:
        common = {"code": node.code[:_DIGITS], "python": _hashed(self._python)}
        for package in node.reach.packages:
            common[f"package:{package}"] = _hashed(self._versions.get(package, ""))
        for name, value in node.policies.variables:
            common[f"variable:{name}"] = _hashed(value)
        if node.policies.secrets is not None:
            # Where secrets are kept, and not what they are: a new password makes nothing stale.
            common["secrets"] = _hashed(encode(node.policies.secrets).decode())
        if node.policies.catch is not None:
            common["catch"] = _hashed(node.policies.catch.var or "")
        for name in _seen(node, self._constants):
            kind = self._kinds.get(name, "constant")
            identity = self._identity(self._constants[name])
            if identity is None:
                return None
            common[f"{kind}:{name}"] = identity.hex()[:_DIGITS]
        return common

    def _identity(self, entry: ArtifactEntry) -> Digest | None:
        return identity_with(entry.digest, entry.behaviour, self._sources)

    def _digest_of_inputs(self, sight: TaskSight) -> str | None:
        """Return a digest of all artifacts of all inputs of a join, in order."""
        parts: list[bytes] = ["\0".join(sight.input_steps).encode()]
        for artifacts in sight.inputs:
            one = [b"input"]
            for name in sorted(artifacts):
                identity = self._identity(artifacts[name])
                if identity is None:
                    return None
                one += (name.encode(), identity)
            parts.append(blake3(b"\0".join(one)).digest())
        return blake3(b"".join(parts)).hexdigest()[:_DIGITS]


def identity_with(digest: Digest, behaviour: Behaviour, sources: str) -> Digest | None:
    """Return what tells a value and its behaviour apart; None if that cannot be told.

    `digest` is the value's own, `sources` that of the project's code.
    """
    if not behaviour:
        return digest
    if behaviour == "lazy" or not sources:
        return None
    return Digest(blake3(digest + sources.encode()).digest())


def composed(
    old: Manifest, *, inherited: Artifacts, constants: Artifacts, taken: Iterable[str] = ()
) -> Artifacts | None:
    """Return the artifacts of a task for which an earlier one with its fingerprint stands.

    They are what the earlier task set itself, over what is inherited today. None if the earlier
    manifest does not tell that, or if a name that it set is a parameter or constant by now.

    Args:
        old: what the earlier task left.
        inherited: the artifacts of the task's only input, without parameters and constants; none
            for a join.
        constants: the run's parameters and constants.
        taken: the names that a join took over from its inputs as they were.
    """
    if old.own is None or any(name in constants for name in old.own):
        return None
    kept = {name: entry for name, entry in inherited.items() if name not in old.dropped}
    for name in (*taken, *old.own):
        kept[name] = old.artifacts[name]
    return {**constants, **kept}


def are_equal(one: Artifacts, other: Artifacts) -> bool:
    """Say whether two manifests hold the same artifacts, wherever their bytes lie."""
    return one.keys() == other.keys() and all(
        entry.digest == other[name].digest for name, entry in one.items()
    )


def _seen(node: Node, artifacts: Artifacts) -> Iterable[str]:
    """Return the names of those artifacts that a step may read."""
    if node.reach.is_open:
        return list(artifacts)
    names = {*node.reach.names, *filter(None, (node.foreach, node.condition))}
    return [name for name in artifacts if name in names]


def _add_place(
    components: dict[str, str], node: Node, sight: TaskSight, gangs: Sequence[bool]
) -> bool:
    """Add where the task is among its siblings, as far as it can see that.

    `gangs` are the frames that are no foreach. False if it can see its element, but the manifest of
    the foreach does not tell it apart.
    """
    names = node.reach.names
    frames = [one for one, is_gang in zip(sight.frames, gangs, strict=True) if not is_gang]
    if any(gangs):
        # Whatever it asks of its gang, it is one node of so many.
        of = ",".join(f"{one.index}/{one.width}" for one in sight.frames)
        components["node"] = _hashed(of)
    asks = {"input", "index", "foreach_stack"}.intersection(names)
    if node.reach.is_open or "current" in names:
        components["task"] = _hashed(sight.key.task_id)
    sees_all = node.reach.is_open or "foreach_stack" in asks or (node.is_join and bool(asks))
    wanted: dict[str, Digest | None] = {}
    if sees_all:
        wanted.update({f"element:{at}": sight.element(one) for at, one in enumerate(frames)})
        where = ",".join(f"{one.index}/{one.width}" for one in frames)
        components["index"] = _hashed(where)
        if sight.joined is not None:
            wanted["elements"] = sight.elements(sight.joined)
    elif frames:
        if "input" in asks:
            wanted["element"] = sight.element(frames[-1])
        if "index" in asks:
            components["index"] = _hashed(str(frames[-1].index))
    for name, digest in wanted.items():
        if digest is None:
            return False
        components[name] = digest.hex()[:_DIGITS]
    return True


def _hashed(text: str) -> str:
    return str(blake3(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS])
