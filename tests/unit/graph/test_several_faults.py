"""Flows with several faults: all of them are told at once, and what only follows is not."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from flowkit.graph import Case, FlowDescription, Kind, Node, Place, check
from flowkit.testing.graphs import describe_node, flow_descriptions

FAR = "no_such_thing"
"""A name that no step is meant by."""
LONELY = "lonely"
CYCLE = ("cycle", "")


class Harmed(Struct, frozen=True):
    """A flow, and what was done to it: rules with the steps that break them."""

    flow: FlowDescription
    faults: frozenset[tuple[str, str]] = frozenset()
    may_hide_orphans: bool = False
    unread: frozenset[str] = frozenset()
    unclear: frozenset[str] = frozenset()

    def put(self, node: Node, rule: str | None = None, *, loose: bool = False) -> Harmed:
        """Put a step in place of the one of its name, or before the end."""
        nodes = {one.name: one for one in self.flow.nodes[:-1]}
        last = self.flow.nodes[-1]
        changed = (*{**nodes, node.name: node}.values(), last)
        if node.name == last.name:
            changed = (*nodes.values(), node)
        faults = self.faults | ({(rule, node.name)} if rule else set())
        return replace(
            self,
            flow=replace(self.flow, nodes=changed),
            faults=faults,
            may_hide_orphans=self.may_hide_orphans or loose,
        )

    def found(self) -> set[tuple[str, str]]:
        """Return what the checks say, by the steps that they point at; a cycle has many."""
        names = {line: node.name for line, node in enumerate(self.flow.nodes)}
        nodes = tuple(
            replace(node, place=Place("flow.py", line)) for line, node in enumerate(self.flow.nodes)
        )
        flow = replace(self.flow, nodes=nodes)
        faults = check(flow, unread=self.unread, unclear=self.unclear)
        found = {(one.rule, names[one.place.line]) for one in faults if one.place}
        return {CYCLE if rule == "cycle" else (rule, step) for rule, step in found}


def pick(harmed: Harmed, draw: st.DrawFn, fits: Callable[[Node], object]) -> Node | None:
    broken = {step for _, step in harmed.faults} | harmed.unread | harmed.unclear
    nodes = [node for node in harmed.flow.nodes if node.name not in broken and fits(node)]
    return draw(st.sampled_from(nodes)) if nodes else None


def switch(node: Node, *targets: str) -> Node:
    """Let a step switch to these."""
    return replace(
        node, kind=Kind.SWITCH, targets=targets, cases=tuple(Case(one, one) for one in targets)
    )


def silent(node: Node) -> Node:
    """Let a step not say where it goes."""
    return replace(node, kind=Kind.LINEAR, targets=(), cases=())


def leads_on(node: Node) -> bool:
    return bool([one for one in node.targets if one != node.name])


def lose_a_target(harmed: Harmed, draw: st.DrawFn) -> Harmed:
    if node := pick(harmed, draw, leads_on):
        old = draw(st.sampled_from([one for one in node.targets if one != node.name]))
        new = draw(st.sampled_from([FAR, old + "x"]))
        targets = tuple(new if one == old else one for one in node.targets)
        return harmed.put(replace(node, targets=targets), "target-unknown", loose=new == FAR)
    return harmed


def fall_silent(harmed: Harmed, draw: st.DrawFn) -> Harmed:
    if node := pick(harmed, draw, leads_on):
        return harmed.put(silent(node), "next-missing", loose=True)
    return harmed


def be_unreadable(harmed: Harmed, draw: st.DrawFn) -> Harmed:
    if node := pick(harmed, draw, leads_on):
        harmed = harmed.put(silent(node), loose=True)
        return replace(harmed, unread=harmed.unread | {node.name})
    return harmed


def be_unclear(harmed: Harmed, draw: st.DrawFn) -> Harmed:
    if node := pick(harmed, draw, lambda node: node.name != harmed.flow.start):
        harmed = harmed.put(replace(node, is_join=not node.is_join))
        return replace(harmed, unclear=harmed.unclear | {node.name})
    return harmed


def loop_for_ever(harmed: Harmed, draw: st.DrawFn) -> Harmed:
    if node := pick(harmed, draw, lambda node: node.kind is Kind.SWITCH and not node.is_join):
        return harmed.put(switch(node, node.name), "end-unreachable", loose=True)
    return harmed


def add_an_orphan(harmed: Harmed, draw: st.DrawFn) -> Harmed:
    target = pick(harmed, draw, lambda _: True)
    if target and harmed.flow.start != harmed.flow.end:
        return harmed.put(describe_node(LONELY, Kind.LINEAR, target.name), "orphan")
    return harmed


def go_back(harmed: Harmed, draw: st.DrawFn) -> Harmed:
    before = ancestors(harmed.flow)

    def ways_back(node: Node) -> list[str]:
        return sorted(before[node.name] - {*node.targets, node.name, LONELY})

    def may_go_back(node: Node) -> bool:
        return node.kind is Kind.SWITCH and bool(ways_back(node))

    if node := pick(harmed, draw, may_go_back):
        harmed = harmed.put(switch(node, *node.targets, draw(st.sampled_from(ways_back(node)))))
        return replace(harmed, faults=harmed.faults | {CYCLE})
    return harmed


def ancestors(flow: FlowDescription) -> dict[str, set[str]]:
    """Return for each step those that lead to it."""
    found: dict[str, set[str]] = {node.name: set() for node in flow.nodes}
    for _ in flow.nodes:
        for node in flow.nodes:
            for target in {*node.targets} & found.keys() - {node.name}:
                found[target] |= {node.name} | found[node.name]
    return found


# In the order in which they are done: what makes circles comes last.
HARMS = (
    lose_a_target,
    fall_silent,
    be_unreadable,
    be_unclear,
    loop_for_ever,
    add_an_orphan,
    go_back,
)


@st.composite
def harmed_flows(draw: st.DrawFn, most: int = 3) -> Harmed:
    """Draw a flow to which up to so many things were done."""
    harms = draw(st.lists(st.sampled_from(HARMS), min_size=1, max_size=most))
    harmed = Harmed(draw(flow_descriptions(with_policies=False)))
    for harm in sorted(harms, key=HARMS.index):
        harmed = harm(harmed, draw)
    return harmed


@given(harmed_flows())
def test_every_fault_of_a_flow_is_told_and_no_other(harmed: Harmed) -> None:
    found = harmed.found()
    assert found <= harmed.faults
    hidden = {("orphan", LONELY)} if harmed.may_hide_orphans else set()
    assert harmed.faults - found <= hidden
