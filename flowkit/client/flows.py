"""All flows, and one flow: its runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from flowkit.client.namespaces import NamespaceMismatch, namespace_for
from flowkit.client.run import Run
from flowkit.client.views import View, missing_flow, split_pathspec
from flowkit.client.workspace import Workspace, current_workspace
from flowkit.errors import NotFound
from flowkit.metadata import RunRow
from flowkit.records import RunStatus
from flowkit.values import RunId

_PAGE = 100


class Metaflow:
    """All flows that have runs in the namespace. Iterating gives them by name."""

    def __init__(self, *, workspace: Workspace | None = None) -> None:
        self._workspace = workspace or current_workspace()

    @property
    def flows(self) -> list[Flow]:
        """The flows, by name."""
        return list(self)

    def __iter__(self) -> Iterator[Flow]:
        name = namespace_for(self._workspace)
        for row in self._workspace.metadata.flows(tags=() if name is None else (name,)):
            yield Flow(row.name, workspace=self._workspace, check_namespace=False)

    def __getitem__(self, name: str) -> Flow:
        return Flow(name, workspace=self._workspace)

    def __contains__(self, name: str) -> bool:
        try:
            self[name]
        except (NotFound, NamespaceMismatch):
            return False
        return True

    def __repr__(self) -> str:
        return "Metaflow()"


class Flow(View):
    """A flow that has runs. Iterating gives its runs, newest first; `flow["12"]` is one of them.

    Only runs in the namespace are shown.

    Raises:
        NotFound: no run of the flow exists.
        NamespaceMismatch: runs exist, but none in the namespace.
    """

    shape: ClassVar[str] = "Flow"

    def __init__(
        self, name: str, *, workspace: Workspace | None = None, check_namespace: bool = True
    ) -> None:
        split_pathspec(Flow, name)
        super().__init__(name, workspace or current_workspace())
        if check_namespace and self._latest() is None:
            metadata = self._workspace.metadata
            if metadata.latest_run(name) is None:
                raise missing_flow(self._workspace, name)
            (namespace,) = self._namespace
            raise NamespaceMismatch(what=f"flow `{name}`", namespace=namespace)

    @property
    def parent(self) -> None:
        """A flow has no parent."""
        return None

    @property
    def created_at(self) -> datetime | None:
        """When the flow's first run began; None once all are deleted."""
        rows = self._workspace.metadata.flows()
        return next((row.first_started_at for row in rows if row.name == self._pathspec), None)

    @property
    def finished_at(self) -> None:
        """A flow does not end."""
        return None

    @property
    def latest_run(self) -> Run | None:
        """The newest run, whatever its state; None if there is none."""
        return self._run(self._latest())

    @property
    def latest_successful_run(self) -> Run | None:
        """The newest run that ended well; None if there is none."""
        return self._run(self._latest("succeeded"))

    def runs(
        self, *tags: str, status: RunStatus | None = None, limit: int | None = None
    ) -> Iterator[Run]:
        """Yield the runs that have all the tags, newest first, `limit` at most."""
        left, before = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self._workspace.metadata.runs(
                self._pathspec,
                tags=(*self._namespace, *tags),
                status=status,
                limit=size,
                before=before,
            )
            for row in page:
                yield Run.of(row, self._workspace)
            if len(page) < size:
                return
            before = page[-1].run
            left = None if left is None else left - size

    def __iter__(self) -> Iterator[Run]:
        return self.runs()

    def __getitem__(self, run_id: str) -> Run:
        return Run(f"{self._pathspec}/{run_id}", workspace=self._workspace)

    def __contains__(self, run_id: str) -> bool:
        row = self._workspace.metadata.run(RunId(self._pathspec, str(run_id)))
        return row is not None and {*self._namespace} <= {*row.tags, *row.system_tags}

    @property
    def _namespace(self) -> tuple[str, ...]:
        name = namespace_for(self._workspace)
        return () if name is None else (name,)

    def _latest(self, status: RunStatus | None = None) -> RunRow | None:
        metadata = self._workspace.metadata
        return metadata.latest_run(self._pathspec, tags=self._namespace, status=status)

    def _run(self, row: RunRow | None) -> Run | None:
        return Run.of(row, self._workspace) if row else None
