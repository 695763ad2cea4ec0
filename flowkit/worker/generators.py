"""Random generators of a flow's own, which a fork copies: forked tasks would draw the same.

A task of its own interpreter makes them anew. Where they are seeded it comes to the same; where
not, that can be seen, but a generator that is in use cannot be made anew behind its back.
"""

from __future__ import annotations

import ast
import gc
import random
import sys
from collections import deque
from collections.abc import Container, Iterator
from types import FunctionType, ModuleType
from typing import Any

from flowkit.worker.imports import project_imports

MOST_OBJECTS = 100_000
"""How much of what a project holds is looked at, the nearest first."""

MOST_OF_ONE = 1_000
"""How much of what one object holds is looked at: the rest of a long list is likely the same."""

_LEAST_ENTROPY = 1 << 96
"""NumPy draws 128 bits where it is given no seed."""

_BEGINNINGS = ("__init__", "__new__", "seed")


def unseeded_generator() -> str | None:
    """Describe a generator that the project holds and that may not be seeded, if there is one."""
    if not any(b"random" in source for source in project_imports.sources.values()):
        return None
    numpy_random = sys.modules.get("numpy.random")
    of_numpy: tuple[type, ...] = ()
    if numpy_random is not None:
        names = ("Generator", "RandomState", "BitGenerator", "SeedSequence")
        of_numpy = tuple(getattr(numpy_random, name) for name in names)
    for name, value, is_direct in _held((random.Random, *of_numpy)):
        kind = type(value)
        if issubclass(kind, of_numpy):
            is_unseeded, whose = _is_by_chance(value), " of numpy"
        else:
            is_unseeded, whose = _is_pythons_by_chance(value), ""
        if is_unseeded:
            told = f"the random generator `{name}`{whose}"
            return told if is_direct else f"a random generator{whose} in `{name}`"
    return None


def _held(kinds: tuple[type, ...]) -> Iterator[tuple[str, Any, bool]]:
    """Yield all of some types that modules of the project hold, without asking any object.

    With each goes the name in a module that leads to it, and whether that is its own name.
    """
    loaded: list[object] = list(sys.modules.values())
    # Not by `vars`, which imports a module that waits for its first use.
    spaces: list[dict[str, Any]] = [
        object.__getattribute__(module, "__dict__")
        for module in loaded
        if isinstance(module, ModuleType)
    ]
    own = [space for space in spaces if space.get("__file__") in project_imports.sources]
    names = {space.get("__name__") for space in own}
    # What a function can see of its module is not what it holds.
    seen = set(map(id, spaces))
    found = deque((name, value, True) for space in own for name, value in list(space.items()))
    looked_at = 0
    while found and looked_at < MOST_OBJECTS:
        name, value, is_direct = found.popleft()
        looked_at += 1
        if id(value) in seen:
            continue
        seen.add(id(value))
        kind = type(value)
        if issubclass(kind, kinds):
            yield name, value, is_direct
        elif _is_looked_into(value, kind, names):
            more = gc.get_referents(value)[:MOST_OF_ONE]
            found.extend((name, one, False) for one in more if gc.is_tracked(one))


def _is_looked_into(value: Any, kind: type, names: Container[object]) -> bool:
    """Whether an object may hold what is the project's: modules, and code of others, do not."""
    if issubclass(kind, type):
        return type.__getattribute__(value, "__module__") in names
    if kind is FunctionType:
        return value.__module__ in names
    return not issubclass(kind, ModuleType)


def _is_pythons_by_chance(value: random.Random) -> bool:
    """Whether a generator of Python's may have no seed; the one that modules share is renewed."""
    kind = type(value)
    if issubclass(kind, random.SystemRandom) or value is getattr(random, "_inst", None):
        return False
    own = kind.__mro__[: kind.__mro__.index(random.Random)]
    if any(name in vars(one) for one in own for name in _BEGINNINGS):
        return True  # it begins in a way that cannot be told
    return not _gives_seeds({random.Random.__name__, *(one.__name__ for one in own)})


def _gives_seeds(names: set[str]) -> bool:
    """Whether the project makes generators of some types, and all of them with a seed."""
    calls = [
        call
        for source in project_imports.sources.values()
        if any(name.encode() in source for name in names)
        for call in _calls(ast.parse(source))
        if _name(call) in names
    ]
    return bool(calls) and all(
        call.args and not (isinstance(call.args[0], ast.Constant) and call.args[0].value is None)
        for call in calls
    )


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield all calls in some code but those in steps, which no import runs."""
    if isinstance(node, ast.FunctionDef) and "step" in map(_name, node.decorator_list):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def _name(node: ast.expr) -> str | None:
    """Return the last part of the name of what is called, or of a decorator."""
    called = node.func if isinstance(node, ast.Call) else node
    return getattr(called, "attr", getattr(called, "id", None))


def _is_by_chance(value: Any) -> bool:
    """Whether a generator of NumPy's began with what the system drew; the global one is renewed."""
    bits = getattr(value, "bit_generator", getattr(value, "_bit_generator", value))
    entropy = getattr(getattr(bits, "seed_seq", bits), "entropy", None)
    is_shared = bits is sys.modules["numpy.random"].get_bit_generator()
    return isinstance(entropy, int) and entropy >= _LEAST_ENTROPY and not is_shared
