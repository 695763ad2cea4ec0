"""`flowkit resume`: go on where an earlier run failed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import Command, flow_argument
from flowkit.cli.configs import refuse_configs, resumed_with_configs
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

if TYPE_CHECKING:
    from flowkit.graph import FlowDescription

_HELP = """Run a flow again, taking over every task of an earlier run that still holds.

Tasks before the step that failed are not run again: their results stand for the new run's.
With STEP the flow runs anew from there. Parameters and configs are those of the earlier run, but
for parameters that `--set` changes: then what depends on them runs anew, and nothing else.
"""


def _resume(
    ctx: click.Context,
    /,
    *,
    flow: str,
    step: str | None,
    origin: str | None,
    changed: tuple[str, ...],
    **given: Any,
) -> int:
    from flowkit.runner import FlowSource, Resumes, open_session

    invocation = of_context(ctx)
    refuse_configs(invocation)
    settings = settings_of(invocation, given)
    with open_session(FlowSource.parse(flow), settings, resumes=Resumes(origin)) as session:
        parameters = _changed(changed, session.description)
        options = options_of(invocation, given, parameters=parameters)
        with progress_of(settings) as progress:
            end = session.resume(options, progress, step=step, origin=origin)
        return report_end(end, invocation=invocation, file=flow)


def _changed(pairs: Sequence[str], description: FlowDescription) -> dict[str, str | list[str]]:
    """Read `NAME=VALUE` pairs; a parameter with several values may come several times.

    Raises:
        UsageError: a pair is none, or sets a parameter twice that has one value.
    """
    several = {_folded(one.name) for one in description.parameters if one.multiple}
    found: dict[str, str | list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise UsageError(
                f"`--set {pair}` sets nothing", hint="write it as in `--set alpha=0.5`"
            )
        name = _folded(name)
        if name in several:
            found[name] = [*found.get(name, ()), value]
        elif name in found:
            raise UsageError(f"`--set` sets `{name}` twice", hint="leave one of them out")
        else:
            found[name] = value
    return found


def _folded(name: str) -> str:
    """Return the form in which names of one parameter are equal."""
    return name.replace("_", "-").lower()


class ResumeCommand(Command):
    """`resume` takes no parameters as options, and says how to change one where one is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line. Raises UsageError for an option that may be a parameter."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name in ("--config", "--config-value"):
                raise resumed_with_configs() from error
            known = [name for param in self.params for name in param.opts]
            if get_close_matches(error.option_name, known, n=1, cutoff=0.8):
                raise
            raise UsageError(
                f"`{error.option_name}` is no option of `{ctx.command_path}`: "
                "a resumed run keeps its parameters",
                hint=f"change one with `--set {error.option_name.lstrip('-')}=VALUE`, "
                "or start a new run",
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
        click.Option(
            ["--set", "changed"],
            multiple=True,
            metavar="NAME=VALUE",
            help="Change a parameter, and run anew what depends on it; may be repeated.",
        ),
        *driving_options(),
    ],
    callback=click.pass_context(_resume),
    help=_HELP,
    examples=[
        "resume flow.py",
        "resume flow.py train",
        "resume flow.py --origin-run-id 12",
        "resume flow.py --set alpha=4",
    ],
    exits=[1, 3, 4, 130],
)
