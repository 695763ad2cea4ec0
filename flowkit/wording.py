"""How values look to people who are told of them: durations, labels of tasks, exits and more."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowkit.values import TaskKey

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing."""
MISSING = "-"
"""What is shown where there is no value."""


def shown(value: object, *, most: int = 60, write: Callable[[object], str] = str) -> str:
    """Write a value that was given, whatever it is, without filling the screen.

    >>> shown(12), shown("x" * 99, most=5)
    ('12', 'xxxx…')
    """
    try:
        text = write(value)
    except ValueError:  # Python writes no numbers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= most else f"{text[: most - 1]}…"


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


def local_clock(moment: datetime) -> str:
    """Write only the time of day, in the reader's own time zone."""
    return f"{moment.astimezone():%H:%M:%S}"


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


def is_nameable(text: str) -> bool:
    r"""Say whether files and databases can have a text as a name: it is UTF-8, without a NUL.

    >>> is_nameable("naïve"), is_nameable("\udc80"), is_nameable("\0")
    (True, False, False)
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def visible(text: str) -> str:
    r"""Write characters that steer a terminal as Python escapes them; line breaks and tabs stay.

    >>> print(visible("\x1b[2J\x07gone"))
    \x1b[2J\x07gone
    """
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)


def steering_escaped(document: str) -> str:
    """Write characters that steer a terminal as JSON escapes them, in a JSON document."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def told_status(status: int) -> str:
    """Say in words how a process ended; negative numbers are signals.

    >>> told_status(3), told_status(-11)
    ('exit code 3', 'killed by SIGSEGV')
    """
    if status >= 0:
        return f"exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"killed by {name}"
