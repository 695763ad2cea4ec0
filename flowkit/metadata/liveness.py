"""Whether a run without an end still runs, from its latest sign of life."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta

from flowkit.records import RunRecord

SILENCE = timedelta(seconds=30)
"""A driver that gave no sign of life for this long is taken for dead, if it cannot be looked at."""

LONG_SILENCE = timedelta(hours=1)
"""The same where a mistake would cost data."""

_CLOCK_ERROR = timedelta(seconds=2)
"""The system tells to the second when it was booted, which all else is counted from."""


def is_alive(seen_at: datetime, *, host: str, pid: int) -> bool:
    """Say whether the driver that gave a sign of life then is alive.

    On this host it is if its process is there: one that is suspended, or runs a long step itself,
    gives no signs. Elsewhere, if it was heard of recently.
    """
    if pid and host == socket.gethostname():
        is_there = _is_process(pid, seen_at)
        if is_there is not None:
            return is_there
    return datetime.now(UTC) - seen_at <= SILENCE


def may_be_driven(record: RunRecord, seen_at: datetime | None) -> bool:
    """Say whether somebody could still be driving a run without an end; when in doubt, yes.

    More careful than `is_alive`. `seen_at`: the driver's latest sign of life, None if that cannot
    be told.
    """
    if record.pid and record.host == socket.gethostname():
        return _is_process(record.pid, seen_at or record.started_at) is not False
    return seen_at is None or datetime.now(UTC) - seen_at <= LONG_SILENCE


def is_gone(began_at: datetime, *, host: str, pid: int) -> bool:
    """Say whether a process is gone that was there at `began_at`.

    Where that cannot be told, as of another host, it is taken for gone when that is long ago.
    """
    if host == socket.gethostname():
        is_there = _is_process(pid, began_at)
        if is_there is not None:
            return not is_there
    return datetime.now(UTC) - began_at > LONG_SILENCE


def _is_process(pid: int, since: datetime) -> bool | None:
    """Say whether a process of this host is there still; None: one of that number is.

    `since`: a moment at which it was there. One that began later was given the same number, or
    the clock was set since.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # Behind the name, which may hold anything: the state, and at the 20th place the start.
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/stat", "rb") as file:
            booted_s = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
        began_s = booted_s + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, StopIteration):
        return None
    if fields[0] in (b"Z", b"X"):
        return False  # dead, and its parent has not asked how it ended
    return True if datetime.fromtimestamp(began_s, UTC) <= since + _CLOCK_ERROR else None
