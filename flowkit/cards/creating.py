"""Making a card of a task that has ended without one, or with others."""

from __future__ import annotations

import json

from flowkit import wire
from flowkit.cards.making import checked_html
from flowkit.cards.template import find_template
from flowkit.cards.viewing import Card
from flowkit.child import ChildFailed, run_in_child
from flowkit.client import Task, open_workspace
from flowkit.errors import UsageError
from flowkit.graph import CardPolicy, to_json
from flowkit.records import StoredCard
from flowkit.values import Attempt


def create_card(task: Task, policy: CardPolicy) -> Card:
    """Make a card of a task that has ended, and keep it beside those that the task has.

    Args:
        task: the task, of which the last attempt is shown.
        policy: type, id, options and time limit, as of `@card`. There are no components: those
            come from the step while it runs.

    Raises:
        UsageError: the task still runs, or is a clone, whose cards are those of another task.
        NotFound: there is no card of that type.
        ChildFailed: the card could not be made; nothing is kept then.
        StoreError: it could not be kept.
    """
    if task.origin_pathspec is not None:
        raise UsageError(
            f"`{task.pathspec}` is a clone, whose cards are those of the task it stands for",
            hint=f"name that one: `{task.origin_pathspec}`",
        )
    if not task.finished:
        raise UsageError(
            f"`{task.pathspec}` has not ended", hint="wait until it has, and create the card then"
        )
    find_template(policy.type)  # what is not there is told as it is
    store, run = task.workspace.store, task.run.row.run
    attempt = Attempt(task.key, task.current_attempt)
    number = 1 + max((one.number for one in store.cards(run, attempt)), default=-1)
    description = json.loads(to_json(store.run_record(run).description))

    def made() -> bytes:
        # A connection to the index is not for two processes.
        own = Task(
            task.pathspec,
            workspace=open_workspace(task.workspace.settings),
            check_namespace=False,
        )
        options = {name: json.loads(value) for name, value in policy.options}
        template = find_template(policy.type)(options=options, components=[], graph=description)
        html = checked_html(template.render(own))
        return wire.encode(
            StoredCard(attempt=attempt, number=number, type=policy.type, id=policy.id, html=html)
        )

    try:
        data = run_in_child(made, limit_s=policy.timeout_s)
    except ChildFailed as error:
        raise ChildFailed(f"the card could not be made: {error.message}") from error
    card = wire.decode(StoredCard, data, name="card")
    store.create_card(run, card)
    return Card(task, run, card, is_live=False)
