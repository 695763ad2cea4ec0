"""`current`: what a step may ask about the task it is in."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowkit.flow.gangs import Parallel, gang_around
from flowkit.flow.triggers import Triggers
from flowkit.graph import FlowDescription
from flowkit.values import TableUse, TaskSpec


class CurrentTask(Struct, frozen=True, kw_only=True):
    """The running task, set once per attempt by the worker."""

    spec: TaskSpec
    description: FlowDescription
    open_tempdir: Callable[[], str]
    note_table: Callable[[TableUse], None]
    cards: Any = None
    """What the step has as `current.card`; None without a card."""


class Current:
    """Facts about the running task; outside a task, only `is_running_flow` answers.

    >>> from flowkit import current
    >>> current.is_running_flow
    False
    """

    def __init__(self) -> None:
        self._task: CurrentTask | None = None

    def enter(self, task: CurrentTask | None) -> CurrentTask | None:
        """Set the running task and return the one before; for workers only."""
        before, self._task = self._task, task
        return before

    def find_spec(self) -> TaskSpec | None:
        """Return what the running attempt was told, or None outside a task."""
        return self._task.spec if self._task is not None else None

    def note_table(self, use: TableUse) -> None:
        """Have the running task tell, in what it leaves, that it used a snapshot of a table.

        Outside a task nobody is there to tell, and nothing is noted.
        """
        if self._task is not None:
            self._task.note_table(use)

    def _spec(self) -> TaskSpec:
        if self._task is None:
            raise AttributeError("no task is running: `current` answers inside a step")
        return self._task.spec

    @property
    def is_running_flow(self) -> bool:
        """Whether a task is running in this process."""
        return self._task is not None

    @property
    def flow_name(self) -> str:
        """The flow's name."""
        return self._spec().run.flow

    @property
    def run_id(self) -> str:
        """The run's id, unique within the flow."""
        return self._spec().run.id

    @property
    def step_name(self) -> str:
        """The step's name."""
        return self._spec().attempt.key.step

    @property
    def task_id(self) -> str:
        """The task's id, unique within run and step."""
        return self._spec().attempt.key.task_id

    @property
    def retry_count(self) -> int:
        """How many attempts came before this one."""
        return self._spec().attempt.number

    @property
    def origin_run_id(self) -> str | None:
        """The run that this one resumes, or None."""
        return self._spec().origin_run

    @property
    def pathspec(self) -> str:
        """`Flow/run/step/task`."""
        return f"{self._spec().run}/{self._spec().attempt.key}"

    @property
    def namespace(self) -> str | None:
        """The namespace that the run belongs to."""
        return self._spec().namespace

    @property
    def username(self) -> str:
        """The user who started the run."""
        return self._spec().user

    @property
    def tags(self) -> frozenset[str]:
        """The run's tags as it started."""
        return frozenset(self._spec().tags)

    @property
    def parameter_names(self) -> list[str]:
        """The names of the flow's parameters."""
        self._spec()
        assert self._task is not None
        return [one.attribute for one in self._task.description.parameters]

    @property
    def graph_info(self) -> dict[str, Any]:
        """The flow's graph, as `flowkit graph --json` prints it."""
        from flowkit.graph import to_json  # few steps ask, and it takes longer than a step may

        self._spec()
        assert self._task is not None
        info: dict[str, Any] = msgspec.json.decode(to_json(self._task.description))
        return info

    @property
    def tempdir(self) -> str:
        """A folder of this attempt's own, removed when it ends."""
        self._spec()
        return self._task.open_tempdir() if self._task else ""

    @property
    def project_name(self) -> str | None:
        """The name of the flow's `@project`; None without one, and so are the next four."""
        project = self._spec().project
        return project.project if project else None

    @property
    def branch_name(self) -> str | None:
        """The branch of the project: `user.NAME`, `test.NAME`, `prod` or `prod.NAME`."""
        project = self._spec().project
        return project.branch if project else None

    @property
    def project_flow_name(self) -> str | None:
        """The flow's name with project and branch before it."""
        spec = self._spec()
        return spec.project.flow_name(spec.run.flow) if spec.project else None

    @property
    def is_production(self) -> bool | None:
        """Whether the run is in the project's production branch."""
        project = self._spec().project
        return project.is_production if project else None

    @property
    def is_user_branch(self) -> bool | None:
        """Whether the run is in a user's own branch of the project."""
        project = self._spec().project
        return project.is_user_branch if project else None

    @property
    def trigger(self) -> Triggers | None:
        """What started the run, if it was the end of other runs; None if a person did."""
        runs = self._spec().triggers
        return Triggers(runs) if runs else None

    @property
    def parallel(self) -> Parallel:
        """The gang that the task is a node of; outside of `@parallel`, a gang of the task alone."""
        return gang_around(self._spec(), is_gang=self.is_parallel)

    @property
    def is_parallel(self) -> bool:
        """Whether the step has `@parallel`."""
        step = self._spec().attempt.key.step
        assert self._task is not None
        nodes = self._task.description.nodes
        return any(node.name == step and node.policies.parallel for node in nodes)

    @property
    def card(self) -> Any:
        """The step's cards, to append to; on a step without one, what is appended is lost."""
        spec = self._spec()
        assert self._task is not None
        if self._task.cards is None:
            step = spec.attempt.key.step
            self._task = replace(self._task, cards=import_module("flowkit.cards").NoCards(step))
        return self._task.cards

    @property
    def run(self) -> Any:
        """The run as a client object."""
        spec = self._spec()
        # By name: the client is a higher room, which flows know nothing of.
        client = import_module("flowkit.client")
        workspace = client.workspace_of(spec.store.url)
        return client.Run(str(spec.run), workspace=workspace, check_namespace=False)

    @property
    def task(self) -> Any:
        """The task as a client object."""
        spec = self._spec()
        client = import_module("flowkit.client")
        workspace = client.workspace_of(spec.store.url)
        return client.Task(
            self.pathspec, spec.attempt.number, workspace=workspace, check_namespace=False
        )

    def flow_file(self) -> str | None:
        """Return the file of the flow whose task is running in this process; None outside."""
        return self._task.spec.flow_file if self._task is not None else None

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact by name, or `default` if there is none."""
        return getattr(self, name) if name in self else default

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or name.startswith("_"):
            return False
        known = isinstance(getattr(type(self), name, None), property)
        return known and (self._task is not None or name == "is_running_flow")

    def __repr__(self) -> str:
        return f"<current: {self.pathspec if self._task else 'no task is running'}>"


current = Current()
