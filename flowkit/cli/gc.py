"""`flowkit gc`: remove stored bytes that no run needs any more."""

from __future__ import annotations

import re

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_lines
from flowkit.cli.text import count_of, human_size

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Read a duration such as `90s`, `30m`, `12h` or `7d`; a bare number is seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value.strip())
    if found is None:
        raise click.BadParameter(
            f"`{value}` is no duration such as 90s, 30m, 12h or 7d", ctx, param
        )
    return float(found[1]) * _UNITS_S[found[2] or "s"]


@command("gc", examples=["gc --dry-run", "gc", "gc --grace 7d"], exits=[4])
@click.option(
    "--grace",
    callback=_seconds,
    default="1h",
    metavar="TIME",
    show_default=True,
    help="Keep what was written or used again within this time: 90s, 30m, 12h, 7d.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@json_option
@click.pass_obj
def collect_garbage(
    invocation: Invocation, /, *, grace: float, dry_run: bool, as_json: bool
) -> None:
    """Remove stored bytes that no run needs: those of deleted runs, and of tasks that died.

    Safe beside running flows, if no task runs longer than the grace.
    """
    from flowkit.store import collect

    store = invocation.open_workspace().store
    report = collect(store, grace_s=grace, dry_run=dry_run)
    if as_json:
        print_json("gc", dry_run=dry_run, grace_s=grace, report=report)
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
        print_lines([f"left {count_of(young, 'object')} that no run needs, younger than the grace"])
    if report.leftovers:
        print_lines([f"removed {count_of(report.leftovers, 'unfinished file')}"])
