"""A directory as a storage: whole files or none, safe for many processes at once.

`docs/format/layout.md` says what is in the directory.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Final, TypeVar

from blake3 import blake3

from flowkit.errors import Corrupt, KeyMissing, StoreError, UsageError, VersionMoved
from flowkit.ports import Age, Buffer, Storage, Stored
from flowkit.store.hashing import as_bytes
from flowkit.store.keys import check_folder, check_key, is_key
from flowkit.store.maps import file_maps

MAP_FROM_BYTES: Final = 1 << 20
"""Files of this size and above are mapped and sealed; smaller ones are cheaper to read."""

WHOLE_MAX_BYTES: Final = 2 << 30
"""What is read and not mapped, a record or a frame, is not written any larger than this."""

_TEMPORARY: Final = ".temporary"
_LOCKS: Final = ".locks"
_VECTORS: Final = 1024
_FOLDER_TRIES: Final = 100
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

Result = TypeVar("Result")

_HINTS: Final = {
    errno.ENOSPC: "free some space on the store's disk",
    errno.EDQUOT: "free some space in your quota on the store's disk",
    errno.EACCES: "give this user the right to read and write the store's directory",
    errno.EPERM: "keep the store on a file system with hard links, owned by this user",
    errno.EROFS: "mount the store's file system for writing",
    errno.EIO: "check the store's disk: the system log has the details",
    errno.ENOTDIR: "name a directory as the store",
    errno.EMFILE: "raise the limit of open files: `ulimit -n 65536`",
}


@contextmanager
def _translated(root: str, key: str) -> Iterator[None]:
    """Raise what an error of the system means to a user of the store."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the store `{root}` failed at `{key}`: {(error.strerror or str(error)).lower()}",
            hint=_HINTS.get(error.errno or 0, "check that the store's directory can be used"),
        ) from error
    except MemoryError as error:
        raise StoreError(
            f"the store `{root}` failed at `{key}`: there is not enough memory to read it",
            hint="run `flowkit store verify` to see whether it is damaged; else use a machine that "
            "has more memory",
        ) from error


def _write(descriptor: int, buffers: Sequence[Buffer]) -> None:
    """Write all bytes from where they are; the system may take them in parts."""
    pending = [view for one in buffers if (view := as_bytes(one)).nbytes]
    at = 0
    while at < len(pending):
        written = os.writev(descriptor, pending[at : at + _VECTORS])
        while at < len(pending) and written >= pending[at].nbytes:
            written -= pending[at].nbytes
            at += 1
        if written:
            pending[at] = pending[at][written:]


