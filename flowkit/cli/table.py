"""`flowkit table ...`: look into Iceberg tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import paint, print_lines, print_table, say, terminal_width
from flowkit.cli.text import MISSING, human_size, local_time, utc_time

if TYPE_CHECKING:
    from flowkit.table import DataFrame, SnapshotRow, Table

_ANY_WIDTH = 10_000


def catalog_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--catalog`."""
    return click.option(
        "--catalog", metavar="NAME", help="The catalog; by default the one of the settings."
    )(function)


def version_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which version of a table is meant."""
    for option in (
        click.option("--branch", metavar="NAME", help="The version of a branch or a tag."),
        click.option("--as-of", metavar="TIME", help="The version of a time, such as 2026-11-26."),
        click.option("--snapshot", type=int, metavar="ID", help="The version of this id."),
    ):
        function = option(function)
    return function


def open_table(invocation: Invocation, name: str, catalog: str | None) -> Table:
    """Open a table where the settings of this call say. Raises what `Table` raises."""
    from flowkit.table import Table, open_catalog

    settings = invocation.read_settings().settings
    return Table(name, catalog=open_catalog(catalog, settings=settings))


@command("list", examples=["table list", "table list --catalog lake --json"], exits=[4])
@catalog_option
@json_option
@click.pass_obj
def list_tables(invocation: Invocation, /, *, catalog: str | None, as_json: bool) -> None:
    """List the tables of a catalog by name."""
    from flowkit.table import Table, open_catalog

    opened = open_catalog(catalog, settings=invocation.read_settings().settings)
    names = Table.names(opened)
    if as_json:
        print_json("table-list", catalog=opened.name, tables=names)
    elif names:
        print_lines(names)
    else:
        say(f"catalog {opened.name} has no table yet")


@command("show", examples=["table show air.flights"], exits=[4])
@click.argument("name", metavar="TABLE")
@catalog_option
@json_option
@click.pass_obj
def show_table(invocation: Invocation, /, *, name: str, catalog: str | None, as_json: bool) -> None:
    """Show a table: its columns, how it is partitioned, how much it holds."""
    table = open_table(invocation, name, catalog)
    scan = table.scan()
    plan, held = scan.plan(), scan.count()
    facts = {
        "catalog": table.catalog,
        "location": table.location,
        "snapshot": table.snapshot,
        "partition": table.partition,
        "rows": held,
        "files": len(plan),
        "size_bytes": plan.size_bytes,
    }
    fields = table.fields
    if as_json:
        columns = [
            {
                "name": one.name,
                "type": str(one.field_type),
                "required": one.required,
                "doc": one.doc,
            }
            for one in fields
        ]
        print_json("table-show", table=table.name, columns=columns, **facts)
        return
    print_lines([paint(table.name, "bold")])
    shown = {
        **facts,
        "snapshot": str(table.snapshot or MISSING),
        "partition": ", ".join(table.partition) or MISSING,
        "rows": f"{held:,}",
        "files": f"{len(plan):,}",
        "size_bytes": human_size(plan.size_bytes),
    }
    print_lines(f"{label.removesuffix('_bytes'):10} {value}" for label, value in shown.items())
    print_lines([""])
    rows = [
        (one.name, str(one.field_type), "" if one.required else "may be null", one.doc or "")
        for one in fields
    ]
    print_table(("column", "type", "", ""), rows)


@command(
    "scan",
    examples=[
        "table scan air.flights",
        "table scan air.flights --where \"dest = 'LAX' and delay > 60\" --columns flight",
        "table scan air.flights --as-of 2026-11-26 --json",
    ],
    exits=[4],
)
@click.argument("name", metavar="TABLE")
@click.option("--columns", metavar="A,B", help="These columns only, in this order.")
@click.option("--where", metavar="FILTER", help="These rows only; a filter as in SQL.")
@click.option(
    "--limit", type=click.IntRange(0), default=10, show_default=True, help="So many rows at most."
)
@version_options
@catalog_option
@json_option
@click.pass_obj
def scan_table(
    invocation: Invocation,
    /,
    *,
    name: str,
    columns: str | None,
    where: str | None,
    limit: int,
    catalog: str | None,
    as_json: bool,
    **version: Any,
) -> None:
    """Print rows of a table, whichever come first."""
    table = open_table(invocation, name, catalog)
    scan = table.scan(
        columns=None if columns is None else [one.strip() for one in columns.split(",")],
        where=where,
        limit=limit,
        **version,
    )
    frame = scan.to_frame()
    if as_json:
        _print_rows("table-scan", frame, snapshot=scan.snapshot)
    else:
        _print_frame(frame, limit)
        _say_if_more(table, where, version, len(frame))


@command(
    "sql",
    examples=['table sql air.flights "select carrier, count(*) from this group by all"'],
    exits=[4],
)
@click.argument("name", metavar="TABLE")
@click.argument("query", metavar="QUERY")
@click.option("--where", metavar="FILTER", help="Read these rows only; a filter as in SQL.")
@version_options
@catalog_option
@json_option
@click.pass_obj
def query_table(
    invocation: Invocation,
    /,
    *,
    name: str,
    query: str,
    where: str | None,
    catalog: str | None,
    as_json: bool,
    **version: Any,
) -> None:
    """Answer a query by DuckDB about a table, which QUERY calls `this`.

    The rows that `--where` leaves are read into memory first.
    """
    scan = open_table(invocation, name, catalog).scan(where=where, **version)
    frame = scan.sql(query)
    if as_json:
        _print_rows("table-sql", frame, snapshot=scan.snapshot)
    else:
        _print_frame(frame, len(frame))


@command("history", examples=["table history air.flights"], exits=[4])
@click.argument("name", metavar="TABLE")
@click.option("--branch", metavar="NAME", default="main", help="Of this branch or tag.")
@catalog_option
@json_option
@click.pass_obj
def show_history(
    invocation: Invocation, /, *, name: str, branch: str, catalog: str | None, as_json: bool
) -> None:
    """Show the versions that led to a branch, newest first, and which runs made them."""
    table = open_table(invocation, name, catalog)
    _print_snapshots("table-history", table.history(branch)[::-1], as_json)


@command("snapshots", examples=["table snapshots air.flights"], exits=[4])
@click.argument("name", metavar="TABLE")
@catalog_option
@json_option
@click.pass_obj
def list_snapshots(
    invocation: Invocation, /, *, name: str, catalog: str | None, as_json: bool
) -> None:
    """List all versions of a table that are kept, oldest first."""
    table = open_table(invocation, name, catalog)
    _print_snapshots("table-snapshots", table.snapshots(), as_json)


def _print_snapshots(schema: str, snapshots: Sequence[SnapshotRow], as_json: bool) -> None:
    if as_json:
        found = [
            {
                "id": one.snapshot_id,
                "parent": one.parent_id,
                "committed_at": utc_time(one.committed_at),
                "operation": one.operation,
                "refs": list(one.refs),
                "run": one.run,
                "task": one.task,
                "rows": one.total_rows,
                "added_rows": one.added_rows,
                "deleted_rows": one.deleted_rows,
            }
            for one in snapshots
        ]
        print_json(schema, snapshots=found)
    elif snapshots:
        rows = [
            (
                str(one.snapshot_id),
                local_time(one.committed_at),
                one.operation or MISSING,
                f"{one.added_rows:+,}" if one.added_rows else MISSING,
                f"{-one.deleted_rows:+,}" if one.deleted_rows else MISSING,
                MISSING if one.total_rows is None else f"{one.total_rows:,}",
                ", ".join(one.refs),
                one.task or one.run or "",
            )
            for one in snapshots
        ]
        counts = ("added", "deleted", "rows")
        header = ("snapshot", "committed", "what", *counts, "branches", "made by")
        print_table(header, rows, right=["snapshot", *counts])
    else:
        say("nothing has been written yet")


def _print_frame(frame: DataFrame, rows: int) -> None:
    from flowkit.table import text_preview

    # Into a pipe goes all of it: whoever reads there does not look at columns.
    print_lines([text_preview(frame.to_arrow(), rows=rows, width=terminal_width() or _ANY_WIDTH)])


def _print_rows(schema: str, frame: DataFrame, **facts: Any) -> None:
    print_json(schema, columns=frame.columns, rows=frame.to_arrow().to_pylist(), **facts)


def _say_if_more(table: Table, where: str | None, version: dict[str, Any], shown: int) -> None:
    """Say how many rows there are, if that is known without reading any."""
    if where is None:
        rows = table.scan(**version).plan().rows
        if rows is not None and rows > shown:
            say(f"of {rows:,}; `--limit` shows more")
