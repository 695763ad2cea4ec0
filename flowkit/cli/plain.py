"""A run's progress as plain lines, for pipes and log files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from flowkit.cli.lines import Lines
from flowkit.cli.text import task_label
from flowkit.cli.tracebacks import HeldTracebacks
from flowkit.runner import Idled, Printed, lines_of

if TYPE_CHECKING:
    from flowkit.runner import RunFact


class PlainProgress:
    """A listener that writes a line for each change of a task, and what tasks print.

    Changes go to stderr as `HH:MM:SS step[path] attempt N state duration`; what a task prints
    goes to the stream that it printed to, verbatim after `step[path] | `.
    """

    def __init__(
        self,
        *,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        transitions: bool = True,
    ) -> None:
        self._lines = Lines(stdout or sys.stdout, stderr or sys.stderr)
        self._transitions = transitions
        self._held = HeldTracebacks()

    def __call__(self, fact: RunFact) -> None:
        """Take the next fact of the run."""
        for shown in self._held.pass_on(fact):
            self._show(shown)

    def _show(self, fact: RunFact) -> None:
        if isinstance(fact, Printed):
            self._lines.write(fact.stream, f"{task_label(fact.attempt.key)} | {fact.text}\n")
        elif isinstance(fact, Idled):
            self._lines.flush()
        elif self._transitions:
            for line in lines_of(fact):
                self._lines.write("stderr", line + "\n")

    def close(self) -> None:
        """Make visible what is still buffered."""
        self._lines.flush()
