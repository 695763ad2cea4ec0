"""A room's public names, each loaded from its module when it is first asked for.

A room with many modules is a heavy door where a caller wants one light name: `flowkit run` reads
a flow's description without the code that checks flows, and takes messages from the worker's room
without the code that runs steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def loads(room: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return a `__getattr__` (PEP 562) for the package `room`.

    Args:
        room: the package's name.
        modules: full names of modules to their public names, separated by spaces.
    """
    module_of = {name: module for module, names in modules.items() for name in names.split()}

    def load(name: str) -> object:
        module = module_of.get(name)
        if module is None:
            raise AttributeError(f"module `{room}` has no attribute `{name}`")
        value: object = getattr(import_module(module), name)
        # Kept, so that this function is asked once a name.
        setattr(sys.modules[room], name, value)
        return value

    return load
