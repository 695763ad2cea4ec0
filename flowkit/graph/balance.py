"""Splits and joins: each split is closed by exactly one join that gets all of its branches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from flowkit.graph.faults import Fault
from flowkit.graph.model import Node, Place
from flowkit.graph.ways import Edges, Ways

Open = tuple[tuple[str, str], ...]
"""The splits that are open at a step, outermost first, each with the branch that was taken."""


def check_balance(
    ways: Ways, *, unclear: Collection[str], call: Callable[[str], Place]
) -> list[Fault]:
    """Follow every way from the start, keeping account of the open splits.

    `call` gives the place of a step's self.next. A step downstream of a fault is not judged: what
    is wrong there may follow from it. Nor is what is downstream of `unclear` steps, which may be
    joins or not, and of splits that may be none.
    """
    return _Account(ways, unclear, call).faults()


class _Account:
    """Which splits are open at each step, found in topological order."""

    def __init__(self, ways: Ways, unclear: Collection[str], call: Callable[[str], Place]) -> None:
        self._ways, self._nodes, self._call = ways, ways.nodes, call
        self._unclear = {*unclear} if ways.end in ways.nodes else {*unclear, ways.end}
        self._arrived: dict[str, dict[Open, str]] = {ways.start: {(): ""}}
        """For each step, how it is reached, and by which step first."""
        self._perhaps: dict[str, dict[Open, str]] = {}
        """The same by doubtful edges, which only count where no others lead."""
        self._unknown: set[str] = set()
        self._closed_by: dict[str, str] = {}

    def faults(self) -> list[Fault]:
        found: list[Fault] = []
        for step in topological(self._ways.edges, self._ways.start):
            fault, open_here = self._settle(step)
            if fault is not None:
                found.append(fault)
            self._hand_over(step, open_here)
        return found

    def _hand_over(self, step: str, open_here: Open | None) -> None:
        for target in self._ways.edges[step]:
            is_doubtful = (step, target) in self._ways.doubtful
            if open_here is not None and step not in self._ways.looped:
                opens = self._nodes[step].kind.opens
                there = (*open_here, (step, target)) if opens else open_here
                arrived = self._perhaps if is_doubtful else self._arrived
                arrived.setdefault(target, {}).setdefault(there, step)
            elif not is_doubtful:
                self._unknown.add(target)

    def _settle(self, step: str) -> tuple[Fault | None, Open | None]:
        """Decide which splits are open at a step; None if that cannot be said."""
        if step in self._unknown or step in self._unclear:
            return None, None
        sure = self._arrived.get(step)
        arrived = sure or self._perhaps.get(step)
        if arrived is None:
            return None, None
        node = self._nodes[step]
        fault, open_here = self._join(node, arrived) if node.is_join else _pass(node, arrived)
        if step == self._ways.end and open_here:
            fault = self._unjoined(step, open_here[-1][0])
        # Where a doubtful way leads to a fault, it may just not be meant.
        return (fault, open_here) if sure or fault is None else (None, None)

    def _unjoined(self, end: str, split: str) -> Fault:
        return Fault(
            "split-unjoined",
            f"step `{split}` splits the flow, and nothing joins it before `{end}`",
            f"end its branches in a step that takes inputs: `def join_{split}(self, inputs)`",
            place=self._call(split),
        )

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
        ways = self._ways
        missing = [
            one for one in ways.edges[split] if one not in branches and one not in ways.unsure
        ]
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


def topological(edges: Edges, start: str) -> list[str]:
    """Sort what can be reached from the start; there are no circles.

    Targets are followed last one first, so that the reverse has branches in their written order.
    """
    left: list[str] = []
    seen = {start}
    stack: list[tuple[str, Iterator[str]]] = [(start, reversed(edges[start]))]
    while stack:
        step, targets = stack[-1]
        target = next(targets, None)
        if target is None:
            left.append(step)
            stack.pop()
        elif target not in seen:
            seen.add(target)
            stack.append((target, reversed(edges[target])))
    return left[::-1]


def _pass(node: Node, arrived: Mapping[Open, str]) -> tuple[Fault | None, Open | None]:
    if len(arrived) == 1:
        return None, next(iter(arrived))
    if len({tuple(split for split, _ in there) for there in arrived}) > 1:
        return _nesting(node, arrived), None
    return Fault(
        "inputs-missing",
        f"branches from {_listed(arrived.values())} meet in step `{node.name}`, "
        "which takes no inputs",
        f"write `def {node.name}(self, inputs)`",
        place=node.place,
    ), None


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
