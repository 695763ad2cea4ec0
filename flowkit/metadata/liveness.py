"""Whether a run without an end still runs, from its latest sign of life."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta

from flowkit.records import RunRecord

SILENCE = timedelta(seconds=30)
"""A driver that gave no sign of life for this long is taken for dead."""

LONG_SILENCE = timedelta(hours=1)
"""The same where a mistake would cost data, and nobody can look at the process."""


def is_alive(seen_at: datetime, *, host: str, pid: int) -> bool:
    """Say whether the driver lives: heard of recently and, on this host, still a process."""
    if datetime.now(UTC) - seen_at > SILENCE:
        return False
    return not pid or host != socket.gethostname() or _is_process(pid)


def may_be_driven(record: RunRecord, seen_at: datetime | None) -> bool:
    """Say whether somebody could still be driving a run without an end; when in doubt, yes.

    More careful than `is_alive`: on this host, a driver lives as long as it is a process, though
    it was suspended or its signs of life are lost. `seen_at`: its latest sign, None if that
    cannot be told.
    """
    if record.pid and record.host == socket.gethostname():
        return _is_process(record.pid)
    return seen_at is None or datetime.now(UTC) - seen_at <= LONG_SILENCE


def is_gone(began_at: datetime, *, host: str, pid: int) -> bool:
    """Say whether a process is gone; of another host's, that is so when it began long ago."""
    if host == socket.gethostname():
        return not _is_process(pid)
    return datetime.now(UTC) - began_at > LONG_SILENCE


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is there, and somebody else's
    return True
