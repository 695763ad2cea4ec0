"""Private maps of files: how many there are, and which of them nobody has written to.

The first write to a page of a private map makes a page of the process's own. Linux tells a process
which of its pages are a file's, so a map without pages of its own still has the file's bytes, and
need not be read to know them. Where the system does not tell, nothing is known.
"""

from __future__ import annotations

import mmap
import sys
import weakref
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import Final

_PAGEMAP: Final = "/proc/self/pagemap"
_ENTRY_BYTES: Final = 8
_OF_FILE, _IN_SWAP, _PRESENT = 1 << 5, 1 << 6, 1 << 7
"""What the last byte of a page's entry says of it."""
_UNTOUCHED: Final = bytes(
    flags
    for flags in range(256)
    if not flags & _IN_SWAP and (flags & _OF_FILE or not flags & _PRESENT)
)


class FileMaps:
    """The live maps of this process: each holds a descriptor, and a task must not run out of those.

    Threads may share one, and a forked child goes on with its parent's.
    """

    def __init__(self) -> None:
        self._live: set[weakref.ref[mmap.mmap]] = set()

    def open(self, descriptor: int) -> memoryview | None:
        """Map a file privately, or return None if too many are mapped."""
        limit = getrlimit(RLIMIT_NOFILE)[0]
        if limit != RLIM_INFINITY and len(self._live) >= limit // 2:
            return None
        mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
        self._live.add(weakref.ref(mapped, self._live.discard))
        return memoryview(mapped)

    def find_untouched(self, data: memoryview) -> mmap.mmap | None:
        """Return the map that `data` is all of, in place, if nobody has written to it; or None."""
        at = _address(data)
        if at is None:
            return None
        for reference in list(self._live):
            mapped = reference()
            if mapped is None or len(mapped) != data.nbytes or _address(memoryview(mapped)) != at:
                continue
            return mapped if _is_untouched(at, data.nbytes) else None
        return None


file_maps: Final = FileMaps()
"""Those of this process."""


def _address(data: memoryview) -> int | None:
    """Return where bytes are in memory; None if nobody here can tell."""
    # Whatever passes a large buffer on has NumPy loaded; nothing else would import it for this.
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    return int(numpy.frombuffer(data, numpy.uint8).__array_interface__["data"][0])


def _is_untouched(address: int, size: int) -> bool:
    first, last = address // mmap.PAGESIZE, (address + size - 1) // mmap.PAGESIZE
    wanted = (last - first + 1) * _ENTRY_BYTES
    try:
        with open(_PAGEMAP, "rb", buffering=0) as pages:
            pages.seek(first * _ENTRY_BYTES)
            entries = pages.read(wanted)
    except OSError:
        return False
    if len(entries) != wanted:
        return False
    return not entries[_ENTRY_BYTES - 1 :: _ENTRY_BYTES].translate(None, _UNTOUCHED)
