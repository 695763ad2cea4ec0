"""How flowkit is set up here: the one reader of the environment and of configuration files.

Later sources win: defaults, then `flowkit.toml` or `[tool.flowkit]` in `pyproject.toml`, then
`FLOWKIT_*` in the environment, then the command line. Settings hold no secrets.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flowkit.errors import UsageError

__all__ = ["ResolvedSettings", "Settings", "is_dumb_terminal", "read_settings", "wants_colour"]

_PREFIX = "FLOWKIT_"
_BOUNDS = {"ge": " of at least {}", "gt": " above {}", "min_length": " that is not empty"}
"""How pydantic calls the bounds of a field, and how errors say them."""
_PATHS = ("home", "store", "metadata")


def _cpu_count() -> int:
    """Cores that this process may use, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def _gpu_count() -> int:
    try:
        return sum(re.fullmatch(r"nvidia\d+", name) is not None for name in os.listdir("/dev"))
    except OSError:
        return 0


def _login_name(environ: Mapping[str, str] | None = None) -> str:
    environ = os.environ if environ is None else environ
    for name in ("LOGNAME", "USER"):
        if environ.get(name):
            return environ[name]
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under a number that has no name.
        return str(os.getuid())


class Settings(BaseModel):
    """All settings, checked. Sizes are in the unit that their name ends with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(
        default_factory=lambda: Path(".flowkit").absolute(),
        description="Folder for everything flowkit keeps; `.flowkit` beside the configuration "
        "file, or in the folder that flowkit was started for.",
    )
    store: str = Field(
        default_factory=lambda known: str(known["home"] / "store"),
        min_length=1,
        description="Where artifacts and results are: a folder. Default: `store` in `home`.",
    )
    metadata: str = Field(
        default_factory=lambda known: str(known["home"] / "metadata.db"),
        min_length=1,
        description="The index of runs: a SQLite file. Default: `metadata.db` in `home`.",
    )
    executor: str = Field(
        default="local", min_length=1, description="Where attempts run: the name of an executor."
    )
    max_workers: int = Field(
        default_factory=lambda: max(4, _cpu_count()),
        ge=1,
        description="Attempts of a run at a time. Default: one a core, and no fewer than 4.",
    )
    cpu: float = Field(
        default_factory=lambda: float(_cpu_count()),
        gt=0,
        description="Cores that the attempts on this machine may ask for together.",
    )
    memory_mb: int = Field(
        default_factory=_memory_mb,
        gt=0,
        description="Memory that the attempts on this machine may ask for together.",
    )
    gpu: int = Field(
        default_factory=_gpu_count,
        ge=0,
        description="GPUs that the attempts on this machine may ask for together.",
    )
    user: str = Field(
        default_factory=_login_name,
        min_length=1,
        description="Whose runs these are. Default: the login name.",
    )
    namespace: str | None = Field(
        default_factory=lambda known: f"user:{known['user']}",
        description="Which runs the client sees: those with this tag; all if it is empty. "
        "Default: `user:` and the user.",
    )
    log_limit_bytes: int = Field(
        default=10_000_000,
        ge=0,
        description="Bytes of output kept of an attempt.",
    )
    sync: bool = Field(
        default=True,
        description="Wait until the disk has what is committed, so that a power cut loses nothing.",
    )
    verify: Literal["fetched", "always"] = Field(
        default="fetched",
        description="When to check bytes against their digest: as they are fetched or gathered, "
        "or also each time a stored file is mapped.",
    )
    s3_root: str | None = Field(
        default=None,
        min_length=1,
        description="Where runs keep what they write with `S3(run=...)`: a URL such as "
        "`s3://bucket/flowkit`.",
    )
    s3_endpoint: str | None = Field(
        default=None,
        min_length=1,
        description="The S3 server. Default: that of `AWS_ENDPOINT_URL`, or else Amazon's.",
    )
    s3_workers: int = Field(default=32, ge=1, description="Objects of an `S3` scope at a time.")
    s3_memory_mb: int = Field(
        default_factory=lambda known: known.get("memory_mb", 8192) // 8,
        ge=0,
        description="Memory for objects that an `S3` scope has read; more go to temporary files. "
        "Default: an eighth of `memory_mb`.",
    )
    s3_timeout_s: float = Field(
        default=30.0, gt=0, description="How long to wait for the next byte of an S3 server."
    )
    s3_retries: int = Field(
        default=8, ge=0, description="How often to ask again an S3 server that fails."
    )
    progress: Literal["auto", "plain", "off"] = Field(
        default="auto",
        description="How a run shows how far it is; `auto` suits a terminal and a pipe alike.",
    )
    quiet: bool = Field(default=False, description="Print only what a flow prints, and errors.")
    secrets_provider: str | None = Field(
        default=None,
        min_length=1,
        description="Who is asked for secrets whose source names no provider: `env-file`, "
        "`command`, or the name of an installed one.",
    )
    catalog: str = Field(
        default="local",
        min_length=1,
        description="Where tables are looked up: the name of a catalog. `local` is a SQLite file "
        "and a folder in `home`.",
    )
    catalogs: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="Catalogs by name, each with pyiceberg's properties; keep secrets out of them.",
    )

    @field_validator("home", mode="before")
    @classmethod
    def _home_is_named(cls, value: object) -> object:
        if value == "":
            raise ValueError("it must name a folder")
        return value

    @field_validator("home")
    @classmethod
    def _home_is_absolute(cls, value: Path) -> Path:
        # Attempts run in folders of their own choice.
        return value.expanduser().absolute()

    @field_validator("namespace")
    @classmethod
    def _empty_means_all(cls, value: str | None) -> str | None:
        return value or None


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """Settings and where each came from.

    `origins` maps every field to a text such as `default`, `/home/ada/flowkit.toml:3`,
    `environment FLOWKIT_USER` or `command line`.
    """

    settings: Settings
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that one source gives, as it stands there."""

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class _ConfigFile:
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
    values: dict[str, object] = {"home": project / ".flowkit", "user": _login_name(environ)}
    values |= {name: one.value for name, one in given.items()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _wrong_values(error, given) from error
    origins = {
        name: given[name].origin if name in given else "default" for name in Settings.model_fields
    }
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
        if name in Settings.model_fields:
            value = _anchored(name, environ[variable], cwd)
            yield name, _Given(value, origin)
        elif get_close_matches(name, Settings.model_fields, n=1, cutoff=0.9):
            # Other names are left alone: options of commands are read from FLOWKIT_<COMMAND>_…,
            # and flows may have variables of their own.
            _check_name(name, variable, "the environment")


def _anchored(name: str, value: object, folder: Path) -> object:
    """Resolve a relative path from the place it was written at; a URL is no path."""
    if name not in _PATHS or not isinstance(value, str | Path):
        return value
    text = str(value)
    return str(folder / Path(text).expanduser()) if text and "://" not in text else text


def _check_name(name: str, written: str, where: str) -> None:
    known = sorted(Settings.model_fields)
    if name in known:
        return
    near = get_close_matches(name, known, n=1)
    raise UsageError(
        f"`{written}` in {where} is no setting",
        hint=f"did you mean `{near[0]}`?" if near else f"settings are: {', '.join(known)}",
    )


def _wrong_values(error: ValidationError, given: Mapping[str, _Given]) -> UsageError:
    faults = []
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0])
        if name not in given:
            # A default that could not be made because the setting it follows is wrong.
            continue
        found = f"`{name}` is `{given[name].value}` in {given[name].origin}"
        faults.append(f"{found}, but takes {_expected(name)}")
    return UsageError("; ".join(faults), hint="correct the value where it is set")


def _expected(name: str) -> str:
    """Say what a setting takes, from its type and its bounds."""
    field = Settings.model_fields[name]
    if get_origin(field.annotation) is Literal:
        *others, last = (f"`{one}`" for one in get_args(field.annotation))
        return f"{', '.join(others)} or {last}"
    kinds: dict[object, str] = {
        Path: "the path of a folder",
        bool: "`true` or `false`",
        float: "a number",
        int: "a whole number",
    }
    text = kinds.get(field.annotation, "text")
    for bound in field.metadata:
        for attribute, words in _BOUNDS.items():
            if hasattr(bound, attribute):
                text += words.format(getattr(bound, attribute))
    return text
