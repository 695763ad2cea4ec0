"""What changes in a text: spans and what stands there afterwards."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """`text` in place of what is from `start` up to `stop`, in characters."""

    start: int
    stop: int
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """Something on a line that is left to a person.

    `missing`: flowkit has no counterpart. `differs`: it has, but not quite the same.
    """

    line: int
    kind: Literal["missing", "differs"]
    text: str


@dataclass(frozen=True, slots=True)
class Migration:
    """What a file becomes, and what is left to do in it by hand, in the order of lines."""

    before: str
    after: str
    remarks: tuple[Remark, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the file would be another one."""
        return self.before != self.after


@dataclass(slots=True)
class Findings:
    """Edits and remarks as they are found; the same one twice counts once."""

    edits: set[Edit] = field(default_factory=set)
    remarks: set[Remark] = field(default_factory=set)

    def remark(self, line: int, kind: Literal["missing", "differs"], text: str) -> None:
        """Note something that is left to a person."""
        self.remarks.add(Remark(line, kind, text))

    def migration(self, text: str) -> Migration:
        """Make all edits to the text that they were found in."""
        return Migration(text, edited(text, self.edits), tuple(sorted(self.remarks)))


class Lines:
    """A text's lines as Python's parser counts them: columns are bytes of UTF-8."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def offset(self, line: int, column: int) -> int:
        """Return the character at which a line, counted from 1, has a column."""
        start = self._starts[line - 1]
        if column == 0:
            return start
        stop = self._starts[line] if line < len(self._starts) else len(self._text)
        written = self._text[start:stop].encode("utf-8", "surrogatepass")[:column]
        return start + len(written.decode("utf-8", "surrogatepass"))

    def line_at(self, offset: int) -> int:
        """Return the line, counted from 1, that a character is on."""
        return bisect_right(self._starts, offset)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Make edits that do not overlap, all of them counted in the text as it was."""
    parts, at = [], 0
    for edit in sorted(edits):
        parts += [text[at : edit.start], edit.text]
        at = edit.stop
    return "".join([*parts, text[at:]])
