"""An attempt's log: every line that it printed, with its time and its stream.

The format is in `docs/format/logs.md`. The text is kept byte for byte: whether a line ended, or
was all that came, is in the letter of its stream, so nothing in the text needs to be escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from flowkit.errors import Corrupt

Stream = Literal["stdout", "stderr"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LETTERS: dict[Stream, tuple[bytes, bytes]] = {"stdout": (b"o", b"O"), "stderr": (b"e", b"E")}
_STREAMS: dict[bytes, tuple[Stream, bytes]] = {
    b"o": ("stdout", b"\n"),
    b"O": ("stdout", b""),
    b"e": ("stderr", b"\n"),
    b"E": ("stderr", b""),
}


class LogLine(Struct, frozen=True):
    """A line that an attempt printed, or the start of one.

    `time_us` is Unix time in microseconds. `text` ends with a newline if the line does; all texts
    of a stream, one after the other, are what was printed to it.
    """

    time_us: int
    stream: Stream
    text: bytes

    @property
    def time(self) -> datetime:
        """When it was printed, in UTC."""
        return _EPOCH + timedelta(microseconds=self.time_us)


def encode_line(time_us: int, stream: Stream, text: bytes, *, ended: bool = True) -> bytes:
    r"""Write one line of a log. `text` is without its newline; `ended`: it has one.

    Raises ValueError if there is a newline in the text.

    >>> encode_line(1700000000000000, "stdout", b"epoch 1")
    b'1700000000000000 o epoch 1\n'
    >>> encode_line(1700000000000001, "stderr", b"Continue? ", ended=False)
    b'1700000000000001 E Continue? \n'
    """
    if b"\n" in text:
        raise ValueError("a log's line is one line")
    whole, begun = _LETTERS[stream]
    return b"%d %b %b\n" % (time_us, whole if ended else begun, text)


def parse_log(data: bytes, *, name: str = "log") -> Iterator[LogLine]:
    """Read a log, or as much of it as is there: a last line that is torn is left out.

    `name` says in an error what was read. Raises Corrupt at a line that is none.
    """
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        time_us, _, rest = line.partition(b" ")
        found = _STREAMS.get(rest[:1])
        if found is None or rest[1:2] != b" " or len(time_us) > 19 or not time_us.isdigit():
            raise Corrupt(name, f"line {number} is no line of a log")
        stream, end = found
        yield LogLine(int(time_us), stream, rest[2:] + end)


def whole_lines(lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """Put lines together that came in pieces; each has the time of its first piece.

    A line that never ended comes last, without a newline.
    """
    begun: dict[Stream, LogLine] = {}
    for line in lines:
        first = begun.pop(line.stream, None)
        if first is not None:
            line = LogLine(first.time_us, line.stream, first.text + line.text)
        if line.text.endswith(b"\n"):
            yield line
        else:
            begun[line.stream] = line
    yield from begun.values()
