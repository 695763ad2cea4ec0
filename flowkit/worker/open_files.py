"""Files that a flow has open: what each fresh process would have to itself, and what it writes."""

from __future__ import annotations

import fcntl
import gc
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_WRITERS = (io.BufferedRandom, io.BufferedWriter, io.TextIOWrapper)


class ImportedFiles:
    """Files that importing a flow left open. Make it after the import, before anything is frozen.

    What it left in their buffers is written now, and not by each child once more.
    """

    def __init__(self) -> None:
        self._writers = _writers()
        _flush(self._writers)
        self._read = {one: _identity(one) for one in _files(writable=False)}

    def reopen(self) -> None:
        """Give this process places of its own in the files that it reads.

        A fork shares them: children that read on would take lines away from each other.
        """
        if sys.platform != "linux":
            return
        for number, identity in self._read.items():
            with suppress(OSError):  # it may not be ours any more; then its place is shared
                if _identity(number) != identity:
                    continue
                place = os.lseek(number, 0, os.SEEK_CUR)
                flags = fcntl.fcntl(number, fcntl.F_GETFL)
                anew = os.open(f"/proc/self/fd/{number}", flags | os.O_CLOEXEC)
                try:
                    os.lseek(anew, place, os.SEEK_SET)
                    os.dup2(anew, number, inheritable=os.get_inheritable(number))
                finally:
                    os.close(anew)

    def flush(self) -> None:
        """Write what Python files hold in their buffers, as the end of an interpreter would."""
        logging = sys.modules.get("logging")
        if logging is not None:
            with suppress(Exception):  # handlers may be anybody's
                logging.shutdown()
        _flush([*self._writers, *_writers()])
        _flush([sys.stdout, sys.stderr])


def _flush(files: list[Any]) -> None:
    # Texts come first: they write into the buffers of others.
    for file in sorted(files, key=lambda one: not isinstance(one, io.TextIOWrapper)):
        with suppress(Exception):  # closed, detached, or its disk is full
            file.flush()


def _writers() -> list[Any]:
    """Return Python's files, if any file is open for writing at all: the search is not free."""
    if next(_files(writable=True), None) is None:
        return []
    # By exact types: asking an instance may run code of anybody's.
    return [one for one in gc.get_objects() if type(one) in _WRITERS]


def _files(*, writable: bool) -> Iterator[int]:
    """Yield descriptors of regular files, but the standard ones."""
    with suppress(OSError):
        for number in map(int, os.listdir("/dev/fd")):
            with suppress(OSError):
                if number > 2 and stat.S_ISREG(os.fstat(number).st_mode):
                    access = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
                    if (access != os.O_RDONLY) == writable:
                        yield number


def _identity(number: int) -> tuple[int, int]:
    status = os.fstat(number)
    return status.st_dev, status.st_ino
