"""A store from a stranger: every value is a bomb, every text steers a terminal or a browser."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from flowkit.graph import (
    ConfigDescription,
    FlowDescription,
    Kind,
    Node,
    ParameterDescription,
    Place,
)
from flowkit.graph.policies import CardPolicy, Policies
from flowkit.logs import encode_line
from flowkit.records import Clone, Clones, RunEnd, RunRecord, StoredCard
from flowkit.store import Store
from flowkit.values import (
    Attempt,
    Digest,
    Failure,
    Fingerprint,
    Outcome,
    ProjectBranch,
    RunId,
    TableUse,
    TaskKey,
    TaskResult,
)

STEERING = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\x7f"
EVIL = f"<script>alert(1)</script>{STEERING}"
START = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
FAILURE = Failure(
    type_name=f"Error{EVIL}", message=EVIL, hint=EVIL, traceback=f"{EVIL}\n{EVIL}", where=EVIL
)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._marker),)


def send(store: Store, marker: Path) -> None:
    """Fill a store: run 1 failed, run 2 was cloned from it and ended well."""
    bomb = Bomb(marker)
    writer = store.write_manifest()
    for name in ("alpha", "constant", "config"):
        writer.add(name, bomb)
    parameters = writer.commit()
    writer = store.write_manifest()
    for name in ("value", "name", EVIL.replace("/", "|")):
        writer.add(name, bomb)
    writer.add_items([bomb, bomb, bomb])
    table = TableUse(table=EVIL, catalog=EVIL, snapshot=1, how="read")
    manifest = _with_evil_types(store, writer.commit(tables=[table]))
    first, second = RunId("Sent", "1"), RunId("Sent", "2")
    record = RunRecord(
        run=first,
        description=_description(),
        parameters=parameters,
        started_at=START,
        user=EVIL,
        tags=(EVIL,),
        system_tags=(EVIL, f"user:{EVIL}"),
        host=EVIL,
        flowkit_version=EVIL,
        python_version=EVIL,
        project=ProjectBranch(EVIL, EVIL),
    )
    _run(store, record, manifest)
    _run(store, replace(record, run=second, origin=first), manifest)
    clone = Clone(
        key=TaskKey("work", (1,)), origin=first, attempt=0, outcome=Outcome(manifest=manifest)
    )
    store.create_clones(Clones(second, (clone,)))
    for run, status in ((first, "failed"), (second, "succeeded")):
        failed = status == "failed"
        end = RunEnd(
            run=run,
            status="failed" if failed else "succeeded",
            finished_at=START + timedelta(minutes=1),
            failed=(TaskKey("work", (2,)),) if failed else (),
            failure=FAILURE if failed else None,
        )
        store.create_end(end)


def _run(store: Store, record: RunRecord, manifest: Digest) -> None:
    store.create_run(record)
    outcome = Outcome(manifest=manifest, width=3, choice=EVIL)
    print_ = Fingerprint(digest=Digest(bytes(32)), components={f"parameter:{EVIL}": "0" * 32})
    good = TaskResult(
        attempt=Attempt(TaskKey("start")),
        status="succeeded",
        started_at=START,
        finished_at=START + timedelta(seconds=1),
        outcome=outcome,
        caught=FAILURE,
        host=EVIL,
        fingerprint=print_,
    )
    bad = replace(good, status="failed", outcome=None, caught=None, failure=FAILURE)
    for key in (TaskKey("start"), TaskKey("work", (0,)), TaskKey("end")):
        store.create_result(record.run, replace(good, attempt=Attempt(key)))
        store.create_log(record.run, Attempt(key), encode_line(1, "stdout", b"printed"))
        card = StoredCard(attempt=Attempt(key), number=0, type=EVIL, id=EVIL, html=EVIL, data="{}")
        store.create_card(record.run, card)
    store.create_result(record.run, replace(bad, attempt=Attempt(TaskKey("work", (2,)))))


def _with_evil_types(store: Store, digest: Digest) -> Digest:
    manifest = store.manifest(digest)
    entries = {name: replace(one, type_name=EVIL) for name, one in manifest.artifacts.items()}
    return store.put_manifest(replace(manifest, artifacts=entries))


def _description() -> FlowDescription:
    def node(name: str, kind: Kind, *targets: str, is_join: bool = False) -> Node:
        return Node(
            name=name,
            kind=kind,
            place=Place(EVIL, 1),
            targets=targets,
            is_join=is_join,
            foreach="items" if kind is Kind.FOREACH else None,
            doc=EVIL,
            policies=Policies(cards=(CardPolicy(type=EVIL),)),
        )

    return FlowDescription(
        name="Sent",
        file=f"/nowhere/{EVIL}/flow.py",
        start="start",
        end="end",
        nodes=(
            node("start", Kind.FOREACH, "work"),
            node("work", Kind.LINEAR, "end"),
            node("end", Kind.END, is_join=True),
        ),
        parameters=(
            ParameterDescription(name="alpha", attribute="alpha", type_name=EVIL, help=EVIL),
        ),
        configs=(ConfigDescription(name=EVIL, attribute="config", value=f'"{EVIL}"', help=EVIL),),
        constants=("constant",),
        doc=EVIL,
    )
