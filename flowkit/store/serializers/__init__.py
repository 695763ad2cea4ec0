"""Serializers: values to a head and buffers, and back.

`plain`: JSON and bytes. `arrays`: NumPy. `arrow`: Arrow and flowkit's data frames, as IPC streams.
`frames`: pandas, by way of Arrow. `pickles`: everything else. `registry`: which one is for what;
plugins.

No library is imported for values that are not its own. `docs/format/serializers.md` defines what
each writes.
"""

from __future__ import annotations

from flowkit.store.serializers.pickles import CANNOT_PICKLE, find_culprit
from flowkit.store.serializers.registry import (
    BUILT_IN,
    find_serializer,
    get_serializer,
)

__all__ = ["BUILT_IN", "CANNOT_PICKLE", "find_culprit", "find_serializer", "get_serializer"]
