"""`flowkit settings`: each setting and where its value came from."""

from __future__ import annotations

from pathlib import Path

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_table
from flowkit.settings import SETTINGS, describe_setting


@command(
    "settings",
    examples=["settings", "settings --json", "--home /tmp/elsewhere settings"],
)
@click.option("--explain", is_flag=True, help="Say what each setting is for.")
@json_option
@click.pass_obj
def show_settings(invocation: Invocation, /, *, explain: bool, as_json: bool) -> None:
    """Show each setting, its value here, and where that came from.

    Later sources win: defaults, `flowkit.toml` or `[tool.flowkit]` in `pyproject.toml`, variables
    such as `FLOWKIT_MAX_WORKERS`, and the command line.
    """
    resolved = invocation.read_settings()
    values = {name: _plain(getattr(resolved.settings, name)) for name in SETTINGS}
    about = {name: describe_setting(name) for name in SETTINGS}
    if as_json:
        print_json(
            "settings",
            settings={
                name: {"value": values[name], "origin": resolved.origins[name], "about": text}
                for name, text in about.items()
            },
        )
        return
    rows = []
    for name, text in about.items():
        row = (name, _shown(values[name]), resolved.origins[name])
        rows.append((*row, text) if explain else row)
    header = ("setting", "value", "origin")
    print_table((*header, "what it is") if explain else header, rows)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else str(value)
