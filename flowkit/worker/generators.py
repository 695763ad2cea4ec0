"""Random generators of a flow's own, which a fork copies: forked tasks would draw the same.

A task of its own interpreter makes them anew. Where they are seeded it comes to the same; where
not, that can be seen, but a generator that is in use cannot be made anew behind its back.
"""

from __future__ import annotations

import ast
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from flowkit.worker.imports import project_imports

_LEAST_ENTROPY = 1 << 96
"""NumPy draws 128 bits where it is given no seed."""


def unseeded_generator() -> str | None:
    """Describe a generator in a module of the project that may not be seeded, if there is one."""
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType):
            continue
        file = vars(module).get("__file__")
        if file in project_imports.sources:
            for name, value in _values(module):
                if type(value) is random.Random and not _gives_seeds(file):
                    return f"the random generator `{name}`"
                if type(value).__module__.startswith("numpy.random") and _is_by_chance(value):
                    return f"the random generator `{name}` of numpy"
    return None


def _values(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield what a module and its classes hold, but the generators that modules share."""
    shared = getattr(random, "_inst", None)
    for name, value in list(vars(module).items()):
        if type(value) is type and value.__module__ == module.__name__:
            yield from vars(value).items()
        elif value is not shared:
            yield name, value


def _gives_seeds(file: str) -> bool:
    """Whether a file makes generators of Python's, and all of them with a seed."""
    calls = [
        node
        for node in ast.walk(ast.parse(project_imports.sources[file]))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", None)) == "Random"
    ]
    return bool(calls) and all(
        call.args and not (isinstance(call.args[0], ast.Constant) and call.args[0].value is None)
        for call in calls
    )


def _is_by_chance(value: Any) -> bool:
    """Whether a generator of NumPy's began with what the system drew; the global one is renewed."""
    bits = getattr(value, "bit_generator", getattr(value, "_bit_generator", None))
    entropy = getattr(getattr(bits, "seed_seq", None), "entropy", None)
    is_shared = bits is sys.modules["numpy.random"].get_bit_generator()
    return isinstance(entropy, int) and entropy >= _LEAST_ENTROPY and not is_shared
