"""Spins: where steps that were run by themselves are kept, apart from all runs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from flowkit.client.workspace import Workspace, current_workspace, open_workspace

if TYPE_CHECKING:
    from flowkit.settings import Settings

FOLDER = "spin"
"""The folder of spins that are kept, in `home`."""
_STORE, _INDEX = "store", "metadata.db"


def spin_settings(settings: Settings, folder: Path | None = None) -> Settings:
    """Return the settings of a place for spins: a store over that of the runs, and an index.

    `folder`: another one than that in `home`.
    """
    from flowkit.store import layered_url

    home = folder or settings.home / FOLDER
    return replace(
        settings,
        home=home,
        store=layered_url(str(home / _STORE), settings.store),
        metadata=str(home / _INDEX),
    )


def is_of_spins(settings: Settings) -> bool:
    """Say whether settings are those of a place for spins."""
    return _is_layered(settings.store)


def workspace_of(store: str) -> Workspace:
    """Return the workspace that a task's run is in, by the URL of the task's store.

    It is the current one, but for a spin: that is a run of a place of its own.
    """
    workspace = current_workspace()
    if store == workspace.settings.store or not _is_layered(store):
        return workspace
    return _spin_workspace(store, workspace)


@lru_cache(maxsize=1)
def _spin_workspace(store: str, around: Workspace) -> Workspace:
    from flowkit.store import split_layered_url

    folder, _ = split_layered_url(store)
    return open_workspace(spin_settings(around.settings, Path(folder).parent))


def _is_layered(store: str) -> bool:
    return store.startswith("layered://")
