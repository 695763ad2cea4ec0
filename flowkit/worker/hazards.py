"""What importing a flow may have begun that a fork of this process would break."""

from __future__ import annotations

import gc
import os
import socket
import stat
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from flowkit.worker.generators import unseeded_generator


def unsafe_to_fork(cause: str = "importing the flow", *, own: Collection[int] = ()) -> str | None:
    """Say why a fork of this process could hang, crash or mislead, if something is known to.

    What can be put right is: idle threads of OpenMP are ended first. `cause` is what has run of
    the user's code since nothing was known, `own` are processes that are not the user's.
    """
    done = _hazard(own)
    return f"{cause} {done}" if done is not None else None


def _hazard(own: Collection[int]) -> str | None:
    # Looked up, so that a flow that does not use S3 does not pay for it.
    s3 = sys.modules.get("flowkit.s3")
    if s3 is not None and s3.is_unsafe_to_fork():
        return "used S3, whose threads do not survive a fork"
    others = [one for one in threading.enumerate() if one is not threading.main_thread()]
    if others:
        return f"started the thread `{others[0].name}`"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "opened a CUDA device"
    if "grpc" in sys.modules:
        return "loaded gRPC, whose threads do not survive a fork"
    thread = _thread()
    if thread is not None:
        return f"started {thread}"
    child = next(_children(own), None)
    if child is not None:
        return f"started the process `{child}`"
    shared = _shared_descriptor() or _shared_memory() or _transaction()
    if shared is not None:
        return shared
    generator = unseeded_generator()
    return f"made {generator}, which would draw the same in every task" if generator else None


def _thread() -> str | None:
    """Describe a thread that Python does not know, after those of OpenMP have been ended."""
    with suppress(OSError):  # not every system tells
        if len(os.listdir("/proc/self/task")) == 1:
            return None
    # Most flows start none, and go without the time that these take to import.
    from flowkit.openmp import end_openmp_threads
    from flowkit.worker.threads import unknown_thread

    end_openmp_threads()
    return unknown_thread()


def _children(own: Collection[int]) -> Iterator[str]:
    """Yield the names of processes, but its own, that this one has started and that still run."""
    with suppress(OSError):  # not every kernel tells
        for task in Path("/proc/self/task").iterdir():
            for pid in (task / "children").read_text().split():
                with suppress(OSError):
                    told = Path("/proc", pid, "stat").read_text()
                    name, _, rest = told.partition("(")[2].rpartition(")")
                    # A tracker of multiprocessing's is there for a whole family of processes.
                    if rest.split()[0] != "Z" and int(pid) not in (_tracker(), *own):
                        yield name


def _tracker() -> int | None:
    module = sys.modules.get("multiprocessing.resource_tracker")
    return getattr(getattr(module, "_resource_tracker", None), "_pid", None)


def _shared_descriptor() -> str | None:
    """Describe what is open and would be one thing to all children, which are not one to it.

    Two that talk over one connection read each other's answers; two that wait with one epoll are
    woken for each other.
    """
    with suppress(OSError):  # not every system tells
        for number in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{number}") == "anon_inode:[eventpoll]":
                    return "opened an epoll, as event loops do"
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    peer = _peer(number)
                    if peer:
                        return f"opened a connection to {peer}"
    connection = sys.modules.get("multiprocessing.connection")
    if connection is not None and any(not one.closed for one in _alive(connection.Connection)):
        # Not so every pipe: libraries have some that they make anew in a child.
        return "opened a pipe, as queues of multiprocessing do"
    return None


def _shared_memory() -> str | None:
    """Describe memory that a fork shares, and that a fresh process would have of its own.

    That is memory of no file, or of one that is gone. Semaphores are not seen as memory.
    """
    with suppress(OSError):  # not every system tells
        for line in Path("/proc/self/maps").read_bytes().splitlines():
            is_nameless = b" rw-s " in line and line.endswith(b" (deleted)")
            if is_nameless and b" /dev/shm/sem." not in line:
                return "made memory that tasks would share"
    return None


def _transaction() -> str | None:
    """Describe a transaction whose lock on a file a child would not have, and rely upon."""
    sqlite = sys.modules.get("sqlite3")
    if sqlite is not None:
        for one in _alive(sqlite.Connection):
            with suppress(sqlite.Error):  # it is closed
                if one.in_transaction:
                    return "left a transaction of SQLite open: commit it, or begin it in a step"
    return None


def _alive(kind: type) -> Iterator[Any]:
    """Yield all objects of a type, without asking any: that may run anybody's code."""
    return (one for one in gc.get_objects() if issubclass(type(one), kind))


def _peer(number: int) -> str | None:
    """Return the address that a stream is connected to; that of a pair has none."""
    with socket.socket(fileno=os.dup(number)) as copy:
        if copy.type != socket.SOCK_STREAM:
            return None
        peer = copy.getpeername()
    if isinstance(peer, tuple):
        host, port, *_ = peer
        return f"{host}:{port}"
    return os.fsdecode(peer)
