"""`flowkit table ...`: branches of tables, and clearing away what nobody needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.durations import duration
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_lines, print_table, say
from flowkit.cli.table import catalog_option, open_table
from flowkit.cli.text import count_of, human_size, local_time, utc_time
from flowkit.errors import UsageError


@command(
    "branch",
    examples=[
        "table branch air.flights",
        "table branch air.flights --create audit",
        "table branch air.flights --publish audit",
    ],
    exits=[1, 4],
)
@click.argument("name", metavar="TABLE")
@click.option("--create", metavar="BRANCH", help="Make a branch.")
@click.option("--tag", metavar="TAG", help="Give a version a name that stays with it.")
@click.option("--at", metavar="VERSION", help="Make it at this branch, tag or snapshot.")
@click.option("--publish", metavar="BRANCH", help="Make what a branch holds that of main.")
@click.option("--delete", metavar="NAME", help="Delete a branch or a tag.")
@catalog_option
@json_option
@click.pass_obj
def change_branches(
    invocation: Invocation,
    /,
    *,
    name: str,
    create: str | None,
    tag: str | None,
    at: str | None,
    publish: str | None,
    delete: str | None,
    catalog: str | None,
    as_json: bool,
) -> None:
    """List the branches and tags of a table, or make, publish or delete one."""
    wishes = [one for one in (create, tag, publish, delete) if one is not None]
    if len(wishes) > 1 or (at is not None and create is None and tag is None):
        raise UsageError(
            "one thing at a time", hint="give one of `--create`, `--tag`, `--publish`, `--delete`"
        )
    table = open_table(invocation, name, catalog)
    # Numbers of snapshots have 19 digits at most: a longer one is the name of nothing.
    start = int(at) if at is not None and at.isdecimal() and len(at) < 20 else at
    if create is not None:
        table.create_branch(create, at=start)
    elif tag is not None:
        table.create_tag(tag, at=start)
    elif publish is not None:
        table.publish(publish)
    elif delete is not None:
        kinds = {one.name: one.kind for one in table.branches()}
        (table.delete_tag if kinds.get(delete) == "tag" else table.delete_branch)(delete)
    refs = table.branches()
    if as_json:
        print_json("table-branch", table=table.name, refs=refs)
    elif refs:
        rows = [(one.name, one.kind, str(one.snapshot_id)) for one in refs]
        print_table(("name", "what", "snapshot"), rows, right=["snapshot"])
    else:
        say("nothing has been written yet")


@command(
    "expire",
    examples=["table expire air.flights --older-than 30d", "table expire air.flights --keep 5"],
    exits=[4],
)
@click.argument("name", metavar="TABLE")
@click.option(
    "--older-than",
    callback=duration,
    metavar="TIME",
    default="5d",
    show_default=True,
    help="Forget versions older than this: 90s, 30m, 12h, 7d, 2w.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Keep so many of each branch, however old.",
)
@catalog_option
@json_option
@click.pass_obj
def expire_snapshots(
    invocation: Invocation,
    /,
    *,
    name: str,
    older_than: timedelta,
    keep: int,
    catalog: str | None,
    as_json: bool,
) -> None:
    """Forget old versions of a table, and delete the files that only they need.

    Branches and tags stay. Shards of a version that is forgotten cannot be read any more.
    """
    table = open_table(invocation, name, catalog)
    expired = table.expire(older_than=datetime.now(UTC) - older_than, keep_last=keep)
    if as_json:
        print_json("table-expire", table=table.name, snapshots=expired.snapshot_ids)
    else:
        forgotten = count_of(len(expired.snapshot_ids), "snapshot")
        print_lines([f"forgot {forgotten}, deleted {count_of(len(expired.deleted_files), 'file')}"])


@command(
    "clean",
    examples=["table clean air.flights --dry-run", "table clean air.flights --older-than 12h"],
    exits=[4],
)
@click.argument("name", metavar="TABLE")
@click.option(
    "--older-than",
    callback=duration,
    metavar="TIME",
    default="3d",
    show_default=True,
    help="Only files older than this; choose it longer than any run.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@catalog_option
@json_option
@click.pass_obj
def clean_table(
    invocation: Invocation,
    /,
    *,
    name: str,
    older_than: timedelta,
    dry_run: bool,
    catalog: str | None,
    as_json: bool,
) -> None:
    """Delete files in a table's folders that nothing leads to: what killed writers left."""
    table = open_table(invocation, name, catalog)
    found = table.orphans(grace=older_than) if dry_run else table.clean(grace=older_than)
    if as_json:
        files = [
            {
                "location": one.location,
                "size_bytes": one.size_bytes,
                "modified_at": utc_time(one.modified_at),
            }
            for one in found
        ]
        print_json("table-clean", table=table.name, deleted=not dry_run, files=files)
        return
    if found:
        rows = [
            (one.location, human_size(one.size_bytes), local_time(one.modified_at)) for one in found
        ]
        print_table(("file", "size", "written"), rows, right=["size"])
    freed = human_size(sum(one.size_bytes for one in found))
    say(f"{'would delete' if dry_run else 'deleted'} {count_of(len(found), 'file')}, {freed}")
