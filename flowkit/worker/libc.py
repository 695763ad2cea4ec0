"""What Python has no name for in the C library."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def outlive_parent() -> None:
    """Undo `die_with_parent`: from now on this process ends by its own decision."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(0))


def flush_streams() -> None:
    """Write out what C code has printed and not flushed; `os._exit` would drop it."""
    _libc.fflush(None)
