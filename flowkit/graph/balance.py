"""Splits and joins: each split is closed by exactly one join that gets all of its branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from flowkit.graph.faults import Fault
from flowkit.graph.model import Kind, Node, Place

Open = tuple[tuple[str, str], ...]
"""The splits that are open at a step, outermost first, each with the branch that was taken."""


def check_balance(
    nodes: Mapping[str, Node], start: str, end: str, *, call: Callable[[str], Place]
) -> list[Fault]:
    """Follow every way from the start, keeping account of the open splits.

    The targets of all nodes exist and make no circle. `call` gives the place of a step's
    self.next. A step downstream of a fault is not judged: what is wrong there may follow from it.
    """
    return _Account(nodes, start, end, call=call).faults()


class _Account:
    """Which splits are open at each step, found in topological order."""

    def __init__(
        self, nodes: Mapping[str, Node], start: str, end: str, *, call: Callable[[str], Place]
    ) -> None:
        self._nodes, self._start, self._end, self._call = nodes, start, end, call
        self._arrived: dict[str, dict[Open, str]] = {}
        """For each step, how it is reached, and by which step first."""
        self._unknown: set[str] = set()
        self._closed_by: dict[str, str] = {}

    def faults(self) -> list[Fault]:
        found: list[Fault] = []
        for step in topological(self._nodes, self._start):
            node = self._nodes[step]
            fault, open_here = self._settle(node)
            if fault is None and step == self._end and open_here:
                split = open_here[-1][0]
                fault = Fault(
                    "split-unjoined",
                    f"step `{split}` splits the flow, and nothing joins it before `{step}`",
                    f"end its branches in a step that takes inputs: `def join_{split}"
                    "(self, inputs)`",
                    place=self._call(split),
                )
            if fault is not None:
                found.append(fault)
            self._hand_over(node, open_here)
        return found

    def _hand_over(self, node: Node, open_here: Open | None) -> None:
        for target in node.targets:
            if open_here is None:
                self._unknown.add(target)
                continue
            opens = node.kind in (Kind.SPLIT, Kind.FOREACH)
            there = (*open_here, (node.name, target)) if opens else open_here
            self._arrived.setdefault(target, {}).setdefault(there, node.name)

    def _settle(self, node: Node) -> tuple[Fault | None, Open | None]:
        """Decide which splits are open at a step; None if that cannot be said."""
        if node.name in self._unknown:
            return None, None
        if node.name == self._start:
            return (_without_split(node), None) if node.is_join else (None, ())
        arrived = self._arrived[node.name]
        if node.is_join:
            return self._join(node, arrived)
        if len(arrived) == 1:
            return None, next(iter(arrived))
        parents = _listed(arrived.values())
        if len({tuple(split for split, _ in there) for there in arrived}) > 1:
            return _nesting(node, arrived), None
        return Fault(
            "inputs-missing",
            f"branches from {parents} meet in step `{node.name}`, which takes no inputs",
            f"write `def {node.name}(self, inputs)`",
            place=node.place,
        ), None

    def _join(self, node: Node, arrived: Mapping[Open, str]) -> tuple[Fault | None, Open | None]:
        if not all(arrived):
            return (_nesting(node, arrived) if any(arrived) else _without_split(node)), None
        splits = sorted({there[-1][0] for there in arrived})
        if len(splits) > 1:
            return Fault(
                "join-mixed",
                f"step `{node.name}` joins branches of different splits: {_listed(splits)}",
                "join the inner split in a step of its own first",
                place=node.place,
            ), None
        fault = self._close(node, splits[0], {there[-1][1] for there in arrived})
        # Around one split the same others are open, whichever of its branches was taken.
        return fault, None if fault else next(iter(arrived))[:-1]

    def _close(self, node: Node, split: str, branches: set[str]) -> Fault | None:
        missing = [one for one in self._nodes[split].targets if one not in branches]
        if missing:
            return Fault(
                "join-uneven",
                f"step `{node.name}` joins the split of `{split}` without its "
                f"branch{'es' if len(missing) > 1 else ''} {_listed(missing)}",
                f"let every branch of `{split}` lead to `{node.name}`",
                place=node.place,
            )
        other = self._closed_by.setdefault(split, node.name)
        if other != node.name:
            return Fault(
                "join-twice",
                f"the split of `{split}` is joined by `{other}` and by `{node.name}`, "
                "and tasks might wait in both",
                f"join `{split}` in one step, and switch after it",
                place=node.place,
            )
        return None


def topological(nodes: Mapping[str, Node], start: str) -> list[str]:
    """Sort what can be reached from the start; the graph has no circle but steps' own loops.

    Targets are followed last one first, so that the reverse has branches in their written order.
    """
    left: list[str] = []
    seen = {start}
    stack: list[tuple[str, Iterator[str]]] = [(start, reversed(nodes[start].targets))]
    while stack:
        step, targets = stack[-1]
        target = next(targets, None)
        if target is None:
            left.append(step)
            stack.pop()
        elif target not in seen:
            seen.add(target)
            stack.append((target, reversed(nodes[target].targets)))
    return left[::-1]


def _without_split(node: Node) -> Fault:
    return Fault(
        "join-without-split",
        f"step `{node.name}` takes inputs, but no split is open there",
        f"write `def {node.name}(self)`, or split the flow before it",
        place=node.place,
    )


def _nesting(node: Node, arrived: Mapping[Open, str]) -> Fault:
    ways = "; ".join(
        f"from `{parent}` inside {_listed(split for split, _ in there) or 'no split'}"
        for there, parent in arrived.items()
    )
    return Fault(
        "nesting",
        f"step `{node.name}` is reached inside different splits: {ways}",
        "join what a branch splits before it meets the others",
        place=node.place,
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
