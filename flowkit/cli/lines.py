"""Two streams written in order, that a vanished reader cannot turn against the run."""

from __future__ import annotations

import time
from typing import Literal, TextIO

from flowkit.cli.screen import abandon

_FLUSH_AFTER_S = 0.1


class Lines:
    """Writes lines to stdout and stderr so that both together keep their order.

    A stream whose reader goes away (`| head`) is given up silently, and one that is a file on a
    full disk with a word: the run goes on.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        self._streams: dict[str, TextIO] = {"stdout": stdout, "stderr": stderr}
        self._last: str = "stderr"
        self._flushed_s = 0.0

    def write(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Write text that ends with a newline; it is visible within a tenth of a second of
        the next call, or at once after `flush`.
        """
        if stream != self._last:
            self._flush(self._last)
            self._last = stream
        try:
            if target := self._streams.get(stream):
                target.write(text)
        except OSError as error:
            self._give_up(stream, error)
        now_s = time.monotonic()
        if now_s - self._flushed_s > _FLUSH_AFTER_S:
            self._flushed_s = now_s
            self.flush()

    def flush(self) -> None:
        """Make everything visible that was written."""
        self._flush(self._last)

    def _flush(self, stream: str) -> None:
        try:
            if target := self._streams.get(stream):
                target.flush()
        except OSError as error:
            self._give_up(stream, error)

    def _give_up(self, stream: str, error: OSError) -> None:
        abandon(self._streams.pop(stream))
        if stream == "stdout" and not isinstance(error, BrokenPipeError):
            reason = (error.strerror or str(error)).lower()
            self.write(
                "stderr",
                f"{stream} cannot be written any more: {reason}; "
                "what tasks print is kept, and `flowkit logs` shows it\n",
            )
