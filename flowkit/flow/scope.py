"""The code of a step: its method, and what of the flow's own project that method reaches.

Reached are the methods and properties of the flow that it names on `self`, and the functions,
classes, modules and constants that it names, of files in the flow's folder and below, and so on
from there. What is installed is left to versions of packages.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from inspect import unwrap
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Final

from flowkit.flow.attributes import reads
from flowkit.flow.marks import Applied
from flowkit.flow.members import Member
from flowkit.flow.source import (
    FunctionSource,
    Sources,
    code_digest,
    digest_of,
    module_file,
)

_PLAIN: Final = (bool, bytes, complex, float, int, str, type(None))
_INSTALLED: Final = {"site-packages", "dist-packages"}


class Scope:
    """Finds the code of the steps of one flow."""

    def __init__(
        self, flow_class: type, members: Mapping[str, Member], sources: Sources, *, steps: set[str]
    ) -> None:
        self._class, self._members, self._sources = flow_class, members, sources
        self._steps = steps
        file = module_file(flow_class)
        self._folder = PurePath(file).parent if file else None

    def read(
        self, function: FunctionType, source: FunctionSource, wrappers: Sequence[Applied] = ()
    ) -> tuple[str, set[str]]:
        """Return a digest of all code of a step, and the names that this code reads on `self`.

        `wrappers` are the decorators that run code around the step: their code is the step's, too.
        """
        walk = _Walk(self, self._sources)
        walk.enter(function, source, method=True)
        for at, one in enumerate(wrappers):
            walk.enter_wrapper(at, one)
        own = code_digest(source)
        if not walk.found:
            return own, walk.reads
        return digest_of([own, *(f"{key}={walk.found[key]}" for key in sorted(walk.found))]), (
            walk.reads
        )

    def method(self, name: str) -> Iterator[FunctionType]:
        """Yield the functions behind a method or property of the flow that is no step."""
        member = self._members.get(name)
        if member is not None and name not in self._steps:
            yield from _functions(member.value)

    def private(self, name: str) -> object:
        """Return the value of a private class attribute; public ones are constants of the flow."""
        member = self._members.get(name)
        return member.value if member is not None and name.startswith("_") else Ellipsis

    def is_own(self, module: str | None, file: str | None) -> bool:
        """Say whether code belongs to the flow's project: it is not installed, nor flowkit's."""
        if file is None or self._folder is None:
            return False
        # A flow may lie beside a checkout of flowkit.
        if module is not None and module.partition(".")[0] == "flowkit":
            return False
        path = PurePath(file)
        return self._folder in path.parents and not _INSTALLED.intersection(path.parts)

    def label(self, module: str) -> str:
        """Return the name of a module; the flow's own has many, by how it is started."""
        return "" if module == self._class.__module__ else module

    def name_of(self, value: type | FunctionType) -> str:
        """Return the full name of a class or function."""
        return f"{self.label(value.__module__)}.{value.__qualname__}"

    def is_flow(self, value: object) -> bool:
        """Say whether this is the flow itself: its steps count one by one."""
        return isinstance(value, type) and value in self._class.__mro__


