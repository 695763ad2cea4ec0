"""A flow's parameters as options of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flowkit.graph import FlowDescription, ParameterDescription

PREFIX = "parameter_"
"""How click is told to call the value of a parameter, which may be named like anything."""


def parameter_options(flow: FlowDescription) -> list[click.Option]:
    """Make an option for each parameter; `--learning-rate` is `--learning_rate` too."""
    taken = {parameter.name for parameter in flow.parameters}
    options = []
    for at, parameter in enumerate(flow.parameters):
        spellings = [parameter.name]
        dashed = parameter.name.replace("_", "-")
        if dashed not in taken:
            spellings.append(dashed)
        options.append(
            click.Option(
                [f"{PREFIX}{at}", *(f"--{one}" for one in spellings)],
                multiple=parameter.multiple,
                metavar=parameter_metavar(parameter),
                help=parameter_help(parameter),
                # The environment is read where the flow's own types are.
                allow_from_autoenv=False,
            )
        )
    return options


def parameter_metavar(parameter: ParameterDescription) -> str:
    """Say what an option takes: its choices, or its type."""
    if parameter.choices:
        return f"[{'|'.join(parameter.choices)}]"
    return parameter.type_name.upper()


def parameter_help(parameter: ParameterDescription) -> str:
    """Say what a parameter is for, and what it is when it is not given."""
    notes = ["may be repeated"] if parameter.multiple else []
    if parameter.required:
        notes.append("required")
    elif parameter.computed:
        notes.append("default: computed when the run starts")
    elif parameter.default is not None:
        notes.append(f"default: {parameter.default}")
    return f"{parameter.help}  [{'; '.join(notes)}]".strip() if notes else parameter.help
