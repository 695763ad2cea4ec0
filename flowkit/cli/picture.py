"""A run's progress as a picture: lines of coloured pieces, cut to the width of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flowkit.cli.counts import RunCounts, StepCount
from flowkit.cli.text import cell_width, count_of, human_duration, pad

Piece = tuple[str, str]
"""Some text and its colour, empty for none."""

_BAR, _SHORT_BAR = 24, 8
_NARROW = 72
_SETTLED = "green"


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs of the picture. `spinner` has one sign a turn."""

    done: str
    failed: str
    waiting: str
    full: str
    empty: str
    dot: str
    more: str
    spinner: str


UNICODE = Glyphs("✓", "✗", "·", "━", "─", "·", "…", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
ASCII = Glyphs("+", "x", ".", "#", "-", "-", "~", "|/-\\")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Where the picture goes: its size in columns and lines, and the signs it can show."""

    width: int
    height: int
    glyphs: Glyphs


def draw(counts: RunCounts, now: datetime, canvas: Canvas, *, turn: int) -> list[list[Piece]]:
    """Draw a run: a line a step under a headline. Never higher or wider than the canvas.

    `turn` moves the spinner. A run that has ended is drawn whole, whatever the height.
    """
    steps = list(counts.steps.values())
    room = len(steps) if counts.ended else max(3, canvas.height - 3)
    above, shown, below = _window(steps, room)
    lines = [] if counts.ended else [_headline(counts, now, canvas.glyphs)]
    if above:
        lines.append([(f"{canvas.glyphs.done} {count_of(above, 'step')} done", "dim")])
    names = max((cell_width(step.name) for step in shown), default=0)
    names = min(names, max(12, canvas.width // 3))
    bars = any(_has_bar(step) for step in shown)
    tallies = max((len(_tally(step)) for step in shown), default=0)
    for step in shown:
        sign = _sign(step, canvas.glyphs, turn=None if counts.ended else turn)
        name = step.name
        if cell_width(name) > names:
            name = name[: names - 1] + canvas.glyphs.more
        line = [sign, (" " + pad(name, names) + "  ", "" if step.is_begun else "dim")]
        if bars:
            line += _bar(step, canvas.glyphs, _SHORT_BAR if canvas.width < _NARROW else _BAR)
        took = human_duration(step.seconds(now)) if step.started_at else ""
        line += [(f"{_tally(step):>{tallies}}  ", ""), (f"{took:>7}", "dim")]
        line += _notes(step)
        lines.append(line)
    if below:
        lines.append([(f"{canvas.glyphs.waiting} {count_of(below, 'more step')}", "dim")])
    return [_cut(line, canvas.width) for line in lines]


def _headline(counts: RunCounts, now: datetime, glyphs: Glyphs) -> list[Piece]:
    if counts.began is None:
        return []
    record = counts.began.record
    seconds = (now - record.started_at).total_seconds()
    line = [(str(record.run), "bold"), (f" {glyphs.dot} {human_duration(seconds)}", "")]
    if record.origin is not None:
        line.append((f" {glyphs.dot} resumes {record.origin}", "dim"))
    return line


def _window(steps: Sequence[StepCount], room: int) -> tuple[int, Sequence[StepCount], int]:
    """Choose the steps to show: those that move, then their surroundings."""
    if len(steps) <= room:
        return 0, steps, 0
    room -= 2
    moving = [at for at, step in enumerate(steps) if step.is_begun and not step.is_over]
    first = moving[0] if moving else sum(step.is_over for step in steps)
    first = max(0, min(first - 1, len(steps) - room))
    return first, steps[first : first + room], len(steps) - first - room


def _sign(step: StepCount, glyphs: Glyphs, *, turn: int | None) -> Piece:
    """Choose a step's sign; `turn` is None once the run is over, and nothing spins."""
    if step.failed:
        return glyphs.failed, "red"
    if step.is_over:
        return glyphs.done, _SETTLED
    if step.is_begun and turn is not None:
        return glyphs.spinner[turn % len(glyphs.spinner)], "cyan"
    return glyphs.waiting, "dim"


def _has_bar(step: StepCount) -> bool:
    return step.total > 1


def _bar(step: StepCount, glyphs: Glyphs, length: int) -> list[Piece]:
    if not _has_bar(step):
        return [(" " * (length + 2), "")]
    done = step.done * length // step.total
    failed = min(length - done, -(-step.failed * length // step.total))
    return [
        (glyphs.full * done, _SETTLED if step.is_over else "cyan"),
        (glyphs.full * failed, "red"),
        (glyphs.empty * (length - done - failed) + "  ", "dim"),
    ]


def _tally(step: StepCount) -> str:
    return f"{step.done:,}/{step.total:,}" if _has_bar(step) else ""


def _notes(step: StepCount) -> list[Piece]:
    told: Iterable[tuple[int, str, str]] = (
        (step.running, "running", "cyan"),
        (step.failed, "failed", "red"),
        (step.cancelled, "cancelled", "yellow"),
        (step.again, "tried again", "yellow"),
        (step.cloned, "cloned", "dim"),
    )
    return [(f"  {number:,} {what}", colour) for number, what, colour in told if number]


def _cut(line: list[Piece], width: int) -> list[Piece]:
    """Cut a line to fewer columns than the terminal has, so that it never wraps."""
    left = width - 1
    kept: list[Piece] = []
    for text, colour in line:
        if cell_width(text) <= left:
            left -= cell_width(text)
            kept.append((text, colour))
            continue
        while cell_width(text) > left:
            text = text[:-1]
        kept.append((text, colour))
        break
    return kept
