"""Content-defined chunking: a buffer in, plain numbers out."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from flowkit import _native
from flowkit.native.arguments import check_integer

if TYPE_CHECKING:
    from typing_extensions import Buffer

LEAST_SIZE = 64
"""The window that a cut depends on."""
MOST_SIZE = 2**30


def chunk_boundaries(
    buffer: Buffer, *, min_size: int, average_size: int, max_size: int
) -> array[int]:
    """Cut a buffer where its contents say so: an edit moves only the cuts near it.

    The same bytes and sizes give the same cuts in every version of flowkit. The GIL is released
    while a large buffer is cut; whoever changes the bytes meanwhile gets cuts of neither content.

    Args:
        buffer: any object with a C-contiguous buffer, such as bytes, a memoryview or an array.
        min_size: no chunk but the last is shorter; at least 64 bytes.
        average_size: the size in bytes that chunks come near; at least `min_size`.
        max_size: no chunk is longer; at least `average_size`, at most 1 GiB.

    Returns:
        (chunks,) int64: the end offset of each chunk, rising; the last is the buffer's size in
        bytes. An empty buffer has no chunk.

    Raises:
        UsageError: the sizes are out of order, or the buffer is not C-contiguous.

    Source:
        Xia et al., "FastCDC", USENIX ATC 2016; the exact rules are in
        `native/include/flowkit/chunking.hpp`.

    >>> list(chunk_boundaries(bytes(1000), min_size=64, average_size=128, max_size=256))
    [256, 512, 768, 1000]
    """
    cuts = array("q")
    least, average, most = (
        check_integer(name, size, LEAST_SIZE, MOST_SIZE)
        for name, size in (
            ("min_size", min_size),
            ("average_size", average_size),
            ("max_size", max_size),
        )
    )
    cuts.frombytes(_native.chunk_boundaries(buffer, least, average, most))
    return cuts
