"""A run's progress as a picture that moves, for terminals."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from flowkit.cli.counts import RunCounts, is_cancelled
from flowkit.cli.lines import Lines
from flowkit.cli.picture import ASCII, UNICODE, Canvas, Piece, draw
from flowkit.cli.plain import ended_line, lines_of
from flowkit.cli.screen import painted, shows_colour
from flowkit.cli.text import task_label
from flowkit.cli.tracebacks import HeldTracebacks
from flowkit.runner import Noticed, Printed, RunBegan, RunEnded, TaskEnded

if TYPE_CHECKING:
    from flowkit.runner import RunFact

_REDRAW_AFTER_S = 0.12
_MOST_WAITING = 500
_USUAL_SIZE = os.terminal_size((80, 24))

_HOLD, _SHOW = "\x1b[?2026h", "\x1b[?2026l"
"""Terminals that know synchronized output show what is between these at once."""
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


class LiveProgress:
    """A listener that keeps a table of steps at the bottom and lets output scroll above it.

    Drawn with a few escape codes: a table library costs more to import, and 4 ms a picture, than
    a hundred tasks cost to run. What tasks print goes through unaltered, behind its prefix.
    """

    def __init__(self, *, stdout: TextIO | None = None, terminal: TextIO | None = None) -> None:
        self._terminal = terminal or sys.stderr
        stdout = stdout or sys.stdout
        self._file = None if stdout.isatty() else Lines(stdout, self._terminal)
        self._counts = RunCounts()
        self._held = HeldTracebacks()
        self._above: list[str] = []
        self._widths: list[int] = []
        self._drawn_s = 0.0
        self._turn = 0
        self._colours = shows_colour(self._terminal)
        unicode = (self._terminal.encoding or "").lower().replace("-", "") == "utf8"
        self._glyphs = UNICODE if unicode else ASCII

    def __call__(self, fact: RunFact) -> None:
        """Take the next fact of the run."""
        for shown in self._held.pass_on(fact):
            self._show(shown)

    def _show(self, fact: RunFact) -> None:
        match fact:
            case Printed():
                self._print(fact)
            case TaskEnded() if fact.status == "failed" and not is_cancelled(fact):
                colour = "yellow" if fact.again else "red"
                self._above.append(self._painted(ended_line(fact), colour))
            case Noticed(message=message):
                self._above.append(self._painted(f"note: {message}", "yellow"))
        self._counts.tell(fact)
        now_s = time.monotonic()
        if isinstance(fact, RunBegan):
            self._terminal.write(_HIDE_CURSOR)
            self._draw(now_s)
        elif isinstance(fact, RunEnded):
            self._draw(now_s)
            self._terminal.write("".join(f"{line}\n" for line in lines_of(fact)))
            self.close()
        elif now_s - self._drawn_s > _REDRAW_AFTER_S or len(self._above) > _MOST_WAITING:
            self._draw(now_s)

    def close(self) -> None:
        """Leave the last picture where it is, and give the terminal back. May be called twice."""
        if self._counts.began is None:
            return
        self._terminal.write(_SHOW_CURSOR)
        self._terminal.flush()
        if self._file is not None:
            self._file.flush()

    def _print(self, fact: Printed) -> None:
        prefix = f"{task_label(fact.attempt.key)} | "
        if self._file is not None and fact.stream == "stdout":
            self._file.write("stdout", f"{prefix}{fact.text}\n")
            return
        # A progress bar overwrites its line again and again; the last version is what counts.
        text = fact.text.rstrip("\r").rsplit("\r", 1)[-1]
        reset = "\x1b[0m" if "\x1b" in text else ""
        self._above.append(self._painted(prefix, "dim") + text + reset)

    def _draw(self, now_s: float) -> None:
        """Put waiting lines and a new picture where the old picture was."""
        self._drawn_s = now_s
        self._turn += 1
        size = self._size()
        canvas = Canvas(width=size.columns, height=size.lines, glyphs=self._glyphs)
        picture = draw(self._counts, datetime.now(UTC), canvas, turn=self._turn)
        # After a resize the old lines may take more rows than they did when they were drawn.
        rows = sum(max(1, -(-width // size.columns)) for width in self._widths)
        lines = [*self._above, *(self._line(line) for line in picture)]
        up = f"\x1b[{rows}F" if rows else ""
        body = "".join(f"{line}{_CLEAR_LINE}\n" for line in lines)
        self._terminal.write(f"{_HOLD}{up}{body}{_CLEAR_BELOW}{_SHOW}")
        self._terminal.flush()
        self._above.clear()
        self._widths = [sum(len(text) for text, _ in line) for line in picture]

    def _size(self) -> os.terminal_size:
        """Ask the terminal itself: stdout may be a file, and `COLUMNS` as old as the shell."""
        try:
            size = os.get_terminal_size(self._terminal.fileno())
        except (OSError, ValueError):
            return _USUAL_SIZE
        return size if size.columns and size.lines else _USUAL_SIZE

    def _line(self, line: list[Piece]) -> str:
        return "".join(self._painted(text, colour) for text, colour in line)

    def _painted(self, text: str, colour: str) -> str:
        return painted(text, colour) if self._colours and colour else text
