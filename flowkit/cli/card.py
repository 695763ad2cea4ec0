"""`flowkit card ...`: looking at the cards of tasks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowkit.cli.amounts import Amount
from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import indented, print_json
from flowkit.cli.screen import print_lines, print_table, say
from flowkit.cli.targets import find_target, pathspec_argument, tasks_of
from flowkit.cli.text import MISSING
from flowkit.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from flowkit.cards import Card
    from flowkit.client import Run, Task, Workspace

Found = list[tuple["Task", list["Card"]]]
"""Tasks, and those of their cards that are wanted."""


def _choice(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose among cards."""
    for option in (
        click.option(
            "--follow-resumed/--no-follow-resumed",
            "follow",
            default=True,
            show_default=True,
            help="Of a cloned task, show the cards of the task that it stands for.",
        ),
        click.option("--hash", "digest", metavar="HEX", help="The card with this hash, or start."),
        click.option("--id", "id", metavar="NAME", help="Cards that `@card(id=...)` named so."),
        click.option("--type", "kind", metavar="TYPE", help="Cards of this type."),
    ):
        function = option(function)
    return function


@command("list", examples=["card list Train/12/fit", "card list Train/12 --as-json"], exits=[4])
@pathspec_argument()
@_choice
@click.option("--as-json", "bare_json", is_flag=True, help="Print JSON as Metaflow does.")
@click.option("--file", type=click.Path(dir_okay=False), help="Write that JSON to a file.")
@json_option
@click.pass_obj
def list_cards(
    invocation: Invocation,
    /,
    *,
    pathspec: str,
    bare_json: bool,
    file: str | None,
    as_json: bool,
    **choice: Any,
) -> None:
    """List the cards of a task, or of all tasks of a step or a run.

    `--as-json` prints `{"pathspec", "cards"}` for one task, and a list of such for several.
    """
    found = _find(invocation, pathspec, choice)
    documents = [_document(task, cards) for task, cards in found]
    if as_json:
        print_json("cards", tasks=documents)
        return
    if bare_json or file:
        from flowkit import wire

        data = wire.encode(documents[0] if len(documents) == 1 else documents)
        _write(file, indented(data) + "\n")
        return
    rows = [
        (card.hash[:12], card.type, card.id or MISSING, task.pathspec)
        for task, cards in found
        for card in cards
    ]
    print_table(("hash", "type", "id", "task"), rows)


@command(
    "get", examples=["card get Train/12/fit/3", "card get Train/12/fit report.html"], exits=[4]
)
@pathspec_argument()
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@_choice
@click.pass_obj
def get_card(invocation: Invocation, /, *, pathspec: str, file: str | None, **choice: Any) -> None:
    """Print a card's HTML, or write it to a file."""
    card = _single(_find(invocation, pathspec, choice), pathspec)
    _write(file, card.get())


@command("view", examples=["card view Train/12/fit/3", "card view Train/12/fit --id report"])
@pathspec_argument()
@_choice
@click.pass_obj
def view_card(invocation: Invocation, /, *, pathspec: str, **choice: Any) -> None:
    """Open a card in a browser, and print where it is."""
    card = _single(_find(invocation, pathspec, choice), pathspec)
    print_lines([str(card.view())])


