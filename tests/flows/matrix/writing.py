"""Writing a flow: a shape's steps, with what a behaviour adds to them."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from matrix.shapes import Each, Gang, Node, Shape, Switch, To

if TYPE_CHECKING:
    from matrix.behaviour import Behaviour


def flow_name(shape: Shape) -> str:
    """Name the class of a shape's flow."""
    return shape.name.title().replace(" ", "")


def written(shape: Shape, behaviour: Behaviour, executor: str) -> str:
    """Return the text of a flow that has this shape and behaves like this."""
    steps = [_step(node, shape, behaviour, executor) for node in shape.nodes.values()]
    members = indent(behaviour.members, " " * 4)
    decorators = "".join(f"@{one}\n" for one in behaviour.flow_decorators)
    head = f"{decorators}class {flow_name(shape)}(FlowSpec):\n{members}\n"
    return "\n".join([behaviour.before_class, head, *steps])


def _step(node: Node, shape: Shape, behaviour: Behaviour, executor: str) -> str:
    decorators = list(behaviour.decorators(node))
    if any(
        one.next == Gang(node.name, getattr(one.next, "size", 0)) for one in shape.nodes.values()
    ):
        decorators.append("parallel")
    head = [*(f"@{one}" for one in decorators), "@step", _definition(node)]
    added = behaviour.lines(node, shape, executor).strip("\n")
    body = [_trail(node), *_choice(node), *([added] if added else []), *_next(node)]
    return indent("\n".join(head) + "\n" + indent("\n".join(body), " " * 4), " " * 4) + "\n"


def _definition(node: Node) -> str:
    return f"def {node.name}(self{', inputs' if node.joins else ''}):"


def _trail(node: Node) -> str:
    before = "*(one.trail for one in inputs)" if node.joins else "*getattr(self, 'trail', [])"
    return f"self.trail = [{before}, {node.name!r}]"


def _choice(node: Node) -> list[str]:
    """What the step's next depends on."""
    match node.next:
        case Each(_, items):
            return [f"self.items = {list(items)!r}"]
        case Switch(_, keys, by):
            passes = f"self.trail.count({node.name!r}) - 1"
            place = "self.index" if by == "index" else passes if by else "0"
            return [f"self.key = {list(keys)!r}[({place}) % {len(keys)}]"]
    return []


def _next(node: Node) -> list[str]:
    match node.next:
        case To(steps):
            return [f"self.next({', '.join(f'self.{one}' for one in steps)})"]
        case Each(step, _):
            return [f"self.next(self.{step}, foreach='items')"]
        case Gang(step, size):
            return [f"self.next(self.{step}, num_parallel={size})"]
        case Switch(arms, _, _):
            ways = ", ".join(f"{key!r}: self.{step}" for key, step in arms.items())
            return [f"self.next({{{ways}}}, condition='key')"]
    return []
