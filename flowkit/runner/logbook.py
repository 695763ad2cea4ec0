"""What attempts print: to a live file line by line, and into the store when they end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from flowkit.client import live_folder, live_log
from flowkit.errors import StoreError
from flowkit.logs import encode_line
from flowkit.ports import Output
from flowkit.store import Store
from flowkit.values import Attempt, RunId


@dataclass(slots=True)
class _Page:
    path: Path
    waiting: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    is_full: bool = False


class LogBook:
    """The logs of one run's attempts.

    A live file outlives a runner that is killed, so what was printed until then can be read.
    Each attempt may keep `limit_bytes`; a last line says that there was more.
    """

    def __init__(self, store: Store, run: RunId, home: Path, *, limit_bytes: int) -> None:
        self._store, self._run, self._home = store, run, home
        self._limit_bytes = limit_bytes
        self._pages: dict[Attempt, _Page] = {}

    def write(self, output: Output) -> None:
        """Keep a line; `flush` puts it where readers find it."""
        page = self._pages.get(output.attempt)
        if page is None:
            path = live_log(self._home, self._run, output.attempt)
            page = self._pages[output.attempt] = _Page(path)
        if page.is_full:
            return
        text, ended = output.text, output.ended
        if page.size_bytes + len(text) > self._limit_bytes:
            page.is_full = True
            text = b"[flowkit: what follows is not kept: the limit of %d bytes is reached]" % (
                self._limit_bytes
            )
            ended = True
        line = encode_line(round(output.time_s * 1e6), output.stream, text, ended=ended)
        page.size_bytes += len(line)
        page.waiting.append(line)

    def flush(self) -> None:
        """Append what is waiting to the live files. Raises StoreError."""
        for page in self._pages.values():
            if page.waiting:
                with _translated(page.path, "written"):
                    page.path.parent.mkdir(parents=True, exist_ok=True)
                    with page.path.open("ab") as file:
                        file.writelines(page.waiting)
                page.waiting.clear()

    def close(self, attempt: Attempt) -> None:
        """Move an ended attempt's log into the store. Raises StoreError."""
        page = self._pages.pop(attempt, None)
        if page is None:
            return
        before = b""
        with _translated(page.path, "read"), suppress(FileNotFoundError):
            before = page.path.read_bytes()
        self._store.create_log(self._run, attempt, before + b"".join(page.waiting))
        with suppress(OSError):  # a log in the store is the one that is read
            page.path.unlink()

    def remove_empty(self) -> None:
        """Remove the run's folder of live files, once all are closed."""
        for folder, _, _ in os.walk(live_folder(self._home, self._run), topdown=False):
            with suppress(OSError):  # not empty: an attempt that somebody else still writes
                Path(folder).rmdir()


@contextmanager
def _translated(path: Path, what: str) -> Iterator[None]:
    """Raise what an error of the system means to whoever runs the flow."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the log `{path}` cannot be {what}: {(error.strerror or str(error)).lower()}",
            hint="look at the disk: `df -h`; or set another `home`",
        ) from error
