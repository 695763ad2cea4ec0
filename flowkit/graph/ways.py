"""Where steps lead, as far as that can be said of a flow that may have faults."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from flowkit.graph.model import FlowDescription, Kind, Node

Edge = tuple[str, str]
Edges = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways through a flow, without circles, and how far they are known.

    `edges` lead from every step to others that the flow has: those that are written, and those
    that can be presumed for a name that no step has. The last edge of each circle is left out,
    which cuts nothing off from the start. `start` and `end` are "" if nothing can be presumed for
    them; a missing end is presumed to be what the steps hand over to.

    `circles` are the steps of each circle that is written; the last leads back to the first.
    `doubtful` edges may not be meant: presumed ones, those of circles, those from the end.
    `loose` steps might lead anywhere. From `unsure` ones, some way is not known up to the end: it
    comes to a loose step or a doubtful edge. `looped` splits are opened by a circle that does not
    join them: perhaps no split was meant.
    """

    nodes: Mapping[str, Node]
    start: str
    end: str
    edges: Edges
    circles: tuple[tuple[str, ...], ...]
    doubtful: frozenset[Edge]
    loose: frozenset[str]
    unsure: frozenset[str]
    looped: frozenset[str]

    def reached(self, *roots: str) -> set[str]:
        """Return these steps and all that they lead to."""
        return _reached(self.edges, roots)


def find_ways(description: FlowDescription, unread: Collection[str] = ()) -> Ways:
    """Follow the hand-overs of a flow. Those of `unread` steps are not known."""
    nodes = {node.name: node for node in description.nodes}
    named = {one for node in nodes.values() for one in node.targets if one != node.name}
    unnamed = [name for name in nodes if name not in named]
    start = description.start if description.start in nodes else nearest("start", unnamed) or ""
    end = description.end if description.end in nodes else _presumed_end(nodes, named, unread)
    written: dict[str, tuple[str, ...]] = {end: ()} if end else {}
    presumed, loose = set[Edge](), set[str]()
    for name, node in nodes.items():
        guesses = {one: meant(node, one, nodes) for one in node.targets if one not in (*nodes, end)}
        written[name] = _targets(node, guesses)
        doubted = written[name] if name == end else guesses.values()
        presumed.update((name, one) for one in doubted if one)
        goes_nowhere = (not node.targets and name != end) or is_endless(node)
        if goes_nowhere or None in guesses.values():
            loose.add(name)
    circles = tuple(find_circles(_without(written, presumed), start))
    edges = _without(written, {(one[-1], one[0]) for one in circles})
    # Circles that only presumed edges make are no faults; they are cut all the same.
    others = tuple(find_circles(edges, start))
    edges = _without(edges, {(one[-1], one[0]) for one in others})
    turning = {step for circle in circles + others for step in circle}
    doubtful = presumed | {
        (step, one) for step in turning for one in written[step] if one in turning
    }
    return Ways(
        nodes=nodes,
        start=start,
        end=end,
        edges=edges,
        circles=circles,
        doubtful=frozenset(doubtful),
        loose=frozenset(loose),
        unsure=frozenset(_reached(_reversed(edges), loose | {step for step, _ in doubtful})),
        looped=frozenset(split for one in circles + others for split in _left_open(one, nodes)),
    )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that another one was probably meant to be, or None."""
    return next(iter(get_close_matches(name, list(names), n=1)), None)


def meant(node: Node, target: str, nodes: Iterable[str]) -> str | None:
    """Return the step that a step probably hands over to where it names none of the flow's."""
    return nearest(target, (one for one in nodes if one != node.name and one not in node.targets))


def is_silent(node: Node) -> bool:
    """Say whether a step does not say at all which one comes next."""
    return not node.targets and node.kind is not Kind.SWITCH and not node.kind.fans_out


def is_endless(node: Node) -> bool:
    """Say whether a step is a loop that has no way out."""
    return node.kind is Kind.SWITCH and set(node.targets) == {node.name}


def find_circles(edges: Edges, start: str) -> Iterator[tuple[str, ...]]:
    """Yield the steps of each circle: a depth-first search, without recursion.

    It begins at the start, so that whatever can be reached from there still can if the edge from
    the last step of each circle to its first is taken away.
    """
    done: set[str] = set()
    for root in ([start] if start in edges else []) + list(edges):
        path: dict[str, Iterator[str]] = {}
        if root not in done:
            path[root] = iter(edges[root])
        while path:
            step = next(reversed(path))
            target = next(path[step], None)
            if target is None:
                path.popitem()
                done.add(step)
            elif target in path:
                way = [*path]
                yield tuple(way[way.index(target) :])
            elif target not in done:
                path[target] = iter(edges[target])


def _targets(node: Node, guesses: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return where a step leads, with guesses in place of names that no step has."""
    kept = [guesses.get(one, one) for one in node.targets]
    # A switch may go back to its own step: that is a loop, no circle.
    loop = node.name if node.kind is Kind.SWITCH else None
    return tuple(dict.fromkeys(one for one in kept if one is not None and one != loop))


def _presumed_end(
    nodes: Mapping[str, Node], named: Collection[str], unread: Collection[str]
) -> str:
    """Return the end that is missing: a step of that name, or the only one that goes nowhere."""
    if "end" in named:
        return "end"
    last = [name for name, node in nodes.items() if is_silent(node) and name not in unread]
    return last[0] if len(last) == 1 else ""


def _left_open(circle: Iterable[str], nodes: Mapping[str, Node]) -> list[str]:
    left: list[str] = []
    for step in circle:
        if nodes[step].is_join and left:
            left.pop()
        if nodes[step].kind.opens:
            left.append(step)
    return left


def _without(edges: Edges, cut: Collection[Edge]) -> dict[str, tuple[str, ...]]:
    return {
        step: tuple(one for one in targets if (step, one) not in cut)
        for step, targets in edges.items()
    }


def _reversed(edges: Edges) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {step: [] for step in edges}
    for step, targets in edges.items():
        for target in targets:
            found[target].append(step)
    return {step: tuple(parents) for step, parents in found.items()}


def _reached(edges: Edges, roots: Iterable[str]) -> set[str]:
    found = set(roots)
    left = list(found)
    while left:
        fresh = [step for step in edges[left.pop()] if step not in found]
        found.update(fresh)
        left.extend(fresh)
    return found
