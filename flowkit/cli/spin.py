"""`flowkit spin`: run one step by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.amounts import LOG_SIZE_MB
from flowkit.cli.command import Command, flow_argument
from flowkit.cli.configs import refuse_configs
from flowkit.cli.driving import settings_of
from flowkit.cli.invocation import of_context
from flowkit.cli.report import print_error
from flowkit.cli.screen import say
from flowkit.cli.text import count_of, task_label

if TYPE_CHECKING:
    from flowkit.runner import Listener, RunFact, Spun

_HELP = """Run one step of a flow by itself, after what an earlier run came to.

The step finds what its task found in the flow's latest run, or in the one that is named: its
inputs, parameters and configs. It is the step as it is written now. No run learns of it, and
what it leaves is gone at the end, but for `--persist`.
"""


def _spin(ctx: click.Context, /, *, flow: str, pathspec: str, **given: Any) -> int:
    from flowkit.runner import FlowSource, Resumes, SpinOptions, SpinTarget, open_session

    invocation = of_context(ctx)
    refuse_configs(invocation)
    settings = settings_of(invocation, given)
    target = SpinTarget.parse(pathspec)
    options = SpinOptions(
        target=target,
        artifacts_module=given["artifacts_module"],
        persist=given["persist"],
        skip_decorators=given["skip_decorators"],
        run_id_file=given["run_id_file"],
        namespace=given["namespace"],
        with_specs=(*invocation.specs, *given["with"]),
    )
    with open_session(FlowSource.parse(flow), settings, resumes=Resumes(target.run)) as session:
        from flowkit.cli.plain import PlainProgress

        is_told = not settings.quiet and settings.progress != "off"
        progress = PlainProgress(transitions=is_told)
        try:
            spun = session.spin(options, _without_run(progress))
        finally:
            progress.close()
    return _report(spun, is_told=is_told)


def _without_run(listener: Listener) -> Listener:
    """Leave out what is told of a run as a whole: a spin is none."""
    from flowkit.runner import RunBegan, RunEnded

    def heard(fact: RunFact) -> None:
        if not isinstance(fact, RunBegan | RunEnded):
            listener(fact)

    return heard


def _report(spun: Spun, *, is_told: bool) -> int:
    """Say what failed, or what would come next and where the artifacts are."""
    failure, end = spun.end.failure, spun.end
    if end.status == "failed":
        message = f"`{task_label(spun.key)}` failed"
        if failure is not None and not failure.traceback:
            message += f": {failure.type_name}: {failure.message}"
        hints = [failure.hint] if failure is not None and failure.hint else []
        print_error(message, *hints, details=failure.traceback if failure is not None else None)
    elif end.status == "cancelled":
        say("cancelled")
    elif is_told:
        for line in _success(spun):
            say(line)
    return end.exit_code


def _success(spun: Spun) -> list[str]:
    """Say what comes after a step that succeeded; that it did was told when it ended."""
    outcome = spun.result.outcome if spun.result is not None else None
    lines = []
    if spun.goes_on:
        width = outcome.width if outcome is not None else None
        each = f", for each of {count_of(width, 'element')}" if width is not None else ""
        lines.append(f"next: {', '.join(spun.goes_on)}{each}")
    if spun.artifacts:
        hint = "" if spun.home is not None else "; `--persist` keeps them"
        lines.append(f"artifacts: {', '.join(spun.artifacts)}{hint}")
    if spun.home is not None:
        place = f"kept in {os.path.relpath(spun.home)} as {spun.run}/{spun.key}"
        lines.append(f"{place}; `inspect_spin()` reads it")
    return lines


spin_command = Command(
    "spin",
    params=[
        flow_argument(),
        click.Argument(["pathspec"], metavar="STEP|PATHSPEC"),
        click.Option(
            ["--artifacts-module"],
            metavar="FILE",
            help="Take artifacts from the dict `ARTIFACTS` of this file instead.",
        ),
        click.Option(
            ["--persist/--no-persist"], help="Keep what the step leaves, for `inspect_spin`."
        ),
        click.Option(
            ["--skip-decorators/--no-skip-decorators"],
            help="Call the step without its decorators.",
        ),
        click.Option(
            ["--with"],
            multiple=True,
            metavar="SPEC",
            help="Add a decorator to the step, such as `card`; may be repeated.",
        ),
        click.Option(
            ["--max-log-size"],
            type=LOG_SIZE_MB,
            metavar="MB",
            help="Most output that is kept of the attempt, in MB.",
        ),
        click.Option(
            ["--run-id-file"], metavar="FILE", help="Write the spin's id here before it starts."
        ),
        click.Option(
            ["--executor"],
            metavar="NAME",
            help="Where the step runs: `local`, `process` or `inline`, for a debugger.",
        ),
        click.Option(["--namespace"], metavar="NAME", help="Namespace that the step looks into."),
        click.Option(
            ["--progress"],
            type=click.Choice(["auto", "plain", "off"]),
            help="Lines about what happens, or none.",
        ),
        click.Option(
            ["--quiet"],
            is_flag=True,
            default=None,
            help="Print only what the step prints, and errors.",
        ),
    ],
    callback=click.pass_context(_spin),
    help=_HELP,
    examples=[
        "spin flow.py train",
        "spin flow.py 12/train/3",
        "spin flow.py train --artifacts-module changed.py --persist",
        "spin flow.py train --executor inline",
    ],
    exits=[1, 3, 4, 130],
)
