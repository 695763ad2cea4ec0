"""How values look on a terminal: sizes, times and aligned columns, and all of `wording`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from unicodedata import combining, east_asian_width

from flowkit.wording import (
    MISSING,
    count_of,
    human_duration,
    local_clock,
    one_line,
    task_label,
    visible,
)

__all__ = [
    "MISSING",
    "cell_width",
    "columns",
    "count_of",
    "human_duration",
    "human_size",
    "local_clock",
    "local_time",
    "one_line",
    "pad",
    "task_label",
    "utc_time",
    "visible",
]

_SIZES = ("kB", "MB", "GB", "TB", "PB")


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


def local_time(moment: datetime | None) -> str:
    """Write a moment in the reader's own time zone, to the second."""
    return MISSING if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def utc_time(moment: datetime | None) -> str | None:
    """Write a moment for machines: ISO 8601 in UTC with microseconds."""
    if moment is None:
        return None
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


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
