"""A flow as a person or a program looks at it: text for a terminal, DOT for Graphviz, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from flowkit import wire
from flowkit.graph.model import FlowDescription, Kind, Node
from flowkit.graph.policies import Policies
from flowkit.graph.shape import Graph

GRAPH_SCHEMA = "flowkit.graph/1"


def to_text(description: FlowDescription) -> str:
    """Draw a valid flow as indented lines, in the order that its steps run.

    What a split, foreach or switch leads to is indented, up to the step where its branches meet.
    """
    lines = [f"flow {description.name} ({description.file})"]
    lines += [f"  {line}" for line in description.doc.splitlines()[:1]]
    lines += _parameter_lines(description)
    rows = [*_Drawing(description).rows()]
    width = max((len(left) for left, right in rows if right), default=0)
    lines += ["", "steps"]
    lines += [f"  {left:<{width}}  {right}".rstrip() for left, right in rows]
    return "\n".join(lines) + "\n"


def _parameter_lines(description: FlowDescription) -> list[str]:
    rows = []
    for one in description.parameters:
        name = f"--{one.name} {'|'.join(one.choices) or one.type_name}"
        if one.required:
            note = "required"
        elif one.computed:
            note = "computed"
        else:
            note = f"= {one.default}" if one.default is not None else ""
        rows.append((name, note, one.help))
    if not rows:
        return []
    left, middle = (max(len(row[at]) for row in rows) for at in (0, 1))
    return ["", "parameters"] + [
        f"  {name:<{left}}  {note:<{middle}}  {about}".rstrip() for name, note, about in rows
    ]


@dataclass(frozen=True, slots=True)
class _Visit:
    """A step to draw, with the arrow that leads to it; `until` is where its branch ends."""

    step: str
    until: str | None
    depth: int
    arrow: str = ""


class _Drawing:
    """The rows of the steps: what stands left, and what is said about it on the right."""

    def __init__(self, description: FlowDescription) -> None:
        self._graph = Graph(description)
        self._meets = _meeting_points(self._graph)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield one row a step or arrow.

        A stack instead of recursion: a flow may nest its splits as deep as it likes.
        """
        left = [_Visit(self._graph.start, None, 0)]
        drawn: set[str] = set()
        while left:
            visit = left.pop()
            step, indent = visit.step, "   " * visit.depth
            is_here = step in drawn
            if visit.arrow:
                beyond = step == visit.until or is_here
                yield indent[:-3] + visit.arrow + (f", to {step}" if beyond else ""), ""
            if step == visit.until or is_here:
                continue
            drawn.add(step)
            node = self._graph[step]
            yield indent + step, self._about(node)
            left += reversed([*self._ways(node, visit)])

    def _ways(self, node: Node, visit: _Visit) -> Iterator[_Visit]:
        """Yield where a step leads to, and then where its branches meet, in drawing order."""
        if node.kind is Kind.LINEAR:
            yield _Visit(node.targets[0], visit.until, visit.depth)
            return
        if node.kind is Kind.END:
            return
        meeting = self._meets[node.name]
        for arrow, target in _arms(node):
            yield _Visit(target, meeting, visit.depth + 1, arrow)
        if meeting != visit.until:
            yield _Visit(meeting, visit.until, visit.depth)

    def _about(self, node: Node) -> str:
        notes = [node.doc.splitlines()[0]] if node.doc else []
        joins = [f"joins {self._graph.split_of(node.name)}"] if node.is_join else []
        notes += [f"[{one}]" for one in (*joins, *_policy_texts(node.policies))]
        return "  ".join(notes)


