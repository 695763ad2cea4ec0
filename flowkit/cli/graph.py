"""`flowkit graph`: a flow's steps as a picture, for terminals and for other programs."""

from __future__ import annotations

import re

import click
from msgspec.structs import replace

from flowkit.cli.command import command, flow_argument
from flowkit.cli.flows import description_of
from flowkit.cli.invocation import Invocation
from flowkit.cli.offers import offer_pathspecs_or_files
from flowkit.cli.report import near_path
from flowkit.cli.screen import fitted, print_lines
from flowkit.errors import UsageError


@command(
    "graph",
    examples=[
        "graph flow.py",
        "graph flow.py --format dot | dot -Tsvg > flow.svg",
        "graph Train/12 --format json",
    ],
    exits=[3, 4],
)
@click.argument(
    "target", metavar="FLOW|RUN", required=False, shell_complete=offer_pathspecs_or_files
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "dot", "json"]),
    default="text",
    show_default=True,
    help="Text to read, Graphviz, or JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as `--format json`.")
@click.pass_obj
def draw_graph(invocation: Invocation, /, *, target: str | None, form: str, as_json: bool) -> None:
    """Draw the steps of a flow file, or of the flow as it was in a run."""
    from flowkit.graph import to_dot, to_json, to_text

    if target is None and invocation.script is None:
        raise UsageError("no flow is named", hint="run `flowkit graph flow.py`")
    description = description_of(invocation, target)
    writers = {"text": to_text, "dot": to_dot, "json": to_json}
    if form == "text" and not as_json:
        # Programs are given the path that holds everywhere.
        description = replace(description, file=near_path(description.file))
    drawn = writers["json" if as_json else form](description)
    for line in drawn.splitlines():
        print_lines(fitted(line, indent=_last_column(line)) if form == "text" else [line])


@command("output-dot", examples=["output-dot flow.py"], exits=[3], params=[flow_argument()])
@click.pass_obj
def output_dot(invocation: Invocation, /, *, flow: str) -> None:
    """Print the steps of a flow in the language of Graphviz."""
    from flowkit.graph import to_dot

    print_lines(to_dot(description_of(invocation, flow)).splitlines())


@command("output-raw", examples=["output-raw flow.py"], exits=[3], params=[flow_argument()])
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as it does without.")
@click.pass_obj
def output_raw(invocation: Invocation, /, *, flow: str, as_json: bool) -> None:
    """Print the steps of a flow as JSON."""
    from flowkit.graph import to_json

    print_lines(to_json(description_of(invocation, flow)).splitlines())


def _last_column(line: str) -> int:
    """Return where the text at the end of a line begins: behind its last wide gap."""
    gaps = [gap.end() for gap in re.finditer(r" {2,}", line)]
    return gaps[-1] if gaps else 0
