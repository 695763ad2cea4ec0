"""A flow's graph as a drawing: steps from left to right, in the order in which they can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowkit.cards.markup import Html, join, tag
from flowkit.graph import FlowDescription, Kind, Node

_HEIGHT, _GAP_X, _GAP_Y, _LETTER, _MARGIN = 34, 54, 22, 7.6, 12


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float


def graph_svg(description: FlowDescription, *, current: str | None = None) -> Html:
    """Draw a valid flow; the step `current` stands out. Text follows the page's colours."""
    nodes = {node.name: node for node in description.nodes}
    boxes, width, height = _placed(nodes, _ranks(nodes))
    edges = [
        _edge(boxes[name], boxes[target], nodes[name], target)
        for name, node in nodes.items()
        for target in node.targets
        if target in boxes
    ]
    shapes = [_shape(boxes[name], node, is_current=name == current) for name, node in nodes.items()]
    marker = tag(
        "marker",
        tag("path", d="M0,0 L8,4 L0,8 z", class_="arrow"),
        id="arrow",
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=8,
        markerHeight=8,
        orient="auto",
    )
    drawing = tag(
        "svg",
        tag("title", f"Steps of {description.name}: {', '.join(nodes)}"),
        tag("defs", marker),
        *edges,
        *shapes,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        class_="graph",
    )
    return tag("div", drawing, class_="scroll", tabindex="0", role="region", aria_label="graph")


def _ranks(nodes: Mapping[str, Node]) -> dict[str, int]:
    """Return how many hand-overs come before each step at most; a loop to itself is none."""
    before = dict.fromkeys(nodes, 0)
    for name, node in nodes.items():
        for target in node.targets:
            if target != name and target in before:
                before[target] += 1
    ready = [name for name, count in before.items() if not count]
    ranks = dict.fromkeys(nodes, 0)
    while ready:
        name = ready.pop()
        for target in nodes[name].targets:
            if target == name or target not in before:
                continue
            ranks[target] = max(ranks[target], ranks[name] + 1)
            before[target] -= 1
            if not before[target]:
                ready.append(target)
    return ranks


def _placed(
    nodes: Mapping[str, Node], ranks: Mapping[str, int]
) -> tuple[dict[str, _Box], float, float]:
    columns: dict[int, list[str]] = {}
    for name in nodes:
        columns.setdefault(ranks[name], []).append(name)
    tallest = max(map(len, columns.values()), default=1)
    height = 2 * _MARGIN + 18 + tallest * _HEIGHT + (tallest - 1) * _GAP_Y
    places: dict[str, float] = {}
    boxes: dict[str, _Box] = {}
    x = float(_MARGIN)
    for rank in sorted(columns):
        parents = {
            name: [places[one] for one in places if name in nodes[one].targets]
            for name in columns[rank]
        }

        def middle(name: str, known: Mapping[str, list[float]] = parents) -> float:
            return sum(known[name]) / len(known[name]) if known[name] else 0.0

        # Steps stand beside those that lead to them, so that few lines cross.
        names = sorted(columns[rank], key=middle)
        width = max(_LETTER * len(name) + 28 for name in names)
        top = 9 + (height - len(names) * (_HEIGHT + _GAP_Y) + _GAP_Y) / 2
        for at, name in enumerate(names):
            y = top + at * (_HEIGHT + _GAP_Y)
            places[name] = y
            boxes[name] = _Box(x, y, width)
        labels = [_label(nodes[name], one) for name in names for one in nodes[name].targets]
        x += width + _GAP_X + 6 * max((len(one[:24]) for one in labels), default=0)
    return boxes, max((box.x + box.width for box in boxes.values()), default=0) + _MARGIN, height


def _label(node: Node, target: str) -> str:
    if node.kind.fans_out:
        return node.foreach or f"gang of {node.num_parallel}"
    return ", ".join(case.value for case in node.cases if case.target == target)


def _edge(start: _Box, end: _Box, node: Node, target: str) -> Html:
    if node.name == target:
        x, y = start.x + start.width / 2, start.y
        path = f"M{x - 16:g},{y:g} C{x - 22:g},{y - 24:g} {x + 22:g},{y - 24:g} {x + 16:g},{y:g}"
        middle_x, middle_y = x, y - 22
    else:
        x1, y1 = start.x + start.width, start.y + _HEIGHT / 2
        x2, y2 = end.x - 2, end.y + _HEIGHT / 2
        bend = max(24.0, (x2 - x1) / 2)
        path = f"M{x1:g},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2:g},{y2:g}"
        middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2 - 5
    line = tag("path", d=path, class_="edge", marker_end="url(#arrow)")
    label = _label(node, target)
    if not label:
        return line
    shown = label if len(label) <= 24 else f"{label[:23]}…"
    word = tag("text", shown, x=f"{middle_x:g}", y=f"{middle_y:g}", class_="edge-label")
    return join(line, word)


def _shape(box: _Box, node: Node, *, is_current: bool) -> Html:
    def frame(offset: int, kind: str) -> Html:
        return tag(
            "rect",
            x=f"{box.x + offset:g}",
            y=f"{box.y + offset:g}",
            width=f"{box.width:g}",
            height=_HEIGHT,
            rx=_HEIGHT / 2 if node.kind is Kind.SWITCH else 8,
            class_=kind,
        )

    behind = frame(4, "behind") if node.kind.fans_out else Html("")
    word = tag(
        "text",
        node.name,
        x=f"{box.x + box.width / 2:g}",
        y=f"{box.y + _HEIGHT / 2 + 4.5:g}",
        class_="name",
    )
    doc = node.doc.splitlines()[0] if node.doc else f"step {node.name}"
    kind = "step current" if is_current else "step"
    return tag("g", tag("title", doc), behind, frame(0, "box"), word, class_=kind)
