"""`flowkit resume`: go on where an earlier run failed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import click

from flowkit.cli.command import Command, flow_argument
from flowkit.cli.driving import (
    driving_options,
    options_of,
    progress_of,
    project_options,
    report_end,
    settings_of,
)
from flowkit.cli.invocation import of_context
from flowkit.errors import UsageError

_HELP = """Run a flow again, taking over every task of an earlier run that still holds.

Tasks before the step that failed are not run again: their results stand for the new run's.
With STEP the flow runs anew from there. The parameters are those of the earlier run.
"""


def _resume(
    ctx: click.Context, /, *, flow: str, step: str | None, origin: str | None, **given: Any
) -> int:
    from flowkit.runner import FlowSource, open_session

    invocation = of_context(ctx)
    settings = settings_of(invocation, given)
    options = options_of(invocation, given)
    with open_session(FlowSource.parse(flow), settings) as session:
        with progress_of(settings) as progress:
            end = session.resume(options, progress, step=step, origin=origin)
        return report_end(end, invocation=invocation, file=flow)


class ResumeCommand(Command):
    """`resume` takes no parameters of the flow, and says why where one is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line. Raises UsageError for an option that may be a parameter."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [name for param in self.params for name in param.opts]
            if get_close_matches(error.option_name, known, n=1, cutoff=0.8):
                raise
            raise UsageError(
                f"`{error.option_name}` is no option of `{ctx.command_path}`: "
                "a resumed run keeps its parameters",
                hint="give parameters to a new run: `flowkit run`",
            ) from error


resume_command = ResumeCommand(
    "resume",
    params=[
        flow_argument(),
        click.Argument(["step"], metavar="[STEP]", required=False),
        click.Option(
            ["--origin-run-id", "origin"],
            metavar="ID",
            help="The run to take over from; the flow's latest one unless given.",
        ),
        *project_options(),
        *driving_options(),
    ],
    callback=click.pass_context(_resume),
    help=_HELP,
    examples=[
        "resume flow.py",
        "resume flow.py train",
        "resume flow.py --origin-run-id 12",
    ],
    exits=[1, 3, 4, 130],
)
