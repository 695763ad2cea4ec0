"""How many bytes of objects a scope holds in memory at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError


class MemoryBudget:
    """Counts the bytes that are held, for many threads."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._held_bytes = 0
        self._turn = 0
        self._ended = False
        # Re-entrant: a thread in here may be the one that drops the last reference to bytes.
        self._lock = threading.RLock()
        # One for each thread that waits: all but the one whose turn it is would wake in vain.
        self._waiting: dict[int, threading.Condition] = {}

    @property
    def held_bytes(self) -> int:
        """The bytes that are held now."""
        return self._held_bytes

    def take(self, size_bytes: int) -> Held | None:
        """Hold so many bytes more; None if they do not fit."""
        with self._lock:
            if self._held_bytes + size_bytes > self.limit_bytes:
                return None
            self._held_bytes += size_bytes
            return Held(self, size_bytes)

    def take_in_turn(self, turn: int, size_bytes: int) -> Held | None:
        """Wait for this turn, then until the bytes fit; None if they never will.

        Turns count from 0, and each is taken or skipped. Objects have them in the order in which
        they are handed out, so that none waits for one that comes after it.

        Raises:
            CancelledError: nobody wants the object any more.
        """
        with self._lock:
            self._wait(turn, lambda: self._turn == turn)
            if size_bytes > self.limit_bytes:
                self._pass_on(turn)
                return None
            self._wait(turn, lambda: self._held_bytes + size_bytes <= self.limit_bytes)
            if self._ended:
                raise CancelledError
            self._held_bytes += size_bytes
            self._pass_on(turn)
            return Held(self, size_bytes)

    def skip(self, turn: int) -> None:
        """Let the next one have its turn, if this one was not taken."""
        with self._lock:
            self._wait(turn, lambda: self._turn >= turn)
            self._pass_on(turn)

    def give_back(self, size_bytes: int) -> None:
        """Hold so many bytes less."""
        with self._lock:
            self._held_bytes -= size_bytes
            self._wake(self._turn)

    def end(self) -> None:
        """Let nobody wait any more."""
        with self._lock:
            self._ended = True
            for turn in list(self._waiting):
                self._wake(turn)

    def _wait(self, turn: int, is_ready: Callable[[], bool]) -> None:
        if not self._ended and not is_ready():
            condition = self._waiting[turn] = threading.Condition(self._lock)
            condition.wait_for(lambda: self._ended or is_ready())
            del self._waiting[turn]

    def _pass_on(self, turn: int) -> None:
        if self._turn == turn:
            self._turn = turn + 1
            self._wake(self._turn)

    def _wake(self, turn: int) -> None:
        if turn in self._waiting:
            self._waiting[turn].notify()


class Held:
    """Bytes of a budget, given back once: when asked to, or when nobody has this any more."""

    def __init__(self, budget: MemoryBudget, size_bytes: int) -> None:
        self._budget, self._size_bytes = budget, size_bytes

    def release(self) -> None:
        """Give the bytes back. May be called twice."""
        size_bytes, self._size_bytes = self._size_bytes, 0
        if size_bytes:
            self._budget.give_back(size_bytes)

    def __del__(self) -> None:
        self.release()
