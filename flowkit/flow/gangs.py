"""Gangs: how many tasks run as one, and what each of them knows of the others."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any, Final

from flowkit.errors import StepRaised
from flowkit.graph import Node
from flowkit.values import TaskKey, TaskSpec
from flowkit.wording import shown

LOCAL_IP = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Parallel:
    """The gang around a task: `node_index` of `num_nodes`, from 0, of which 0 is the control task.

    `main_ip` is where the control task can be reached; `control_task_id` is its id in the step. A
    step without `@parallel` is a gang of one.
    """

    main_ip: str
    num_nodes: int
    node_index: int
    control_task_id: str


MOST_NODES: Final = 1_000_000


def gang_around(spec: TaskSpec, *, is_gang: bool) -> Parallel:
    """Return the gang that a task is a node of; without one, a gang of the task alone."""
    key = spec.attempt.key
    if not is_gang:
        return Parallel(LOCAL_IP, 1, 0, key.task_id)
    node = spec.frames[-1]
    control = TaskKey(key.step, (*key.path[:-1], 0))
    return Parallel(LOCAL_IP, node.width, node.index, control.task_id)


def gang_size(step: str, given: object) -> int:
    """Return a `num_parallel` as a number. Raises StepRaised if no gang can have that size."""
    size = 0
    if not isinstance(given, bool) and hasattr(given, "__index__"):
        size = index(given)
    if not 1 <= size <= MOST_NODES:
        raise StepRaised(
            f"step `{step}` gives self.next `num_parallel={shown(given)}`",
            hint=f"give a whole number from 1 to {MOST_NODES:,}: that many tasks run at once",
        )
    return size


def written_size(node: Node) -> Any:
    """Return the `num_parallel` that stands in a step's code, for a decorator that goes on for it.

    Raises:
        StepRaised: the step's own code would have to compute it.
    """
    written = node.num_parallel or ""
    if not written.isdecimal():
        raise StepRaised(
            f"step `{node.name}` did not run, which computes `num_parallel={written}`",
            hint='let the decorator say how the flow goes on: `{"num_parallel": 4}`',
        )
    return int(written)
