"""What all commands of one invocation share: global options, settings, the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from flowkit.client import Workspace
    from flowkit.settings import ResolvedSettings


@dataclass(frozen=True, slots=True)
class Script:
    """The flow file that runs as `python flow.py ...`, and the flow's name in it."""

    file: str
    flow: str

    @property
    def source(self) -> str:
        """The flow as the argument FLOW names it."""
        return f"{self.file}:{self.flow}"


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One call of the command line.

    `overrides` are settings given as options, `specs` the `--with` options before the command,
    `config_files` and `config_values` its `--config` and `--config-value`. `branch`, `production`
    and `triggers` are given there, too, to flow scripts.
    """

    script: Script | None = None
    overrides: dict[str, object] = field(default_factory=dict)
    specs: tuple[str, ...] = ()
    branch: str | None = None
    production: bool = False
    triggers: tuple[str, ...] = ()
    config_files: tuple[tuple[str, str], ...] = ()
    config_values: tuple[tuple[str, str], ...] = ()
    debug: bool = False
    _opened: Workspace | None = None

    def take_options(self, options: Mapping[str, Any]) -> None:
        """Take the options that stand before the command, by name; absent ones change nothing."""
        self.debug = bool(options.get("debug"))
        self.specs = tuple(options.get("specs") or ())
        self.branch = options.get("branch")
        self.production = bool(options.get("production"))
        self.triggers = tuple(options.get("trigger") or ())
        self.config_files = tuple(options.get("config_files") or ())
        self.config_values = tuple(options.get("config_values") or ())
        store = options.get("store") or options.get("datastore_root")
        for name, value in (("home", options.get("home")), ("store", store)):
            if value is not None:
                self.overrides[name] = value
        if options.get("quiet"):
            self.overrides["quiet"] = True

    def read_settings(self, more: Mapping[str, object] | None = None) -> ResolvedSettings:
        """Resolve the settings, with `more` overrides where they are not None.

        Raises:
            UsageError: a source holds an unknown name or a bad value.
        """
        from flowkit.settings import read_settings

        given = {name: value for name, value in (more or {}).items() if value is not None}
        return read_settings(Path.cwd(), {**self.overrides, **given})

    def open_workspace(self) -> Workspace:
        """Open the store and the index that the settings name; the same one at every call.

        Raises what `flowkit.client.open_workspace` raises.
        """
        from flowkit.client import open_workspace

        if self._opened is None:
            self._opened = open_workspace(self.read_settings().settings)
        return self._opened

    def close(self) -> None:
        """Release what was opened. May be called twice."""
        if self._opened is not None:
            self._opened.close()

    def absolute(self, pathspec: str) -> str:
        """Complete a pathspec that leaves out the flow, as `python flow.py` allows."""
        if self.script is None or pathspec.split("/")[0] == self.script.flow:
            return pathspec
        return f"{self.script.flow}/{pathspec}"

    def command_line(self, words: str) -> str:
        """Write a command as this invocation's user would type it."""
        if self.script is None:
            return f"flowkit {words}"
        return f"python {Path(self.script.file).name} {words}"


def of_context(ctx: click.Context) -> Invocation:
    """Return the invocation that a click context belongs to."""
    return ctx.ensure_object(Invocation)
