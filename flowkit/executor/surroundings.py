"""What a flow's own processes find around them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Surroundings(Struct, frozen=True, kw_only=True):
    """An environment, a folder, and where what importing prints goes to.

    None is what this process has. `talk` is a file descriptor; without one, importing prints to
    this process's stderr.
    """

    environ: Mapping[str, str] | None = None
    cwd: str | None = None
    talk: int | None = None
