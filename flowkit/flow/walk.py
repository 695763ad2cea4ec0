"""Walking through the code that a step reaches, from names to what they stand for."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Final

from flowkit.flow.confinement import is_confined, names_read
from flowkit.flow.current_task import Current
from flowkit.flow.marks import Applied
from flowkit.flow.names import attributes_of, functions_in, imports_in, names_loaded
from flowkit.flow.source import (
    FunctionSource,
    Sources,
    beside_definitions,
    code_digest,
    digest_of,
    module_file,
    shape_of,
)

if TYPE_CHECKING:
    from flowkit.flow.scope import Scope

_MOST_INNER: Final = 100
_DEEPEST: Final = 8
"""Of what a function holds no more is looked at: it may be a table, or hold itself."""
_PLAIN: Final = (bool, bytes, complex, float, int, str, type(None))


class Walk:
    """What one step reaches."""

    def __init__(self, scope: Scope, sources: Sources) -> None:
        self._scope, self._sources = scope, sources
        self.found: dict[str, str] = {}
        self.reads: set[str] = set()
        self.packages: set[str] = set()
        self.untold: set[str] = set()
        self.is_open = False

    def enter(
        self,
        function: FunctionType,
        source: FunctionSource,
        *,
        method: bool,
        is_step: bool = False,
        is_written: bool = False,
    ) -> None:
        """Follow the names in a function.

        `is_written`: what it has from the function that made it is told by statements that count.
        """
        nodes: list[ast.AST] = [
            *source.body,
            *source.args.defaults,
            *filter(None, source.args.kw_defaults),
        ]
        self._follow(nodes, function.__globals__, function)
        self._take_imports(source.body, str(function.__globals__.get("__package__") or ""))
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            self._take_closed(
                f"{self._scope.name_of(function)}<{name}>",
                name,
                cell,
                function,
                is_written=is_written,
            )
        if method:
            self.is_open = self.is_open or not is_confined(source, is_step=is_step)
            names = names_read(source, is_step=is_step)
            self.reads |= names
            for name in sorted(names):
                self._take_member(name)

    def take_methods(self) -> None:
        """Follow all methods of the flow, and what is kept on its class."""
        for key, function in self._scope.methods():
            self._take_function(key, function, method=True, is_written=True)
        for name in self._scope.members:
            self._take_member(name)

    def _follow(
        self,
        nodes: Iterable[ast.AST],
        known: Mapping[str, object],
        owner: FunctionType | ModuleType,
    ) -> None:
        """Take what the names in syntax trees stand for."""
        for name, attributes in names_loaded(nodes).items():
            value = known.get(name, Ellipsis)
            if isinstance(value, ModuleType) and attributes is not None:
                # Not by `getattr`: a module that loads its names when they are asked for would.
                if self._scope.is_own(value.__name__, vars(value).get("__file__")):
                    for attribute in sorted(attributes):
                        self._take(attribute, vars(value).get(attribute, Ellipsis), value)
                else:
                    self._note_package(value.__name__)
                    self._note_current(vars(value).get(one) for one in attributes)
            elif value is not Ellipsis:
                self._take(name, value, owner)

    def _note_package(self, module: str | None) -> None:
        top = (module or "").partition(".")[0]
        if top and top not in sys.stdlib_module_names and top != "flowkit":
            self.packages.add(top)

    def _note_current(self, values: Iterable[object]) -> None:
        """Note that code asks `current`, which tells tasks apart that are else the same."""
        if any(isinstance(value, Current) for value in values):
            self.reads.add("current")

    def _take_closed(
        self, key: str, name: str, cell: object, function: FunctionType, *, is_written: bool
    ) -> None:
        """Take what a function has from the function that made it."""
        try:
            value = getattr(cell, "cell_contents", Ellipsis)
        except ValueError:
            return  # it was not set yet
        if isinstance(value, _PLAIN):
            self.found[key] = repr(value)
        elif not self._scope.is_flow(value) and key not in self.found:
            self.found[key] = type(value).__qualname__
            if not is_written:
                self._take_value(key, value, function)
            elif isinstance(value, FunctionType | ModuleType | type):
                self._take(name, value, function, is_written=True)
            else:
                for inner in functions_in(value):
                    self._take_function(self._scope.name_of(inner), inner, is_written=True)

    def _take_value(self, key: str, value: object, owner: FunctionType | ModuleType) -> None:
        """Take something that no statement tells of, as it is now."""
        inner: list[object] = []
        if isinstance(value, FunctionType | ModuleType | type):
            self._take(key, value, owner)
        elif isinstance(value, list | tuple):
            inner = list(value)
        elif isinstance(value, set | frozenset):
            inner = sorted(value, key=repr)
        elif isinstance(value, Mapping):
            inner = [one for pair in value.items() for one in pair]
        elif isinstance(value, partial):
            inner = [value.func, value.args, value.keywords]
        elif isinstance(value, MethodType):
            inner = [value.__func__, value.__self__]
        elif isinstance(value, BuiltinFunctionType):
            inner = [value.__qualname__, value.__self__]  # a module, or what it is a method of
        elif isinstance(value, _PLAIN):
            self.found[key] = repr(value)
        elif "__wrapped__" in attributes_of(value):
            inner = [attributes_of(value)["__wrapped__"]]
        elif not isinstance(value, Current):
            self.untold.add(key)
        self.found.setdefault(key, type(value).__qualname__)
        self._note_current((value,))
        if len(inner) > _MOST_INNER or key.count("[") > _DEEPEST:
            self.untold.add(key)
            return
        for at, one in enumerate(inner):
            self._take_value(f"{key}[{at}]", one, owner)

    def _take_imports(self, nodes: Iterable[ast.AST], package: str) -> None:
        """Take what is imported inside a function, when it runs."""
        for name, attributes in imports_in(nodes, package):
            self._take_imported(name, *attributes)

    def _take_imported(self, name: str, *attributes: str) -> None:
        module = sys.modules.get(name)
        if module is None:
            if not self._take_unloaded(name, *attributes):
                self._note_package(name)
            return
        if not self._scope.is_own(module.__name__, vars(module).get("__file__")):
            self._note_package(name)
            self._note_current(vars(module).get(attribute) for attribute in attributes)
            return
        for attribute in attributes:
            value = vars(module).get(attribute, Ellipsis)
            if value is Ellipsis and attribute != "*":
                self._take_imported(f"{name}.{attribute}")
            elif value is not Ellipsis:
                self._take(attribute, value, module)
        if not attributes or "*" in attributes:
            self._take_module(module)

    def _take_unloaded(self, name: str, *attributes: str) -> bool:
        """Take a module that was not imported, as its file stands; False if there is none."""
        place = self._scope.file_of(name)
        if place is None:
            return False
        is_found = name in self.found
        if is_found:
            # Of a module that was read before, another one in it may be wanted now.
            for attribute in attributes:
                self._take_unloaded(f"{name}.{attribute}")
            return True
        for path, package in (
            (f"{place}.py", name.rpartition(".")[0]),
            (f"{place}/__init__.py", name),
        ):
            body = self._sources.unloaded(path) if self._scope.is_own(name, path) else None
            if body is not None:
                is_found = True
                self.found[name] = shape_of(body)
                self._take_imports(body, package)
        outer = name.rpartition(".")[0]
        if is_found and outer:
            self._take_unloaded(outer)
        for attribute in attributes:
            self._take_unloaded(f"{name}.{attribute}")
        return is_found

    def enter_wrapper(self, at: int, applied: Applied) -> None:
        """Take a decorator that runs code around the step, and what it was given."""
        assert applied.user is not None
        self.is_open = True  # it is handed the flow object
        given = [*map(_plain, applied.args), *map(_plain, applied.options.items())]
        self.found[f"@{at}:{applied.full_name}"] = digest_of(given)
        self._take_class(applied.user)
        generator = getattr(applied.user, "generator", None)
        for function in functions_in(generator):
            self._take_function(applied.full_name, function)

    def enter_around(self, function: FunctionType) -> None:
        """Take a plain function that wraps the step: it is called with the flow object."""
        self.is_open = True
        self._take_function(f"around:{self._scope.name_of(function)}", function)

    def _take_member(self, name: str) -> None:
        key = f"self.{name}"
        if key in self.found:
            return
        value = self._scope.private(name)
        if isinstance(value, _PLAIN):
            self.found[key] = repr(value)
        elif (value := self._scope.made(name)) is not Ellipsis:
            if isinstance(value, type):
                self._take_class(value)
            statements, module = self._scope.attribute(name)
            made = beside_definitions(statements)
            if made:
                self.found[f":{key}"] = shape_of(made)
            if module is not None:
                self._follow(made, vars(module), module)
        for function in self._scope.method(name):
            self._take_function(key, function, method=True, is_written=True)

    def _take(
        self,
        name: str,
        value: object,
        owner: FunctionType | ModuleType,
        *,
        is_written: bool = False,
    ) -> None:
        """Take what a name stands for, in the module of a function or in a module itself."""
        self._note_current((value,))
        if isinstance(value, ModuleType):
            self._take_module(value)
        elif isinstance(value, type):
            self._take_making(name, value, owner)
            self._take_class(value)
        elif isinstance(value, FunctionType):
            is_written = self._take_making(name, value, owner) or is_written
            for function in functions_in(value):
                self._take_function(self._scope.name_of(function), function, is_written=is_written)
        else:
            # Something callable may be made of functions, and hold more than them.
            for function in functions_in(value):
                self._take_function(self._scope.name_of(function), function, is_written=True)
            self._take_constant(name, value, owner)

    def _take_making(
        self, name: str, value: FunctionType | type, owner: FunctionType | ModuleType
    ) -> bool:
        """Take what made a function or class, besides its own `def` or `class`.

        Say whether it is known. Where it is, whatever was given to the function that made it
        counts as it is written.
        """
        home = owner if isinstance(owner, ModuleType) else sys.modules.get(owner.__module__)
        places = [(home, name), (sys.modules.get(value.__module__), value.__name__)]
        if "<" in value.__qualname__:  # it was made in a function, or is a `lambda`
            places += self._scope.homes(name, value)
        for module, its_name in places:
            if module is None or vars(module).get(its_name) is not value:
                continue
            written = self._sources.constant(module, its_name)
            if not written or not self._scope.is_own(module.__name__, vars(module).get("__file__")):
                continue
            made = beside_definitions(written)
            key = f"{self._scope.label(module.__name__)}:{its_name}"
            if made and key not in self.found:
                self.found[key] = shape_of(made)
                self._follow(made, vars(module), module)
            return True
        return False

    def _take_function(
        self, key: str, function: FunctionType, *, method: bool = False, is_written: bool = False
    ) -> None:
        file = function.__code__.co_filename
        if key in self.found:
            return
        if not self._scope.is_own(function.__module__, file):
            self._note_package(function.__module__)
            return
        source = self._sources.function(function)
        if source is None:
            return
        self.found[key] = code_digest(source)
        self.enter(function, source, method=method, is_written=is_written)

    def _take_class(self, value: type) -> None:
        key = self._scope.name_of(value)
        if key in self.found or self._scope.is_flow(value):
            return
        if not self._scope.is_own(value.__module__, module_file(value)):
            self._note_package(value.__module__)
            return
        statements = self._sources.class_statements(value)
        self.found[key] = shape_of(statements)
        module = sys.modules.get(value.__module__)
        if module is not None:
            self._follow(statements, vars(module), module)
        for base in value.__bases__:
            self._take_class(base)
        for member in vars(value).values():
            for function in functions_in(member):
                source = self._sources.function(function)
                if source is not None:
                    self.enter(function, source, method=False, is_written=True)

    def _take_module(self, module: ModuleType) -> None:
        key = module.__name__
        file = vars(module).get("__file__")
        if key in self.found or not self._scope.is_own(key, file):
            return
        self.found[key] = self._sources.digest_of_module(module)
        for name, value in list(vars(module).items()):
            if not name.startswith("__"):
                self._take(name, value, module)

    def _take_constant(self, name: str, value: object, owner: FunctionType | ModuleType) -> None:
        is_module = isinstance(owner, ModuleType)
        module = owner.__name__ if is_module else owner.__module__
        file = getattr(owner, "__file__", None) if is_module else owner.__code__.co_filename
        key = f"{self._scope.label(module)}:{name}"
        if key in self.found or not self._scope.is_own(module, file):
            return
        known = vars(owner) if is_module else owner.__globals__
        written = self._sources.constant(owner, name)
        if written:
            self.found[key] = shape_of(written)
            self._follow(written, known, owner)
        elif isinstance(value, _PLAIN):
            self.found[key] = repr(value)
        elif value is not Ellipsis:
            self._note_package(type(value).__module__)
            self.found[key] = type(value).__qualname__
            for home, its_name in self._scope.homes(name, value):
                if self._sources.constant(home, its_name):
                    self._take_constant(its_name, value, home)
                    break


def _plain(value: object) -> str:
    """Return what tells values apart that are plain all through; others count by their type."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_plain, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_plain(key)}:{_plain(one)}' for key, one in value.items())}}}"
    return type(value).__qualname__
