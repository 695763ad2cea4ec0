"""What one thread writes down and others follow as it grows: events, and lines of text."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from tempfile import SpooledTemporaryFile
from typing import Generic, TypeVar

from flowkit.launch.bell import Bell

Item = TypeVar("Item")

MEMORY_BYTES = 1 << 20
"""Text beyond this is in an unnamed file, not in memory."""
CHUNK = 1 << 16


class Tape(Generic[Item]):
    """A list that grows until it has ended; only the latest `most` items are kept.

    Iterating, with `for` or `async for`, gives what is kept and then each item as it comes, and
    stops when the tape has ended. Any number may do so, each from the start.
    """

    def __init__(self, bell: Bell, *, most: int) -> None:
        self._bell, self._most = bell, most
        self._items: list[Item] = []
        self._dropped = 0
        self._has_ended = False
        self._lock = threading.Lock()

    def add(self, item: Item) -> None:
        """Write down an item. Whoever adds rings the bell."""
        with self._lock:
            self._items.append(item)
            if len(self._items) >= 2 * self._most:  # now and then: moving the rest costs time
                excess = len(self._items) - self._most
                del self._items[:excess]
                self._dropped += excess

    def end(self) -> None:
        """Let those who follow come to an end."""
        self._has_ended = True

    def __iter__(self) -> Iterator[Item]:
        position = 0
        while True:
            position, items = self._since(position)
            yield from items
            if not items:
                if self._has_ended and not self._has_news(position):
                    return
                self._bell.wait(lambda at=position: self._has_news(at) or self._has_ended)  # type: ignore[misc]

    async def __aiter__(self) -> AsyncIterator[Item]:
        position = 0
        while True:
            position, items = self._since(position)
            for item in items:
                yield item
            if not items:
                if self._has_ended and not self._has_news(position):
                    return
                await self._bell.heard(lambda at=position: self._has_news(at) or self._has_ended)  # type: ignore[misc]

    def _has_news(self, position: int) -> bool:
        return self._dropped + len(self._items) > position

    def _since(self, position: int) -> tuple[int, list[Item]]:
        with self._lock:
            items = self._items[max(0, position - self._dropped) :]
            return self._dropped + len(self._items), items


class Transcript:
    """Text that grows line by line until it has ended. A position in it is a number of bytes."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._file = SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 (lives as this)
        self._size_bytes = 0
        self._has_ended = False
        self._lock = threading.Lock()

    def __del__(self) -> None:
        self._file.close()

    def write(self, text: str) -> None:
        """Write down text that ends with a newline. Whoever writes rings the bell."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            self._file.seek(self._size_bytes)
            self._file.write(data)
            self._size_bytes += len(data)

    def end(self) -> None:
        """Let those who follow come to an end."""
        self._has_ended = True

    @property
    def text(self) -> str:
        """All that was written until now."""
        return self._read(0, self._size_bytes).decode()

    async def lines(self, position: int = 0) -> AsyncIterator[tuple[int, str]]:
        """Yield each line from a position on, with the position after it, as they come."""
        waiting = b""
        read = position
        while True:
            if data := self._read(read, CHUNK):
                read += len(data)
                *lines, waiting = (waiting + data).split(b"\n")
                for line in lines:
                    position += len(line) + 1
                    yield position, line.decode("utf-8", "replace")
                continue
            if self._has_ended and self._size_bytes == read:
                return
            await self._bell.heard(lambda at=read: self._size_bytes > at or self._has_ended)  # type: ignore[misc]

    def _read(self, start: int, size_bytes: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(size_bytes)
