"""Private memory for loaded bytes, aligned for any element type."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from flowkit.errors import StoreError

_PAGES_FROM_BYTES: Final = 256 << 10


def new_memory(size: int) -> memoryview:
    """Return `size` writable bytes of memory.

    Large memory comes as fresh pages: aligned to a page, and not cleared a second time.

    Raises MemoryError if there is not so much.
    """
    if size < _PAGES_FROM_BYTES:
        return memoryview(bytearray(size))
    try:
        return memoryview(mmap.mmap(-1, size))
    except (OSError, OverflowError) as error:
        raise MemoryError(f"there are no {size} bytes of memory") from error


@contextmanager
def memory_needed(key: str) -> Iterator[None]:
    """Raise StoreError, which names what is under `key`, where there is not enough memory."""
    try:
        yield
    except MemoryError as error:
        raise StoreError(
            f"`{key}` cannot be loaded: there is not enough memory",
            hint="load it on a machine that has more memory",
        ) from error


def gather(size: int, views: Iterable[memoryview]) -> memoryview:
    """Copy views that make up `size` bytes into new memory. Raises MemoryError."""
    memory, at = new_memory(size), 0
    for view in views:
        memory[at : at + view.nbytes] = view
        at += view.nbytes
    return memory
