"""What a flow must keep to: one function a rule or a few close ones, all of them pure.

What only the source shows (arguments, the form of self.next) is checked where it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from flowkit.graph.balance import check_balance
from flowkit.graph.faults import RESERVED_NAMES, Fault, reserved_name
from flowkit.graph.model import FlowDescription, Kind, Node, Place

# ASCII only: a step's name becomes part of paths, commands and pod names, and file systems
# disagree about which spelling of an accented letter is the same name.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class JudgedFlow:
    """A flow as the rules look at it: see `check` for the fields."""

    description: FlowDescription
    nodes: Mapping[str, Node]
    place: Place
    calls: Mapping[str, Place]
    unread: Collection[str]

    def call(self, step: str) -> Place:
        """Where a step calls self.next, or at least where it is defined."""
        return self.calls.get(step) or self.nodes[step].place


def check(
    description: FlowDescription,
    *,
    place: Place | None = None,
    calls: Mapping[str, Place] | None = None,
    unread: Collection[str] = (),
) -> list[Fault]:
    """Return all faults of a flow.

    `place` is where its class is defined, `calls` are the places of the steps' self.next; without
    them, faults point at the file and the steps. `unread` are steps whose self.next could not be
    read, which is a fault already. Whether all steps can be reached and all splits are joined is
    judged once every hand-over is known.
    """
    nodes = {node.name: node for node in description.nodes}
    place = place or Place(description.file, 1)
    flow = JudgedFlow(description, nodes, place, calls or {}, unread)
    faults = [fault for rule in _EACH for fault in rule(flow)]
    broken = [fault for rule in _HAND_OVERS for fault in rule(flow)]
    if broken or unread:
        return faults + broken
    astray = [*cycles(flow)] or [*reachability(flow)]
    if astray:
        return faults + astray
    return faults + check_balance(nodes, description.start, description.end, call=flow.call)


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
            yield reserved_name("step", node.name, node.place)
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
            yield reserved_name("the artifact of `@catch`,", var, node.place)
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
        if node.policies.catch and node.kind in (Kind.FOREACH, Kind.SWITCH):
            lost = node.foreach if node.kind is Kind.FOREACH else node.condition
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
        if node.kind is Kind.FOREACH and len(node.targets) != 1:
            yield Fault(
                "foreach-target",
                f"the foreach of step `{node.name}` leads to {len(node.targets)} steps",
                "let it lead to one step, and split there",
                place=flow.call(node.name),
            )
        if node.kind not in (Kind.FOREACH, Kind.SPLIT):
            continue
        for target in node.targets:
            if target in flow.nodes and flow.nodes[target].is_join:
                yield Fault(
                    "branch-empty",
                    f"step `{node.name}` splits the flow and leads straight to the join `{target}`",
                    f"put a step between `{node.name}` and `{target}`",
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
        if node.is_join and node.name in node.targets:
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
            near = get_close_matches(role, flow.nodes, n=1)
            yield Fault(
                f"{role}-missing",
                f"flow `{flow.description.name}` has no {role} step",
                f"name a step `{role}`, or mark one `@step({role}=True)`"
                + (f"; did you mean `{near[0]}`?" if near else ""),
                place=flow.place,
            )


def hand_overs(flow: JudgedFlow) -> Iterator[Fault]:
    """`next-missing`, `end-hands-over`."""
    for node in flow.nodes.values():
        is_end = node.name == flow.description.end
        if node.name in flow.unread:
            continue
        if is_end and node.kind is not Kind.END:
            yield Fault(
                "end-hands-over",
                f"step `{node.name}` is the end, but calls self.next",
                "take the call out, or mark another step `@step(end=True)`",
                place=flow.call(node.name),
            )
        silent = not node.targets and node.kind not in (Kind.SWITCH, Kind.FOREACH)
        if not is_end and silent:
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
            if target in flow.nodes:
                continue
            near = get_close_matches(target, flow.nodes, n=1)
            yield Fault(
                "target-unknown",
                f"step `{node.name}` hands over to `{target}`, which is no step of this flow",
                f"did you mean `{near[0]}`?" if near else f"define a step named `{target}`",
                place=flow.call(node.name),
            )


def cycles(flow: JudgedFlow) -> Iterator[Fault]:
    """`cycle`: a depth-first search without recursion; each way back is one fault."""
    done: set[str] = set()
    for root in flow.nodes:
        path: dict[str, Iterator[str]] = {}
        if root not in done:
            path[root] = iter(flow.nodes[root].targets)
        while path:
            step = next(reversed(path))
            target = next(path[step], None)
            if target is None:
                path.popitem()
                done.add(step)
            elif target in path:
                if target != step or flow.nodes[step].kind is not Kind.SWITCH:
                    yield _cycle(flow, [*path][[*path].index(target) :])
            elif target not in done:
                path[target] = iter(flow.nodes[target].targets)


def _cycle(flow: JudgedFlow, way: list[str]) -> Fault:
    names = " -> ".join(f"`{step}`" for step in [*way, way[0]])
    return Fault(
        "cycle",
        f"steps go round in a circle: {names}",
        "to repeat something, let a switch go back to its own step: only that may loop",
        place=flow.call(way[-1]),
    )


def reachability(flow: JudgedFlow) -> Iterator[Fault]:
    """`orphan`, `end-unreachable`."""
    start, end = flow.description.start, flow.description.end
    forward = {name: list(node.targets) for name, node in flow.nodes.items()}
    backward: dict[str, list[str]] = {name: [] for name in flow.nodes}
    for name, node in flow.nodes.items():
        for target in node.targets:
            backward[target].append(name)
    after_start, before_end = _reached(forward, start), _reached(backward, end)
    for node in flow.nodes.values():
        if node.name not in after_start:
            yield Fault(
                "orphan",
                f"step `{node.name}` cannot be reached from `{start}`",
                f"name it in the self.next of another step: `self.next(self.{node.name})`",
                place=node.place,
            )
        elif node.name not in before_end:
            yield Fault(
                "end-unreachable",
                f"step `{node.name}` never leads to `{end}`",
                f"give it a way on: a case that leaves the loop, or `self.next(self.{end})`",
                place=flow.call(node.name),
            )


def _reached(edges: Mapping[str, list[str]], root: str) -> set[str]:
    found, left = {root}, [root]
    while left:
        fresh = [step for step in edges[left.pop()] if step not in found]
        found.update(fresh)
        left.extend(fresh)
    return found


_Rule = Callable[[JudgedFlow], Iterator[Fault]]
_EACH: tuple[_Rule, ...] = (flow_name, step_names, clashes, catches, foreaches)
_HAND_OVERS: tuple[_Rule, ...] = (start_and_end, hand_overs, targets, switches)
