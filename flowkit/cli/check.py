"""`flowkit check`: everything that is wrong with a flow, at once."""

from __future__ import annotations

import sys
from typing import Any

import click

from flowkit.cli.command import command, flow_argument, json_option
from flowkit.cli.configs import config_options
from flowkit.cli.flows import read_description
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.report import near_path
from flowkit.cli.screen import paint, print_lines, say
from flowkit.cli.text import count_of


@command(
    "check",
    examples=["check flow.py", "check flow.py:Train --json"],
    exits=[3],
    params=[flow_argument(), *config_options()],
)
@json_option
@click.pass_obj
def check_flow(invocation: Invocation, /, *, flow: str, as_json: bool, **given: Any) -> int:
    """Check a flow without running it: all its faults, with file, line and what to do."""
    from flowkit.graph import FlowFaults
    from flowkit.runner import missing_backends

    try:
        description = read_description(invocation, flow, given)
    except FlowFaults as error:
        if not as_json:
            raise
        faults = [
            {
                "rule": fault.rule,
                "message": fault.message,
                "hint": fault.hint,
                "file": None if fault.place is None else fault.place.file,
                "line": None if fault.place is None else fault.place.line,
            }
            for fault in error.faults
        ]
        print_json("check", flow=error.flow, ok=False, faults=faults)
        return error.exit_code
    if as_json:
        print_json("check", flow=description.name, file=description.file, ok=True, faults=[])
    elif not invocation.overrides.get("quiet"):
        steps = count_of(len(description.nodes), "step")
        parameters = count_of(len(description.parameters), "parameter")
        where = near_path(description.file)
        print_lines(
            [f"{paint('ok', 'green')}: {description.name} ({where}): {steps}, {parameters}"]
        )
        for missing in missing_backends(description):
            say(f"{paint('note', 'yellow', stream=sys.stderr)}: {missing.message}")
    return 0
