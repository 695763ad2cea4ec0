"""Versions of the packages that a flow uses, without importing any."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection


def versions_of(packages: Collection[str]) -> dict[str, str]:
    """Return the versions of packages by the names that they are imported under, sorted.

    Left out are those whose version is not cheap to know: not imported yet, and installed under
    another name. `importlib.metadata` would find them, but its own import takes longer than all
    else here.
    """
    if not packages:
        return {}
    installed = _installed()
    found = {}
    for name in sorted(packages):
        version = getattr(sys.modules.get(name), "__version__", None)
        if not isinstance(version, str):
            version = installed.get(name.lower())
        if version is not None:
            found[name] = version
    return found


def _installed() -> dict[str, str]:
    """Return versions by distribution, as the folders of their metadata are named."""
    found: dict[str, str] = {}
    for folder in sys.path:
        if os.path.basename(folder) not in ("site-packages", "dist-packages"):
            continue
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                found.setdefault(distribution.lower(), version)
    return found
