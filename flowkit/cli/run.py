"""`flowkit run`: run a flow, with an option for each of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import Command, flow_argument
from flowkit.cli.configs import config_options, load_options
from flowkit.cli.driving import (
    driving_options,
    options_of,
    progress_of,
    project_options,
    report_end,
    settings_of,
    trigger_option,
)
from flowkit.cli.invocation import of_context
from flowkit.cli.parameters import PREFIX, parameter_options

if TYPE_CHECKING:
    from flowkit.graph import FlowDescription

_SESSION = "flowkit.cli.run.session"

_HELP = """Run a flow: FLOW is `flow.py`, or `flow.py:Class` if the file has several.

Every parameter of the flow is an option; `flowkit run flow.py --help` lists them.
"""


class RunCommand(Command):
    """`run` reads its command line twice: for the flow, then with the flow's parameters.

    The first reading knows only what is the same for all flows. Every parameter takes one value,
    so it can tell the flow from the values of options that it does not know.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Open the flow, then read the whole command line, strictly."""
        words = list(args)
        look = _FIRST_LOOK.make_context(
            info_name, list(words), parent=parent, resilient_parsing=True
        )
        flow = _first_positional(look.args)
        # A shell that completes a word has not been asked to import anything.
        if flow is None or extra.get("resilient_parsing"):
            return super().make_context(info_name, words, parent, **extra)
        from flowkit.runner import FlowSource, open_session

        invocation = of_context(look)
        settings = settings_of(invocation, look.params)
        with ExitStack() as stack:
            session = stack.enter_context(
                open_session(
                    FlowSource.parse(flow), settings, load=load_options(invocation, look.params)
                )
            )
            full = _run_command(session.description)
            ctx = click.Command.make_context(full, info_name, words, parent, **extra)
            ctx.meta[_SESSION] = session, settings
            ctx.call_on_close(stack.pop_all().close)
        return ctx

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flow's parameters apart from the options of `run`."""
        records: dict[str, list[tuple[str, str]]] = {"Parameters": [], "Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                is_parameter = (param.name or "").startswith(PREFIX)
                records["Parameters" if is_parameter else "Options"].append(record)
        for title, rows in records.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _run_command(description: FlowDescription | None = None) -> RunCommand:
    parameters = parameter_options(description) if description is not None else []
    about = _HELP
    if description is not None:
        about = f"Run the flow `{description.name}`.\n\n{description.doc}"
    return RunCommand(
        "run",
        params=[
            flow_argument(),
            *parameters,
            *(_options_of_decorators(description) if description is not None else ()),
            _reuse_option(),
            *config_options(),
            *driving_options(),
        ],
        callback=click.pass_context(_run) if description is not None else None,
        help=about,
        examples=[
            "run flow.py",
            "run flow.py --alpha 0.5 --tag nightly",
            "run flow.py --with retry:times=2 --max-workers 8",
            "run flow.py --reuse",
        ],
        exits=[1, 3, 4, 130],
    )


def _options_of_decorators(description: FlowDescription) -> list[click.Option]:
    policies = description.policies
    options = project_options() if policies.project is not None else []
    return [*options, trigger_option()] if policies.trigger_on_finish is not None else options


def _reuse_option() -> click.Option:
    return click.Option(
        ["--reuse"],
        is_flag=True,
        help="Take over tasks of earlier runs that nothing has changed for.",
    )


def _run(ctx: click.Context, /, *, flow: str, **given: Any) -> int:
    session, settings = ctx.meta[_SESSION]
    invocation = of_context(ctx)
    parameters = {
        parameter.name: list(value) if parameter.multiple else value
        for at, parameter in enumerate(session.description.parameters)
        if (value := given[f"{PREFIX}{at}"]) not in (None, ())
    }
    options = options_of(invocation, given, parameters=parameters, reuse=given["reuse"])
    with progress_of(settings) as progress:
        end = session.run(options, progress)
    return report_end(end, invocation=invocation, file=flow)


def _first_positional(words: Sequence[str]) -> str | None:
    """Find the flow among words of which options, each with one value, are not known."""
    left = iter(words)
    for word in left:
        if word == "--":
            return next(left, None)
        if not word.startswith("-") or word == "-":
            return word
        if "=" not in word and word != "--help":
            next(left, None)
    return None


_FIRST_LOOK = click.Command(
    "run",
    params=[
        _reuse_option(),
        *config_options(),
        *driving_options(),
        *project_options(),
    ],
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)

run_command = _run_command()
