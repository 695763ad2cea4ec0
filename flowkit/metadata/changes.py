"""Runs whose records are being changed: told before the store is, forgotten when the index agrees.

Whoever dies in between leaves its row, and the next one to open the index can make it agree.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flowkit.metadata.liveness import is_gone
from flowkit.metadata.recording import microseconds
from flowkit.metadata.runs import time_of
from flowkit.values import RunId

if TYPE_CHECKING:
    from sqlite3 import Connection

ALL = "SELECT token, flow, run, began_at, host, pid FROM changes ORDER BY began_at, token"


@dataclass(slots=True)
class Change:
    """That the records of a run are being changed. `is_done`: whether the index agrees by then."""

    token: str
    run: RunId
    is_done: bool = True


def begin(connection: Connection, run: RunId) -> Change:
    """Note that this process is about to change the records of a run."""
    token, now = os.urandom(8).hex(), microseconds(datetime.now(UTC))
    connection.execute(
        "INSERT INTO changes (token, flow, run, began_at, host, pid) VALUES (?, ?, ?, ?, ?, ?)",
        (token, run.flow, run.id, now, socket.gethostname(), os.getpid()),
    )
    return Change(token, run)


def end(connection: Connection, change: Change) -> None:
    """Forget a change."""
    connection.execute("DELETE FROM changes WHERE token = ?", (change.token,))


def abandon(connection: Connection, change: Change) -> None:
    """Leave a change to the next one who opens the index, though this process lives."""
    connection.execute("UPDATE changes SET pid = 0 WHERE token = ?", (change.token,))


def cut_off_in(rows: list[tuple[Any, ...]]) -> list[Change]:
    """Return the changes that nobody will end any more. Raises ValueError if one is of no run."""
    for _, flow, run, *_ in rows:
        if not (flow.isidentifier() and run) or "/" in run:
            raise ValueError(f"a change of `{flow}/{run}`, which is no run")
    return [
        Change(token, RunId(flow, run))
        for token, flow, run, began_at, host, pid in rows
        if not pid or is_gone(time_of(began_at), host=host, pid=pid)
    ]
