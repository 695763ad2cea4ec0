"""How flowkit is set up here: the only reader of the environment and of configuration files."""

from flowkit.settings.fields import (
    SETTINGS,
    Settings,
    WrongSettings,
    check_settings,
    describe_setting,
)
from flowkit.settings.reading import (
    ResolvedSettings,
    is_dumb_terminal,
    read_settings,
    wants_colour,
)

__all__ = [
    "SETTINGS",
    "ResolvedSettings",
    "Settings",
    "WrongSettings",
    "check_settings",
    "describe_setting",
    "is_dumb_terminal",
    "read_settings",
    "wants_colour",
]
