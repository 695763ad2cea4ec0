"""Manifest lists and manifests of a snapshot, decoded into Arrow by the native core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flowkit import native
from flowkit.errors import UsageError
from flowkit.table.errors import ManifestDamaged, UnsupportedTable

if TYPE_CHECKING:
    import pyarrow
    from pyiceberg.manifest import ManifestFile, PartitionFieldSummary

_LISTED: Final = (
    "manifest_path",
    "manifest_length",
    "partition_spec_id",
    "content",
    "sequence_number",
    "min_sequence_number",
    "added_snapshot_id",
    "partitions",
)
_REQUIRED: Final = frozenset(
    ("status", "file_path", "file_format", "record_count", "file_size_in_bytes")
)


@dataclass(frozen=True, slots=True)
class ManifestBytes:
    """A manifest or a list of them, as it was fetched."""

    path: str
    data: bytes
    table: str

    def damaged(self, reason: object) -> ManifestDamaged:
        """Say that the file cannot be read."""
        return ManifestDamaged(self.path, table=self.table, reason=str(reason))


def read_list(file: ManifestBytes) -> list[ManifestFile]:
    """Return the manifests of a snapshot.

    Raises:
        ManifestDamaged: the bytes are no manifest list.
        UnsupportedTable: they are compressed in a way that is not known.
    """
    from pyiceberg.manifest import ManifestContent, ManifestFile

    found = []
    for row in _decoded(native.read_manifest_list, file, _LISTED).to_pylist():
        if row["manifest_path"] is None or row["partition_spec_id"] is None:
            raise file.damaged("a manifest in it has no path or no spec")
        summaries = row.pop("partitions")
        row["content"] = ManifestContent(1 if row["content"] else 0)
        row["partitions"] = None if summaries is None else [_summary(one) for one in summaries]
        found.append(ManifestFile.from_args(**row))
    return found


def read_entries(file: ManifestBytes, columns: Sequence[str]) -> pyarrow.RecordBatch:
    """Return some columns of a manifest's entries, as `flowkit.native.read_manifest` names them.

    Raises:
        ManifestDamaged: the bytes are no manifest, or an entry lacks what the format requires.
        UnsupportedTable: they are compressed in a way that is not known.
    """
    batch = _decoded(native.read_manifest, file, columns)
    for name in columns:
        if name in _REQUIRED and batch.column(name).null_count:
            raise file.damaged(f"an entry has no `{name}`")
    return batch


def _decoded(
    read: Callable[[bytes, Sequence[str]], Any], file: ManifestBytes, columns: Sequence[str]
) -> pyarrow.RecordBatch:
    import pyarrow

    try:
        return pyarrow.record_batch(read(file.data, columns))
    except UsageError as error:
        # The core knows the codecs that manifests mostly have.
        from flowkit.table.avro import codec_of, unpacked

        codec = codec_of(file.data)
        if codec in (None, "null", "deflate"):
            raise file.damaged(error) from error
    try:
        return pyarrow.record_batch(read(unpacked(file.data), columns))
    except KeyError as error:
        raise UnsupportedTable(
            file.table,
            feature=f"manifest `{file.path}` is compressed with `{codec}`",
            hint="write its metadata with another codec, such as `gzip`",
        ) from error
    except (UsageError, ValueError) as error:
        raise file.damaged(error) from error


def _summary(row: dict[str, Any]) -> PartitionFieldSummary:
    from pyiceberg.manifest import PartitionFieldSummary

    return PartitionFieldSummary.from_args(**row)
