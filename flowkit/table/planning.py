"""Which files of a snapshot a scan must read: manifests to data files with their deletes.

The rules are the format's, as pyiceberg has them. Entries are columns until it is known which of
them matter; objects are made of those alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flowkit.table.errors import UnsupportedTable
from flowkit.table.manifests import ManifestBytes, read_entries, read_list
from flowkit.table.planned import IcebergPlan, Known, Lot

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.schema import Schema
    from pyiceberg.table.delete_file_index import DeleteFileIndex
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

    from flowkit.table.files import Files
    from flowkit.table.metrics import MetricsFilter
    from flowkit.table.partitions import Partition, Partitions

_FETCHED_AT_ONCE: Final = 8
_KEPT: Final = (
    "status",
    "content",
    "sequence_number",
    "file_path",
    "file_format",
    "record_count",
    "file_size_in_bytes",
    "key_metadata",
    "split_offsets",
)
_OF_DELETES: Final = ("lower_bounds", "upper_bounds")
_DELETED: Final = 2
_ADDED: Final = 1
_POSITION_DELETES: Final = 1
_EQUALITY_DELETES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entries:
    """The entries of a manifest that may matter, as columns, with the partition of each."""

    manifest: ManifestFile
    columns: pyarrow.RecordBatch
    partitions: Sequence[Partition]
    known: Sequence[Known]


def plan(
    metadata: TableMetadata,
    snapshot: Snapshot,
    schema: Schema,
    where: BooleanExpression,
    *,
    table: str,
    files: Files,
) -> IcebergPlan:
    """Return the files that may hold rows which pass, in the order of the manifests.

    Args:
        metadata: the table's metadata.
        snapshot: whose rows.
        schema: the columns that `where` is about.
        where: a filter that has been checked against the schema.
        table: the table's name, for errors.
        files: gives the bytes of manifests.

    Raises:
        UnsupportedTable: a file that matters is encrypted or of an unknown format, or its rows
            are deleted in a way that flowkit does not apply.
        DataFileMissing, SnapshotExpired: a manifest is not there.
        ManifestDamaged: one cannot be decoded.
    """
    from pyiceberg.table.delete_file_index import DeleteFileIndex

    if not snapshot.manifest_list:
        return IcebergPlan()
    listed = ManifestBytes(snapshot.manifest_list, files.read(snapshot.manifest_list), table)
    deletes = DeleteFileIndex()
    found = []
    for entries in _Planner(metadata, schema, where, table).entries(listed, files):
        _check(entries.columns, table)
        found.append(_without_deletes(entries, deletes))
    # Which deletes apply is known when all have been seen.
    return IcebergPlan([_lot(entries, deletes) for entries in found])


class _Planner:
    """What a filter means for manifests, partitions and files."""

    def __init__(
        self, metadata: TableMetadata, schema: Schema, where: BooleanExpression, table: str
    ) -> None:
        from pyiceberg.expressions import AlwaysTrue

        self._specs, self._table = metadata.specs(), table
        self._schema, self._where = schema, where
        self._everything = isinstance(where, AlwaysTrue)
        self._partitions: dict[int, Partitions] = {}

    def entries(self, listed: ManifestBytes, files: Files) -> Iterator[_Entries]:
        """Yield the entries that may matter, a manifest at a time."""
        from flowkit.table.metrics import MetricsFilter

        by_metrics = None if self._everything else MetricsFilter(self._schema, self._where)
        manifests = read_list(listed)
        for one in manifests:
            if one.partition_spec_id not in self._specs:
                raise listed.damaged(f"the table has no spec {one.partition_spec_id}")
        kept = self._that_matter(manifests)
        for manifest, data in zip(kept, _fetched(kept, files), strict=True):
            file = ManifestBytes(manifest.manifest_path, data, self._table)
            yield self._entries(manifest, file, by_metrics)

    def _that_matter(self, manifests: Sequence[ManifestFile]) -> list[ManifestFile]:
        from pyiceberg.manifest import ManifestContent

        kept = [one for one in manifests if self._of_spec(one).may_match(one)]
        oldest = min(
            (one.min_sequence_number or 0 for one in kept if one.content == ManifestContent.DATA),
            default=0,
        )
        # Deletes that are older than all data delete nothing.
        return [
            one
            for one in kept
            if one.content == ManifestContent.DATA or (one.sequence_number or 0) >= oldest
        ]

    def _entries(
        self, manifest: ManifestFile, file: ManifestBytes, by_metrics: MetricsFilter | None
    ) -> _Entries:
        import numpy as np
        import pyarrow
        from pyiceberg.manifest import ManifestContent

        from flowkit.table.metrics import COLUMNS

        partitions = self._of_spec(manifest)
        kept = [*_KEPT, *(_OF_DELETES if manifest.content != ManifestContent.DATA else ())]
        wanted = {
            *kept,
            "partition",
            *(("value_counts",) if partitions.identities else ()),
            *(COLUMNS if by_metrics is not None else ()),
        }
        columns = read_entries(file, sorted(wanted))
        try:
            codes, found = partitions.of(columns.column("partition"))
        except ValueError as error:
            raise file.damaged(error) from error
        passing = np.array([one.passes for one in found])
        live = _numbers(columns, "status") != _DELETED
        at = np.flatnonzero(live & passing[codes] & (_numbers(columns, "record_count") != 0))
        if by_metrics is not None:
            at = at[by_metrics.may_match(columns, at)]
        its_own = [found[code] for code in codes[at].tolist()]
        known = _known(columns, at, its_own, partitions)
        columns = columns.select(kept)
        if len(at) < len(columns):
            columns = columns.take(pyarrow.array(at))
        return _Entries(manifest=manifest, columns=columns, partitions=its_own, known=known)

    def _of_spec(self, manifest: ManifestFile) -> Partitions:
        from flowkit.table.partitions import Partitions

        number = manifest.partition_spec_id
        if number not in self._partitions:
            self._partitions[number] = Partitions(self._specs[number], self._schema, self._where)
        return self._partitions[number]


def _known(
    entries: pyarrow.RecordBatch,
    at: NDArray[np.int64],
    its_own: Sequence[Partition],
    partitions: Partitions,
) -> list[Known]:
    """Say for each entry what its partition fixes for columns that its file may not have."""
    from flowkit.table.metrics import entries_of

    known: list[Known] = [()] * len(at)
    for _, source in partitions.identities:
        there, _values = entries_of(entries.column("value_counts"), source, at)
        if len(there) == len(at):
            continue
        for row in set(range(len(at))).difference(there.tolist()):
            fixed = (pair for pair in its_own[row].fixed if pair[0] == source)
            known[row] = (*known[row], *fixed)
    return known


def _without_deletes(entries: _Entries, deletes: DeleteFileIndex) -> _Entries:
    """Move files of deletes into the index; return the others."""
    import numpy as np
    import pyarrow
    from pyiceberg.manifest import DataFile, DataFileContent, ManifestEntry
    from pyiceberg.typedef import Record

    content = _numbers(entries.columns, "content")
    if not np.any(content):
        return entries
    sequence = _sequence_numbers(entries)
    for at in np.flatnonzero(content).tolist():
        row = entries.columns.slice(at, 1).to_pylist()[0]
        file = DataFile.from_args(
            content=DataFileContent.POSITION_DELETES,
            file_path=row["file_path"],
            partition=Record(*entries.partitions[at].values),
            record_count=row["record_count"],
            file_size_in_bytes=row["file_size_in_bytes"],
            lower_bounds=dict(row.get("lower_bounds") or ()),
            upper_bounds=dict(row.get("upper_bounds") or ()),
        )
        file.spec_id = entries.manifest.partition_spec_id
        entry = ManifestEntry.from_args(sequence_number=sequence[at], data_file=file)
        deletes.add_delete_file(entry, partition_key=file.partition)
    data = np.flatnonzero(content == 0)
    return _Entries(
        manifest=entries.manifest,
        columns=entries.columns.take(pyarrow.array(data)),
        partitions=[entries.partitions[at] for at in data.tolist()],
        known=[entries.known[at] for at in data.tolist()],
    )


def _lot(entries: _Entries, deletes: DeleteFileIndex) -> Lot:
    columns = entries.columns
    return Lot(
        spec_id=entries.manifest.partition_spec_id,
        paths=columns.column("file_path"),
        rows=_numbers(columns, "record_count"),
        size_bytes=_numbers(columns, "file_size_in_bytes"),
        offsets=columns.column("split_offsets"),
        partitions=entries.partitions,
        known=entries.known,
        deletes=[()] * len(columns) if deletes.is_empty() else _applied(entries, deletes),
    )


def _applied(entries: _Entries, deletes: DeleteFileIndex) -> list[tuple[str, ...]]:
    """Return for each data file the paths of the deletes that apply."""
    from pyiceberg.manifest import DataFile
    from pyiceberg.typedef import Record

    applied = []
    for path, partition, sequence in zip(
        entries.columns.column("file_path").to_pylist(),
        entries.partitions,
        _sequence_numbers(entries),
        strict=True,
    ):
        # What the index looks at, no more.
        file = DataFile.from_args(file_path=path)
        file.spec_id = entries.manifest.partition_spec_id
        found = deletes.for_data_file(sequence, file, partition_key=Record(*partition.values))
        applied.append(tuple(sorted(one.file_path for one in found)))
    return applied


def _sequence_numbers(entries: _Entries) -> list[int]:
    """Return the sequence number of each entry; one that was just added has its manifest's."""
    inherited = entries.manifest.sequence_number or 0
    pairs = zip(
        entries.columns.column("sequence_number").to_pylist(),
        _numbers(entries.columns, "status").tolist(),
        strict=True,
    )
    return [
        own if own is not None else inherited if status == _ADDED else 0 for own, status in pairs
    ]


