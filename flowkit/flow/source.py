"""The source of a flow: its files as syntax trees, each parsed once."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any

from flowkit.graph import Place

FunctionSource = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _File:
    """What is defined in a file: functions by their first line, classes by name, all of it."""

    functions: dict[int, FunctionSource] = field(default_factory=dict)
    classes: dict[str, list[ast.ClassDef]] = field(default_factory=dict)
    body: list[ast.stmt] = field(default_factory=list)

    @cached_property
    def assigned(self) -> dict[str, list[ast.stmt]]:
        """The statements of its top level by the names that they set."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.body:
            for name in _assigned(statement):
                found.setdefault(name, []).append(statement)
        return found


class Sources:
    """Finds functions and attributes in the files that define them.

    `own` and `shown` rename one file in the places that are given: what Python calls the flow's
    file, and what the user called it.
    """

    def __init__(self, *, own: str | None, shown: str | None) -> None:
        self._own, self._shown = own, shown
        self._files: dict[str, _File] = {}

    def place(self, file: str, line: int) -> Place:
        """Return a place as the user knows it."""
        return Place(self._shown if self._shown and file == self._own else file, line)

    def function(self, function: Callable[..., Any]) -> FunctionSource | None:
        """Return a function's definition; None if it cannot be read, or is no `def`."""
        code = function.__code__
        return self._file(code.co_filename, function).functions.get(code.co_firstlineno)

    def place_of_function(self, function: Callable[..., Any]) -> Place:
        """Return the line of a function's `def`, below its decorators."""
        found = self.function(function)
        line = found.lineno if found else function.__code__.co_firstlineno
        return self.place(function.__code__.co_filename, line)

    def place_of_class(self, owner: type) -> Place | None:
        """Return the line of a `class` statement; None if it cannot be found."""
        found = self._classes(owner)
        return self.place(found[0][0], found[0][1].lineno) if found else None

    def place_of_attribute(self, owner: type, attribute: str) -> Place | None:
        """Return the line where a class sets an attribute, or where the class begins."""
        for file, one in self._classes(owner):
            for statement in one.body:
                if attribute in _assigned(statement):
                    return self.place(file, statement.lineno)
        return self.place_of_class(owner)

    def class_statements(self, owner: type) -> list[ast.ClassDef]:
        """Return the `class` statement, or all that might be it; none if it cannot be found."""
        return [one for _, one in self._classes(owner)]

    def digest_of_module(self, module: ModuleType) -> str:
        """Return a digest of all that a module's file says."""
        return digest_of([_shape(self._file(module.__file__ or "", module).body)])

    def constant(self, owner: ModuleType | FunctionType, name: str) -> list[ast.stmt]:
        """Return the statements that assign a name, in a module or a function's.

        There are none where the name has been imported.
        """
        return self._file(_file_of(owner) or "", owner).assigned.get(name, [])

    def attribute(self, owner: type, name: str) -> list[ast.stmt]:
        """Return the statements in a `class` that assign an attribute."""
        return [
            statement
            for _, one in self._classes(owner)
            for statement in one.body
            if name in _assigned(statement)
        ]

    def unloaded(self, path: str) -> list[ast.stmt] | None:
        """Return what a file says that was not imported; None if there is no such file."""
        if path not in self._files:
            # Through the same cache as all other source, which reads a file as Python does.
            lines = linecache.getlines(path)
            try:
                self._files[path] = _File(body=ast.parse("".join(lines)).body)
            except SyntaxError:
                self._files[path] = _File()
        return self._files[path].body or None

    def _classes(self, owner: type) -> list[tuple[str, ast.ClassDef]]:
        """Return the file and statement of every class that might be this one."""
        witness = _witness(owner)
        file = _file_of(witness)
        if witness is None or file is None:
            return []
        return [(file, one) for one in self._file(file, witness).classes.get(owner.__name__, [])]

    def _file(self, name: str, witness: ModuleType | Callable[..., Any]) -> _File:
        if name not in self._files:
            self._files[name] = _parsed(witness)
        return self._files[name]


def module_file(owner: type) -> str | None:
    """Return the file that defines a class, as its functions name it."""
    return _file_of(_witness(owner))


