"""What a flow must keep to: one function a rule or a few close ones, all of them pure.

What only the source shows (arguments, the form of self.next) is checked where it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from flowkit.graph.balance import check_balance
from flowkit.graph.faults import RESERVED_NAMES, Fault, reserved_name
from flowkit.graph.model import FlowDescription, Kind, Node, Place
from flowkit.graph.ways import (
    Ways,
    find_ways,
    is_endless,
    is_silent,
    meant,
    nearest,
)

# ASCII only: a step's name becomes part of paths, commands and pod names, and file systems
# disagree about which spelling of an accented letter is the same name.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFlow:
    """A flow as the rules look at it: see `check` for the fields."""

    description: FlowDescription
    ways: Ways
    place: Place
    calls: Mapping[str, Place]
    unread: Collection[str]
    unclear: Collection[str]

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The steps by name."""
        return self.ways.nodes

    def is_join(self, step: str) -> bool:
        """Whether a name is certain to be a join's."""
        return step in self.nodes and self.nodes[step].is_join and step not in self.unclear

    def call(self, step: str) -> Place:
        """Where a step calls self.next, or at least where it is defined."""
        return self.calls.get(step) or self.nodes[step].place


def check(
    description: FlowDescription,
    *,
    place: Place | None = None,
    calls: Mapping[str, Place] | None = None,
    unread: Collection[str] = (),
    unclear: Collection[str] = (),
) -> list[Fault]:
    """Return all faults of a flow, without those that may only follow from others.

    `place` is where its class is defined, `calls` are the places of the steps' self.next; without
    them, faults point at the file and the steps. Two kinds of steps have a fault already, which
    was found where they were read: the self.next of `unread` ones could not be read, and `unclear`
    ones may be something else than they are taken for: no steps, or joins, or the start. Every
    rule is applied to what is certain of the others.
    """
    flow = JudgedFlow(
        description=description,
        ways=find_ways(description, unread),
        place=place or Place(description.file, 1),
        calls=calls or {},
        unread=unread,
        unclear=unclear,
    )
    return [fault for rule in _RULES for fault in rule(flow)]


def flow_name(flow: JudgedFlow) -> Iterator[Fault]:
    """`flow-name`."""
    if not _NAME.fullmatch(flow.description.name):
        yield Fault(
            "flow-name",
            f"`{flow.description.name}` is no name for a flow",
            "name the class with ASCII letters, digits and underscores, after a letter",
            place=flow.place,
        )


def step_names(flow: JudgedFlow) -> Iterator[Fault]:
    """`step-name`, `name-reserved`."""
    for node in flow.nodes.values():
        if node.name in RESERVED_NAMES:
            yield reserved_name(f"step `{node.name}`", node.name, node.place)
        elif not _NAME.fullmatch(node.name):
            yield Fault(
                "step-name",
                f"`{node.name}` is no name for a step",
                "name it with ASCII letters, digits and underscores, after a letter",
                place=node.place,
            )


def clashes(flow: JudgedFlow) -> Iterator[Fault]:
    """`name-clash`, among the names that a description has."""
    description = flow.description
    taken = {one.attribute: "a parameter" for one in description.parameters}
    taken.update(dict.fromkeys(description.constants, "a constant"))
    folded: dict[str, str] = {}
    for node in flow.nodes.values():
        other = folded.setdefault(node.name.casefold(), node.name)
        if other != node.name:
            # They would share a folder where file names have no case.
            yield _clash(f"steps `{other}` and `{node.name}` differ only in case", node.place)
        if node.name in taken:
            yield _clash(f"`{node.name}` is a step and {taken[node.name]}", node.place)
        var = node.policies.catch.var if node.policies.catch else None
        if var is None:
            continue
        if var in RESERVED_NAMES:
            yield reserved_name(f"the artifact of `@catch`, `{var}`,", var, node.place)
        elif var in taken or var in flow.nodes:
            what = taken.get(var, "a step")
            yield _clash(
                f"`@catch` of step `{node.name}` writes to `{var}`, which is {what}", node.place
            )


def _clash(message: str, place: Place) -> Fault:
    return Fault("name-clash", message, "give one of them another name", place=place)


