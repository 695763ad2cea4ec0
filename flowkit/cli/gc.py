"""`flowkit gc`: remove stored bytes that no run needs any more."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.delete import ask_to_delete
from flowkit.cli.durations import duration
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_lines
from flowkit.cli.text import count_of, human_size
from flowkit.errors import MetadataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta

    from flowkit.client import Retention
    from flowkit.records import RunRecord
    from flowkit.settings import Settings
    from flowkit.values import RunId


@command(
    "gc",
    examples=[
        "gc --dry-run",
        "gc --grace 7d",
        "gc --older-than 30d --keep-last 5 --keep-tag production",
    ],
    exits=[4],
)
@click.option(
    "--older-than",
    callback=duration,
    metavar="TIME",
    help="First delete runs that began longer ago: 12h, 30d.",
)
@click.option(
    "--keep-last",
    type=click.IntRange(0),
    metavar="N",
    help="First delete runs, but not the newest N of each flow.",
)
@click.option(
    "--keep-tag", multiple=True, metavar="TAG", help="Delete no run with this tag; may be repeated."
)
@click.option("--flow", metavar="NAME", help="Delete runs of this flow only.")
@click.option("--yes", is_flag=True, help="Do not ask before runs are deleted.")
@click.option(
    "--grace",
    callback=duration,
    default="1h",
    metavar="TIME",
    show_default=True,
    help="Keep what was written or used again within this time: 90s, 30m, 12h, 7d.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@json_option
@click.pass_obj
def collect_garbage(
    invocation: Invocation,
    /,
    *,
    older_than: timedelta | None,
    keep_last: int | None,
    keep_tag: tuple[str, ...],
    flow: str | None,
    yes: bool,
    grace: timedelta,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove stored bytes that no run needs: those of deleted runs, and of tasks that died.

    Safe beside running flows: what was written since the oldest of them began is left alone.

    With `--older-than` or `--keep-last`, runs that have ended are deleted first: those that neither
    these nor `--keep-tag` keep. Artifacts that other runs share stay; what their tasks printed, and
    their cards, go, also for tasks of other runs that were cloned from them.
    """
    from flowkit.store import Store, collect

    gone: list[str] = []
    if older_than is not None or keep_last is not None:
        from flowkit.client import Retention

        kept = Retention(
            within=older_than, last=keep_last or 0, tags=frozenset(keep_tag), flow=flow
        )
        gone = _delete_runs(invocation, kept, dry_run=dry_run, asks=not yes, quiet=as_json)
    elif keep_tag or flow:
        raise UsageError(
            "nothing says which runs to delete",
            hint="give `--older-than 30d` or `--keep-last 5`, too",
        )

    grace_s = grace.total_seconds()
    settings = invocation.read_settings().settings
    store = Store.open(settings.store, sync=settings.sync)
    with _judging(settings) as lives:
        report = collect(store, grace_s=grace_s, dry_run=dry_run, lives=lives)
    if as_json:
        live = [str(run) for run in report.live]
        told = {**asdict(report), "live": live}
        print_json("gc", dry_run=dry_run, grace_s=grace_s, report=told, runs=gone)
        return
    needless = f"{count_of(report.unreached, 'object')} ({human_size(report.unreached_bytes)})"
    print_lines([f"kept {count_of(report.kept, 'object')}"])
    if dry_run:
        print_lines([f"no run needs {needless}"])
        return
    young = report.unreached - report.deleted
    deleted = f"{count_of(report.deleted, 'object')} ({human_size(report.deleted_bytes)})"
    print_lines([f"removed {deleted}"])
    if young:
        left = f"left {count_of(young, 'object')} that no run needs"
        print_lines([f"{left}, {_why_left(report.live)}"])
    if report.leftovers:
        print_lines([f"removed {count_of(report.leftovers, 'unfinished file')}"])


def _delete_runs(
    invocation: Invocation, kept: Retention, *, dry_run: bool, asks: bool, quiet: bool
) -> list[str]:
    """Delete the runs that nothing keeps, after asking; returns their names."""
    from flowkit.client import delete_run, expired_runs

    workspace = invocation.open_workspace()
    rows = expired_runs(workspace, kept, now=datetime.now(UTC))
    names = [str(row.run) for row in rows]
    if names and asks and not dry_run:
        ask_to_delete(names)
    for row in rows:
        if not dry_run:
            delete_run(workspace, row.run)
        if not quiet:
            print_lines([f"{'would delete' if dry_run else 'deleted'} {row.run}"])
    return names


@contextmanager
def _judging(settings: Settings) -> Iterator[Callable[[RunRecord], bool]]:
    """Open what tells whether a run may be going on.

    A full disk is a reason to collect, and may be why the index cannot be opened: then the runs'
    own records have to do.
    """
    from flowkit.metadata import Metadata, may_be_driven

    try:
        metadata = Metadata.open(settings.metadata)
    except MetadataError:
        yield lambda record: may_be_driven(record, None)
        return
    with closing(metadata):
        yield lambda record: may_be_driven(
            record, metadata.seen_at(record.run) or record.started_at
        )


def _why_left(live: Sequence[RunId]) -> str:
    if not live:
        return "younger than the grace"
    others = f" and {len(live) - 1} more" if live[1:] else ""
    return f"younger than the grace or than run {live[0]}{others}, which goes on"
