"""Profiles, which Metaflow's configuration has and flowkit's settings have not."""

from __future__ import annotations

from flowkit.errors import UsageError


def refuse_profile(profile: str | None) -> None:
    """Say that settings have no profiles, to those who name one. Raises UsageError."""
    if profile is not None:
        raise UsageError(
            f"there is no profile `{profile}`: flowkit has no profiles",
            hint="put settings into `flowkit.toml` in the folder `cwd`, or give them by name",
        )