def catches(flow: JudgedFlow) -> Iterator[Fault]:
    """`catch-misplaced`."""
    for node in flow.nodes.values():
        if node.policies.catch and (node.kind.fans_out or node.kind is Kind.SWITCH):
            lost = node.foreach or node.condition or "num_parallel"
            yield Fault(
                "catch-misplaced",
                f"step `{node.name}` has `@catch`, but could not go on after a failure: "
                f"`{lost}` would be unknown",
                f"move what may fail to a step before `{node.name}`",
                place=node.place,
            )


def foreaches(flow: JudgedFlow) -> Iterator[Fault]:
    """`foreach-target`, `branch-empty`."""
    for node in flow.nodes.values():
        if node.kind.fans_out and len(node.targets) != 1:
            yield Fault(
                "foreach-target",
                f"the {node.kind} of step `{node.name}` leads to {len(node.targets)} steps",
                "let it lead to one step"
                + (", and split there" if node.kind is Kind.FOREACH else ""),
                place=flow.call(node.name),
            )
        if not node.kind.opens:
            continue
        for target in node.targets:
            if flow.is_join(target):
                yield Fault(
                    "branch-empty",
                    f"step `{node.name}` splits the flow and leads straight to the join `{target}`",
                    f"put a step between `{node.name}` and `{target}`",
                    place=flow.call(node.name),
                )


def gangs(flow: JudgedFlow) -> Iterator[Fault]:
    """`parallel-missing`, `parallel-misplaced`, `gang-unjoined`."""
    nodes = flow.nodes
    openers = {
        one: node for node in nodes.values() if node.kind is Kind.GANG for one in node.targets
    }
    # Where a way is not known, it may be the one that is missed.
    is_known = not (flow.unread or flow.unclear or flow.ways.loose or flow.ways.doubtful)
    for node in nodes.values():
        opener = openers.get(node.name)
        if opener is None:
            if node.policies.parallel and is_known:
                yield Fault(
                    "parallel-misplaced",
                    f"step `{node.name}` has `@parallel`, but no step leads to it by "
                    "`num_parallel`",
                    f"lead to it with `self.next(self.{node.name}, num_parallel=4)`, "
                    "or take `@parallel` away",
                    place=node.place,
                )
            continue
        if not node.policies.parallel:
            yield Fault(
                "parallel-missing",
                f"step `{opener.name}` leads to `{node.name}` by `num_parallel`, but that has no "
                "`@parallel`",
                f"write `@parallel` above `def {node.name}(self)`",
                place=node.place,
            )
        if node.name in flow.unread or is_silent(node):
            continue
        if any(one not in nodes or one in flow.unclear for one in node.targets):
            continue
        if node.kind is not Kind.LINEAR or not nodes[node.targets[0]].is_join:
            yield Fault(
                "gang-unjoined",
                f"step `{node.name}` runs as a gang, and does not hand over to a join",
                "let it lead to a step that takes inputs, and go on from there: "
                f"`def join_{node.name}(self, inputs)`",
                place=flow.call(node.name),
            )


def switches(flow: JudgedFlow) -> Iterator[Fault]:
    """`switch-cases`, `switch-condition`, `loop-misplaced`."""
    for node in flow.nodes.values():
        if node.kind is not Kind.SWITCH:
            continue
        place = flow.call(node.name)
        example = 'self.next({"yes": self.a, "no": self.b}, condition="answer")'
        if not node.condition:
            yield Fault(
                "switch-condition",
                f"the switch of step `{node.name}` has no condition",
                f"name the artifact that decides: `{example}`",
                place=place,
            )
        values = [case.value for case in node.cases]
        if not values:
            yield Fault(
                "switch-cases",
                f"the switch of step `{node.name}` has no cases",
                f"name a step for each value: `{example}`",
                place=place,
            )
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield Fault(
                "switch-cases",
                f"the switch of step `{node.name}` has several cases for `{value}`",
                "keep one of them; values are compared as text",
                place=place,
            )
        if flow.is_join(node.name) and node.name in node.targets:
            yield Fault(
                "loop-misplaced",
                f"step `{node.name}` is a join and switches to itself, where it has no inputs",
                "let the join hand over to another step, and loop there",
                place=place,
            )