@command(
    "server",
    examples=["card server Train", "card server Train/12 --port 8000 --poll-interval 2"],
    exits=[4],
)
@pathspec_argument(metavar="RUN", required=False)
@click.option("--run-id", metavar="ID", help="The run, instead of RUN.")
@click.option("--namespace", metavar="NAME", help="The latest run in this namespace.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8324,
    show_default=True,
    help="The port to listen at; 0 takes a free one.",
)
@click.option(
    "--poll-interval",
    "poll_s",
    type=Amount(min=0.1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the page asks for changes.",
)
@click.option(
    "--max-cards",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Show the cards of the newest tasks, so many at most.",
)
@click.pass_obj
def serve_cards(
    invocation: Invocation,
    /,
    *,
    pathspec: str | None,
    run_id: str | None,
    namespace: str | None,
    host: str,
    port: int,
    poll_s: float,
    max_cards: int,
) -> None:
    """Show the cards of a run in a browser, while it goes on; of a flow's latest run by default.

    Only this machine is answered, unless `--host` says otherwise; then the address that is
    printed has a token in it.
    """
    from flowkit.cards import CardServer

    workspace = invocation.open_workspace()
    named = run_id or pathspec or (invocation.script.flow if invocation.script else None)
    if named is None:
        raise UsageError(
            "no run is named", hint="name a flow or a run: `flowkit card server Train`"
        )
    name = invocation.absolute(named)
    _find_run(workspace, name, namespace)  # what does not exist is told now
    server = CardServer(
        workspace,
        lambda: _find_run(workspace, name, namespace),
        host=host,
        port=port,
        poll_s=poll_s,
        max_cards=max_cards,
    )
    print_lines([server.url])
    sys.stdout.flush()
    say("stop it with Ctrl-C")
    server.serve()


@command(
    "create",
    examples=[
        "card create Train/12/fit/3",
        "card create Train/12/fit/3 --type mypackage.cards:Report --options '{\"wide\": true}'",
    ],
    exits=[4],
)
@pathspec_argument()
@click.option(
    "--type",
    "kind",
    metavar="TYPE",
    default="default",
    show_default=True,
    help="What makes it, as in `@card`.",
)
@click.option("--id", "id", metavar="NAME", help="A name for it.")
@click.option("--options", metavar="JSON", default="{}", help="Options of the type, as an object.")
@click.option(
    "--timeout",
    "limit_s",
    type=Amount(0, 1e9, min_open=True),
    default=45.0,
    show_default=True,
    metavar="SECONDS",
    help="How long making it may take.",
)
@click.pass_obj
def create_card(
    invocation: Invocation,
    /,
    *,
    pathspec: str,
    kind: str,
    id: str | None,
    options: str,
    limit_s: float,
) -> None:
    """Make a card of a task that has ended, beside those that it has.

    This may unpickle the task's artifacts: do it with stores that you trust, such as your own.
    """
    from flowkit.cards import create_card as create
    from flowkit.client import Run, Task
    from flowkit.graph import CardPolicy

    workspace = invocation.open_workspace()
    target = find_target(workspace, _full(invocation, workspace, pathspec))
    rows = list(tasks_of(workspace, target))
    if len(rows) != 1:
        raise UsageError(
            f"`{pathspec}` names {len(rows)} tasks",
            hint=f"name one, such as `{target.run.run}/{rows[0].key}`" if rows else "name one",
        )
    policy = CardPolicy(type=kind, id=id, options=_options(options), timeout_s=limit_s)
    card = create(Task.of(Run.of(target.run, workspace), rows[0]), policy)
    print_lines([card.hash])


def _options(text: str) -> tuple[tuple[str, str], ...]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise UsageError(
            f"`--options {text}` is no JSON object", hint="write it as in `--options '{\"a\": 1}'`"
        )
    return tuple((name, json.dumps(value)) for name, value in given.items())


def _find_run(workspace: Workspace, name: str, namespace: str | None) -> Run:
    """Return the run that `Flow/12` names, or the latest of a flow."""
    from flowkit.client import Run, missing_flow

    if "/" in name:
        return Run(name, workspace=workspace, check_namespace=False)
    tags = [namespace] if namespace else []
    rows = workspace.metadata.runs(name, tags=tags, limit=1)
    if not rows:
        raise missing_flow(workspace, name)
    return Run(str(rows[0].run), workspace=workspace, check_namespace=False)


def _find(invocation: Invocation, pathspec: str, choice: dict[str, Any]) -> Found:
    from flowkit.cards import get_cards
    from flowkit.client import Run, Task

    workspace = invocation.open_workspace()
    target = find_target(workspace, _full(invocation, workspace, pathspec))
    run = Run.of(target.run, workspace)
    found: Found = []
    for row in tasks_of(workspace, target):
        task = Task.of(run, row)
        cards = get_cards(
            task, id=choice["id"], type=choice["kind"], follow_resumed=choice["follow"]
        )
        found.append((task, [one for one in cards if one.hash.startswith(choice["digest"] or "")]))
    return [one for one in found if one[1]] if len(found) > 1 else found


def _full(invocation: Invocation, workspace: Workspace, pathspec: str) -> str:
    """Complete a pathspec; for flow scripts, the name of a step alone is that of the latest run."""
    script = invocation.script
    if script is not None and pathspec.isidentifier():
        return f"{_find_run(workspace, script.flow, None).pathspec}/{pathspec}"
    return invocation.absolute(pathspec)


def _single(found: Found, pathspec: str) -> Card:
    """Return the one card that was found. Raises NotFound, UsageError."""
    cards = [card for _, some in found for card in some]
    if not cards:
        raise NotFound(
            f"`{pathspec}` has no such card",
            hint=f"`flowkit card list {pathspec}` shows those that there are",
        )
    if len({card.hash for card in cards}) > 1:  # equal ones are one, whichever is meant
        tasks = [task.pathspec for task, _ in found]
        known = ", ".join(f"`{card.id or card.hash[:8]}` ({card.type})" for card in cards[:8])
        raise UsageError(
            f"`{pathspec}` has {len(cards)} cards: {known}{', …' if len(cards) > 8 else ''}",
            hint=f"name a task, such as `{tasks[0]}`"
            if len(tasks) > 1
            else "choose one with `--id`, `--type` or `--hash`",
        )
    return cards[0]


def _document(task: Task, cards: Sequence[Card]) -> dict[str, object]:
    listed = [
        {"hash": one.hash, "id": one.id, "type": one.type, "filename": one.filename}
        for one in cards
    ]
    return {"pathspec": task.pathspec, "cards": listed}


def _write(file: str | None, text: str) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"`{file}` cannot be written: {error.strerror}", hint="name another file"
        ) from error
    say(f"written to {file}")
