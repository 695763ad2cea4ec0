"""What importing a flow may have begun that a fork of this process would break."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flowkit.openmp import end_openmp_threads
from flowkit.worker.threads import unknown_thread


def unsafe_to_fork() -> str | None:
    """Say why a fork of this process could hang, crash or mislead, if something is known to.

    What can be put right is: idle threads of OpenMP are ended first.
    """
    end_openmp_threads()
    return _hazard()


def _hazard() -> str | None:
    # Looked up, so that a flow that does not use S3 does not pay for it.
    s3 = sys.modules.get("flowkit.s3")
    if s3 is not None and s3.is_unsafe_to_fork():
        return "importing the flow used S3, whose threads do not survive a fork"
    others = [one for one in threading.enumerate() if one is not threading.main_thread()]
    if others:
        return f"importing the flow started the thread `{others[0].name}`"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "importing the flow opened a CUDA device"
    if "grpc" in sys.modules:
        return "the flow imports gRPC, whose threads do not survive a fork"
    thread = unknown_thread()
    if thread is not None:
        return f"importing the flow started {thread}"
    child = next(_children(), None)
    if child is not None:
        return f"importing the flow started the process `{child}`"
    return _shared_descriptor()


def _children() -> Iterator[str]:
    """Yield the names of processes that this one has started and that still run."""
    with suppress(OSError):  # not every kernel tells
        for task in Path("/proc/self/task").iterdir():
            for pid in (task / "children").read_text().split():
                with suppress(OSError):
                    told = Path("/proc", pid, "stat").read_text()
                    name, _, rest = told.partition("(")[2].rpartition(")")
                    # A tracker of multiprocessing's is there for a whole family of processes.
                    if rest.split()[0] != "Z" and int(pid) != _tracker():
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
                    return "importing the flow opened an epoll, as event loops do"
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    peer = _peer(number)
                    if peer:
                        return f"importing the flow opened a connection to {peer}"
    return None


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
