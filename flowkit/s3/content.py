"""The bytes of one object or part, in memory or in a file."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import threading
import weakref
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from flowkit.errors import UsageError

if TYPE_CHECKING:
    from obstore import Bytes

    from flowkit.s3.memory import Held


class ScopeFolder:
    """Where a scope's temporary files are; made when the first one is, and removed at the end."""

    def __init__(self, parent: str | Path | None) -> None:
        self._parent = parent
        self._folder: Path | None = None
        self._remove: weakref.finalize[..., ScopeFolder] | None = None
        self._numbers = count()
        self._lock = threading.Lock()
        self.ended = threading.Event()

    def create_file(self) -> Path:
        """Return the path of a new, empty file.

        Raises:
            UsageError: the scope has ended, or the folder cannot be made.
        """
        self.check_open()
        with self._lock:
            if self._folder is None:
                try:
                    name = tempfile.mkdtemp(prefix="flowkit-s3-", dir=self._parent)
                except OSError as error:
                    parent = self._parent or tempfile.gettempdir()
                    raise UsageError(
                        f"no folder can be made in `{parent}`: {error.strerror}",
                        hint="name a folder that is there as `tmproot`",
                    ) from error
                self._folder = Path(name).absolute()
                self._remove = weakref.finalize(self, _remove_folder, name, os.getpid())
            file = self._folder / f"{next(self._numbers):06}"
        file.touch()
        return file

    def check_open(self) -> None:
        """Raise UsageError once the scope has ended."""
        if self.ended.is_set():
            raise UsageError(
                "the S3 scope has ended, and with it what it had read",
                hint="read `blob`, `text` or `path` inside the `with S3(...)` block",
            )

    def close(self) -> None:
        """Remove the files. May be called twice."""
        self.ended.set()
        if self._remove is not None:
            self._remove()


def _remove_folder(name: str, process: int) -> None:
    # A forked child that ends leaves its parent's files alone.
    if os.getpid() == process:
        shutil.rmtree(name, ignore_errors=True)


class MemoryContent:
    """Bytes in memory; `held` counts them as long as somebody has them."""

    def __init__(self, data: Bytes | bytearray | bytes, held: Held) -> None:
        self._data, self.held = data, held
        self._file: Path | None = None

    def view(self) -> memoryview:
        """Return the bytes without copying them."""
        return memoryview(self._data)

    def path(self, folder: ScopeFolder) -> Path:
        """Return a file that holds the bytes, written when first asked for."""
        if self._file is None:
            file = folder.create_file()
            file.write_bytes(self.view())
            self._file = file
        return self._file


class FileContent:
    """Bytes in a file of the scope's."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def view(self) -> memoryview:
        """Return the bytes as a map of the file: they are read as they are looked at."""
        if not os.path.getsize(self._file):
            return memoryview(b"")
        with self._file.open("rb") as opened:
            return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))

    def path(self, folder: ScopeFolder) -> Path:
        """Return the file."""
        return self._file