def _read(descriptor: int, start: int, size: int) -> bytearray:
    """Read up to `size` bytes into memory of their own."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size and (count := os.preadv(descriptor, [view[at:]], start + at)):
        at += count
    view.release()
    del data[at:]
    return data


def _seal_ns(key: str) -> int:
    """Return the mtime that says that a file was not touched since it was written."""
    number = int.from_bytes(blake3(key.encode()).digest(4), "little")
    return (1_000_000_000 + number % 100_000_000) * 1_000_000_000


class DirectoryStorage(Storage):
    """Keys as files below a directory. Writes are atomic, and durable if `sync`.

    Nothing is created before the first write. `now` returns Unix time in seconds; age is judged
    by it. Objects of this class may be used in several threads and after a fork.
    """

    def __init__(
        self, root: Path, *, sync: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        self._root = os.path.abspath(root)
        if "\0" in self._root:
            raise UsageError(f"{self._root!a} is no path", hint="name a folder as the store")
        self._sync = sync
        self._now = now

    def __repr__(self) -> str:
        return f"DirectoryStorage({self._root!r})"

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes, or a range of them. Raises KeyMissing, Corrupt, StoreError."""
        with self._opened(key) as descriptor:
            size = max(0, os.fstat(descriptor).st_size - start)
            if length is None and size > WHOLE_MAX_BYTES:
                raise Corrupt(key, f"it has {size} bytes, and no record or frame has so many")
            return bytes(_read(descriptor, start, size if length is None else min(size, length)))

    def map(self, key: str, *, check: Callable[[memoryview], None] | None = None) -> memoryview:
        """Map a large file, read a small one; `check` is skipped if the file's seal holds.

        Raises KeyMissing, StoreError, and what `check` raises.
        """
        with self._opened(key) as descriptor:
            status = os.fstat(descriptor)
            large = status.st_size >= MAP_FROM_BYTES
            view = file_maps.open(descriptor) if large else None
            if view is None:
                view = memoryview(_read(descriptor, 0, status.st_size))
            seal = _seal_ns(key) if large else None
            if check is not None and status.st_mtime_ns != seal:
                check(view)
                # Sealed again only if nobody wrote while it was checked. Whoever may only read
                # checks again next time.
                if seal is not None and os.fstat(descriptor).st_mtime_ns == status.st_mtime_ns:
                    with suppress(OSError):
                        os.utime(descriptor, ns=(status.st_atime_ns, seal))
            return view

    def size(self, key: str) -> int:
        """Return the number of bytes. Raises KeyMissing, StoreError."""
        with self._opened(key) as descriptor:
            return os.fstat(descriptor).st_size

    def create(self, key: str, *buffers: Buffer) -> bool:
        """Store the buffers as one file; False if the key was already there.

        Raises StoreError: no space, no permission, a failing disk.
        """
        path = self._path(key)
        if self.refresh(key):
            return False
        with _translated(self._root, key):
            while True:
                with self._temporary(key, buffers) as temporary:
                    created = self._publish(temporary, path)
                # Otherwise garbage collection took the other writer's file in between, or this
                # one's, for a leftover.
                if created or (created is False and self.refresh(key)):
                    return created
                if os.path.lexists(path) and not os.path.isfile(path):
                    raise FileExistsError(errno.EEXIST, "what is there is no file", path)

    def refresh(self, key: str) -> bool:
        """Make a key count as young again; False if it is not there."""
        path = self._path(key)
        if not os.path.isfile(path):
            return False
        with _translated(self._root, key), self._locked("delete", fcntl.LOCK_SH):
            try:
                status = os.stat(path)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def load(self, key: str) -> Stored | None:
        """Return a swappable value, or None. Its version is the digest of its bytes."""
        try:
            data = self.read(key)
        except KeyMissing:
            return None
        return Stored(data, blake3(data).hexdigest())

    def swap(self, key: str, data: bytes, *, expected: str | None) -> str:
        """Replace a value if its version is `expected`. Raises VersionMoved, StoreError."""
        path = self._path(key)
        with _translated(self._root, key), self._locked("swap", fcntl.LOCK_EX):
            current = self.load(key)
            if (current.version if current else None) != expected:
                raise VersionMoved(key)
            is_swapped = False
            while not is_swapped:
                with self._temporary(key, [data]) as temporary:
                    is_swapped = self._named(temporary, path, os.rename)
            self._sync_folder(os.path.dirname(path))
        return blake3(data).hexdigest()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys in the folder `prefix` and below, sorted."""
        folder = check_folder(prefix)
        for name in self._names(folder):
            key = f"{folder}/{name}" if folder else name
            if name.endswith("/"):
                yield from self.list(key)
            else:
                yield key

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly in the folder `prefix`, sorted."""
        names = self._names(check_folder(prefix))
        return (name[:-1] for name in names if name.endswith("/"))

    def delete(self, key: str, *, unless_younger_s: Age = 0.0) -> bool:
        """Remove a key; False if it is not there, or younger than `unless_younger_s`."""
        path = self._path(key)
        # Exclusive, so that no writer can find the file here after its age was judged.
        with _translated(self._root, key), self._locked("delete", fcntl.LOCK_EX):
            if not os.path.isfile(path) or not self._is_within(os.path.dirname(path)):
                return False
            age_s = self._now() - os.stat(path).st_ctime
            least_s = unless_younger_s() if callable(unless_younger_s) else unless_younger_s
            if least_s > 0 and age_s < least_s:
                return False
            os.unlink(path)
        with suppress(OSError):  # the folder is not empty, or a writer needs it again
            while (path := os.path.dirname(path)) != self._root:
                os.rmdir(path)
        return True

    def clean(self, *, older_than_s: float) -> int:
        """Remove temporary files that nobody has changed for `older_than_s` seconds."""
        folder = os.path.join(self._root, _TEMPORARY)
        removed = 0
        with _translated(self._root, _TEMPORARY), suppress(FileNotFoundError):
            for entry in os.scandir(folder):
                with suppress(FileNotFoundError):  # its writer is done with it
                    # Not by mtime: that of a sealed file that is about to get its name is old.
                    if self._now() - entry.stat().st_ctime >= older_than_s:
                        os.unlink(entry.path)
                        removed += 1
        return removed

    def _is_within(self, folder: str) -> bool:
        """Say whether no link leads out of the store on the way to a folder."""
        while folder != self._root:
            if os.path.islink(folder):
                return False
            folder = os.path.dirname(folder)
        return True

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    @contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        path = self._path(key)
        with _translated(self._root, key):
            try:
                # A pipe in the place of a file would keep whoever opens it waiting.
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise KeyMissing(key) from error
            try:
                if not S_ISREG(os.fstat(descriptor).st_mode):
                    raise KeyMissing(key)
                yield descriptor
            finally:
                os.close(descriptor)

    def _names(self, folder: str) -> Sequence[str]:
        """Return what is in a folder, sorted as keys sort; folders end with `/`.

        A link to a folder is none: what is listed may be deleted, and must lie in the store. What
        no key can name is not of the store.
        """
        with _translated(self._root, folder):
            try:
                with os.scandir(f"{self._root}/{folder}") as entries:
                    names = [
                        f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                        for entry in entries
                        if is_key(entry.name)
                    ]
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(names)

    def _write_temporary(self, key: str, buffers: Sequence[Buffer]) -> str:
        """Write a file that nobody sees yet; returns its path."""
        # A random name, since process ids repeat where pods share a directory.
        path = f"{self._root}/{_TEMPORARY}/{os.urandom(12).hex()}"
        descriptor = self._in_folder(path, lambda: os.open(path, _WRITE, 0o666))
        try:
            _write(descriptor, buffers)
            if os.fstat(descriptor).st_size >= MAP_FROM_BYTES:
                seal = _seal_ns(key)
                os.utime(descriptor, ns=(seal, seal))
            if self._sync:
                os.fsync(descriptor)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        return path

    @contextmanager
    def _temporary(self, key: str, buffers: Sequence[Buffer]) -> Iterator[str]:
        """Write a file for a block that gives it a name, and remove its first one."""
        temporary = self._write_temporary(key, buffers)
        try:
            yield temporary
        finally:
            with suppress(FileNotFoundError):  # it was renamed, or taken for a leftover
                os.unlink(temporary)

    def _publish(self, temporary: str, path: str) -> bool | None:
        """Give a written file its name; False if the name is taken, None if the file is gone."""
        try:
            if not self._named(temporary, path, os.link):
                return None
        except FileExistsError:
            return False
        self._sync_folder(os.path.dirname(path))
        return True

    def _named(self, temporary: str, path: str, give: Callable[[str, str], None]) -> bool:
        """Give a written file its name; False if it is gone: collected as a leftover."""
        try:
            self._in_folder(path, lambda: give(temporary, path), needs=temporary)
        except FileNotFoundError:
            if os.path.exists(temporary):
                raise
            return False
        return True

    def _in_folder(
        self, path: str, act: Callable[[], Result], *, needs: str | None = None
    ) -> Result:
        """Act on a new path, making its folder first if need be.

        Raises FileNotFoundError at once if the file that it `needs` is not there.
        """
        for _ in range(_FOLDER_TRIES):
            try:
                return act()
            except FileNotFoundError:
                if needs is not None and not os.path.exists(needs):
                    raise
                # Deletions remove empty folders, and may do so again at any moment.
                with suppress(FileNotFoundError):
                    self._make_folder(os.path.dirname(path))
        return act()

    def _make_folder(self, folder: str) -> None:
        """Make a folder and what is above it, durably."""
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        self._make_folder(parent)
        with suppress(FileExistsError):
            os.mkdir(folder)
        if os.path.isfile(folder):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder)
        self._sync_folder(parent)

    def _sync_folder(self, folder: str) -> None:
        """Make the names in a folder durable; one that is gone again needs nothing."""
        if not self._sync:
            return
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        """Hold a lock that other processes and threads respect.

        A descriptor of its own for every use: one that is shared with threads or forked children
        would share its lock with them too.
        """
        path = f"{self._root}/{_LOCKS}/{name}"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = self._in_folder(path, lambda: os.open(path, flags, 0o666))
        try:
            fcntl.flock(descriptor, how)
            try:
                yield
            finally:
                # Before closing: a process forked meanwhile by another thread has it open too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)
