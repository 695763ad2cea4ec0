"""What is shown of the gang around a task."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from flowkit.client import Task, Workspace
from flowkit.metadata import TaskRow


@dataclass(frozen=True, slots=True)
class ShownGang:
    """The gang that a task is a node of: which one, of how many, and the control task."""

    node_index: int
    num_nodes: int
    control_task: str

    def __str__(self) -> str:
        return f"node {self.node_index} of {self.num_nodes}, control task {self.control_task}"


def gang_of(workspace: Workspace, task: TaskRow) -> ShownGang | None:
    """Return the gang around a task; None if it is no node of one."""
    key = task.key
    view = Task(f"{task.run}/{key}", workspace=workspace, check_namespace=False)
    if view.num_nodes is None:
        return None
    control = replace(key, path=(*key.path[:-1], 0))
    return ShownGang(key.path[-1], view.num_nodes, f"{task.run}/{control}")
