"""Which tasks a task follows, and which follow it, from the flow's shape and the keys alone.

Keys of tasks on the same way start with the same indexes: a task inside a foreach has its
parent's path and one index more, a join one less. A switch leads to the step it chose; turns of
a step that switches to itself follow one another by their iteration.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowkit.graph import Graph, Kind
from flowkit.metadata import Metadata, TaskRow


def parents(metadata: Metadata, graph: Graph, row: TaskRow) -> Iterator[TaskRow]:
    """Yield the tasks that handed over to a task: by step, then in the order of their keys."""
    key = row.key
    if key.iteration:
        steps: tuple[str, ...] = (key.step,)
    else:
        steps = graph.parents(key.step)
    for step in steps:
        under = key.path[: graph.depth(step)]
        for parent in metadata.tasks(row.run, step, under=under):
            if _hands_over(graph, parent, row):
                yield parent


def children(metadata: Metadata, graph: Graph, row: TaskRow) -> Iterator[TaskRow]:
    """Yield the tasks that a task handed over to: by step, then in the order of their keys."""
    key = row.key
    for step in graph[key.step].targets:
        under = key.path[: graph.depth(step)]
        for child in metadata.tasks(row.run, step, under=under):
            if _hands_over(graph, row, child):
                yield child


def nodes_of_gang(metadata: Metadata, graph: Graph, row: TaskRow) -> int | None:
    """Return how many nodes the gang of a task has; None if it is no node of a gang."""
    if not graph.is_gang(row.key.step):
        return None
    return next(one.outcome.width for one in parents(metadata, graph, row) if one.outcome)


def _hands_over(graph: Graph, parent: TaskRow, child: TaskRow) -> bool:
    is_same_step = parent.key.step == child.key.step
    if child.key.iteration != (parent.key.iteration + 1 if is_same_step else 0):
        return False
    if graph[parent.key.step].kind is not Kind.SWITCH:
        return True
    return parent.outcome is not None and parent.outcome.choice == child.key.step
