"""Tables and data frames: Iceberg tables by name, read into Arrow as fast as decoding goes.

* `table`, `scan`: the face: `Table`, and `Scan`, which says what to read of which version
* `catalogs`, `loading`: from settings to a catalog, from a name to a table
* `schemas`, `models`, `evolution`: making tables, and changing their columns and partitions
* `filters`, `conditions`: filters as users write them, and as plain data
* `snapshots`, `planning`, `targets`: which version, which files of it, which columns
* `shards`: some rows of a snapshot as a small value
* `reading`, `row_groups`, `decoding`, `projection`, `deletes`, `files`: a shard's rows, from files
* `data_frame`, `sql`, `previews`: rows in memory
* `lineage`: which snapshots a task has read
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.table.catalogs import open_catalog
    from flowkit.table.data_frame import DataFrame
    from flowkit.table.errors import (
        CatalogError,
        CatalogInvalid,
        DataFileDamaged,
        DataFileMissing,
        DataFileUnlike,
        FilterInvalid,
        SchemaInvalid,
        SnapshotExpired,
        TableExists,
        UnknownCatalog,
        UnknownColumn,
        UnknownSnapshot,
        UnknownTable,
        UnsupportedTable,
    )
    from flowkit.table.previews import html_preview, text_preview
    from flowkit.table.scan import Plan, Scan
    from flowkit.table.shards import FilePart, Shard
    from flowkit.table.snapshots import SnapshotInfo
    from flowkit.table.table import Table

__all__ = [
    "CatalogError",
    "CatalogInvalid",
    "DataFileDamaged",
    "DataFileMissing",
    "DataFileUnlike",
    "DataFrame",
    "FilePart",
    "FilterInvalid",
    "Plan",
    "Scan",
    "SchemaInvalid",
    "Shard",
    "SnapshotExpired",
    "SnapshotInfo",
    "Table",
    "TableExists",
    "UnknownCatalog",
    "UnknownColumn",
    "UnknownSnapshot",
    "UnknownTable",
    "UnsupportedTable",
    "html_preview",
    "open_catalog",
    "text_preview",
]

__getattr__ = loads(
    "flowkit.table",
    {
        "flowkit.table.catalogs": "open_catalog",
        "flowkit.table.data_frame": "DataFrame",
        "flowkit.table.errors": (
            "CatalogError CatalogInvalid DataFileDamaged DataFileMissing DataFileUnlike "
            "FilterInvalid SchemaInvalid SnapshotExpired TableExists UnknownCatalog "
            "UnknownColumn UnknownSnapshot UnknownTable UnsupportedTable"
        ),
        "flowkit.table.previews": "html_preview text_preview",
        "flowkit.table.scan": "Plan Scan",
        "flowkit.table.shards": "FilePart Shard",
        "flowkit.table.snapshots": "SnapshotInfo",
        "flowkit.table.table": "Table",
    },
)
