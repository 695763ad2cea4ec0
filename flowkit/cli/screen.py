"""Where a command writes: data on stdout, talk on stderr, colour only on a terminal."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from textwrap import wrap
from typing import TextIO

from flowkit.cli.text import cell_width, columns, pad, visible

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}

_ONE = "|".join(_CODES.values())
_PAINT = f"(\x1b\\[(?:0|(?:{_ONE})(?:;(?:{_ONE}))*)m)"


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
    """Write lines of data to stdout; of what steers a terminal, our own colours alone."""
    for line in lines:
        sys.stdout.write(_harmless(line) + "\n")


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[str] = (),
    notes: Sequence[str] = (),
) -> None:
    """Write an aligned table to stdout, its header bold on a terminal.

    `notes` stand behind the rows, or below them if the terminal is too narrow for one of them.
    """
    first, *rest = columns(header, rows, right=right)
    print_lines([paint(first, "bold"), *(_annotated(rest, notes) if any(notes) else rest)])


def _annotated(lines: Sequence[str], notes: Sequence[str]) -> list[str]:
    edge = max(map(cell_width, lines))
    width = terminal_width()
    if width is None or edge + 2 + max(map(cell_width, notes)) <= width:
        pairs = zip(lines, notes, strict=True)
        return [f"{pad(line, edge)}  {note}".rstrip() for line, note in pairs]
    annotated = []
    for line, note in zip(lines, notes, strict=True):
        annotated += [line, *(fitted(f"    {note}", indent=4) if note else ())]
    return annotated


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is, or None if it is none."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(line: str, *, indent: int) -> list[str]:
    """Break a line at blanks to fit the terminal, with `indent` blanks before what follows.

    A line into a pipe stays whole. Give it without colour.
    """
    width = terminal_width()
    if width is None or cell_width(line) <= width:
        return [line]
    return wrap(
        line,
        width,
        subsequent_indent=" " * min(indent, width - 20),
        break_long_words=False,
        break_on_hyphens=False,
    )


def say(text: str) -> None:
    """Write a line to the person, on stderr; of what steers a terminal, our own colours alone.

    Where stderr cannot be written, nobody is told, and the command goes on.
    """
    try:
        sys.stderr.write(_harmless(text) + "\n")
    except OSError as error:
        if not is_of_output(error):
            raise
        abandon(sys.stderr)


def _harmless(text: str) -> str:
    """Return a text in which nothing from a store or a file gives the terminal orders."""
    if text.isprintable():
        return text
    parts = re.split(_PAINT, text)
    # Every other part is paint. A stranger's is no worse than ours.
    return "".join(part if at % 2 else visible(part) for at, part in enumerate(parts))


def open_closed_streams() -> None:
    """Have what was closed for this process, as by `>&-`, swallow what is written to it.

    The numbers of closed streams are taken, or the next file that is opened would be given one, and
    all that steps print.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, descriptor == number)
            stream = os.fdopen(descriptor, "w" if number else "r", encoding="utf-8")
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def is_of_output(error: BaseException) -> bool:
    """Say whether an error is of a stream that cannot be written: one of a file names the file."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE


def abandon(stream: TextIO) -> None:
    """Let a stream that cannot be written swallow what it still holds, and all that follows.

    Python would complain about it when it closes the stream at the end.
    """
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
