"""One run: how it went, its steps, its tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from flowkit.client.namespaces import NamespaceMismatch, namespace_for
from flowkit.client.step import Step
from flowkit.client.tags import change_tags
from flowkit.client.task import Task
from flowkit.client.values import ArtifactValues, Entries
from flowkit.client.views import View, missing_run, split_pathspec
from flowkit.client.workspace import Workspace, current_workspace
from flowkit.errors import Corrupt, NotFound
from flowkit.graph import FlowDescription, Graph
from flowkit.metadata import RunRow
from flowkit.records import RunRecord, RunStatus
from flowkit.values import Failure, ProjectBranch, RunId, TableUse, TaskKey

if TYPE_CHECKING:
    from flowkit.client.flows import Flow
    from flowkit.flow import Triggers


class Run(View):
    """A run. Iterating gives its steps, `run["fit"]` one of them.

    Raises:
        NotFound: the run does not exist.
        NamespaceMismatch: it is not in the namespace.
    """

    shape: ClassVar[str] = "Flow/run"

    def __init__(
        self, pathspec: str, *, workspace: Workspace | None = None, check_namespace: bool = True
    ) -> None:
        flow, run_id = split_pathspec(Run, pathspec)
        workspace = workspace or current_workspace()
        row = workspace.metadata.run(RunId(flow, run_id))
        if row is None:
            raise missing_run(workspace, RunId(flow, run_id))
        name = namespace_for(workspace) if check_namespace else None
        if name is not None and name not in (*row.tags, *row.system_tags):
            raise NamespaceMismatch(what=f"run `{pathspec}`", namespace=name)
        self._begin(row, workspace)

    @classmethod
    def of(cls, row: RunRow, workspace: Workspace) -> Run:
        """Return the run that a row tells of."""
        view = cls.__new__(cls)
        view._begin(row, workspace)
        return view

    def _begin(self, row: RunRow, workspace: Workspace) -> None:
        super().__init__(str(row.run), workspace)
        self._known = row

    @property
    def row(self) -> RunRow:
        """What the index knows of the run as it began, and of its tags."""
        return self._known

    @property
    def parent(self) -> Flow:
        """The flow."""
        from flowkit.client.flows import Flow

        return Flow(self._known.run.flow, workspace=self._workspace, check_namespace=False)

    @property
    def status(self) -> RunStatus:
        """How the run stands; `lost`: it has no end, and its driver is dead."""
        return self._now.status

    @property
    def successful(self) -> bool:
        """Whether the run ended well."""
        return self._now.status == "succeeded"

    @property
    def finished(self) -> bool:
        """Whether the run ended, well or badly. One that is lost has not."""
        return self._now.finished_at is not None

    @property
    def created_at(self) -> datetime:
        """When the run began."""
        return self._known.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When the run ended; None if it has not."""
        return self._now.finished_at

    @property
    def user(self) -> str:
        """Whose run it is."""
        return self._known.user

    @property
    def failure(self) -> Failure | None:
        """What made the run fail, if that is known."""
        return self._now.failure

    @property
    def failed_tasks(self) -> list[Task]:
        """The tasks that failed for good, first one first."""
        step_tasks = ((key.step, key.task_id) for key in self._now.failed)
        return [Task.find(self, step, task_id) for step, task_id in step_tasks]

    @property
    def origin_pathspec(self) -> str | None:
        """The run that this one resumes, or None."""
        return str(self._known.origin) if self._known.origin else None

    @property
    def trigger(self) -> Triggers | None:
        """What started the run, if it was the end of other runs; None if a person did."""
        from flowkit.flow import Triggers

        def opened(run: RunId) -> Run:
            return Run(str(run), workspace=self._workspace, check_namespace=False)

        runs = self._record.triggers
        return Triggers(runs, opened) if runs else None

    @property
    def project(self) -> ProjectBranch | None:
        """The project, and the branch of it, that the run is in; None without `@project`."""
        return self._record.project

    @property
    def end_task(self) -> Task | None:
        """The task of the last step; None until it begins."""
        key = TaskKey(self._known.end_step)
        row = self._workspace.metadata.task(self._known.run, key)
        return Task.of(self, row) if row else None

    @property
    def data(self) -> ArtifactValues | None:
        """The values of the last step's artifacts; None until that step has ended well."""
        task = self.end_task
        return task.data if task is not None and task.successful else None

    @property
    def parameters(self) -> ArtifactValues:
        """The values of the run's parameters."""
        names = frozenset(one.attribute for one in self.description.parameters)
        manifests = (self._known.parameters,)
        entries = Entries(f"run `{self._pathspec}`", self._workspace.store, manifests, names)
        return ArtifactValues(entries)

    @cached_property
    def description(self) -> FlowDescription:
        """The flow as it was when the run began."""
        return self._record.description

    @cached_property
    def _record(self) -> RunRecord:
        return self._workspace.store.run_record(self._known.run)

    @cached_property
    def graph(self) -> Graph:
        """The flow's shape. Raises Corrupt if the run's record has no steps."""
        if not self.description.nodes:
            raise Corrupt(f"runs/{self._known.run}/run.json", "its flow has no steps")
        return Graph(self.description)

    @property
    def code(self) -> None:
        """The code package of a run whose tasks ran elsewhere; runs of this machine have none."""
        return None

    def steps(self) -> Iterator[Step]:
        """Yield the steps that have begun: clones first, then in order of their first start."""
        for row in self._workspace.metadata.steps(self._known.run):
            yield Step.of(self, row.step)

    @property
    def tables(self) -> list[TableUse]:
        """The snapshots of tables that its tasks read or wrote, each once, by table.

        Tasks that are clones count: the run stands on what they have read.
        """
        return sorted({use for step in self for task in step for use in task.tables})

    @property
    def tags(self) -> frozenset[str]:
        """All tags, as they were when this view was made or last changed them."""
        return self.user_tags | self.system_tags

    @property
    def user_tags(self) -> frozenset[str]:
        """The tags that users gave the run."""
        return frozenset(self._known.tags)

    @property
    def system_tags(self) -> frozenset[str]:
        """The tags that flowkit gave the run; they stay as they are."""
        return frozenset(self._known.system_tags)

    def add_tag(self, tag: str) -> None:
        """Add a tag. Raises UsageError if it is not allowed, or there are 50 already."""
        self.replace_tags((), (tag,))

    def add_tags(self, tags: Iterable[str]) -> None:
        """Add tags, all or none. Raises UsageError."""
        self.replace_tags((), tags)

    def remove_tag(self, tag: str) -> None:
        """Remove a tag, if it is there. Raises UsageError if it is a system tag."""
        self.replace_tags((tag,), ())

    def remove_tags(self, tags: Iterable[str]) -> None:
        """Remove those of the tags that are there. Raises UsageError for a system tag."""
        self.replace_tags(tags, ())

    def replace_tag(self, tag_to_remove: str, tag_to_add: str) -> None:
        """Remove one tag and add another, in one change. Raises UsageError."""
        self.replace_tags((tag_to_remove,), (tag_to_add,))

    def replace_tags(self, tags_to_remove: Iterable[str], tags_to_add: Iterable[str]) -> None:
        """Remove and add tags in one change; one that is in both is added. Raises UsageError."""
        change_tags(
            self._workspace,
            self._known.run,
            add=tags_to_add,
            remove=tags_to_remove,
            system_tags=self._known.system_tags,
        )
        self._refresh()

    def __iter__(self) -> Iterator[Step]:
        return self.steps()

    def __getitem__(self, step: str) -> Step:
        return Step.find(self, step)

    def __contains__(self, step: str) -> bool:
        try:
            self[step]
        except NotFound:
            return False
        return True

    @property
    def _now(self) -> RunRow:
        """What is known of the run, asked for again as long as it has not ended."""
        if self._known.finished_at is None:
            self._refresh()
        return self._known

    def _refresh(self) -> None:
        # A run that was deleted meanwhile stays what it was.
        self._known = self._workspace.metadata.run(self._known.run) or self._known
