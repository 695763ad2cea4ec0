"""The code of a step: its method, and what of the flow's own project that method reaches.

Reached are the methods and properties of the flow that it names on `self`, and the functions,
classes, modules and constants that it names, of files in the flow's folder and below, and so on
from there. What is installed is left to versions of packages, and modules that a function imports
when it runs are read as files, for reading must not import them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Final

from flowkit.flow.marks import Applied
from flowkit.flow.members import Member
from flowkit.flow.names import functions_in
from flowkit.flow.source import (
    FunctionSource,
    Sources,
    code_digest,
    digest_of,
    module_file,
)
from flowkit.flow.walk import Walk
from flowkit.graph import Reach

_SHORT: Final = 16
_INSTALLED: Final = {"site-packages", "dist-packages"}


def is_of_project(file: PurePath, folder: PurePath) -> bool:
    """Say whether a file is below a flow's folder, and not installed there.

    >>> is_of_project(PurePath("/project/lib/a.py"), PurePath("/project"))
    True
    >>> is_of_project(PurePath("/project/.venv/site-packages/a.py"), PurePath("/project"))
    False
    """
    return folder in file.parents and not _INSTALLED.intersection(file.parts)


@dataclass(frozen=True, slots=True)
class StepCode:
    """A digest of all code of a step, and what that code can see."""

    digest: str
    reach: Reach


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
    ) -> StepCode:
        """Return the code of a step.

        `wrappers` are the decorators that run code around the step: their code is the step's, too,
        and they are handed the flow object.
        """
        walk = Walk(self, self._sources)
        for at, one in enumerate(wrappers):
            walk.enter_wrapper(at, one)
        for outer in self._around(function):
            walk.enter_around(outer)
        own = code_digest(source)
        walk.enter(function, source, method=True, is_step=True)
        if walk.is_open:
            # Whoever holds the flow object may call any method of it.
            walk.take_methods()
        pieces = sorted(walk.found.items())
        digest = digest_of([own, *(f"{key}={code}" for key, code in pieces)]) if pieces else own
        reach = Reach(
            names=tuple(sorted(walk.reads)),
            is_open=walk.is_open,
            untold=tuple(sorted(walk.untold)),
            packages=tuple(sorted(walk.packages)),
            pieces=tuple((key, digest_of([code])[:_SHORT]) for key, code in (("", own), *pieces)),
        )
        return StepCode(digest, reach)

    @property
    def members(self) -> Collection[str]:
        """The names of what the flow class has, without those that Python gives it."""
        return [name for name in self._members if not name.startswith("__")]

    def methods(self) -> Iterator[tuple[str, FunctionType]]:
        """Yield all code of the flow class and its bases that is no step of the flow."""
        for owner in self._class.__mro__:
            for name, value in vars(owner).items():
                member = self._members.get(name)
                if member is None or (name in self._steps and member.owner is owner):
                    continue
                for function in functions_in(value):
                    yield (
                        f"self.{name}"
                        if member.owner is owner
                        else (f"{owner.__qualname__}.{name}"),
                        function,
                    )

    def method(self, name: str) -> Iterator[FunctionType]:
        """Yield the functions behind a method or property of the flow that is no step."""
        member = self._members.get(name)
        if member is not None and name not in self._steps:
            yield from functions_in(member.value)

    def private(self, name: str) -> object:
        """Return the value of a private class attribute; public ones are constants of the flow."""
        member = self._members.get(name)
        return member.value if member is not None and name.startswith("_") else Ellipsis

    def made(self, name: str) -> object:
        """Return what statements of the class make under a name, or Ellipsis.

        It is Ellipsis for steps, and for what counts by its value: parameters and constants.
        """
        member = self._members.get(name)
        if member is None or name in self._steps:
            return Ellipsis
        is_flowkits = type(member.value).__module__.partition(".")[0] == "flowkit"
        is_code = callable(member.value) or hasattr(member.value, "__get__")
        is_made = name.startswith("_") or (is_code and not is_flowkits)
        return member.value if is_made else Ellipsis

    def _around(self, function: FunctionType) -> Iterator[FunctionType]:
        """Yield the functions that wrap a step's own, outermost first."""
        member = self._members.get(function.__name__)
        outer = member.value if member is not None else None
        while isinstance(outer, FunctionType) and outer is not function:
            yield outer
            outer = getattr(outer, "__wrapped__", None)

    def attribute(self, name: str) -> tuple[list[ast.stmt], ModuleType | None]:
        """Return the statements that set an attribute of the class, and the module they are in."""
        member = self._members.get(name)
        if member is None:
            return [], None
        module = sys.modules.get(member.owner.__module__)
        return self._sources.attribute(member.owner, name), module

    def homes(self, name: str, value: object) -> Iterator[tuple[ModuleType, str]]:
        """Yield the modules of the project that hold a value, and what they call it."""
        for module in list(sys.modules.values()):
            if not isinstance(module, ModuleType):
                continue
            known = vars(module)
            if not self.is_own(module.__name__, known.get("__file__")):
                continue
            names = [name, *(one for one in list(known) if one != name)]
            yield from ((module, one) for one in names if known.get(one, Ellipsis) is value)

    def file_of(self, module: str) -> str | None:
        """Return where a module of the project would be, which may not be there."""
        return str(self._folder.joinpath(*module.split("."))) if self._folder else None

    def is_own(self, module: str | None, file: str | None) -> bool:
        """Say whether code belongs to the flow's project: it is not installed, nor flowkit's."""
        if file is None or self._folder is None:
            return False
        # A flow may lie beside a checkout of flowkit.
        if module is not None and module.partition(".")[0] == "flowkit":
            return False
        return is_of_project(PurePath(file), self._folder)

    def label(self, module: str) -> str:
        """Return the name of a module; the flow's own has many, by how it is started."""
        return "" if module == self._class.__module__ else module

    def name_of(self, value: type | FunctionType) -> str:
        """Return the full name of a class or function."""
        return f"{self.label(value.__module__)}.{value.__qualname__}"

    def is_flow(self, value: object) -> bool:
        """Say whether this is the flow itself: its steps count one by one."""
        return isinstance(value, type) and value in self._class.__mro__
