"""What runs leave, kept safe: artifacts as content-addressed objects, and the records of runs.

`store`: the front: `Store`, and `element` of a foreach. `writer`, `manifests`: what a task
leaves, in one object with its small values. `objects`, `recipes`, `compression`, `hashing`,
`memory`, `maps`: bytes under their digest. `serializers`: values to bytes. `runs`, `envelope`,
`plausible`: records. `keys`, `gate`: where things are, and in which format. `directory`, `layered`,
`opening`: storages. `gc`, `verification`, `reindexing`: upkeep. `plugins`: entry points.

The bytes are defined in `docs/format/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads
from flowkit.store.directory import DirectoryStorage
from flowkit.store.errors import UnpicklableArtifact
from flowkit.store.opening import open_storage
from flowkit.store.store import Store, element
from flowkit.store.writer import ManifestWriter

if TYPE_CHECKING:
    from flowkit.store.gc import GcReport, collect
    from flowkit.store.layered import LayeredStorage, layered_url, split_layered_url
    from flowkit.store.plugins import load_plugin
    from flowkit.store.reindexing import RunIndex, reindex, reindex_run
    from flowkit.store.verification import Damage, find_fault, verify_store

__all__ = [
    "Damage",
    "DirectoryStorage",
    "GcReport",
    "LayeredStorage",
    "ManifestWriter",
    "RunIndex",
    "Store",
    "UnpicklableArtifact",
    "collect",
    "element",
    "find_fault",
    "layered_url",
    "load_plugin",
    "open_storage",
    "reindex",
    "reindex_run",
    "split_layered_url",
    "verify_store",
]

# Loaded when they are asked for: few tasks need them, and every worker starts here.
__getattr__ = loads(
    "flowkit.store",
    {
        "flowkit.store.gc": "GcReport collect",
        "flowkit.store.layered": "LayeredStorage layered_url split_layered_url",
        "flowkit.store.plugins": "load_plugin",
        "flowkit.store.reindexing": "RunIndex reindex reindex_run",
        "flowkit.store.verification": "Damage find_fault verify_store",
    },
)