class _Walk:
    """What one step reaches."""

    def __init__(self, scope: Scope, sources: Sources) -> None:
        self._scope, self._sources = scope, sources
        self.found: dict[str, str] = {}
        self.reads: set[str] = set()

    def enter(self, function: FunctionType, source: FunctionSource, *, method: bool) -> None:
        """Follow the names in a function."""
        known = function.__globals__
        for name, attributes in _loaded(source).items():
            value = known.get(name, Ellipsis)
            if isinstance(value, ModuleType) and attributes is not None:
                # Not by `getattr`: a module that loads its names when they are asked for would.
                if self._scope.is_own(value.__name__, vars(value).get("__file__")):
                    for attribute in sorted(attributes):
                        self._take(attribute, vars(value).get(attribute, Ellipsis), value)
            else:
                self._take(name, value, function)
        if method:
            names = reads(source)
            self.reads |= names
            for name in sorted(names):
                self._take_member(name)

    def enter_wrapper(self, at: int, applied: Applied) -> None:
        """Take a decorator that runs code around the step, and what it was given."""
        assert applied.user is not None
        given = [*map(_plain, applied.args), *map(_plain, applied.options.items())]
        self.found[f"@{at}:{applied.full_name}"] = digest_of(given)
        self._take_class(applied.user)
        generator = getattr(applied.user, "generator", None)
        for function in _functions(generator):
            self._take_function(applied.full_name, function)

    def _take_member(self, name: str) -> None:
        key = f"self.{name}"
        if key in self.found:
            return
        value = self._scope.private(name)
        if isinstance(value, _PLAIN):
            self.found[key] = repr(value)
        for function in self._scope.method(name):
            self._take_function(key, function, method=True)

    def _take(self, name: str, value: object, owner: FunctionType | ModuleType) -> None:
        """Take what a name stands for, in the module of a function or in a module itself."""
        if isinstance(value, ModuleType):
            self._take_module(value)
        elif isinstance(value, type):
            self._take_class(value)
        elif callable(value):
            for function in _functions(value):
                self._take_function(self._scope.name_of(function), function)
        else:
            self._take_constant(name, value, owner)

    def _take_function(self, key: str, function: FunctionType, *, method: bool = False) -> None:
        file = function.__code__.co_filename
        if key in self.found or not self._scope.is_own(function.__module__, file):
            return
        source = self._sources.function(function)
        if source is None:
            return
        self.found[key] = code_digest(source)
        self.enter(function, source, method=method)

    def _take_class(self, value: type) -> None:
        key = self._scope.name_of(value)
        if key in self.found or self._scope.is_flow(value):
            return
        if not self._scope.is_own(value.__module__, module_file(value)):
            return
        self.found[key] = self._sources.digest_of_class(value)
        for base in value.__bases__:
            self._take_class(base)
        for member in vars(value).values():
            for function in _functions(member):
                source = self._sources.function(function)
                if source is not None:
                    self.enter(function, source, method=False)

    def _take_module(self, module: ModuleType) -> None:
        key = module.__name__
        file = vars(module).get("__file__")
        if key in self.found or not self._scope.is_own(key, file):
            return
        self.found[key] = self._sources.digest_of_module(module)
        for value in vars(module).values():
            if isinstance(value, ModuleType):
                self._take_module(value)
            elif isinstance(value, type):
                self._take_class(value)
            else:
                for function in _functions(value):
                    self._take_function(self._scope.name_of(function), function)

    def _take_constant(self, name: str, value: object, owner: FunctionType | ModuleType) -> None:
        is_module = isinstance(owner, ModuleType)
        module = owner.__name__ if is_module else owner.__module__
        file = getattr(owner, "__file__", None) if is_module else owner.__code__.co_filename
        key = f"{self._scope.label(module)}:{name}"
        if key in self.found or not self._scope.is_own(module, file):
            return
        written = self._sources.digest_of_constant(owner, name)
        if written is not None:
            self.found[key] = written
        elif isinstance(value, _PLAIN):
            self.found[key] = repr(value)


def _plain(value: object) -> str:
    """Return what tells values apart that are plain; others count by their type."""
    parts = value if isinstance(value, tuple) else (value,)
    return repr([one if isinstance(one, _PLAIN) else type(one).__qualname__ for one in parts])


def _functions(value: object) -> Iterator[FunctionType]:
    """Yield the functions that something callable, or a descriptor, is made of."""
    if isinstance(value, property):
        parts: list[object] = [value.fget]
    elif isinstance(value, staticmethod | classmethod):
        parts = [value.__func__]
    elif isinstance(value, cached_property):
        parts = [value.func]
    else:
        parts = [value]
    for one in parts:
        if isinstance(one, FunctionType):
            yield one
        # Only what really has it: some objects have any attribute that they are asked for.
        is_wrapped = "__wrapped__" in getattr(one, "__dict__", ())
        inner = unwrap(one) if callable(one) and is_wrapped else None
        if isinstance(inner, FunctionType):
            yield inner


def _loaded(source: FunctionSource) -> dict[str, set[str] | None]:
    """Return the names that a function reads, in its body, its defaults and within.

    With each come the attributes that are read of it, if nothing else is done with it.
    """
    found: dict[str, set[str] | None] = {}
    nodes: list[ast.AST] = [
        *source.body,
        *source.args.defaults,
        *filter(None, source.args.kw_defaults),
    ]
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
