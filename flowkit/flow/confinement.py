"""Whether all that a method reads of its task shows in its source, by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain

from flowkit.flow.source import FunctionSource

_REVEALING = {"__class__", "dir", "eval", "exec", "locals", "super", "vars"}
_BY_NAME = {"getattr", "hasattr", "setattr", "delattr"}
_PICKING = {"max", "min"}
_COUNTING = {"len"}


def names_read(function: FunctionSource, *, is_step: bool) -> set[str]:
    """Return the names that a method reads of its task: as attributes, or by `getattr`.

    A step that takes inputs reads of them too, so there all attributes count, of whatever.
    Whether one that is deleted was there counts as reading it.
    """
    first, inputs = _arguments(function, is_step=is_step)
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name, owner = _literal_name(node), node.args[0] if node.args else None
            is_read = isinstance(node.func, ast.Name) and node.func.id != "setattr"
        else:
            place = node.target if isinstance(node, ast.AugAssign) else node
            if not isinstance(place, ast.Attribute):
                continue
            name, owner = place.attr, place.value
            is_read = place is not node or not isinstance(place.ctx, ast.Store)
        is_own = isinstance(owner, ast.Name) and owner.id == first
        if name is not None and is_read and (is_own or inputs):
            found.add(name)
    return found


def is_confined(function: FunctionSource, *, is_step: bool) -> bool:
    """Say whether a method uses `self`, and the inputs of a join, by the names of attributes only.

    It does not if it hands one of them to other code, gives it another name, asks for an
    attribute whose name is computed, or reads what is behind all names.
    """
    first, inputs = _arguments(function, is_step=is_step)
    parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    bound = _Bound(inputs)
    elements = bound.elements(function)
    nodes = chain.from_iterable(map(ast.walk, function.body))
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr.startswith("__"):
            return False
        if not isinstance(node, ast.Name):
            continue
        if node.id in _REVEALING:
            return False
        if not isinstance(node.ctx, ast.Load):
            if node.id in (first, inputs):
                return False
            continue
        parent = parents[node]
        if node.id == first or node.id in elements:
            fits = _is_attribute(node, parent) or _is_by_name(node, parent)
        elif inputs and node.id == inputs:
            fits = _is_input_use(node, parents, first)
        else:
            continue
        if not fits:
            return False
    return True


def _arguments(function: FunctionSource, *, is_step: bool) -> tuple[str, str]:
    """Return what a method calls its flow object, and a join its inputs; empty if there are none.

    What other methods take besides is no input: handing one on is told where that is done.
    """
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    first, second, *_ = (*names, "", "")
    return first, second if is_step else ""


class _Bound:
    """Finds the names that stand for single inputs of a join."""

    def __init__(self, inputs: str) -> None:
        self._inputs = inputs

    def elements(self, function: FunctionSource) -> set[str]:
        if not self._inputs:
            return set()
        return set(chain.from_iterable(self._bound_by(node) for node in ast.walk(function)))

    def _bound_by(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.For | ast.comprehension):
            if self._is_inputs(node.iter) and isinstance(node.target, ast.Name):
                yield node.target.id
        elif isinstance(node, ast.Assign) and _is_one_name(node.targets):
            if self._is_element(node.value) and isinstance(node.targets[0], ast.Name):
                yield node.targets[0].id
        elif isinstance(node, ast.Call) and _picks(node, self._inputs):
            for keyword in node.keywords:
                if isinstance(keyword.value, ast.Lambda):
                    yield from (one.arg for one in keyword.value.args.args)

    def _is_inputs(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self._inputs

    def _is_element(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Subscript | ast.Attribute):
            return self._is_inputs(node.value)
        return isinstance(node, ast.Call) and _picks(node, self._inputs)


def _is_one_name(targets: list[ast.expr]) -> bool:
    return len(targets) == 1 and isinstance(targets[0], ast.Name)


def _picks(call: ast.Call, inputs: str) -> bool:
    """Say whether this is `max(inputs, key=lambda one: ...)` or the like."""
    return (
        isinstance(call.func, ast.Name)
        and call.func.id in _PICKING
        and len(call.args) == 1
        and isinstance(call.args[0], ast.Name)
        and call.args[0].id == inputs
        and all(isinstance(one.value, ast.Lambda) for one in call.keywords)
    )


def _is_attribute(node: ast.AST, parent: ast.AST) -> bool:
    return isinstance(parent, ast.Attribute) and parent.value is node


def _is_by_name(node: ast.AST, parent: ast.AST) -> bool:
    if not isinstance(parent, ast.Call) or not parent.args or parent.args[0] is not node:
        return False
    return _literal_name(parent) is not None


def _literal_name(call: ast.Call) -> str | None:
    """Return the `a` of `getattr(self, "a")` and its like, if it is a plain name."""
    if not (isinstance(call.func, ast.Name) and call.func.id in _BY_NAME and len(call.args) > 1):
        return None
    name = call.args[1]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return None
    return None if name.value.startswith("__") else name.value


def _is_input_use(node: ast.Name, parents: dict[ast.AST, ast.AST], first: str) -> bool:
    parent = parents[node]
    if isinstance(parent, ast.For | ast.comprehension):
        # Several names at once would have to be followed one by one.
        return parent.iter is node and isinstance(parent.target, ast.Name)
    if isinstance(parent, ast.Attribute) or (
        isinstance(parent, ast.Subscript) and not isinstance(parent.slice, ast.Slice)
    ):
        return parent.value is node and _is_element_use(parent, parents[parent])
    if isinstance(parent, ast.Call):
        function = parent.func
        if isinstance(function, ast.Name) and function.id in _COUNTING:
            return True
        if _picks(parent, node.id):
            return _is_element_use(parent, parents[parent])
        return (
            isinstance(function, ast.Attribute)
            and function.attr == "merge_artifacts"
            and isinstance(function.value, ast.Name)
            and function.value.id == first
        )
    return False


def _is_element_use(node: ast.AST, parent: ast.AST) -> bool:
    if isinstance(parent, ast.Assign):
        return parent.value is node and _is_one_name(parent.targets)
    return _is_attribute(node, parent) or _is_by_name(node, parent)
