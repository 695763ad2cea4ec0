"""`--config` and `--config-value`: what a flow's configs are given on a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from flowkit.errors import UsageError

if TYPE_CHECKING:
    from flowkit.cli.invocation import Invocation
    from flowkit.graph import ConfigDescription
    from flowkit.values import LoadOptions


def config_options() -> list[click.Option]:
    """Make the options; their variables hold JSON, and are read where the flow is."""
    options = [
        click.Option(
            ["--config", "config_files"],
            nargs=2,
            multiple=True,
            metavar="NAME FILE",
            help="Read a config of the flow from a file; may be repeated.",
        ),
        click.Option(
            ["--config-value", "config_values"],
            nargs=2,
            multiple=True,
            metavar="NAME VALUE",
            help="Give a config of the flow a value, such as JSON; may be repeated.",
        ),
    ]
    for option in options:
        option.allow_from_autoenv = False
    return options


def load_options(invocation: Invocation, given: Mapping[str, Any]) -> LoadOptions:
    """Gather what a command line gives configs, before the command and after it."""
    from flowkit.values import LoadOptions

    files, values = dict(given.get("config_files") or ()), dict(given.get("config_values") or ())
    # What stands behind the command is said later, and wins.
    said = files.keys() | values.keys()
    files = {name: one for name, one in invocation.config_files if name not in said} | files
    values = {name: one for name, one in invocation.config_values if name not in said} | values
    return LoadOptions(config_files=files, config_values=values)


def refuse_configs(invocation: Invocation) -> None:
    """Say that a resumed run takes no configs. Raises UsageError if some are given."""
    if invocation.config_files or invocation.config_values:
        raise resumed_with_configs()


def resumed_with_configs() -> UsageError:
    """Make the error of a resumed run that is given a config."""
    return UsageError(
        "a resumed run keeps its configs",
        hint="start a new run with other ones: `flowkit run`",
    )


def config_documents(configs: Sequence[ConfigDescription]) -> dict[str, object]:
    """Return the values of configs by name, for JSON."""
    if not configs:
        return {}
    return {one.name: _value(one.value or "null") for one in configs}


def config_texts(configs: Sequence[ConfigDescription]) -> dict[str, str]:
    """Return the values of configs by name, as text."""
    import json

    documents = config_documents(configs)
    return {
        name: json.dumps(one, ensure_ascii=False, default=str) for name, one in documents.items()
    }


def _value(text: str) -> object:
    """Return the value that a record has of a config; what it cannot be is shown as it stands."""
    from flowkit.flow import read_config_json

    try:
        return read_config_json(text)
    except (ValueError, TypeError, RecursionError):
        return text
