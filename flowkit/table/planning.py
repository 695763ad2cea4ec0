"""Which files of a snapshot a scan must read: manifests to data files with their deletes.

The rules are the format's, as pyiceberg has them; the loop over files is ours, so that what a
thousand files share is worked out once. `read_manifest` is the one place that decodes Avro.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.errors import UnsupportedTable

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.manifest import DataFile, ManifestEntry, ManifestFile
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

    from flowkit.table.files import Files

_FETCHED_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A data file that a scan must read, the deletes that apply, and what is left to check.

    `residual` is what the filter comes to for rows of this file's partition.
    """

    file: DataFile
    deletes: tuple[str, ...]
    residual: BooleanExpression
    all_pass: bool
    """Whether every row is known to pass the filter."""


@dataclass(slots=True)
class _Partitions:
    """What the filter comes to for each partition of a spec, worked out once."""

    passes: Callable[[DataFile], bool]
    residual: Callable[[DataFile], BooleanExpression]
    known: dict[tuple[Any, ...], tuple[bool, BooleanExpression]] = field(default_factory=dict)

    def of(self, file: DataFile) -> tuple[bool, BooleanExpression]:
        """Say whether rows of the file's partition may pass, and what is left to check."""
        values = partition_values(file)
        if values not in self.known:
            self.known[values] = (self.passes(file), self.residual(file))
        return self.known[values]


def plan(
    metadata: TableMetadata,
    snapshot: Snapshot,
    schema: Schema,
    where: BooleanExpression,
    *,
    table: str,
    files: Files,
) -> list[PlannedFile]:
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
    """
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.manifest import DataFileContent
    from pyiceberg.table.delete_file_index import DeleteFileIndex

    planner = _Planner(metadata, schema, where)
    entries: list[tuple[ManifestEntry, BooleanExpression]] = []
    deletes = DeleteFileIndex()
    for entry, residual in planner.entries(_manifests(snapshot, files), files):
        file = entry.data_file
        _check(file, table)
        if file.content == DataFileContent.DATA:
            entries.append((entry, residual))
        else:
            deletes.add_delete_file(entry, partition_key=file.partition)
    everything = isinstance(where, AlwaysTrue)
    planned = []
    for entry, residual in entries:
        file = entry.data_file
        applied: Iterable[DataFile] = ()
        if not deletes.is_empty():
            applied = deletes.for_data_file(
                entry.sequence_number or 0, file, partition_key=file.partition
            )
        planned.append(
            PlannedFile(
                file=file,
                deletes=tuple(sorted(one.file_path for one in applied)),
                residual=residual,
                # To the rules of projection null is a value like others, to a filter it is not.
                all_pass=everything
                or (isinstance(residual, AlwaysTrue) and None not in partition_values(file)),
            )
        )
    return planned


def read_manifest(data: bytes, manifest: ManifestFile) -> list[ManifestEntry]:
    """Decode the live entries of a manifest, with what they inherit from its list."""
    from pyiceberg.avro.file import AvroFile
    from pyiceberg.manifest import (
        DEFAULT_READ_VERSION,
        MANIFEST_ENTRY_SCHEMAS,
        DataFile,
        DataFileContent,
        FileFormat,
        ManifestEntry,
        ManifestEntryStatus,
        _inherit_from_manifest,
    )

    with AvroFile[ManifestEntry](
        _Bytes(data),  # type: ignore[arg-type]
        MANIFEST_ENTRY_SCHEMAS[DEFAULT_READ_VERSION],
        read_types={-1: ManifestEntry, 2: DataFile},
        read_enums={0: ManifestEntryStatus, 101: FileFormat, 134: DataFileContent},
    ) as reader:
        return [
            _inherit_from_manifest(entry, manifest)
            for entry in reader
            if entry.status != ManifestEntryStatus.DELETED
        ]


def partition_values(file: DataFile) -> tuple[Any, ...]:
    """Return the values of a file's partition, in the order of its spec."""
    partition = file.partition
    return tuple(partition[at] for at in range(len(partition)))


