"""What a flow prints while it is imported, which is no task's."""

from __future__ import annotations

import os
from tempfile import TemporaryFile
from types import TracebackType


class Talk:
    """An unnamed file that a flow's process prints into. Nothing there waits for its reader."""

    def __init__(self) -> None:
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115 (closed by `close`)
        self._read_bytes = 0
        self._waiting = b""

    @property
    def descriptor(self) -> int:
        """The file, for a process to print into."""
        return self._file.fileno()

    def lines(self, *, all_of_it: bool = False) -> list[str]:
        """Return the lines that were finished since; with `all_of_it` one that was not, too."""
        # Never by seeking: the other process writes where this file's position is.
        size_bytes = os.fstat(self.descriptor).st_size
        if size_bytes > self._read_bytes:
            data = os.pread(self.descriptor, size_bytes - self._read_bytes, self._read_bytes)
            self._read_bytes += len(data)
            self._waiting += data
        *lines, self._waiting = self._waiting.split(b"\n")
        if all_of_it and self._waiting:
            lines.append(self._waiting)
            self._waiting = b""
        return [line.decode("utf-8", "replace") for line in lines]

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
