"""Which files a table's metadata leads to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pyiceberg.manifest import ManifestEntryStatus, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

# Of two letters at least: one is a drive of Windows.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def place_of(location: str) -> str:
    """Return where a location is, however its scheme is written: `s3` and `s3a` are one place."""
    scheme = _SCHEME.match(location)
    return location if scheme is None else location[scheme.end() :].removeprefix("//")


def metadata_files(table: Table) -> Iterator[str]:
    """Yield the locations of a table's own metadata files, present and past."""
    yield table.metadata_location
    for entry in table.metadata.metadata_log:
        yield entry.metadata_file
    for statistics in (*table.metadata.statistics, *table.metadata.partition_statistics):
        yield statistics.statistics_path


def snapshot_files(
    table: Table, snapshots: Iterable[Snapshot], *, gone: bool = False
) -> Iterator[str]:
    """Yield the locations that some snapshots lead to: manifests, data and delete files.

    `gone`: those too that a snapshot has taken out.
    """
    seen: set[str] = set()
    for snapshot in snapshots:
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                seen.add(manifest.manifest_path)
                yield manifest.manifest_path
                yield from _entries(table, manifest, gone=gone)


def _entries(table: Table, manifest: ManifestFile, *, gone: bool) -> Iterator[str]:
    for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
        if gone or entry.status is not ManifestEntryStatus.DELETED:
            yield entry.data_file.file_path
