"""The end of a process whose flow has left threads behind when it was imported."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import NoReturn

from flowkit.worker.libc import flush_streams

_PATIENCE_S = 1.0


def threads_to_wait_for() -> frozenset[threading.Thread]:
    """Return the threads that an interpreter waits for before it ends."""
    main = threading.main_thread()
    return frozenset(one for one in threading.enumerate() if one is not main and not one.daemon)


def end_without(imported: Collection[threading.Thread], status: int) -> int:
    """Return `status` once other threads than those `imported` have ended.

    An interpreter waits for all. One that importing has started may be meant to run for ever; it
    is asked to end as it would be, and given a moment. If it goes on, the process ends here.
    """
    if not any(one.is_alive() for one in imported):
        return status
    asking = threading.Thread(target=_ask_and_wait, daemon=True)
    asking.start()
    alone_since = None
    while asking.is_alive():
        asking.join(0.02)
        if threads_to_wait_for() - set(imported):
            alone_since = None
        elif alone_since is None:
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since > _PATIENCE_S:
            _leave(status)
    return status


def _ask_and_wait() -> None:
    # Pools end their threads when they are told that the interpreter is about to.
    for tell in reversed(list(getattr(threading, "_threading_atexits", ()))):
        tell()
    for one in threads_to_wait_for():
        one.join()


def _leave(status: int) -> NoReturn:
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    flush_streams()
    os._exit(status)
