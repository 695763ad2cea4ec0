"""Hive tables, read-only: folders `key=value/`, and tables of a metastore.

They are scanned as Iceberg tables are, by another `Source`; shards and their reading are the same.

* `keys`: keys of partitions, from the names of folders to typed values
* `pruning`: which partitions a filter leaves
* `listing`: the files of a folder, here or in a store
* `source`: one version of a table, as a scan asks for it
* `folders`: tables that are folders, with their schema from files
* `metastore`, `hive_types`, `serdes`: tables of a metastore, with the types and formats it tells
"""

from __future__ import annotations
