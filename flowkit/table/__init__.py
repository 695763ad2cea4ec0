"""Tables and data frames: Iceberg tables read in shards, written in parts, one commit for all.

* `table`, `scan`: the face: `Table`, and `Scan`, which says what to read of which version
* `sources`, `iceberg`: the seam under the face, and Iceberg behind it
* `arguments`: what callers get wrong before anything begins
* `catalogs`, `loading`: from settings to a catalog, from a name to a table
* `schemas`, `models`, `counterparts`, `evolution`: making tables, changing columns and partitions
* `filters`, `parsing`, `settling`, `literals`, `conditions`: filters as users write them, what
  they mean, and as plain data
* `snapshots`, `history`, `targets`: which version, which columns of it
* `planning`, `planned`, `partitions`, `metrics`, `manifests`, `avro`: which files of it
* `sources`, `iceberg`, `hive`: what is scanned, be it Iceberg's, folders, or a Hive metastore's
* `shards`: some rows of a snapshot as a small value
* `reading`, `row_groups`, `decoding`, `shaping`, `projection`, `deletes`, `files`: a shard's rows,
  from files
* `formats`, `streaming`, `text_files`, `uneven_rows`, `json_keys`: files that are not Parquet
* `data_frame`, `views`, `sql`, `previews`: rows in memory
* `writing`, `incoming`, `conforming`, `partitioning`, `transforms`, `sorting`, `encoding`,
  `null_structs`, `datafiles`, `written`: rows into data files
* `committing`, `changes`, `deleting`, `rewriting`, `upserting`, `keys`, `retrying`: data files
  into one snapshot, once
* `refs`, `expiry`, `orphans`, `reachable`: branches, and upkeep
* `preloading`: what tasks that use tables find imported
* `lineage`: which snapshots a task has read and written
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
        CommitConflict,
        CommitFailed,
        DataFileDamaged,
        DataFileMissing,
        DataFileUnlike,
        FilterInvalid,
        ManifestDamaged,
        NotAncestor,
        PartitionsInvalid,
        PartRefused,
        ReadOnlyTable,
        SchemaInvalid,
        SchemaMismatch,
        SnapshotExpired,
        TableExists,
        TableReplaced,
        UnknownCatalog,
        UnknownColumn,
        UnknownRef,
        UnknownSnapshot,
        UnknownTable,
        UnsupportedTable,
    )
    from flowkit.table.expiry import Expired
    from flowkit.table.history import SnapshotRow
    from flowkit.table.orphans import OrphanFile
    from flowkit.table.preloading import preload
    from flowkit.table.previews import html_preview, text_preview
    from flowkit.table.refs import RefRow
    from flowkit.table.scan import Scan
    from flowkit.table.shards import FilePart, Shard
    from flowkit.table.sources import Plan
    from flowkit.table.table import Table
    from flowkit.table.writing import TableWriter
    from flowkit.table.written import WrittenFiles

__all__ = [
    "CatalogError",
    "CatalogInvalid",
    "CommitConflict",
    "CommitFailed",
    "DataFileDamaged",
    "DataFileMissing",
    "DataFileUnlike",
    "DataFileUnwritten",
    "DataFrame",
    "Expired",
    "FilePart",
    "FilterInvalid",
    "ManifestDamaged",
    "NotAncestor",
    "OrphanFile",
    "PartRefused",
    "PartitionsInvalid",
    "Plan",
    "ReadOnlyTable",
    "RefRow",
    "Scan",
    "SchemaInvalid",
    "SchemaMismatch",
    "Shard",
    "SnapshotExpired",
    "SnapshotRow",
    "Table",
    "TableExists",
    "TableReplaced",
    "TableWriter",
    "UnknownCatalog",
    "UnknownColumn",
    "UnknownRef",
    "UnknownSnapshot",
    "UnknownTable",
    "UnsupportedTable",
    "WrittenFiles",
    "html_preview",
    "open_catalog",
    "preload",
    "text_preview",
]

__getattr__ = loads(
    "flowkit.table",
    {
        "flowkit.table.catalogs": "open_catalog",
        "flowkit.table.data_frame": "DataFrame",
        "flowkit.table.errors": (
            "CatalogError CatalogInvalid CommitConflict CommitFailed DataFileDamaged "
            "DataFileMissing DataFileUnlike DataFileUnwritten FilterInvalid ManifestDamaged "
            "NotAncestor PartRefused PartitionsInvalid ReadOnlyTable SchemaInvalid SchemaMismatch "
            "SnapshotExpired TableExists TableReplaced UnknownCatalog UnknownColumn UnknownRef "
            "UnknownSnapshot UnknownTable UnsupportedTable"
        ),
        "flowkit.table.expiry": "Expired",
        "flowkit.table.history": "SnapshotRow",
        "flowkit.table.orphans": "OrphanFile",
        "flowkit.table.preloading": "preload",
        "flowkit.table.previews": "html_preview text_preview",
        "flowkit.table.refs": "RefRow",
        "flowkit.table.scan": "Scan",
        "flowkit.table.shards": "FilePart Shard",
        "flowkit.table.sources": "Plan",
        "flowkit.table.table": "Table",
        "flowkit.table.writing": "TableWriter",
        "flowkit.table.written": "WrittenFiles",
    },
)
