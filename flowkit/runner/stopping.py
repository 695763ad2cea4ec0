"""Asking a run to stop from outside of its driver."""

from __future__ import annotations

from itertools import count


class StopSwitch:
    """Asks a run to stop, from any thread. Asked again, what has not stopped yet is killed."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._answered = 0
        self.asked = 0
        """How often a stop was asked for."""

    @property
    def is_unanswered(self) -> bool:
        """Whether a stop was asked for since the last `answer`."""
        return self.asked > self._answered

    def answer(self) -> None:
        """Take what was asked for until now as done."""
        self._answered = self.asked

    def ask(self) -> None:
        """Ask for a stop; the run notices within a fraction of a second."""
        self.asked = next(self._numbers)