def _arms(node: Node) -> list[tuple[str, str]]:
    """Return an arrow and a step for each way that a node may go."""
    if node.kind is Kind.FOREACH:
        return [(f"→ for each of {node.foreach}", node.targets[0])]
    if node.kind is Kind.GANG:
        return [(f"→ as a gang of {node.num_parallel}", node.targets[0])]
    if node.kind is Kind.SPLIT:
        count = len(node.targets)
        return [(f"→ branch {at} of {count}", one) for at, one in enumerate(node.targets, 1)]
    arms = []
    for target in node.targets:
        values = " or ".join(repr(case.value) for case in node.cases if case.target == target)
        arms.append((f"→ if {node.condition} is {values}", target))
    return arms


def _policy_texts(policies: Policies) -> list[str]:
    texts = ["parallel"] if policies.parallel else []
    if policies.retry:
        texts.append(f"retry {_times(policies.retry.times)}")
    if policies.catch:
        texts.append(f"catch {policies.catch.var or ''}".rstrip())
    if policies.timeout:
        texts.append(f"timeout {policies.timeout.limit_s:g} s")
    if policies.resources:
        needs = policies.resources
        gpu = f", {needs.gpu} gpu" if needs.gpu else ""
        texts.append(f"{needs.cpu:g} cpu, {needs.memory_mb} MB{gpu}")
    if policies.memo is not None:
        texts.append("memo" if policies.memo else "no memo")
    if policies.concurrency:
        texts.append(f"{policies.concurrency} at once")
    return texts


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _meeting_points(graph: Graph) -> dict[str, str]:
    """Return, for each step but the end, the next step that is passed whichever way is taken.

    A split meets in its join. Otherwise it is the immediate dominator of the step in the flow
    read backwards.
    """
    # Only drawing needs it, and it costs more to import than a small flow costs to run.
    import networkx

    backwards = networkx.DiGraph((target, step) for step in graph for target in graph[step].targets)
    backwards.add_node(graph.end)
    meets = networkx.immediate_dominators(backwards, graph.end)
    joins = {graph.split_of(step): step for step in graph if graph[step].is_join}
    return {step: joins.get(step) or meets[step] for step in graph if step != graph.end}


def to_dot(description: FlowDescription) -> str:
    """Draw a flow for Graphviz: foreaches and gangs are double-lined, switches diamonds."""
    double = ", peripheries=2"
    shapes = {Kind.FOREACH: double, Kind.GANG: double, Kind.SWITCH: ", shape=diamond"}
    lines = [f"digraph {_quoted(description.name)} {{", "  rankdir=TB;"]
    lines.append('  node [shape=box, fontname="Helvetica"];')
    for node in description.nodes:
        about = f", tooltip={_quoted(node.doc.splitlines()[0])}" if node.doc else ""
        shape = shapes.get(node.kind, "")
        lines.append(f"  {_quoted(node.name)} [label={_quoted(node.name)}{shape}{about}];")
    for node in description.nodes:
        for target in node.targets:
            values = [case.value for case in node.cases if case.target == target]
            label = node.foreach or node.num_parallel or ", ".join(values)
            lines.append(
                f"  {_quoted(node.name)} -> {_quoted(target)}"
                + (f" [label={_quoted(label)}];" if label else ";")
            )
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_json(description: FlowDescription) -> str:
    """Return a flow as one line of JSON, of schema `flowkit.graph/1`.

    Steps are in the order of definition; a field that does not apply is null or empty.
    """
    steps = [
        {
            "name": node.name,
            "kind": node.kind,
            "is_join": node.is_join,
            "next": node.targets,
            "foreach": node.foreach,
            "num_parallel": node.num_parallel,
            "condition": node.condition,
            "cases": node.cases,
            "policies": node.policies,
            "doc": node.doc,
            "info": msgspec.json.decode(node.info) if node.info else None,
            "code": node.code,
            "place": str(node.place),
        }
        for node in description.nodes
    ]
    graph = {
        "schema": GRAPH_SCHEMA,
        "flow": description.name,
        "file": description.file,
        "doc": description.doc,
        "start": description.start,
        "end": description.end,
        "steps": steps,
        "parameters": description.parameters,
        "constants": description.constants,
    }
    return wire.encode(graph).decode()
