"""Private memory for loaded bytes, aligned for any element type."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import Final

_PAGES_FROM_BYTES: Final = 256 << 10


def new_memory(size: int) -> memoryview:
    """Return `size` writable bytes of memory.

    Large memory comes as fresh pages: aligned to a page, and not cleared a second time.
    """
    if size >= _PAGES_FROM_BYTES:
        return memoryview(mmap.mmap(-1, size))
    return memoryview(bytearray(size))


def gather(size: int, views: Iterable[memoryview]) -> memoryview:
    """Copy views that make up `size` bytes into new memory."""
    memory, at = new_memory(size), 0
    for view in views:
        memory[at : at + view.nbytes] = view
        at += view.nbytes
    return memory