def _witness(owner: type) -> ModuleType | FunctionType | None:
    """Return what knows the file of a class: a method, or else the module.

    The class itself would not do: one that was made by a call has no `class` statement.
    """
    for member in vars(owner).values():
        if isinstance(member, FunctionType) and member.__module__ == owner.__module__:
            inner = inspect.unwrap(member)
            if isinstance(inner, FunctionType) and inner.__module__ == owner.__module__:
                return inner
    return sys.modules.get(owner.__module__)


def _file_of(witness: ModuleType | FunctionType | None) -> str | None:
    if isinstance(witness, FunctionType):
        return witness.__code__.co_filename
    return getattr(witness, "__file__", None)


def _parsed(witness: ModuleType | Callable[..., Any]) -> _File:
    """Parse the whole file, so that all lines and names are where they are."""
    try:
        lines, _ = inspect.findsource(witness)
        tree = ast.parse("".join(lines))
    except (OSError, TypeError, SyntaxError):
        return _File()  # No source, or not the one that is running: nothing is found in it.
    file = _File(body=tree.body)
    for node in ast.walk(tree):
        if isinstance(node, FunctionSource):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            file.functions[first] = node
        elif isinstance(node, ast.ClassDef):
            file.classes.setdefault(node.name, []).append(node)
    return file


def beside_definitions(statements: Iterable[ast.stmt]) -> list[ast.AST]:
    """Return what else made a value than the `def` of a function: decorators, calls, all else."""
    found: list[ast.AST] = []
    for statement in statements:
        if isinstance(statement, FunctionSource):
            found += statement.decorator_list
        else:
            found.append(statement)
    return found


def _assigned(statement: ast.stmt) -> set[str]:
    """Return the names that a statement sets or changes, be it inside an `if` or a loop."""
    if isinstance(statement, FunctionSource):
        return {statement.name}
    targets: list[ast.expr] = []
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        if isinstance(node, FunctionSource | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For):
            targets.append(node.target)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets.append(node.optional_vars)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            targets.append(node.value.func)  # as `TABLE.update(...)` does
        left.extend(one for one in ast.iter_child_nodes(node) if not isinstance(one, ast.expr))
    return {
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    }


def own_nodes(function: FunctionSource) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, but not those of classes inside it."""
    left: list[ast.AST] = list(reversed(function.body))
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, ast.ClassDef):
            left.extend(reversed(list(ast.iter_child_nodes(node))))


def code_digest(function: FunctionSource) -> str:
    """Return a digest of what a function does: 64 hex digits.

    Comments, layout, the docstring and the decorators do not count, and all supported versions of
    Python give the same.
    """
    documented = ast.get_docstring(function, clean=False) is not None
    return digest_of([function.name, _shape(function.args), _shape(function.body[documented:])])


def digest_of(parts: Iterable[str]) -> str:
    """Return a digest of texts: 64 hex digits."""
    from blake3 import blake3

    return blake3("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def shape_of(nodes: Iterable[ast.AST]) -> str:
    """Return a digest of syntax trees: 64 hex digits."""
    return digest_of(map(_shape, nodes))


def _shape(value: object) -> str:
    """Write a syntax tree as text. Unlike `ast.dump`, empty fields are never written.

    Later versions of Python add fields that are empty in code that earlier ones can read.
    """
    if isinstance(value, ast.Constant):
        return f"{type(value.value).__name__}:{value.value!r}"
    if isinstance(value, ast.JoinedStr):
        # Python 3.12 puts empty texts between the parts of an f-string.
        parts = (
            one for one in value.values if not (isinstance(one, ast.Constant) and one.value == "")
        )
        return f"JoinedStr({','.join(map(_shape, parts))})"
    if isinstance(value, ast.AST):
        fields = (
            f"{name}={_shape(one)}"
            for name, one in ast.iter_fields(value)
            if one is not None and one != [] and name != "type_comment"
        )
        return f"{type(value).__name__}({','.join(fields)})"
    if isinstance(value, list):
        return f"[{','.join(map(_shape, value))}]"
    return repr(value)
