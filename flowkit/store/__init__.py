"""What runs leave, kept safe: artifacts as content-addressed objects, and the records of runs.

`store`: the front: `Store`, and `element` of a foreach. `writer`, `manifests`: what a task
leaves, in one object with its small values. `objects`, `recipes`, `compression`, `hashing`,
`memory`: bytes under their digest. `serializers`: values to bytes. `runs`, `envelope`: records.
`keys`, `gate`: where things are, and in which format. `directory`, `opening`: storages. `gc`,
`verification`, `reindex`: upkeep. `plugins`: entry points.

The bytes are defined in `docs/format/`.
"""

from __future__ import annotations

from flowkit.store.directory import DirectoryStorage
from flowkit.store.errors import UnpicklableArtifact
from flowkit.store.opening import open_storage
from flowkit.store.store import Store, element
from flowkit.store.writer import ManifestWriter

__all__ = [
    "DirectoryStorage",
    "ManifestWriter",
    "Store",
    "UnpicklableArtifact",
    "element",
    "open_storage",
]
