"""`flowkit settings`: each setting and where its value came from."""

from __future__ import annotations

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_table


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
    fields = type(resolved.settings).model_fields
    values = resolved.settings.model_dump(mode="json")
    about = {name: field.description or "" for name, field in fields.items()}
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


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else str(value)
