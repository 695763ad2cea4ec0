"""Names with the attributes that are read from them: `metaflow.cards.Markdown`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """A name, the attributes behind it, and where each ends as (line, column).

    `ends` has one more than `parts`: the first is the end of the name itself.
    """

    root: ast.Name
    parts: tuple[str, ...]
    ends: tuple[tuple[int, int], ...]


def dotted_uses(tree: ast.AST) -> Iterator[Use]:
    """Yield each name that is read, with all attributes that are read from it in one go."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        use = _use_of(node)
        if use is None:
            waiting.extend(ast.iter_child_nodes(node))
        else:
            yield use


def _use_of(node: ast.AST) -> Use | None:
    chain: list[ast.Attribute] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node)
        node = node.value
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return None
    places = (node, *chain)
    return Use(
        root=node,
        parts=tuple(one.attr for one in chain),
        ends=tuple((one.end_lineno or one.lineno, one.end_col_offset or 0) for one in places),
    )
