"""What a method reads and sets on `self`, as far as its source shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flowkit.flow.source import FunctionSource, own_nodes


def assignments(function: FunctionSource) -> Iterator[tuple[str, int]]:
    """Yield the names that a method sets on its first argument, with their lines.

    Found are `self.x = 1` in all its forms, such as `for self.x in ...`, and `setattr` with a
    literal name.
    """
    first = _first_argument(function)
    for node in own_nodes(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner: ast.expr = node.value
            name: object = node.attr
        elif isinstance(node, ast.Call) and _is_setattr(node):
            owner, literal = node.args[0], node.args[1]
            name = literal.value if isinstance(literal, ast.Constant) else None
        else:
            continue
        if isinstance(owner, ast.Name) and owner.id == first and isinstance(name, str):
            yield name, node.lineno


def reads(function: FunctionSource) -> set[str]:
    """Return the names that a method reads as attributes of its first argument."""
    first = _first_argument(function)
    return {
        node.attr
        for node in own_nodes(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == first
    }


def _first_argument(function: FunctionSource) -> str:
    arguments = [*function.args.posonlyargs, *function.args.args]
    return arguments[0].arg if arguments else ""


def _is_setattr(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "setattr" and len(call.args) == 3
