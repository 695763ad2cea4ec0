"""Keeps the traceback that ends a run from being shown twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.runner import Idled, Printed, TaskEnded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowkit.runner import RunFact
    from flowkit.values import Attempt

_PATIENCE_S = 0.5
_FIRST_LINE = "Traceback (most recent call last):"


class HeldTracebacks:
    """Holds back what may be the traceback of a run's first failure, which its end shows whole.

    Lines that are shown already, as steps in this process print them, are kept back for good.

    A worker prints the traceback as an attempt's last lines, so that the log has it. Lines are
    held for a moment only: an attempt that logs a traceback and goes on is shown to do so.
    """

    def __init__(self) -> None:
        self._held: dict[Attempt, list[Printed]] = {}
        self._has_failed = False

    def pass_on(self, fact: RunFact) -> Iterator[RunFact]:
        """Yield what to show now, in order."""
        match fact:
            case Printed(is_shown=True):
                return
            case Printed(attempt=attempt, stream="stderr", text=text):
                if attempt in self._held:
                    self._held[attempt].append(fact)
                    return
                if text == _FIRST_LINE:
                    self._held[attempt] = [fact]
                    return
            case TaskEnded():
                lines = self._held.pop(fact.attempt, [])
                if not self._is_shown_at_the_end(fact, lines):
                    yield from lines
            case Idled(at=now):
                for attempt, lines in [*self._held.items()]:
                    if (now - lines[-1].at).total_seconds() > _PATIENCE_S:
                        yield from self._held.pop(attempt)
        yield fact

    def _is_shown_at_the_end(self, fact: TaskEnded, lines: list[Printed]) -> bool:
        if self._has_failed or fact.failure is None or fact.again:
            return False
        self._has_failed = True
        return "\n".join(line.text for line in lines) == fact.failure.traceback.rstrip("\n")
