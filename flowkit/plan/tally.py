"""How many tasks of a step there are in each state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """How many tasks of a step there are in each state.

    `known`: all that exist so far, `done`: those that ran and succeeded, `failed`: those that
    failed for good, `cloned`: those that an earlier run's stand for.
    """

    known: int
    running: int
    done: int
    failed: int
    cloned: int

    @property
    def waiting(self) -> int:
        """Tasks that have not started, or wait to be tried again."""
        return self.known - self.running - self.done - self.failed - self.cloned


class Tally:
    """The counters behind a StepProgress."""

    __slots__ = ("cloned", "done", "failed", "known")

    def __init__(self) -> None:
        self.known = self.done = self.failed = self.cloned = 0
