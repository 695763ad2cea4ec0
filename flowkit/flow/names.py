"""What names stand for: the functions behind a value, and the names that code reads and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial, partialmethod
from inspect import unwrap
from types import FunctionType


def functions_in(value: object) -> Iterator[FunctionType]:
    """Yield the functions that something callable, or a descriptor, is made of."""
    if isinstance(value, property):
        parts: list[object] = [value.fget]
    elif isinstance(value, staticmethod | classmethod):
        parts = [value.__func__]
    elif isinstance(value, cached_property | partial | partialmethod):
        parts = [value.func]
    else:
        parts = [value]
    for one in parts:
        if isinstance(one, FunctionType):
            yield one
        # Only what really has it: some objects have any attribute that they are asked for.
        is_wrapped = "__wrapped__" in attributes_of(one)
        inner = unwrap(one) if callable(one) and is_wrapped else None
        if isinstance(inner, FunctionType):
            yield inner


def attributes_of(value: object) -> Mapping[str, object]:
    """Return what an object really has; some objects have any attribute that they are asked for."""
    found = getattr(value, "__dict__", None)
    return found if isinstance(found, Mapping) else {}


def names_loaded(trees: Iterable[ast.AST]) -> dict[str, set[str] | None]:
    """Return the names that syntax trees read, in all that is within them.

    With each come the attributes that are read of it, if nothing else is done with it.
    """
    found: dict[str, set[str] | None] = {}
    nodes = list(trees)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            attributes = found.setdefault(node.value.id, set())
            if attributes is not None:
                attributes.add(node.attr)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                found[node.id] = None
        else:
            nodes.extend(ast.iter_child_nodes(node))
    return dict(sorted(found.items()))


def imports_in(trees: Iterable[ast.AST], package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the modules that syntax trees import, each with the names that are wanted of it.

    None are where all of it may be used, as after `import lib` or `import_module("lib")`.
    """
    for root in trees:
        for node in ast.walk(root):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, ()
            elif isinstance(node, ast.ImportFrom):
                name = _absolute("." * node.level + (node.module or ""), package)
                yield name, tuple(alias.name for alias in node.names)
            elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
                given = [*node.args, *(one.value for one in node.keywords if one.arg == "name")]
                first = given[0] if given else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield _absolute(first.value, package), ()


def _called(call: ast.Call) -> str:
    """Return the name of what is called, whatever it is looked up on."""
    called = call.func
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _absolute(name: str, package: str) -> str:
    """Return the full name of a module that may be named from within a package."""
    inner = name.lstrip(".")
    level = len(name) - len(inner)
    if not level:
        return inner
    parts = package.split(".")
    return ".".join(filter(None, (*parts[: len(parts) - level + 1], inner)))
