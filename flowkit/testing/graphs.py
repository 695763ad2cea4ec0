"""Flows to test with, as descriptions: a few by name, and any number by hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from flowkit.graph import (
    Case,
    Catch,
    FlowDescription,
    Kind,
    Node,
    Place,
    Policies,
    Resources,
    Retry,
    Timeout,
)

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

Choice = TypeVar("Choice")

_FILE = "flow.py"
_IN_GANG = Policies(parallel=True)


def describe_node(
    name: str,
    kind: Kind,
    *targets: str,
    is_join: bool = False,
    policies: Policies | None = None,
) -> Node:
    """Make a node that is valid by itself: a switch has a case a target, a foreach its items.

    The step that a gang leads to needs policies that say so.
    """
    return Node(
        name=name,
        kind=kind,
        place=Place(_FILE, 1),
        targets=targets,
        is_join=is_join,
        foreach="items" if kind is Kind.FOREACH else None,
        num_parallel="self.nodes" if kind is Kind.GANG else None,
        condition="choice" if kind is Kind.SWITCH else None,
        cases=tuple(Case(one, one) for one in targets) if kind is Kind.SWITCH else (),
        policies=policies or Policies(),
        code=f"code of {name}",
    )


def describe_flow(*nodes: Node, name: str = "AnyFlow") -> FlowDescription:
    """Make a description of nodes that begin with the start and finish with the end."""
    return FlowDescription(
        name=name, file=_FILE, start=nodes[0].name, end=nodes[-1].name, nodes=nodes
    )


_END = describe_node("end", Kind.END)
_NODES: Mapping[str, Sequence[Node]] = {
    "single": [describe_node("start", Kind.END)],
    "linear": [
        describe_node("start", Kind.LINEAR, "middle"),
        describe_node("middle", Kind.LINEAR, "end"),
        _END,
    ],
    "split": [
        describe_node("start", Kind.SPLIT, "b", "a"),
        describe_node("a", Kind.LINEAR, "join"),
        describe_node("b", Kind.LINEAR, "join"),
        describe_node("join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
    "foreach": [
        describe_node("start", Kind.FOREACH, "body"),
        describe_node("body", Kind.LINEAR, "tail"),
        describe_node("tail", Kind.LINEAR, "join"),
        describe_node("join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
    "nested_foreach": [
        describe_node("start", Kind.FOREACH, "outer"),
        describe_node("outer", Kind.FOREACH, "inner"),
        describe_node("inner", Kind.LINEAR, "inner_join"),
        describe_node("inner_join", Kind.LINEAR, "outer_join", is_join=True),
        describe_node("outer_join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
    "split_in_foreach": [
        describe_node("start", Kind.FOREACH, "fork"),
        describe_node("fork", Kind.SPLIT, "left", "right"),
        describe_node("left", Kind.LINEAR, "fork_join"),
        describe_node("right", Kind.LINEAR, "fork_join"),
        describe_node("fork_join", Kind.LINEAR, "join", is_join=True),
        describe_node("join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
    "switch": [
        describe_node("start", Kind.SWITCH, "yes", "no"),
        describe_node("yes", Kind.LINEAR, "after"),
        describe_node("no", Kind.LINEAR, "after"),
        describe_node("after", Kind.LINEAR, "end"),
        _END,
    ],
    "switch_in_foreach": [
        describe_node("start", Kind.FOREACH, "decide"),
        describe_node("decide", Kind.SWITCH, "yes", "no", "join"),
        describe_node("yes", Kind.LINEAR, "join"),
        describe_node("no", Kind.LINEAR, "join"),
        describe_node("join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
    "gang": [
        describe_node("start", Kind.GANG, "train"),
        describe_node("train", Kind.LINEAR, "join", policies=_IN_GANG),
        describe_node("join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
    "gang_in_foreach": [
        describe_node("start", Kind.FOREACH, "open"),
        describe_node("open", Kind.GANG, "train"),
        describe_node("train", Kind.LINEAR, "gather", policies=_IN_GANG),
        describe_node("gather", Kind.LINEAR, "join", is_join=True),
        describe_node("join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
    "loop": [
        describe_node("start", Kind.LINEAR, "turn"),
        describe_node("turn", Kind.SWITCH, "turn", "end"),
        _END,
    ],
    "loop_in_foreach": [
        describe_node("start", Kind.FOREACH, "turn"),
        describe_node("turn", Kind.SWITCH, "turn", "leave"),
        describe_node("leave", Kind.LINEAR, "join"),
        describe_node("join", Kind.LINEAR, "end", is_join=True),
        _END,
    ],
}

SHAPES: Mapping[str, FlowDescription] = {
    name: describe_flow(*nodes) for name, nodes in _NODES.items()
}
"""The shapes that every part of flowkit has to cope with, by name."""


def flow_descriptions(
    *, depth: int = 2, with_policies: bool = True, with_gangs: bool = True
) -> SearchStrategy[FlowDescription]:
    """Return a strategy of valid flows: chains, splits, foreaches, gangs, switches, loops, nested.

    `depth`: how often one may be inside another. Without policies no step has a retry, catch,
    timeout, resources or limit.
    """
    # Whoever only wants the named shapes needs no hypothesis.
    from hypothesis import strategies

    def compose(draw: DrawFn) -> FlowDescription:
        composer = _Composer(draw, with_policies=with_policies, with_gangs=with_gangs)
        return composer.flow(depth)

    return strategies.composite(compose)()


class _Composer:
    """Builds a flow from its end, so that a step's targets are there before it is."""

    def __init__(self, draw: DrawFn, *, with_policies: bool, with_gangs: bool) -> None:
        from hypothesis import strategies

        self._draw, self._st = draw, strategies
        self._with_policies = with_policies
        self._fans = (Kind.FOREACH, Kind.GANG) if with_gangs else (Kind.FOREACH,)
        self._nodes: list[Node] = []

    def flow(self, depth: int) -> FlowDescription:
        shape = self._pick(*["chain"] * 5, *["joined"] * 4, "single")
        if shape == "single":
            self._add(Kind.END, name="start")
        elif shape == "joined":
            end = self._add(Kind.END, name="end", is_join=True)
            self._open(end, depth, kind=self._pick(Kind.SPLIT, *self._fans), name="start")
        else:
            self._chain(self._add(Kind.END, name="end"), depth, name="start")
        return describe_flow(*reversed(self._nodes))

    def _chain(self, after: str, depth: int, *, name: str | None = None) -> str:
        """Add one or two blocks before a step; return the first step."""
        for left in reversed(range(self._pick(1, 1, 2))):
            after = self._block(after, depth, name=None if left else name)
        return after

    def _block(
        self, after: str, depth: int, *, is_join: bool = False, name: str | None = None
    ) -> str:
        nested = (Kind.SPLIT, *self._fans, Kind.SWITCH)
        kind = self._pick(Kind.LINEAR, *nested) if depth else Kind.LINEAR
        if kind is Kind.LINEAR:
            return self._add(kind, after, is_join=is_join, name=name)
        if kind is Kind.SWITCH:
            return self._switch(after, depth, is_join=is_join, name=name)
        join = self._block(after, depth - 1, is_join=True)
        return self._open(join, depth, kind=kind, is_join=is_join, name=name)

    def _open(
        self, join: str, depth: int, *, kind: Kind, is_join: bool = False, name: str | None
    ) -> str:
        arms = self._pick(2, 3) if kind is Kind.SPLIT else 1
        if kind is Kind.GANG:
            targets = [self._add(Kind.LINEAR, join, in_gang=True)]
        else:
            targets = [self._chain(join, depth - 1) for _ in range(arms)]
        return self._add(kind, *targets, is_join=is_join, name=name)

    def _switch(self, after: str, depth: int, *, is_join: bool, name: str | None) -> str:
        targets = [self._chain(after, depth - 1) for _ in range(self._pick(1, 2))]
        if self._pick(True, False):
            targets.insert(0, after)
        name = name or self._fresh_name(Kind.SWITCH)
        if not is_join and self._pick(True, False):
            targets.insert(0, name)
        return self._add(Kind.SWITCH, *targets, is_join=is_join, name=name)

    def _add(
        self,
        kind: Kind,
        *targets: str,
        is_join: bool = False,
        in_gang: bool = False,
        name: str | None = None,
    ) -> str:
        policies = self._policies(kind) if self._with_policies else Policies()
        policies = replace(policies, parallel=in_gang)
        name = name or self._fresh_name(kind)
        self._nodes.append(describe_node(name, kind, *targets, is_join=is_join, policies=policies))
        return name

    def _fresh_name(self, kind: Kind) -> str:
        return f"{kind}_{len(self._nodes)}"

    def _policies(self, kind: Kind) -> Policies:
        # Catch cannot stand in for a decision how to go on.
        may_catch = kind not in (Kind.FOREACH, Kind.GANG, Kind.SWITCH)
        return Policies(
            retry=self._pick(None, None, Retry(1, 0), Retry(2, 5), Retry(0, 5)),
            catch=self._pick(None, Catch()) if may_catch else None,
            timeout=self._pick(None, Timeout(3), Timeout(10)),
            resources=self._pick(None, None, Resources(2, 1000, 1), Resources(0.1, 5000)),
            concurrency=self._pick(None, None, 1, 2),
        )

    def _pick(self, *choices: Choice) -> Choice:
        return self._draw(self._st.sampled_from(choices))