class _Planner:
    """What a filter means for manifests, partitions and files."""

    def __init__(self, metadata: TableMetadata, schema: Schema, where: BooleanExpression) -> None:
        from pyiceberg.expressions import AlwaysTrue

        self._specs = metadata.specs()
        self._schema, self._where = schema, where
        self._everything = isinstance(where, AlwaysTrue)
        self._projected: dict[int, BooleanExpression] = {}
        self._partitions: dict[int, _Partitions] = {}

    def entries(
        self, manifests: Sequence[ManifestFile], files: Files
    ) -> Iterator[tuple[ManifestEntry, BooleanExpression]]:
        """Yield the entries that may matter, each with what is left of the filter."""
        from pyiceberg.expressions.visitors import _InclusiveMetricsEvaluator
        from pyiceberg.manifest import ManifestContent

        kept = [one for one in manifests if self._may_matter(one)]
        oldest = min(
            (one.min_sequence_number or 0 for one in kept if one.content == ManifestContent.DATA),
            default=0,
        )
        kept = [
            one
            for one in kept
            # Deletes that are older than all data delete nothing.
            if one.content == ManifestContent.DATA or (one.sequence_number or 0) >= oldest
        ]
        by_metrics = _InclusiveMetricsEvaluator(self._schema, self._where)
        for manifest, data in zip(kept, _fetched(kept, files), strict=True):
            partitions = self._of_spec(manifest.partition_spec_id)
            for entry in read_manifest(data, manifest):
                if self._everything:
                    # Without a filter too, a file without rows is left out.
                    if entry.data_file.record_count:
                        yield entry, self._where
                    continue
                passes, residual = partitions.of(entry.data_file)
                if passes and by_metrics.eval(entry.data_file):
                    yield entry, residual

    def _may_matter(self, manifest: ManifestFile) -> bool:
        from pyiceberg.expressions.visitors import manifest_evaluator

        if self._everything:
            return True
        number = manifest.partition_spec_id
        return manifest_evaluator(
            self._specs[number], self._schema, self._projection(number), True
        )(manifest)

    def _projection(self, number: int) -> BooleanExpression:
        from pyiceberg.expressions.visitors import inclusive_projection

        if number not in self._projected:
            project = inclusive_projection(self._schema, self._specs[number], True)
            self._projected[number] = project(self._where)
        return self._projected[number]

    def _of_spec(self, number: int) -> _Partitions:
        from pyiceberg.expressions.visitors import expression_evaluator, residual_evaluator_of
        from pyiceberg.schema import Schema

        if number not in self._partitions:
            spec = self._specs[number]
            fields = spec.partition_type(self._schema).fields
            passes = expression_evaluator(Schema(*fields), self._projection(number), True)
            residual = residual_evaluator_of(spec, self._where, True, self._schema)
            self._partitions[number] = _Partitions(
                lambda file: passes(file.partition),
                lambda file: residual.residual_for(file.partition),
            )
        return self._partitions[number]


def _manifests(snapshot: Snapshot, files: Files) -> list[ManifestFile]:
    from pyiceberg.manifest import read_manifest_list

    if not snapshot.manifest_list:
        return []
    return list(read_manifest_list(_Bytes(files.read(snapshot.manifest_list))))  # type: ignore[arg-type]


def _fetched(manifests: Sequence[ManifestFile], files: Files) -> Iterator[bytes]:
    """Yield the bytes of manifests, several fetched at a time."""
    paths = [manifest.manifest_path for manifest in manifests]
    if files.are_local(paths) or len(paths) < 2:
        yield from map(files.read, paths)
        return
    with ThreadPoolExecutor(_FETCHED_AT_ONCE, thread_name_prefix="flowkit-plan") as pool:
        yield from pool.map(files.read, paths)


def _check(file: DataFile, table: str) -> None:
    from pyiceberg.manifest import DataFileContent, FileFormat

    if file.content == DataFileContent.EQUALITY_DELETES:
        raise UnsupportedTable(
            table,
            feature="it has equality deletes, which name rows by their values",
            hint="compact the table with the engine that wrote them, or scan an earlier snapshot",
        )
    if file.key_metadata is not None:
        raise UnsupportedTable(
            table, feature=f"file `{file.file_path}` is encrypted", hint="write it without"
        )
    if file.file_format != FileFormat.PARQUET:
        vector = file.file_format == FileFormat.PUFFIN
        raise UnsupportedTable(
            table,
            feature="it has deletion vectors"
            if vector
            else f"it has {file.file_format.value} files",
            hint="rewrite the table as Parquet in format version 2 with the engine that wrote it",
        )


class _Bytes:
    """Bytes that are in memory already, as pyiceberg opens a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @contextmanager
    def open(self, seekable: bool = True) -> Iterator[io.BytesIO]:
        yield io.BytesIO(self._data)
