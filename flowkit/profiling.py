"""How long a piece of code takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager


@contextmanager
def profile(label: str, stats_dict: MutableMapping[str, float] | None = None) -> Iterator[None]:
    """Measure the wall time of a block, and print it; also where the block raises.

    ```python
    with profile("load"):
        ...
    ```

    Args:
        label: what the block is called.
        stats_dict: where the milliseconds are added under the label; nothing is printed then.
    """
    if stats_dict is None:
        print(f"{label}: started")
    began_s = time.perf_counter()
    try:
        yield
    finally:
        took_ms = (time.perf_counter() - began_s) * 1000
        if stats_dict is None:
            print(f"{label}: took {took_ms:.0f} ms")
        else:
            stats_dict[label] = stats_dict.get(label, 0.0) + took_ms
