"""One artifact of a task."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from flowkit.client.views import RunPart, restore, split_pathspec
from flowkit.client.workspace import Workspace

if TYPE_CHECKING:
    from flowkit.client.task import Task


class Artifact(RunPart):
    """An artifact: what it is, and its value, which is loaded when asked for.

    `attempt`: of which attempt; by default the latest.

    Raises:
        NotFound: the task, or its artifact, does not exist.
        NamespaceMismatch: the run is not in the namespace.
    """

    shape: ClassVar[str] = "Flow/run/step/task/artifact"

    def __init__(
        self,
        pathspec: str,
        attempt: int | None = None,
        *,
        workspace: Workspace | None = None,
        check_namespace: bool = True,
    ) -> None:
        from flowkit.client.task import Task

        *path, name = split_pathspec(Artifact, pathspec)
        task = Task("/".join(path), attempt, workspace=workspace, check_namespace=check_namespace)
        self._begin(task, name)

    @classmethod
    def of(cls, task: Task, name: str) -> Artifact:
        """Return a task's artifact. Raises ArtifactMissing."""
        view = cls.__new__(cls)
        view._begin(task, name)
        return view

    def _begin(self, task: Task, name: str) -> None:
        super().__init__(f"{task.pathspec}/{name}", task.run)
        self._task = task
        self._entry = task.entries.get(name)

    @property
    def parent(self) -> Task:
        """The task."""
        return self._task

    @property
    def data(self) -> Any:
        """The value, loaded anew each time it is asked for."""
        return self._workspace.store.load(self._entry)

    @property
    def sha(self) -> str:
        """64 hex digits that name the value: equal ones mean equal artifacts."""
        return self._entry.digest.hex()

    @property
    def size(self) -> int:
        """Bytes of the value as it is stored, before compression."""
        return self._entry.size_bytes

    @property
    def type_name(self) -> str:
        """The name of the value's type; telling it loads nothing."""
        return self._entry.type_name

    @property
    def created_at(self) -> datetime | None:
        """When the task ended, which is when its artifacts came to be."""
        return self._task.finished_at

    @property
    def finished_at(self) -> datetime | None:
        """The same as `created_at`."""
        return self._task.finished_at

    def _identity(self) -> tuple[object, ...]:
        return (Artifact, self._pathspec, self._task.pinned)

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (Artifact, self._pathspec, self._task.pinned)


DataArtifact = Artifact
"""The name that Metaflow gives it."""
