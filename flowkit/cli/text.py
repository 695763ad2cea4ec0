"""How values look to people: sizes, durations, times, labels and aligned columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unicodedata import combining, east_asian_width

if TYPE_CHECKING:
    from flowkit.values import TaskKey

_SIZES = ("kB", "MB", "GB", "TB", "PB")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MISSING = "-"
"""What a table shows where there is no value."""


def human_size(size_bytes: int) -> str:
    """Write a number of bytes in decimal units.

    >>> human_size(999), human_size(1_500), human_size(2_340_000_000)
    ('999 B', '1.5 kB', '2.3 GB')
    """
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in _SIZES:
        size /= 1000
        if size < 999.95 or unit == _SIZES[-1]:
            break
    return f"{size:.1f} {unit}"


def human_duration(seconds: float | None) -> str:
    """Write a duration with the two largest units that matter.

    >>> human_duration(0.042), human_duration(12.34), human_duration(185), human_duration(7440)
    ('0.04s', '12.3s', '3m 05s', '2h 04m')
    """
    if seconds is None:
        return MISSING
    seconds = max(0.0, seconds)
    if seconds < 0.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def local_time(moment: datetime | None) -> str:
    """Write a moment in the reader's own time zone, to the second."""
    return MISSING if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def local_clock(moment: datetime) -> str:
    """Write only the time of day, in the reader's own time zone."""
    return f"{moment.astimezone():%H:%M:%S}"


def utc_time(moment: datetime | None) -> str | None:
    """Write a moment for machines: ISO 8601 in UTC with microseconds."""
    if moment is None:
        return None
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def task_label(key: TaskKey) -> str:
    """Name a task in few letters.

    >>> from flowkit.values import TaskKey
    >>> task_label(TaskKey("start")), task_label(TaskKey("train", (3, 1)))
    ('start', 'train[3.1]')
    """
    return f"{key.step}[{key.task_id}]" if key.path or key.iteration else key.step


def count_of(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> count_of(1, "task"), count_of(1200, "task")
    ('1 task', '1,200 tasks')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(text: str, limit: int = 200) -> str:
    """Make any text safe and short enough for one line of a terminal or a table."""
    flat = _UNSAFE.sub(" ", text)
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def cell_width(text: str) -> int:
    """Count the terminal columns of a text without control characters."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 1 + (east_asian_width(one) in "WF") for one in text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text with blanks to a width in terminal columns."""
    blanks = " " * (width - cell_width(text))
    return blanks + text if right else text + blanks


def columns(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()
) -> list[str]:
    """Align rows under a header; the columns named in `right` end at the same place."""
    table = [tuple(header), *(tuple(map(one_line, row)) for row in rows)]
    widths = [max(map(cell_width, column)) for column in zip(*table, strict=True)]
    flush = set(right)
    return [
        "  ".join(
            pad(cell, width, right=name in flush)
            for cell, width, name in zip(row, widths, header, strict=True)
        ).rstrip()
        for row in table
    ]
