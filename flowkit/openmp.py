"""OpenMP and forks: GNU's threads are ended before one, as a child would wait for them for ever.

The pool that a parallel region leaves behind is not there in a forked child, which does not know.
Without it, the next region starts new threads, in the parent and in each child. OpenMP of LLVM
and of Intel does so by itself.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys

_GNU = re.compile(r"\S*/libgomp[^/\s]*\.so[^/\s]*$", re.MULTILINE)
_PAUSE_HARD = 2


def end_openmp_threads() -> None:
    """End the idle threads of every GNU OpenMP in this process that the calling thread has used.

    Versions of before GCC 9 know no such request, and keep theirs.
    """
    if sys.platform != "linux":
        return
    for path in _loaded():
        try:
            library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
            pause = library.omp_pause_resource_all
        except (OSError, AttributeError):
            continue
        pause(_PAUSE_HARD)


def _loaded() -> set[str]:
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            told = maps.read()
    except OSError:
        return set()
    # Most processes have none, and to search for words is far quicker than for patterns.
    return set(_GNU.findall(told)) if "libgomp" in told else set()