def start_and_end(flow: JudgedFlow) -> Iterator[Fault]:
    """`no-steps`, `start-missing`, `end-missing`."""
    if not flow.nodes:
        yield Fault(
            "no-steps",
            f"flow `{flow.description.name}` has no steps",
            "mark its methods with `@step`",
            place=flow.place,
        )
        return
    for role, step in (("start", flow.description.start), ("end", flow.description.end)):
        if step not in flow.nodes:
            near = nearest(role, flow.nodes)
            yield Fault(
                f"{role}-missing",
                f"flow `{flow.description.name}` has no {role} step",
                f"name a step `{role}`, or mark one `@step({role}=True)`"
                + (f"; did you mean `{near}`?" if near else ""),
                place=flow.place,
            )


def hand_overs(flow: JudgedFlow) -> Iterator[Fault]:
    """`next-missing`, `end-hands-over`."""
    for node in flow.nodes.values():
        is_end = node.name == flow.ways.end
        if node.name in flow.unread:
            continue
        if is_end and not is_silent(node):
            yield Fault(
                "end-hands-over",
                f"step `{node.name}` is the end, but calls self.next",
                "take the call out, or mark another step `@step(end=True)`",
                place=flow.call(node.name),
            )
        if not is_end and is_silent(node):
            yield Fault(
                "next-missing",
                f"step `{node.name}` does not say which step comes next",
                "end it with `self.next(self.other_step)`",
                place=node.place,
            )


def targets(flow: JudgedFlow) -> Iterator[Fault]:
    """`target-unknown`."""
    for node in flow.nodes.values():
        for target in node.targets:
            if target in flow.ways.edges:
                continue
            near = meant(node, target, flow.nodes)
            yield Fault(
                "target-unknown",
                f"step `{node.name}` hands over to `{target}`, which is no step of this flow",
                f"did you mean `{near}`?" if near else f"define a step named `{target}`",
                place=flow.call(node.name),
            )


def cycles(flow: JudgedFlow) -> Iterator[Fault]:
    """`cycle`: each way back is one fault."""
    for circle in flow.ways.circles:
        names = " -> ".join(f"`{step}`" for step in (*circle, circle[0]))
        yield Fault(
            "cycle",
            f"steps go round in a circle: {names}",
            "to repeat something, let a switch go back to its own step: only that may loop",
            place=flow.call(circle[-1]),
        )


def dead_ends(flow: JudgedFlow) -> Iterator[Fault]:
    """`end-unreachable`: any other way that leads nowhere is a fault by another name."""
    for node in flow.nodes.values():
        if is_endless(node):
            yield Fault(
                "end-unreachable",
                f"step `{node.name}` leads to nothing but itself, and never to the end",
                "give its switch a case that leaves the loop",
                place=flow.call(node.name),
            )


def orphans(flow: JudgedFlow) -> Iterator[Fault]:
    """`orphan`. Where a step might lead anywhere, it might lead to those that nothing else does."""
    ways = flow.ways
    if not ways.start or ways.reached(ways.start) & ways.loose:
        return
    reached = ways.reached(ways.start, *flow.unclear)
    if ways.start in ways.unsure:
        reached.add(ways.end)
    for node in flow.nodes.values():
        if node.name not in reached:
            yield Fault(
                "orphan",
                f"step `{node.name}` cannot be reached from `{ways.start}`",
                f"name it in the self.next of another step: `self.next(self.{node.name})`",
                place=node.place,
            )


def balance(flow: JudgedFlow) -> Iterator[Fault]:
    """The rules on splits and joins."""
    if flow.ways.start:
        yield from check_balance(flow.ways, unclear=flow.unclear, call=flow.call)


_Rule = Callable[[JudgedFlow], Iterator[Fault]]
_RULES: tuple[_Rule, ...] = (
    flow_name,
    step_names,
    clashes,
    catches,
    foreaches,
    gangs,
    switches,
    start_and_end,
    hand_overs,
    targets,
    cycles,
    dead_ends,
    orphans,
    balance,
)
