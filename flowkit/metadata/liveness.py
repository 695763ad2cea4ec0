"""Whether a run without an end still runs, from its latest sign of life."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta

SILENCE = timedelta(seconds=30)
"""A driver that gave no sign of life for this long is taken for dead."""


def is_alive(seen_at: datetime, *, host: str, pid: int) -> bool:
    """Say whether the driver lives: heard of recently and, on this host, still a process."""
    if datetime.now(UTC) - seen_at > SILENCE:
        return False
    return not pid or host != socket.gethostname() or _is_process(pid)


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is there, and somebody else's
    return True
