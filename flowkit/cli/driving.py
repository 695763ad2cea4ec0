"""What `run` and `resume` share: their options, the progress they show, the end they report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.amounts import LOG_SIZE_MB
from flowkit.cli.report import near_path, print_error
from flowkit.cli.screen import is_lively, say
from flowkit.cli.text import count_of, task_label

if TYPE_CHECKING:
    from flowkit.cli.invocation import Invocation
    from flowkit.cli.live import LiveProgress
    from flowkit.records import RunEnd
    from flowkit.runner import Listener, RunOptions
    from flowkit.settings import Settings

_OF_SETTINGS = ("max_workers", "executor", "namespace", "progress", "quiet")


def driving_options() -> list[click.Option]:
    """Make the options that say how a flow is run."""
    return [
        click.Option(["--tag"], multiple=True, metavar="TAG", help="Tag the run; may be repeated."),
        click.Option(
            ["--max-workers"], type=click.IntRange(1), metavar="N", help="Most tasks at a time."
        ),
        click.Option(
            ["--max-num-splits"],
            type=click.IntRange(1),
            metavar="N",
            help="Most tasks that a foreach may fan out to; no limit unless given.",
        ),
        click.Option(
            ["--max-log-size"],
            type=LOG_SIZE_MB,
            metavar="MB",
            help="Most output that is kept of an attempt, in MB.",
        ),
        click.Option(
            ["--with"],
            multiple=True,
            metavar="SPEC",
            help="Add a decorator to every step, such as `retry:times=2`; may be repeated.",
        ),
        click.Option(
            ["--run-id-file"], metavar="FILE", help="Write the run's id here before it starts."
        ),
        click.Option(
            ["--runner-attribute-file"],
            metavar="FILE",
            help="Write flow, run id and where runs are kept here, as JSON, before the run starts.",
        ),
        click.Option(
            ["--executor"],
            metavar="NAME",
            help="Where tasks run: `local` (forked), `process` (a new one each), "
            "`inline` (in this process, for a debugger).",
        ),
        click.Option(["--namespace"], metavar="NAME", help="Namespace that steps look into."),
        click.Option(
            ["--progress"],
            type=click.Choice(["auto", "plain", "off"]),
            help="A moving table on a terminal and lines elsewhere, always lines, or none.",
        ),
        click.Option(
            ["--quiet"],
            is_flag=True,
            default=None,
            help="Print only what the flow prints, and errors.",
        ),
    ]


def project_options() -> list[click.Option]:
    """Make the options that say where in its project a run is."""
    return [
        click.Option(["--branch"], metavar="NAME", help="Run in the project's branch `test.NAME`."),
        click.Option(["--production"], is_flag=True, help="Run in the project's branch `prod`."),
    ]


def trigger_option() -> click.Option:
    """Make the option that says which runs have started this one."""
    return click.Option(
        ["--trigger"],
        multiple=True,
        metavar="RUN",
        help="Run as if this run's end had started it, such as `Prepare/12`; may be repeated.",
    )


def settings_of(invocation: Invocation, given: Mapping[str, Any]) -> Settings:
    """Resolve the settings with those that were given as options."""
    chosen = {name: given.get(name) for name in _OF_SETTINGS}
    if (limit_mb := given.get("max_log_size")) is not None:
        chosen["log_limit_bytes"] = round(limit_mb * 1e6)
    return invocation.read_settings(chosen).settings


def options_of(
    invocation: Invocation,
    given: Mapping[str, Any],
    *,
    parameters: Mapping[str, str | list[str]] | None = None,
    reuse: bool = False,
) -> RunOptions:
    """Gather what the runner is told about this one run."""
    from flowkit.runner import RunOptions

    return RunOptions(
        parameters=parameters or {},
        tags=tuple(given["tag"]),
        with_specs=(*invocation.specs, *given["with"]),
        run_id_file=given["run_id_file"],
        attribute_file=given["runner_attribute_file"],
        max_num_splits=given["max_num_splits"],
        namespace=given["namespace"],
        branch=given.get("branch") or invocation.branch,
        production=bool(given.get("production")) or invocation.production,
        triggers=(*invocation.triggers, *given.get("trigger", ())),
        reuse=reuse,
    )


@contextmanager
def progress_of(settings: Settings) -> Iterator[Listener]:
    """Show a run's progress as the settings ask for it."""
    from flowkit.cli.plain import PlainProgress

    progress: LiveProgress | PlainProgress
    if settings.quiet or settings.progress == "off":
        progress = PlainProgress(transitions=False)
    elif settings.progress == "auto" and settings.executor != "inline" and is_lively(sys.stderr):
        # Steps that run in this very process print, and may ask a debugger, where they like.
        from flowkit.cli.live import LiveProgress

        progress = LiveProgress()
    else:
        progress = PlainProgress()
    try:
        yield progress
    finally:
        progress.close()


def report_end(end: RunEnd, *, invocation: Invocation, file: str) -> int:
    """Say what failed and how to go on; return the exit code."""
    again = f"flowkit resume {near_path(file)}"
    if invocation.script is not None:
        again = invocation.command_line("resume")
    if end.status == "cancelled":
        say(f"cancelled; go on with `{again}`")
    if end.status == "failed":
        _report_failure(end, again)
    return end.exit_code


def _report_failure(end: RunEnd, again: str) -> None:
    failure = end.failure
    message = "the run failed"
    if end.failed:
        message = f"`{task_label(end.failed[0])}` failed"
    if len(end.failed) > 1:
        others = ", ".join(f"`{task_label(key)}`" for key in end.failed[1:4])
        more = len(end.failed) - 4
        message += f", and so did {others}" + (f" and {count_of(more, 'more')}" if more > 0 else "")
    if failure is not None and not failure.traceback:
        message += f": {failure.type_name}: {failure.message}"
    hints = [f"fix it, then `{again}`"]
    if failure is not None and failure.hint:
        # Such a hint may well be about a parameter, and resuming changes none.
        hints = [failure.hint, f"fix it, then `{again}`, which keeps the parameters"]
    print_error(
        message,
        *hints,
        details=failure.traceback if failure is not None else None,
    )
