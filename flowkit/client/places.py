"""`metadata(...)`: looking at runs that are kept somewhere else, or at spins."""

from __future__ import annotations

import os
from pathlib import Path

from flowkit.client.spins import is_of_spins, spin_settings
from flowkit.client.workspace import current_workspace, open_workspace, use_workspace
from flowkit.errors import NotFound, UsageError

_LOCAL, _SPIN = "local", "spin"


def metadata(place: str) -> str:
    """Look at the runs below another folder from now on, in all threads.

    `place` is `local@FOLDER`, where FOLDER is what `FLOWKIT_HOME` was for those runs, or
    `spin@FOLDER` for the spins that were kept there; a folder alone means its runs. Returns the
    place in full.

    Raises:
        UsageError: it names no folder.
        StoreError: what is there cannot be opened.
    """
    kind, at, folder = place.partition("@")
    if not at:
        kind, folder = _LOCAL, place
    if kind not in (_LOCAL, _SPIN):
        raise UsageError(
            f"runs cannot be looked at in `{kind}`",
            hint="name the folder that holds them, as in `local@/data/flowkit`",
        )
    home = Path(os.path.expanduser(folder)).absolute()
    if not home.is_dir():
        raise UsageError(f"`{home}` is no folder", hint="name the folder that holds the runs")
    from flowkit.settings import read_settings

    given = {"home": str(home), "store": str(home / "store"), "metadata": None}
    settings = read_settings(Path.cwd(), {k: v for k, v in given.items() if v}).settings
    use_workspace(open_workspace(spin_settings(settings) if kind == _SPIN else settings))
    return get_metadata()


def get_metadata() -> str:
    """Return where the runs are that one looks at, as `metadata` takes it."""
    settings = current_workspace().settings
    if is_of_spins(settings):
        return f"{_SPIN}@{settings.home.parent}"
    return f"{_LOCAL}@{settings.home}"


def inspect_spin(folder: str = ".") -> str:
    """Look at the spins that were kept from now on, in all threads, instead of at runs.

    `folder` is where `flowkit spin --persist` was called: the settings there say where spins are.
    `default_metadata()` goes back to the runs. Returns the place, as `get_metadata` does.

    Raises:
        NotFound: no spin was kept there.
        UsageError: a setting is wrong.
    """
    from flowkit.settings import read_settings

    settings = spin_settings(
        read_settings(Path(os.path.expanduser(folder)).absolute(), {}).settings
    )
    if not Path(settings.metadata).is_file():
        raise NotFound(
            f"no spin is kept in `{settings.home}`",
            hint="keep one with `flowkit spin flow.py STEP --persist`",
        )
    use_workspace(open_workspace(settings))
    return get_metadata()


def default_metadata() -> str:
    """Go back to the runs that the settings name, and return where they are."""
    use_workspace(open_workspace())
    return get_metadata()
