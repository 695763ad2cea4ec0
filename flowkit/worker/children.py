"""The processes of attempts that a zygote has started: stopping and burying them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from flowkit.values import Attempt


@dataclass(slots=True)
class _Child:
    attempt: Attempt
    kill_at: float | None = None


class Children:
    """Processes by their ids; each leads a group, in which is what its step has started."""

    def __init__(self) -> None:
        self._known: dict[int, _Child] = {}

    @property
    def pids(self) -> frozenset[int]:
        """The processes that have not been buried."""
        return frozenset(self._known)

    def add(self, pid: int, attempt: Attempt) -> None:
        """Take on a process that was just forked."""
        with suppress(OSError):
            os.setpgid(pid, pid)  # also done by the child: whoever comes first
        self._known[pid] = _Child(attempt)

    def cancel(self, attempt: Attempt, grace_s: float) -> None:
        """Ask an attempt to end; it is overdue after `grace_s`."""
        for pid, child in self._known.items():
            if child.attempt == attempt:
                _kill_group(pid, signal.SIGTERM if grace_s > 0 else signal.SIGKILL)
                child.kill_at = time.monotonic() + grace_s

    def bury(self) -> Iterator[tuple[Attempt, int]]:
        """Yield the attempts that have ended since, with their exit codes."""
        for pid in list(self._known):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                child = self._known.pop(pid)
                # What the step left running in its group goes with it.
                _kill_group(pid, signal.SIGKILL)
                yield child.attempt, os.waitstatus_to_exitcode(status)

    def kill_overdue(self) -> None:
        """Kill those that were asked to end and did not in time."""
        now = time.monotonic()
        for pid, child in self._known.items():
            if child.kill_at is not None and child.kill_at <= now:
                _kill_group(pid, signal.SIGKILL)
                child.kill_at = None

    def kill(self) -> None:
        """Kill all that still run."""
        for pid in self._known:
            _kill_group(pid, signal.SIGKILL)

    def patience_s(self) -> float | None:
        """Return after how many seconds the next one is overdue; None if none will be."""
        waiting = [child.kill_at for child in self._known.values() if child.kill_at is not None]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None


def _kill_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
