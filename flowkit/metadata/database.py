"""One SQLite connection: its transactions, and its errors in flowkit's words.

Writers from many processes wait for one another; readers never wait (write-ahead log). A commit
survives a crash of the process; after a power cut the last ones may be gone, which the store's
records give back.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flowkit.errors import Corrupt, MetadataError, UsageError
from flowkit.metadata.migrations import MIGRATIONS, migrate, schema_version

if TYPE_CHECKING:
    from sqlite3 import Connection

Answer = TypeVar("Answer")
Rows = list[tuple[Any, ...]]

MEMORY = ":memory:"
WAIT_S = 60.0
"""How long a writer waits for the others before it gives up."""

# SQLite allows no use of a connection that came through a fork, and closing it is a use. Keeping
# it referenced keeps the collector, which would close it, away.
_inherited: list[Connection] = []


class DamagedIndex(MetadataError):
    """The index's file is no index, or its contents make no sense."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the metadata index `{path}` is damaged: {reason}",
            hint="rebuild it from the store: `flowkit store reindex`",
        )


class Unwritable(MetadataError):
    """The index's file cannot be written; it may be possible to read it."""


class IndexHasNoRoom(Unwritable):
    """The disk is full, or fails."""


class Database:
    """A connection shared by the threads of a process, reopened in a forked child.

    Where the file cannot be written, be it that the disk is full, it can still be read.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._connection: Connection | None = None
        self._unwritable: Unwritable | None = None
        self._is_writing = False
        self._connect()

    def close(self) -> None:
        """Release the file. May be called twice."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._pid != os.getpid():
            _inherited.append(connection)
            return
        with self._translated():
            connection.close()

    def __del__(self) -> None:
        # The client opens an index for whoever asks it something, and nobody is left to close it.
        if self._connection is not None and not sys.is_finalizing():
            self.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Enter a transaction that is alone in writing; it is undone if the block raises.

        Inside another one of the same thread, it is part of that.
        """
        if self._unwritable is not None and not self._is_writing:
            with self._lock:  # the disk may have room by now
                self.close()
                self._connect()
        with self._entered() as connection:
            if self._unwritable is not None:
                raise self._unwritable
            if self._is_writing:
                yield connection
                return
            # Taking the write lock first means that a transaction never fails half way because
            # another process wrote in between.
            connection.execute("BEGIN IMMEDIATE")
            self._is_writing = True
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
            finally:
                self._is_writing = False

    def read(
        self, sql: str, parameters: Sequence[object], answer: Callable[[Rows], Answer]
    ) -> Answer:
        """Run one query and return `answer(rows)`.

        Raises MetadataError, also if `answer` finds that the rows make no sense, and UsageError for
        parameters that no database can hold.
        """
        with self._entered() as connection:
            try:
                rows = connection.execute(sql, parameters).fetchall()
            except (OverflowError, UnicodeEncodeError) as error:
                raise UsageError(
                    f"the metadata index cannot look for this: {error}",
                    hint="ask for text in Unicode, and for numbers below 2^63",
                ) from error
        return self.answered(rows, answer)

    def answered(self, rows: Rows, answer: Callable[[Rows], Answer]) -> Answer:
        """Return `answer(rows)`; what it cannot understand is damage. Raises MetadataError."""
        try:
            return answer(rows)
        except (ValueError, TypeError, OverflowError, Corrupt) as error:
            raise DamagedIndex(self._path, str(error)) from error

    @contextmanager
    def _entered(self) -> Iterator[Connection]:
        if self._pid != os.getpid():
            self._reopen()
        with self._lock, self._translated():
            if self._connection is None:
                raise self._unwritable or MetadataError(
                    f"the metadata index `{self._path}` is closed", hint="open it again"
                )
            yield self._connection

    def _reopen(self) -> None:
        """Leave the parent's connection, and its lock with whoever held it, alone."""
        if self._path == MEMORY:
            raise MetadataError(
                "an index in memory cannot be used in a forked process",
                hint="open the index from a file",
            )
        self._lock = threading.RLock()
        self._pid = os.getpid()
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connect()

    def _connect(self) -> None:
        self._unwritable, self._is_writing = None, False
        try:
            with self._translated():
                self._connection = _connect(self._path)
        except Unwritable as error:
            self._connection = _connect_to_read(self._path)
            if self._connection is None:
                raise
            self._unwritable = error
        except ValueError as error:
            raise DamagedIndex(self._path, f"its version is none: {error}") from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except sqlite3.Error as error:
            translated = _translate(self._path, error)
            if isinstance(translated, Unwritable):
                # SQLite opens a file to read where it cannot be opened to write, and stays so.
                self._unwritable = translated
            raise translated from error


