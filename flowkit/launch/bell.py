"""Waking whoever waits for news: threads, and tasks of event loops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress


class Bell:
    """Rung by one thread when something has changed, heard by any number of others.

    Who waits names what for. It is looked at again each time the bell rings, so nothing that was
    changed before a ring is missed.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._wakers: set[Callable[[], None]] = set()

    def ring(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self._condition.notify_all()
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()

    def wait(self, holds: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait in this thread until something holds; returns whether it does."""
        with self._condition:
            return self._condition.wait_for(holds, timeout_s)

    async def heard(self, holds: Callable[[], bool]) -> None:
        """Wait in a task of an event loop, which goes on meanwhile, until something holds."""
        import asyncio

        loop, rung = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
                loop.call_soon_threadsafe(rung.set)

        with self._condition:
            self._wakers.add(wake)
        try:
            while not holds():
                await rung.wait()
                rung.clear()
        finally:
            with self._condition:
                self._wakers.discard(wake)
