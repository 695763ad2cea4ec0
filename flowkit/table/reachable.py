"""Which files a table's metadata leads to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from pyiceberg.manifest import ManifestEntryStatus, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot


def place_of(location: str) -> str:
    """Return where a location is, however its scheme is written: `s3` and `s3a` are one place."""
    parts = urlsplit(location)
    if parts.scheme and len(parts.scheme) > 1:
        # Fragments and queries are characters of a file's name here.
        return location[len(parts.scheme) + 1 :].removeprefix("//")
    return location


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