def _connect(path: str) -> Connection:
    """Open the file, and bring its schema up to date. sqlite3's own errors pass through."""
    import sqlite3

    if path != MEMORY:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unwritable(
                f"the folder of the metadata index `{path}` cannot be made: {error.strerror}",
                hint="set `FLOWKIT_METADATA` to a path that you may write to",
            ) from error
        # SQLite would wait for whoever opens the other end of a pipe.
        if os.path.exists(path) and not os.path.isfile(path):
            raise MetadataError(
                f"the metadata index `{path}` is no file",
                hint="move away what is there and run `flowkit store reindex`, or set "
                "`FLOWKIT_METADATA`",
            )
    connection = sqlite3.connect(
        path, timeout=WAIT_S, isolation_level=None, check_same_thread=False
    )
    try:
        _use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        if not _is_current(connection):
            connection.execute("BEGIN IMMEDIATE")
            migrate(connection)
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(path: str) -> Connection | None:
    """Open a file that cannot be written, as it is; None if that does not give all of it.

    A reader takes part in the write-ahead log by a file beside it. Where that cannot be made, the
    index's own file is all there is if no writer has left anything in the log.
    """
    import sqlite3
    from urllib.parse import quote

    ways = ["mode=ro"]
    with suppress(OSError):
        if not os.path.exists(f"{path}-wal") or not os.path.getsize(f"{path}-wal"):
            ways.append("mode=ro&immutable=1")
    for way in ways:
        uri = f"file:{quote(os.path.abspath(path))}?{way}"
        connection = None
        try:
            connection = sqlite3.connect(
                uri, uri=True, timeout=WAIT_S, isolation_level=None, check_same_thread=False
            )
            if _is_current(connection):
                return connection
        except (sqlite3.Error, ValueError):
            pass
        if connection is not None:
            connection.close()
    return None


def _use_write_ahead_log(connection: Connection) -> None:
    """Switch the log on; it stays on in the file.

    SQLite does not wait for the lock of this switch, so processes that open a new file at the
    same time must try again.
    """
    import sqlite3

    give_up_at = time.monotonic() + WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Extended names, such as SQLITE_BUSY_RECOVERY, say who holds the lock.
            is_busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not is_busy or time.monotonic() > give_up_at:
                raise
            time.sleep(0.005)
        else:
            return


def _is_current(connection: Connection) -> bool:
    """Say whether the schema needs no migration, without taking the write lock."""
    made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'")
    return made.fetchone() is not None and schema_version(connection) == len(MIGRATIONS)


def _translate(path: str, error: Exception) -> MetadataError:
    # Extended names such as SQLITE_IOERR_READ begin with the plain one.
    name = str(getattr(error, "sqlite_errorname", ""))
    # SQLITE_PROTOCOL: others were quicker each of the many times that it tried.
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return MetadataError(
            f"the metadata index `{path}` was locked by another process for {WAIT_S:.0f} s",
            hint=f"see which process holds it: `fuser {path}`",
        )
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return IndexHasNoRoom(
            f"the metadata index `{path}` cannot be read or written: {error}",
            hint="check the disk: `df -h`",
        )
    if name.startswith("SQLITE_READONLY") and _is_of_later_format(path):
        return DamagedIndex(path, str(error))
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return Unwritable(
            f"the metadata index `{path}` cannot be opened for writing: {error}",
            hint="make the file and its folder writable, or set `FLOWKIT_METADATA`",
        )
    return DamagedIndex(path, str(error))


def _is_of_later_format(path: str) -> bool:
    """Say whether the file's header asks for a SQLite of another time, which none is.

    SQLite reads such files and does not write to them. See https://www.sqlite.org/fileformat.html,
    1.3.3.
    """
    with suppress(OSError), open(path, "rb") as file:
        return file.read(19)[18:] not in (b"\1", b"\2", b"")
    return False