def _numbers(entries: pyarrow.RecordBatch, name: str) -> NDArray[np.int64]:
    """Return a column without nulls."""
    numbers: NDArray[np.int64] = entries.column(name).to_numpy()
    return numbers


def _fetched(manifests: Sequence[ManifestFile], files: Files) -> Iterator[bytes]:
    """Yield the bytes of manifests, several fetched at a time."""
    paths = [manifest.manifest_path for manifest in manifests]
    if files.are_local(paths) or len(paths) < 2:
        yield from map(files.read, paths)
        return
    with ThreadPoolExecutor(_FETCHED_AT_ONCE, thread_name_prefix="flowkit-plan") as pool:
        yield from pool.map(files.read, paths)


def _check(entries: pyarrow.RecordBatch, table: str) -> None:
    """Refuse entries that cannot be read. Raises UnsupportedTable."""
    import pyarrow.compute as pc

    content = set(pc.unique(entries.column("content")).to_pylist())
    if _EQUALITY_DELETES in content:
        raise UnsupportedTable(
            table,
            feature="it has equality deletes, which name rows by their values",
            hint="compact the table with the engine that wrote them, or scan an earlier snapshot",
        )
    if not content <= {0, _POSITION_DELETES}:
        raise UnsupportedTable(
            table, feature=f"it has files of content {max(content)}", hint="upgrade flowkit"
        )
    encrypted = entries.column("key_metadata").is_valid().index(True).as_py()
    if encrypted >= 0:
        path = entries.column("file_path")[encrypted].as_py()
        raise UnsupportedTable(
            table, feature=f"file `{path}` is encrypted", hint="write it without"
        )
    for name in pc.unique(entries.column("file_format")).to_pylist():
        if name.upper() != "PARQUET":
            vector = name.upper() == "PUFFIN"
            raise UnsupportedTable(
                table,
                feature="it has deletion vectors" if vector else f"it has {name} files",
                hint="rewrite the table as Parquet in format version 2 with the engine that "
                "wrote it",
            )
