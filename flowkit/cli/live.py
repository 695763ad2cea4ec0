"""A run's progress as a picture that moves, for terminals.

Imported, and rich with it, only when there is a terminal to show it on. rich costs 30 ms of CPU to
import, 2 ms a picture of a few steps and 6 ms one of thirty; counting a task costs 0.003 ms.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from flowkit.cli.counts import RunCounts
from flowkit.cli.lines import Lines
from flowkit.cli.picture import RunPicture
from flowkit.cli.text import task_label
from flowkit.cli.tracebacks import HeldTracebacks
from flowkit.runner import (
    Noticed,
    Printed,
    RunBegan,
    RunEnded,
    TaskEnded,
    ended_line,
    is_cancelled,
    lines_of,
)

if TYPE_CHECKING:
    from flowkit.runner import RunFact

_REDRAW_AFTER_S = 0.12
_MOST_WAITING = 500


class LiveProgress:
    """A listener that keeps a table of steps at the bottom and lets output scroll above it.

    `stdout` is where tasks' output goes if it is no terminal; all else goes to the console,
    which is stderr unless given.
    """

    def __init__(self, *, stdout: TextIO | None = None, console: Console | None = None) -> None:
        stdout = stdout or sys.stdout
        self._console = console or Console(stderr=True)
        self._file = None if stdout.isatty() else Lines(stdout, sys.stderr)
        self._counts = RunCounts()
        self._held = HeldTracebacks()
        self._picture = RunPicture(self._counts, lambda: datetime.now(UTC))
        # Facts come about ten times a second even while all is idle: no thread has to redraw.
        self._live = Live(
            self._picture,
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._above: list[Text] = []
        self._drawn_s = 0.0
        self._width = 0

    def __call__(self, fact: RunFact) -> None:
        """Take the next fact of the run."""
        for shown in self._held.pass_on(fact):
            self._show(shown)

    def close(self) -> None:
        """Leave the last picture where it is, and give the terminal back. May be called twice."""
        if self._live.is_started:
            self._draw()
            self._live.stop()
        if self._file is not None:
            self._file.flush()

    def _show(self, fact: RunFact) -> None:
        match fact:
            case Printed():
                self._print(fact)
            case TaskEnded() if fact.status == "failed" and not is_cancelled(fact):
                self._above.append(Text(ended_line(fact), "yellow" if fact.again else "red"))
            case Noticed(message=message):
                self._above.append(Text(f"note: {message}", "yellow"))
        self._counts.tell(fact)
        if isinstance(fact, RunBegan):
            self._live.start(refresh=True)
        elif isinstance(fact, RunEnded):
            self.close()
            self._console.print(*map(Text, lines_of(fact)), sep="\n", soft_wrap=True)
        elif time.monotonic() - self._drawn_s > _REDRAW_AFTER_S or len(self._above) > _MOST_WAITING:
            self._draw()

    def _print(self, fact: Printed) -> None:
        prefix = f"{task_label(fact.attempt.key)} | "
        if self._file is not None and fact.stream == "stdout":
            self._file.write("stdout", f"{prefix}{fact.text}\n")
            return
        # A progress bar overwrites its line again and again; the last version is what counts.
        text = fact.text.rstrip("\r").rsplit("\r", 1)[-1]
        self._above.append(Text.assemble((prefix, "dim"), Text.from_ansi(text)))

    def _draw(self) -> None:
        """Put waiting lines and a new picture where the old picture was."""
        self._drawn_s = time.monotonic()
        self._climb()
        if self._above:
            # Whoever copies a long line from the terminal gets it back without added breaks.
            self._console.print(*self._above, sep="\n", soft_wrap=True)
            self._above.clear()
        else:
            self._live.refresh()

    def _climb(self) -> None:
        """Make up for the rows that the old picture gained when the terminal became narrower.

        rich goes up by as many lines as it has drawn; terminals break those that are too long.
        """
        width, before = self._console.width, self._width
        self._width = width
        if width < before:
            more = self._picture.rows(width) - self._picture.rows(before)
            self._console.control(
                Control(*((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)) * more)
            )
