"""Loading what other packages provide by entry points."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from flowkit.errors import PluginBroken

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def load_plugin(group: str, name: str, *, known: Sequence[str]) -> object | None:
    """Return what the entry point `name` of a group names, or None if there is none.

    `known` names the built-ins, for the error. Raises PluginBroken.
    """
    from importlib.metadata import entry_points

    for point in entry_points(group=group, name=name):
        return _load(point, known)
    return None


def load_plugins(group: str, *, known: Sequence[str]) -> dict[str, object]:
    """Return what all entry points of a group name, by name, sorted. Raises PluginBroken."""
    if not _is_provided(group):
        return {}
    from importlib.metadata import entry_points

    points = sorted(entry_points(group=group), key=lambda point: point.name)
    return {point.name: _load(point, known) for point in points}


def _is_provided(group: str) -> bool:
    """Say whether an installed package may have entry points of a group.

    Costs 1 ms, where importlib.metadata takes 20 to find that there are none: every task that
    saves an object of a class of its own asks.
    """
    heading = f"[{group}]".encode()
    for folder in sys.path:
        if os.path.isfile(folder):
            return True  # an archive: left to those who can look inside
        with suppress(OSError):
            for name in os.listdir(folder or os.curdir):
                if name.endswith("-info"):
                    with (
                        suppress(OSError),
                        open(f"{folder or os.curdir}/{name}/entry_points.txt", "rb") as file,
                    ):
                        if heading in file.read():
                            return True
    return False


def _load(point: EntryPoint, known: Sequence[str]) -> object:
    try:
        plugin: object = point.load()
    except Exception as error:
        # Importing foreign code may raise anything; whatever it is, the plugin is broken.
        raise PluginBroken(name=point.name, cause=str(error), known=known) from error
    return plugin
