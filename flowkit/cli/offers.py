"""What the shell offers for a word that is being typed: files, flows, runs, steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flowkit.cli.invocation import of_context
from flowkit.errors import FlowkitError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from flowkit.metadata import Metadata

_MOST_RUNS = 30


def offer_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def offer_flows(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the flows that have runs."""
    return _offered(ctx, incomplete, lambda index: (row.name for row in index.flows()))


def offer_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer flows until a slash is typed, then the newest runs of the flow."""
    flow, slash, _ = incomplete.partition("/")

    def names(index: Metadata) -> Iterable[str]:
        if slash:
            return (str(row.run) for row in index.runs(flow, limit=_MOST_RUNS))
        return (f"{row.name}/" for row in index.flows())

    return _offered(ctx, incomplete, names)


def offer_pathspecs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer flows, then runs, and after a second slash the run's steps."""
    if incomplete.count("/") < 2:
        return offer_runs(ctx, param, incomplete)
    # Offers are made of every command's options, and most are never asked for.
    from flowkit.values import RunId

    flow, run_id, _ = incomplete.split("/", 2)
    run = RunId(flow, run_id)
    return _offered(
        ctx, incomplete, lambda index: (f"{run}/{row.step}" for row in index.steps(run))
    )


def offer_pathspecs_or_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer what has run, and files where nothing is named like that."""
    return offer_pathspecs(ctx, param, incomplete) or offer_files(ctx, param, incomplete)


def _offered(
    ctx: click.Context, incomplete: str, names: Callable[[Metadata], Iterable[str]]
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    invocation = of_context(ctx)
    # A shell that completes a word does not run the command line, which would do this.
    invocation.take_options(ctx.find_root().params)
    try:
        # Looking must leave nothing behind where no flow has run.
        if not Path(invocation.read_settings().settings.metadata).is_file():
            return []
        found = names(invocation.open_workspace().metadata)
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]
    except FlowkitError:
        # Nobody has asked for anything yet: a half-typed line is no place for an error.
        return []
