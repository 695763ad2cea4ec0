"""What a program may say of a run beside its parameters, in the words of a command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from flowkit.errors import UsageError
from flowkit.executor import Surroundings
from flowkit.runner import RunOptions
from flowkit.settings import SETTINGS, Settings, read_settings
from flowkit.values import LoadOptions
from flowkit.wording import shown

_WITHOUT_EFFECT = ("package_suffixes", "pylint")
_ONLY_LOCAL = ("datastore", "environment", "metadata")
_WITH = ("decospecs", "with_")
_SPLITS = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
_LOG_SIZE_MB = Annotated[float, msgspec.Meta(ge=0, le=1000)]
_OF_RUNS = ("branch", "config", "config_value", "production", "trigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOptions:
    """Options of all runs of a `Runner`: settings by name, what `RunOptions` says, and configs."""

    overrides: Mapping[str, object] = field(default_factory=dict)
    run: RunOptions = field(default_factory=RunOptions)
    load: LoadOptions = field(default_factory=LoadOptions)

    @classmethod
    def of(cls, given: Mapping[str, object]) -> TopOptions:
        """Read options by name. Raises UsageError for one that there is not."""
        overrides: dict[str, object] = {}
        run, load = RunOptions(), LoadOptions()
        for name, value in given.items():
            if name in _WITH:
                run = replace(run, with_specs=(*run.with_specs, *words_of(name, value)))
            elif name == "config":
                files = {key: str(file) for key, file in _pairs(name, value)}
                load = replace(load, config_files=files)
            elif name == "config_value":
                values = {key: _config_text(key, one) for key, one in _pairs(name, value)}
                load = replace(load, config_values=values)
            elif name == "branch":
                run = replace(run, branch=next(iter(words_of(name, value)), None))
            elif name == "production":
                run = replace(run, production=bool(value))
            elif name == "trigger":
                run = replace(run, triggers=words_of(name, value))
            elif name == "datastore_root":
                overrides["store"] = value
            elif name in _ONLY_LOCAL and value in (None, "local"):
                continue
            elif name in SETTINGS:
                overrides[name] = value
            elif name not in _WITHOUT_EFFECT:
                raise _unknown(name)
        return cls(overrides=overrides, run=run, load=load)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run is started from: variables beside this process's, and a folder instead of its.

    The process itself is left as it is.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None

    @classmethod
    def of(cls, env: Mapping[Any, Any] | None, cwd: str | Path | None) -> Place:
        """Check an environment and a folder. Raises UsageError."""
        for name, value in (env or {}).items():
            if not isinstance(value, str) or not isinstance(name, str):
                raise UsageError(
                    f"`env` gives `{name}` the value `{value!r}`, and a variable is text",
                    hint=f"write `env={{'{name}': '{value}'}}`",
                )
        if cwd is not None and not Path(cwd).is_dir():
            raise UsageError(
                f"`cwd` is `{cwd}`, which is no folder", hint="give the path of a folder"
            )
        return cls(env=dict(env or {}), cwd=str(Path(cwd).absolute()) if cwd is not None else None)

    @property
    def is_here(self) -> bool:
        """Whether it is this process's own place."""
        return not self.env and self.cwd is None

    def path(self, path: str | Path | None) -> str | None:
        """Resolve a path that may be relative to the folder."""
        return None if path is None else str(Path(self.cwd or "").absolute() / Path(path))

    def settings(self, overrides: Mapping[str, object]) -> Settings:
        """Resolve the settings that hold there, as a command started there would."""
        folder = Path(self.cwd) if self.cwd is not None else Path.cwd()
        environ = self._environ()
        return read_settings(folder, overrides, environ=environ, cwd=folder).settings

    def surroundings(self, talk: int) -> Surroundings:
        """Say what the flow's own processes find there; what importing prints goes to `talk`."""
        return Surroundings(environ=self._environ(), cwd=self.cwd, talk=talk)

    def _environ(self) -> dict[str, str]:
        return {**os.environ, **self.env}


def words_of(name: str, value: object) -> tuple[str, ...]:
    """Read an option that takes several words, or one. Raises UsageError."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable):
        words = tuple(value)
        if all(isinstance(word, str) for word in words):
            return words
    raise UsageError(
        f"`{name}` takes a list of text, not `{value!r}`", hint=f"write `{name}=['text']`"
    )


def most_splits(value: object) -> int | None:
    """Read `max_num_splits`. Raises UsageError."""
    if value is None:
        return None
    try:
        return msgspec.convert(value, _SPLITS, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(
            "`max_num_splits` takes a whole number of at least 1, "
            f"not `{shown(value, write=repr)}`",
            hint="write `max_num_splits=1000`, or leave it out: then there is no limit",
        ) from error


def log_limit(value: object) -> int | None:
    """Read `max_log_size`, which is in MB, as bytes. Raises UsageError."""
    if value is None:
        return None
    try:
        return round(msgspec.convert(value, _LOG_SIZE_MB, strict=False) * 1e6)
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(
            f"`max_log_size` takes a number of MB from 0 to 1000, not `{shown(value, write=repr)}`",
            hint="write `max_log_size=10`",
        ) from error


def _pairs(option: str, value: object) -> list[tuple[str, object]]:
    """Read an option that gives something by name: a dict, or a list of pairs."""
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        pairs = [one for one in value if isinstance(one, tuple | list) and len(one) == 2]
        if len(pairs) == len(value) and all(isinstance(name, str) for name, _ in pairs):
            return [(name, one) for name, one in pairs]
    raise UsageError(
        f"`{option}` gives configs by name, and is `{value!r}`",
        hint=f"write `{option}={{'name': ...}}`",
    )


def _config_text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except TypeError as error:
        raise UsageError(
            f"config `{name}` is given what is no plain data: {error}",
            hint="give text, numbers, lists and dicts",
        ) from error


def _unknown(name: str) -> UsageError:
    known = sorted({*SETTINGS, *_WITH, *_OF_RUNS})
    near = get_close_matches(name, known, n=1)
    return UsageError(
        f"`Runner` knows no option `{name}`",
        hint=f"did you mean `{near[0]}`?"
        if near
        else f"options are: {', '.join(known)}; parameters go to `run`",
    )
