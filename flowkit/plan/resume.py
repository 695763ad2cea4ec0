"""Which tasks of an earlier run still hold for a flow that may have changed since."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from flowkit.errors import NotFound
from flowkit.graph import FlowDescription, Graph, Node
from flowkit.values import Outcome, TaskKey


class ResumePlan(Struct, frozen=True):
    """What a resumed run may clone, and why it runs the other steps anew.

    `reusable` is what `RunStarted` takes: it may hold tasks behind one that runs anew, which the
    scheduler does not clone. `reasons` names the steps that run anew for a reason of their own,
    in topological order; what follows them runs anew as far as it depends on them. `mended` names
    the steps whose code changed after some of their tasks had failed: the others' results hold.
    """

    reusable: Mapping[TaskKey, Outcome]
    reasons: Mapping[str, str]
    mended: tuple[str, ...] = ()


def reusable(
    old: FlowDescription,
    new: FlowDescription,
    finished: Mapping[TaskKey, Outcome],
    *,
    from_step: str | None = None,
    unfinished: Collection[str] = (),
    changed_constants: Collection[str] = (),
) -> ResumePlan:
    """Compare a flow with the one that an earlier run ran, and say what holds.

    Args:
        old: the flow as the earlier run ran it.
        new: the flow as it is now.
        finished: the tasks of the earlier run that succeeded, its own clones among them.
        from_step: the step that runs anew with all that comes after it, whatever has changed.
        unfinished: the steps of which a task failed or was cut off. Their code changes because
            somebody mends it, and a thousand results must not be lost over the one that failed.
        changed_constants: the constants that have another value than in the earlier run. A step
            that names one has changed as if by its code.

    Raises:
        NotFound: `from_step` is no step of the flow; a UsageError.
    """
    graph = Graph(new)
    if from_step is not None:
        check_step(from_step, graph)
    behind = graph.descendants(from_step) if from_step is not None else frozenset()
    before = {node.name: node for node in old.nodes}
    ran = {key.step for key in finished}
    reasons: dict[str, str] = {}
    mended: list[str] = []
    for step in graph:
        reason = _reshaping(before.get(step), graph[step])
        edit = _edit(before.get(step), graph[step], changed_constants)
        if reason is None and step in ran:
            if edit is not None and step in unfinished:
                mended.append(step)
            else:
                reason = edit
        if step == from_step:
            reason = "named on the command line"
        elif step in behind:
            reason = f"comes after `{from_step}`"
        if reason is not None:
            reasons[step] = reason
    held = finished
    if not ran.issubset(set(graph).difference(reasons)):
        held = {
            key: outcome
            for key, outcome in finished.items()
            if key.step in graph and key.step not in reasons
        }
    return ResumePlan(held, reasons, tuple(step for step in mended if step not in reasons))


def _reshaping(old: Node | None, new: Node) -> str | None:
    """Say why, whatever it does, a step's earlier tasks do not stand for its new ones, or None."""
    if old is None:
        return "new step"
    return "hands over differently" if _way(old) != _way(new) else None


def _edit(old: Node | None, new: Node, changed_constants: Collection[str]) -> str | None:
    """Say what was changed in what a step does, or None."""
    if old is not None and old.code != new.code:
        return "code changed"
    changed = [name for name in new.constants if name in changed_constants]
    return f"constant `{changed[0]}` changed" if changed else None


def _way(node: Node) -> tuple[object, ...]:
    return (
        *(node.kind, node.targets, node.is_join),
        *(node.foreach, node.num_parallel, node.condition),
    )


def check_step(step: str, graph: Graph) -> None:
    """See that a flow has a step to resume from. Raises NotFound."""
    if step in graph:
        return
    # Only a mistake needs it, and it imports regular expressions.
    from difflib import get_close_matches

    near = get_close_matches(step, list(graph), n=3)
    names = near or list(graph)
    raise NotFound(
        f"flow `{graph.name}` has no step `{step}` to resume from",
        hint=f"{'did you mean' if near else 'name one of'} {', '.join(f'`{n}`' for n in names)}"
        + ("?" if near else ""),
    )
