"""A run's progress as something that rich can draw: a headline, and a line a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    OverflowMethod,
    RenderableType,
    RenderResult,
)
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Column, Table
from rich.text import Text

from flowkit.cli.counts import RunCounts, StepCount
from flowkit.cli.text import count_of, human_duration

_BAR, _SHORT_BAR = 24, 8


@dataclass(frozen=True, slots=True)
class _Signs:
    """What rich does not choose by the terminal's encoding."""

    done: str
    failed: str
    waiting: str
    dot: str
    spinner: str
    overflow: OverflowMethod


_UNICODE = _Signs("✓", "✗", "·", "·", "dots", "ellipsis")
_ASCII = _Signs("+", "x", ".", "-", "line", "crop")


class RunPicture:
    """A run as its counts say it is at the moment of drawing, never higher than the terminal.

    A run that has ended is drawn whole, whatever the height. One object serves a whole run.
    """

    def __init__(self, counts: RunCounts, clock: Callable[[], datetime]) -> None:
        self._counts = counts
        self._clock = clock
        self._spinners: dict[str, Spinner] = {}
        self._widths: list[int] = []

    def rows(self, width: int) -> int:
        """Count the rows that the last drawing takes on a terminal that is now so wide."""
        return sum(max(1, -(-drawn // width)) for drawn in self._widths)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the run as it is now."""
        lines = console.render_lines(self._drawn(options), options, pad=False)
        self._widths = [Segment.get_line_length(line) for line in lines]
        for line in lines:
            yield from line
            yield Segment.line()

    def _drawn(self, options: ConsoleOptions) -> RenderableType:
        signs = _ASCII if options.ascii_only else _UNICODE
        steps = list(self._counts.steps.values())
        is_over = self._counts.ended is not None
        room = len(steps) if is_over else max(3, options.size.height - 3)
        above, shown, below = _window(steps, room)
        parts: list[RenderableType] = [] if is_over else [self._headline(signs)]
        if above:
            parts.append(_aside(f"{signs.done} {count_of(above, 'step')} done"))
        parts.append(self._table(shown, signs, width=options.max_width))
        if below:
            parts.append(_aside(f"{signs.waiting} {count_of(below, 'more step')}"))
        return Group(*parts)

    def _headline(self, signs: _Signs) -> Text:
        line = Text(no_wrap=True, overflow="crop")
        if self._counts.began is None:
            return line
        record = self._counts.began.record
        seconds = (self._clock() - record.started_at).total_seconds()
        line.append(str(record.run), "bold").append(f" {signs.dot} {human_duration(seconds)}")
        if record.origin is not None:
            line.append(f" {signs.dot} resumes {record.origin}", "dim")
        return line

    def _table(self, steps: Sequence[StepCount], signs: _Signs, *, width: int) -> Table:
        has_bars = any(_has_bar(step) for step in steps)
        columns = [Column(no_wrap=True, max_width=max(14, width // 3))]
        if has_bars:
            columns.append(Column(min_width=_SHORT_BAR, max_width=_BAR))
            columns.append(Column(no_wrap=True, justify="right"))
        columns.append(Column(no_wrap=True, justify="right", min_width=7, style="dim"))
        columns.append(Column())
        # On a narrow terminal bars and notes give way: only columns that may wrap shrink at first,
        # though what is in these two does not wrap.
        for column in columns:
            column.overflow = signs.overflow
        table = Table.grid(*columns, padding=(0, 2, 0, 0))
        now = self._clock()
        for step in steps:
            cells = [self._name(step, signs)]
            if has_bars:
                cells += _bar(step)
            cells.append(human_duration(step.seconds(now)) if step.started_at else "")
            table.add_row(*cells, _notes(step))
        return table

    def _name(self, step: StepCount, signs: _Signs) -> RenderableType:
        """Write a step's name behind its sign, which spins while the step goes on."""
        name = Text(step.name, "" if step.is_begun else "dim")
        if step.failed:
            return Text.assemble((signs.failed, "red"), " ", name)
        if step.is_over:
            return Text.assemble((signs.done, "green"), " ", name)
        if not step.is_begun or self._counts.ended is not None:
            return Text.assemble((signs.waiting, "dim"), " ", name)
        if step.name not in self._spinners:
            self._spinners[step.name] = Spinner(signs.spinner, name, style="cyan")
        return self._spinners[step.name]


def _window(steps: Sequence[StepCount], room: int) -> tuple[int, Sequence[StepCount], int]:
    """Choose the steps to show: those that move, then their surroundings."""
    if len(steps) <= room:
        return 0, steps, 0
    room -= 2
    moving = [at for at, step in enumerate(steps) if step.is_begun and not step.is_over]
    first = moving[0] if moving else sum(step.is_over for step in steps)
    first = max(0, min(first - 1, len(steps) - room))
    return first, steps[first : first + room], len(steps) - first - room


def _aside(text: str) -> Text:
    return Text(text, "dim", no_wrap=True, overflow="crop")


def _has_bar(step: StepCount) -> bool:
    return step.total > 1


def _bar(step: StepCount) -> list[RenderableType]:
    if not _has_bar(step):
        return ["", ""]
    bar = ProgressBar(
        total=step.total,
        completed=step.done,
        style="bright_black",
        complete_style="red" if step.failed else "cyan",
        finished_style="green",
    )
    return [bar, f"{step.done:,}/{step.total:,}"]


def _notes(step: StepCount) -> Text:
    told = (
        (step.running, "running", "cyan"),
        (step.failed, "failed", "red"),
        (step.cancelled, "cancelled", "yellow"),
        (step.again, "tried again", "yellow"),
        (step.cloned, "cloned", "dim"),
    )
    notes = [Text(f"{number:,} {what}", colour) for number, what, colour in told if number]
    line = Text("  ").join(notes)
    line.no_wrap = True
    return line
