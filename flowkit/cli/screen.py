"""Where a command writes: data on stdout, talk on stderr, colour only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from flowkit.cli.text import columns

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def shows_colour(stream: TextIO) -> bool:
    """Say whether a person looks at the stream, on a terminal that shows colour and may."""
    if not stream.isatty():
        return False
    from flowkit.settings import wants_colour

    return wants_colour()


def is_lively(stream: TextIO) -> bool:
    """Say whether the stream is a terminal on which a picture can move."""
    if not stream.isatty():
        return False
    from flowkit.settings import is_dumb_terminal

    return not is_dumb_terminal()


def painted(text: str, colour: str) -> str:
    """Return a text with the codes of a colour, or of several with blanks between: `bold red`."""
    codes = ";".join(_CODES[name] for name in colour.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def paint(text: str, colour: str, *, stream: TextIO | None = None) -> str:
    """Colour a text if the stream (stdout unless given) shows colour; else leave it as it is."""
    return painted(text, colour) if shows_colour(stream or sys.stdout) else text


def print_lines(lines: Iterable[str]) -> None:
    """Write lines of data to stdout."""
    for line in lines:
        sys.stdout.write(line + "\n")


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()
) -> None:
    """Write an aligned table to stdout, its header bold on a terminal."""
    first, *rest = columns(header, rows, right=right)
    print_lines([paint(first, "bold"), *rest])


def say(text: str) -> None:
    """Write a line to the person, on stderr."""
    sys.stderr.write(text + "\n")


def abandon(stream: TextIO) -> None:
    """Let a stream whose reader has gone swallow what it still holds, and all that follows.

    Python would complain about it when it closes the stream at the end.
    """
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
