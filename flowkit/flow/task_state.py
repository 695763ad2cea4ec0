"""What a flow object knows of the task it is in: the one place where a running step changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flowkit.values import ArtifactEntry, Frame


@dataclass(frozen=True, slots=True)
class Transition:
    """What `self.next` was told. `choice`: the step a switch decided for; `nodes`: of a gang."""

    targets: tuple[str, ...]
    foreach: str | None = None
    nodes: int | None = None
    choice: str | None = None


@dataclass(slots=True, kw_only=True)
class TaskState:
    """The task behind a flow object: what it may read, what it has read, where it goes.

    `inherited` are artifacts of the task before, `constants` the run's parameters and the class's
    constants; both load when they are first read. `element` gives the item of an open foreach.
    """

    step: str
    steps: frozenset[str]
    constants: Mapping[str, ArtifactEntry]
    inherited: dict[str, ArtifactEntry]
    load: Callable[[ArtifactEntry], object]
    element: Callable[[Frame], object]
    frames: tuple[Frame, ...] = ()
    joined: Sequence[Mapping[str, ArtifactEntry]] | None = None
    """Artifacts of each input, in split order, if the step is a join."""
    is_input: bool = False
    """Whether this is a task that a join joins: it is over, and can only be read."""
    opens_gang: bool = False
    """Whether the step's code leads to a gang, so that `self.next` has to be given its size."""
    loaded: dict[str, object] = field(default_factory=dict)
    transition: Transition | None = None

    def constant(self, name: str) -> object:
        """Return a parameter or constant, loaded once. Raises KeyError."""
        if name not in self.loaded:
            self.loaded[name] = self.load(self.constants[name])
        return self.loaded[name]

    def artifact(self, name: str) -> object:
        """Return an inherited artifact, loaded once. Raises KeyError."""
        value = self.load(self.inherited[name])
        self.loaded[name] = value
        return value

    def forget(self, name: str) -> bool:
        """Stop inheriting an artifact; False if there was none."""
        self.loaded.pop(name, None)
        return self.inherited.pop(name, None) is not None
