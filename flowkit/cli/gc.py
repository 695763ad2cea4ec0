"""`flowkit gc`: remove stored bytes that no run needs any more."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.durations import duration
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_lines
from flowkit.cli.text import count_of, human_size
from flowkit.errors import MetadataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta

    from flowkit.records import RunRecord
    from flowkit.settings import Settings
    from flowkit.values import RunId


@command("gc", examples=["gc --dry-run", "gc", "gc --grace 7d"], exits=[4])
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
    invocation: Invocation, /, *, grace: timedelta, dry_run: bool, as_json: bool
) -> None:
    """Remove stored bytes that no run needs: those of deleted runs, and of tasks that died.

    Safe beside running flows: what was written since the oldest of them began is left alone.
    """
    from flowkit.store import Store, collect

    grace_s = grace.total_seconds()
    settings = invocation.read_settings().settings
    store = Store.open(settings.store, sync=settings.sync)
    with _judging(settings) as lives:
        report = collect(store, grace_s=grace_s, dry_run=dry_run, lives=lives)
    if as_json:
        live = [str(run) for run in report.live]
        told = {**asdict(report), "live": live}
        print_json("gc", dry_run=dry_run, grace_s=grace_s, report=told)
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
