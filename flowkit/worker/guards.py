"""What is put around a user's step: a time limit, environment variables, a folder to work in."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from flowkit.errors import StepTimedOut

_AGAIN_S = 10.0
"""As long as a process of its own would be left to clean up."""


@contextmanager
def time_limit(step: str, limit_s: float | None) -> Iterator[None]:
    """Raise StepTimedOut inside the block after `limit_s` seconds.

    And again each `_AGAIN_S` seconds, if the block has swallowed it and goes on.

    Signals reach the main thread only; elsewhere the block runs without a limit of its own, and
    the scheduler's, which stops the whole process, is the one that counts.
    """
    if limit_s is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise StepTimedOut(step=step, limit_s=limit_s or 0.0)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def variables(pairs: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Set environment variables inside the block."""
    before = {name: os.environ.get(name) for name, _ in pairs}
    os.environ.update(dict(pairs))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Tempdir:
    """A folder that exists once somebody has asked for it, until `remove`."""

    def __init__(self) -> None:
        self._path: str | None = None

    def open(self) -> str:
        """Return the folder's path; the first call makes it."""
        if self._path is None:
            from tempfile import mkdtemp

            self._path = mkdtemp(prefix="flowkit-")
        return self._path

    def remove(self) -> None:
        """Delete the folder and all in it, if it was made."""
        if self._path is not None:
            from shutil import rmtree

            rmtree(self._path, ignore_errors=True)
            self._path = None
