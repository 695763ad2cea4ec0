"""Whose runs one sees: those that carry the namespace as a tag, or all."""

from __future__ import annotations

from dataclasses import dataclass

from flowkit.client.workspace import Workspace, current_workspace
from flowkit.errors import NotFound, UsageError


class NamespaceMismatch(UsageError):
    """What was named is there, but not in the namespace."""

    def __init__(self, *, what: str, namespace: str) -> None:
        super().__init__(
            f"{what} is not in namespace `{namespace}`",
            hint="call `namespace(None)` to see everybody's runs",
        )
        self.namespace = namespace


@dataclass(frozen=True, slots=True)
class _Chosen:
    namespace: str | None


_chosen: _Chosen | None = None


def namespace(name: str | None) -> str | None:
    """See only runs with this tag from now on, in all threads; None is to see all runs."""
    global _chosen
    _chosen = _Chosen(name)
    return name


def get_namespace() -> str | None:
    """Return the namespace: the one chosen last, or else the settings' (`user:NAME`)."""
    return namespace_for(current_workspace()) if _chosen is None else _chosen.namespace


def default_namespace() -> str | None:
    """Go back to the settings' namespace, and return it."""
    global _chosen
    _chosen = None
    return get_namespace()


def namespace_for(workspace: Workspace) -> str | None:
    """Return the namespace that holds for a workspace."""
    return workspace.settings.namespace if _chosen is None else _chosen.namespace


MetaflowNamespaceMismatch = NamespaceMismatch
MetaflowNotFound = NotFound
