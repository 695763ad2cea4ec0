"""`flowkit store ...`: check the store, and build the index from it again."""

from __future__ import annotations

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import paint, print_lines, print_table
from flowkit.cli.text import count_of


@command("verify", examples=["store verify", "store verify --json"], exits=[4])
@json_option
@click.pass_obj
def verify_store(invocation: Invocation, /, *, as_json: bool) -> int:
    """Read every stored byte, compare it with its digest, and list all damage.

    Nothing is unpickled and nothing is changed.
    """
    from flowkit.store import Store
    from flowkit.store import verify_store as find_damage

    settings = invocation.read_settings().settings
    damage = list(find_damage(Store.open(settings.store, sync=settings.sync)))
    if as_json:
        print_json("store-verify", ok=not damage, damage=damage)
    elif damage:
        print_table(("damaged key", "what is wrong"), [(one.key, one.reason) for one in damage])
        print_lines(["", f"{paint('problem', 'red')}: {count_of(len(damage), 'key')} damaged"])
    else:
        print_lines([f"{paint('ok', 'green')}: the store is undamaged"])
    return 4 if damage else 0


@command("reindex", examples=["store reindex"], exits=[4])
@json_option
@click.pass_obj
def reindex_store(invocation: Invocation, /, *, as_json: bool) -> int:
    """Build the index of runs again from the store, in place of what is there.

    The store is the truth: nothing is lost. Until it is done, the index answers as before.
    """
    from flowkit.metadata import Metadata
    from flowkit.store import Store, reindex

    settings = invocation.read_settings().settings
    store = Store.open(settings.store, sync=settings.sync)
    metadata = Metadata.open_sound(settings.metadata)
    try:
        damage = reindex(store, metadata)
        flows = metadata.flows()
    finally:
        metadata.close()
    runs = sum(row.runs for row in flows)
    if as_json:
        print_json("store-reindex", flows=len(flows), runs=runs, damage=damage)
    else:
        print_lines([f"indexed {count_of(runs, 'run')} of {count_of(len(flows), 'flow')}"])
        if damage:
            print_table(("left out", "what is wrong"), [(one.key, one.reason) for one in damage])
    return 4 if damage else 0
