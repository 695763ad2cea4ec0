"""Spins: where steps that were run by themselves are kept, apart from all runs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flowkit.client.places import get_metadata
from flowkit.client.workspace import Workspace, current_workspace, open_workspace, use_workspace
from flowkit.errors import NotFound

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
    changed = {
        "home": home,
        "store": layered_url(str(home / _STORE), settings.store),
        "metadata": str(home / _INDEX),
    }
    return settings.model_copy(update=changed)


def inspect_spin(folder: str = ".") -> str:
    """Look at the spins that were kept from now on, in all threads, instead of at runs.

    `folder` is where `flowkit spin --persist` was called: the settings there say where spins are.
    `default_metadata()` goes back to the runs. Returns the place, as `get_metadata` does.

    Raises:
        NotFound: no spin was kept there.
        UsageError: a setting is wrong.
    """
    from flowkit.settings import read_settings

    settings = spin_settings(read_settings(Path(folder).expanduser().absolute(), {}).settings)
    if not Path(settings.metadata).is_file():
        raise NotFound(
            f"no spin is kept in `{settings.home}`",
            hint="keep one with `flowkit spin flow.py STEP --persist`",
        )
    use_workspace(open_workspace(settings))
    return get_metadata()


def workspace_of(store: str) -> Workspace:
    """Return the workspace that a task's run is in, by the URL of the task's store.

    It is the current one, but for a spin: that is a run of a place of its own.
    """
    workspace = current_workspace()
    if store == workspace.settings.store or not store.startswith("layered://"):
        return workspace
    return _spin_workspace(store, workspace)


@lru_cache(maxsize=1)
def _spin_workspace(store: str, around: Workspace) -> Workspace:
    from flowkit.store import split_layered_url

    folder, _ = split_layered_url(store)
    return open_workspace(spin_settings(around.settings, Path(folder).parent))
