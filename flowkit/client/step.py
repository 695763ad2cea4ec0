"""One step of a run: its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from flowkit.client.facts import environment_of
from flowkit.client.own_attempt import note_own_attempt
from flowkit.client.task import Task
from flowkit.client.views import RunPart, missing_step, split_pathspec
from flowkit.client.workspace import Workspace
from flowkit.errors import NotFound
from flowkit.metadata import AttemptStatus, StepRow, TaskRow

if TYPE_CHECKING:
    from flowkit.client.run import Run

_PAGE = 1000


class Step(RunPart):
    """A step that has begun. Iterating gives its tasks, `step["3"]` the one with that id.

    Raises:
        NotFound: the run does not exist, or has no task of the step yet.
        NamespaceMismatch: the run is not in the namespace.
    """

    shape: ClassVar[str] = "Flow/run/step"

    def __init__(
        self, pathspec: str, *, workspace: Workspace | None = None, check_namespace: bool = True
    ) -> None:
        from flowkit.client.run import Run

        flow, run_id, step = split_pathspec(Step, pathspec)
        run = Run(f"{flow}/{run_id}", workspace=workspace, check_namespace=check_namespace)
        self._begin(run, step)
        self._check()

    @classmethod
    def of(cls, run: Run, step: str) -> Step:
        """Return a run's step that is known to have tasks."""
        view = cls.__new__(cls)
        view._begin(run, step)
        return view

    @classmethod
    def find(cls, run: Run, step: str) -> Step:
        """Return a run's step. Raises NotFound."""
        view = cls.of(run, step)
        view._check()
        return view

    def _begin(self, run: Run, step: str) -> None:
        super().__init__(f"{run.pathspec}/{step}", run)
        self._name = step

    def _check(self) -> None:
        note_own_attempt(self._workspace, self._run.row.run, self._name)
        if not self._page(limit=1):
            known = [row.step for row in self._workspace.metadata.steps(self._run.row.run)]
            raise missing_step(self._run.pathspec, self._name, known)

    @property
    def parent(self) -> Run:
        """The run."""
        return self._run

    @property
    def created_at(self) -> datetime | None:
        """When the first task started; None if all tasks are clones."""
        return self._row.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When the latest task ended; None while one runs, or if all are clones."""
        row = self._row
        return None if row.running else row.finished_at

    @property
    def counts(self) -> StepRow:
        """How many tasks there are, and how they stand."""
        return self._row

    @property
    def task(self) -> Task:
        """The first task: the only one of a step outside all foreaches."""
        return Task.of(self._run, self._page(limit=1)[0])

    @property
    def control_task(self) -> Task | None:
        """The control task, node 0, of the first gang; None if the step has no `@parallel`."""
        return next(self.control_tasks(), None)

    def control_tasks(self) -> Iterator[Task]:
        """Yield the control tasks: node 0 of each gang, of which there are many in a foreach."""
        if self._run.graph.is_gang(self._name):
            yield from (task for task in self.tasks() if task.index == 0)

    def tasks(
        self, *tags: str, status: AttemptStatus | None = None, limit: int | None = None
    ) -> Iterator[Task]:
        """Yield the tasks in the order of their keys, `limit` at most.

        `tags`: none of the tasks unless the run, whose tags they have, has all of them.
        `status`: only tasks whose latest attempt stands so.
        """
        left = limit if {*tags} <= self.tags else 0
        last: TaskRow | None = None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self._page(limit=size, after=last, status=status)
            for row in page:
                yield Task.of(self._run, row)
            if len(page) < size:
                return
            last = page[-1]
            left = None if left is None else left - size

    @property
    def parent_steps(self) -> Iterator[Step]:
        """The steps that lead to this one and have tasks in this run."""
        graph = self._run.graph
        return self._begun(graph.parents(self._name))

    @property
    def child_steps(self) -> Iterator[Step]:
        """The steps that this one leads to, if they have tasks in this run."""
        targets = self._run.graph[self._name].targets
        return self._begun(tuple(step for step in targets if step != self._name))

    @property
    def environment_info(self) -> dict[str, str]:
        """What the step's tasks ran in: versions, host and user."""
        return environment_of(self._run.row)

    def __iter__(self) -> Iterator[Task]:
        return self.tasks()

    def __getitem__(self, task_id: str) -> Task:
        return Task.find(self._run, self._name, str(task_id))

    def __contains__(self, task_id: str) -> bool:
        try:
            self[task_id]
        except NotFound:
            return False
        return True

    @property
    def _row(self) -> StepRow:
        (row,) = self._workspace.metadata.steps(self._run.row.run, self._name)
        return row

    def _page(
        self,
        *,
        limit: int,
        after: TaskRow | None = None,
        status: AttemptStatus | None = None,
    ) -> list[TaskRow]:
        return self._workspace.metadata.tasks(
            self._run.row.run,
            self._name,
            after=after.key if after else None,
            status=status,
            limit=limit,
        )

    def _begun(self, names: tuple[str, ...]) -> Iterator[Step]:
        for name in names:
            step = Step.of(self._run, name)
            if step._page(limit=1):
                yield step
