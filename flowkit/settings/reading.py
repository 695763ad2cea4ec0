"""Finding settings: defaults, configuration files, the environment, the command line.

Later sources win: defaults, then `flowkit.toml` or `[tool.flowkit]` in `pyproject.toml`, then
`FLOWKIT_*` in the environment, then the command line. Settings hold no secrets.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct

from flowkit.errors import UsageError
from flowkit.settings.fields import (
    SETTINGS,
    Settings,
    WrongSettings,
    check_settings,
    login_name,
)
from flowkit.wording import shown

_PREFIX = "FLOWKIT_"
_PATHS = ("home", "store", "metadata")


class ResolvedSettings(Struct, frozen=True):
    """Settings and where each came from.

    `origins` maps every field to a text such as `default`, `/home/ada/flowkit.toml:3`,
    `environment FLOWKIT_USER` or `command line`.
    """

    settings: Settings
    origins: Mapping[str, str]


class _Given(Struct, frozen=True):
    """A value that one source gives, as it stands there."""

    value: object
    origin: str


class _ConfigFile(Struct, frozen=True):
    """A configuration file; flowkit's `table` is in the named `tables`, outermost first."""

    path: Path
    text: str
    table: Mapping[str, object]
    tables: tuple[str, ...]

    def origin(self, name: str) -> str:
        """Say where the file sets `name`, with the line if it is written plainly."""
        inside = not self.tables
        header = f"[{'.'.join(self.tables)}]"
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.lstrip().startswith("["):
                inside = line.strip() == header
            elif inside and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
                return f"{self.path}:{number}"
        return str(self.path)


def read_settings(
    start: Path,
    overrides: Mapping[str, object],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> ResolvedSettings:
    """Resolve the settings for a project.

    Args:
        start: a folder or file of the project; configuration files are looked for from there
            upward.
        overrides: values given on the command line by field name; None means not given.
        environ: the environment; this process's unless given.
        cwd: the folder that relative paths of both are in; this process's unless given.

    Raises:
        UsageError: a configuration file cannot be read, or a name or a value is wrong. All wrong
            values are named, with where each stands.
    """
    environ = os.environ if environ is None else environ
    cwd = cwd or Path.cwd()
    folder = start.absolute()
    if not folder.is_dir():
        folder = folder.parent
    config = _find_config(folder)
    project = config.path.parent if config else folder
    given: dict[str, _Given] = {}
    if config:
        given.update(_from_config(config))
    given.update(_from_environment(environ, cwd))
    for name, value in overrides.items():
        if value is not None:
            _check_name(name, name, "the command line")
            given[name] = _Given(_anchored(name, value, cwd), "command line")
    values: dict[str, object] = {"home": project / ".flowkit", "user": login_name(environ)}
    values |= {name: one.value for name, one in given.items()}
    try:
        settings = check_settings(values)
    except WrongSettings as error:
        raise _wrong_values(error, given) from error
    origins = {name: given[name].origin if name in given else "default" for name in SETTINGS}
    return ResolvedSettings(settings, origins)


def wants_colour() -> bool:
    """Say whether a terminal may be sent colour: it is no dumb one, and `NO_COLOR` is not set."""
    return not os.environ.get("NO_COLOR") and not is_dumb_terminal()


def is_dumb_terminal() -> bool:
    """Say whether the terminal knows no escape codes at all."""
    return os.environ.get("TERM", "dumb") == "dumb"


def _find_config(folder: Path) -> _ConfigFile | None:
    for place in _places(folder):
        for name, tables in (("flowkit.toml", ()), ("pyproject.toml", ("tool", "flowkit"))):
            path = place / name
            # Says no as well where a folder may not be searched.
            if not os.path.isfile(path):
                continue
            try:
                text = path.read_text(encoding="utf-8")
                table: Any = tomllib.loads(text)
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"`{path}` cannot be read: {error}", hint="mend the file or move it away"
                ) from error
            for key in tables:
                table = table.get(key) if isinstance(table, dict) else None
            if isinstance(table, dict):
                return _ConfigFile(path, text, table, tables)
    return None


def _places(folder: Path) -> Iterator[Path]:
    yield folder
    for parent in folder.parents:
        # Where anybody may write, such as /tmp, a file may be a stranger's. Settings name the
        # store, and what a store holds is unpickled.
        try:
            if parent.stat().st_mode & stat.S_IWOTH:
                return
        except OSError:
            return
        yield parent


def _from_config(config: _ConfigFile) -> Iterator[tuple[str, _Given]]:
    for name, value in config.table.items():
        origin = config.origin(name)
        _check_name(name, name, f"`{origin}`")
        yield name, _Given(_anchored(name, value, config.path.parent), origin)


def _from_environment(environ: Mapping[str, str], cwd: Path) -> Iterator[tuple[str, _Given]]:
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX):
            continue
        name = variable.removeprefix(_PREFIX).lower()
        origin = f"environment {variable}"
        if name in SETTINGS:
            value = _anchored(name, environ[variable], cwd)
            yield name, _Given(value, origin)
        elif get_close_matches(name, SETTINGS, n=1, cutoff=0.9):
            # Other names are left alone: options of commands are read from FLOWKIT_<COMMAND>_…,
            # and flows may have variables of their own.
            _check_name(name, variable, "the environment")


def _anchored(name: str, value: object, folder: Path) -> object:
    """Resolve a relative path from the place it was written at; a URL is no path."""
    if name not in _PATHS or not isinstance(value, str | Path):
        return value
    text = str(value)
    return str(folder / os.path.expanduser(text)) if text and "://" not in text else text


def _check_name(name: str, written: str, where: str) -> None:
    known = sorted(SETTINGS)
    if name in known:
        return
    near = get_close_matches(name, known, n=1)
    raise UsageError(
        f"`{written}` in {where} is no setting",
        hint=f"did you mean `{near[0]}`?" if near else f"settings are: {', '.join(known)}",
    )


def _wrong_values(error: WrongSettings, given: Mapping[str, _Given]) -> UsageError:
    faults = [
        f"`{name}` is `{shown(given[name].value)}` in {given[name].origin}, but takes {expected}"
        for name, expected in error.expected.items()
    ]
    return UsageError("; ".join(faults), hint="correct the value where it is set")
