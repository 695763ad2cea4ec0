"""`metadata(...)`: looking at runs that are kept somewhere else."""

from __future__ import annotations

from pathlib import Path

from flowkit.client.workspace import current_workspace, open_workspace, use_workspace
from flowkit.errors import UsageError

_LOCAL = "local"


def metadata(place: str) -> str:
    """Look at the runs below another folder from now on, in all threads.

    `place` is `local@FOLDER`, where FOLDER is what `FLOWKIT_HOME` was for those runs; a folder
    alone does as well. Returns the place in full.

    Raises:
        UsageError: it names no folder.
        StoreError: what is there cannot be opened.
    """
    kind, at, folder = place.partition("@")
    if not at:
        kind, folder = _LOCAL, place
    if kind != _LOCAL:
        raise UsageError(
            f"runs cannot be looked at in `{kind}`",
            hint="name the folder that holds them, as in `local@/data/flowkit`",
        )
    home = Path(folder).expanduser().absolute()
    if not home.is_dir():
        raise UsageError(f"`{home}` is no folder", hint="name the folder that holds the runs")
    from flowkit.settings import read_settings

    given = {"home": str(home), "store": str(home / "store"), "metadata": None}
    settings = read_settings(Path.cwd(), {k: v for k, v in given.items() if v}).settings
    use_workspace(open_workspace(settings))
    return get_metadata()


def get_metadata() -> str:
    """Return where the runs are that one looks at, as `metadata` takes it."""
    return f"{_LOCAL}@{current_workspace().settings.home}"


def default_metadata() -> str:
    """Go back to the runs that the settings name, and return where they are."""
    use_workspace(open_workspace())
    return get_metadata()
