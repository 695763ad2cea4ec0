"""Loading what other packages provide by entry points."""

from __future__ import annotations

from collections.abc import Sequence
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
    from importlib.metadata import entry_points

    points = sorted(entry_points(group=group), key=lambda point: point.name)
    return {point.name: _load(point, known) for point in points}


def _load(point: EntryPoint, known: Sequence[str]) -> object:
    try:
        plugin: object = point.load()
    except Exception as error:
        # Importing foreign code may raise anything; whatever it is, the plugin is broken.
        raise PluginBroken(name=point.name, cause=str(error), known=known) from error
    return plugin
