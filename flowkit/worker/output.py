"""What a step prints, on its way out of the process.

Two pipes leave an attempt. The first is descriptor 1; Python's own stdout *and* stderr go there
too, as frames that name their stream and time, so that their order is kept. The second is
descriptor 2, for what C code and subprocesses write to it. Every write is on its way before the
next statement runs: a process that dies the moment after has lost nothing.

Frames of a third kind, on both pipes, tell of secrets before anything can print them. Whoever
reads the pipes masks them in whole lines, whoever wrote those: Python, C code or a subprocess.
"""

from __future__ import annotations

import io
import os
import re
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from flowkit.masking import Mask, hidden

Stream = Literal["stdout", "stderr"]

MARK = 0x1E
HEADER = re.compile(rb"\x1e([oes])(\d{1,20}) (\d{1,5})\n")
LONGEST_HEADER = 30
LARGEST_FRAME = 3_800
"""With its header under PIPE_BUF (4,096 bytes), so that a write is never torn by another."""


class FramedOutput(io.RawIOBase):
    """A byte stream whose writes leave as frames on one descriptor."""

    def __init__(self, stream: Stream, descriptor: int, own: int) -> None:
        super().__init__()
        self._letter = b"o" if stream == "stdout" else b"e"
        self._descriptor = descriptor
        self._own = own

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the real descriptor, for subprocesses."""
        return self._own

    def write(self, data: object) -> int:
        """Write all bytes before returning."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        for at in range(0, len(view), LARGEST_FRAME):
            _write_frame(self._descriptor, self._letter, view[at : at + LARGEST_FRAME])
        return len(view)


def _write_frame(descriptor: int, letter: bytes, piece: bytes | memoryview) -> None:
    frame = b"\x1e%s%d %d\n" % (letter, time.time_ns() // 1_000, len(piece)) + piece
    while True:
        try:
            os.write(descriptor, frame)  # whole or not at all, as it is small
        except BlockingIOError:  # a child that shares the pipe has made it not to block
            select.select([], [descriptor], [])
        else:
            return


def text_output(stream: Stream, descriptor: int, own: int) -> io.TextIOWrapper:
    """Open a text stream over frames; nothing waits in a buffer."""
    raw = FramedOutput(stream, descriptor, own)
    return io.TextIOWrapper(
        raw,  # type: ignore[arg-type]  # a stub asks for a name that nothing reads
        encoding="utf-8",
        errors="backslashreplace",
        newline="",
        write_through=True,
    )


def capture(stdout: int, stderr: int) -> None:
    """Make two pipes the output of this process, for good.

    A stream that the flow's author has put in place of Python's own stays, as it would have if
    these pipes had been there first.
    """
    for old in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # none, or closed
            old.flush()
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    # Copies, as a step may put a file of its own in place of 1 or 2: no secret is to land there.
    pipes = os.dup(stdout), os.dup(stderr)

    def tell(secret: bytes) -> None:
        for pipe in pipes:
            _write_frame(pipe, b"s", secret)

    hidden.tell(tell)
    replaced = sys.stdout is not sys.__stdout__, sys.stderr is not sys.__stderr__
    sys.__stdout__ = text_output("stdout", 1, 1)  # type: ignore[misc]
    sys.__stderr__ = text_output("stderr", 1, 2)  # type: ignore[misc]
    if not replaced[0]:
        sys.stdout = sys.__stdout__
    if not replaced[1]:
        sys.stderr = sys.__stderr__


class Line(Struct, frozen=True):
    """One printed line without its newline; `ended` False if more of it may follow."""

    stream: Stream
    time_s: float
    text: bytes
    ended: bool = True


class LineReader:
    """Bytes of an attempt's two pipes in, whole lines out.

    Lines longer than `longest` come in pieces. `now` is asked for the time of unframed bytes.
    `mask` takes secrets out of lines; it learns those that the pipes tell of.
    """

    def __init__(
        self,
        *,
        longest: int = 65_536,
        now: Callable[[], float] = time.time,
        mask: Mask | None = None,
    ) -> None:
        self._longest, self._now = longest, now
        self._mask = Mask() if mask is None else mask
        self._pending: dict[Stream, bytes] = {}
        self._begun: dict[Stream, tuple[float, bytearray]] = {}

    def feed(self, pipe: Stream, data: bytes) -> Iterator[Line]:
        """Take bytes that came from descriptor 1 (`stdout`) or 2 (`stderr`)."""
        data = self._pending.pop(pipe, b"") + data
        at = 0
        while at < len(data):
            mark = data.find(MARK, at)
            if mark != at:
                end = len(data) if mark < 0 else mark
                yield from self.add(pipe, self._now(), data[at:end])
                at = end
                continue
            head = HEADER.match(data, at)
            if head is None:
                if len(data) - at < LONGEST_HEADER:
                    break
                yield from self.add(pipe, self._now(), data[at : at + 1])
                at += 1
                continue
            end = head.end() + int(head[3])
            if end > len(data):
                break
            if head[1] == b"s":
                self._mask.learn(data[head.end() : end])
            else:
                named: Stream = "stdout" if head[1] == b"o" else "stderr"
                yield from self.add(named, int(head[2]) / 1e6, data[head.end() : end])
            at = end
        if data[at:]:
            self._pending[pipe] = data[at:]

    def finish(self) -> Iterator[Line]:
        """Give what is left when the pipes are closed."""
        pending, self._pending = self._pending, {}
        for pipe, rest in pending.items():
            yield from self.add(pipe, self._now(), rest)
        for stream, (since, text) in sorted(self._begun.items(), key=lambda one: one[1][0]):
            yield Line(stream, since, self._mask.data(bytes(text)), ended=False)
        self._begun.clear()

    def add(self, stream: Stream, time_s: float, data: bytes) -> Iterator[Line]:
        """Take bytes whose stream and time are known."""
        *whole, rest = data.split(b"\n")
        for text in whole:
            since, begun = self._begun.pop(stream, (time_s, bytearray()))
            yield Line(stream, since, self._mask.data(bytes(begun) + text))
        if rest:
            since, begun = self._begun.setdefault(stream, (time_s, bytearray()))
            begun += rest
            if len(begun) > self._longest:
                del self._begun[stream]
                shown, held = self._mask.split(bytes(begun))
                if held:
                    self._begun[stream] = (time_s, bytearray(held))
                yield Line(stream, since, shown, ended=False)
