"""The folder that this process is in, which importing a user's file may change."""

from __future__ import annotations

import os
from contextlib import suppress


def current_folder() -> str | None:
    """Return this process's folder; None if it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


def go_back(folder: str | None) -> None:
    """Go to a folder that `current_folder` returned earlier, if it is still there."""
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)


FIRST_FOLDER = current_folder()
"""The folder when flowkit was imported: that of a shell, where a script imports it at its top."""
