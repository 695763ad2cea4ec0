"""Folders `key=value/` as tables: keys from the names of folders, columns from files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from flowkit.errors import UsageError
from flowkit.table.errors import PartitionsInvalid, ReadOnlyTable
from flowkit.table.evolution import iceberg_type
from flowkit.table.files import Files, TableKind, local_path
from flowkit.table.formats import FileFormat, FormatKind
from flowkit.table.hive.inference import schema_of_files
from flowkit.table.hive.keys import Pairs, infer_type, pairs_of, typed_values
from flowkit.table.hive.listing import FoundFile, list_files
from flowkit.table.hive.source import HiveSource, check_version
from flowkit.table.schemas import schema_of

if TYPE_CHECKING:
    import pyarrow
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as IcebergTable

_ENDINGS: Final[dict[str, FileFormat]] = {
    "parquet": FileFormat(kind="parquet"),
    "pq": FileFormat(kind="parquet"),
    "parq": FileFormat(kind="parquet"),
    "orc": FileFormat(kind="orc"),
    "csv": FileFormat(kind="csv"),
    "tsv": FileFormat(kind="csv", delimiter="\t"),
    "json": FileFormat(kind="json"),
    "jsonl": FileFormat(kind="json"),
    "ndjson": FileFormat(kind="json"),
}
_COMPRESSIONS: Final = ("gz", "bz2", "zst")


class OpenedFolder:
    """A folder with data files, at the time when it was opened or last refreshed."""

    kind: TableKind = "hive"
    catalog = ""
    snapshot: int | None = None

    def __init__(
        self,
        location: str,
        *,
        format: FormatKind | None,
        types: Mapping[str, object],
        schema: object | None,
    ) -> None:
        """Find the files. Arguments and errors are those of `Table.folder`."""
        if local_path(location) is None and "://" not in location:
            location = os.path.abspath(location)
        self.location = location.rstrip("/") or "/"
        self.name = self.location
        self._given = (format, dict(types), schema)
        self.refresh()

    def refresh(self) -> None:
        """Find the files again."""
        format, types, schema = self._given
        files = Files(self.name, self.catalog, None, kind="hive")
        found = list_files(self.location, files)
        if not found:
            raise UsageError(
                f"folder `{self.location}` has no data files",
                hint="name the folder that the files, or the folders `key=value`, are in",
            )
        told = _format_of(found, format, self.name)
        given = None if schema is None else schema_of(schema)
        columns = given or schema_of_files(found, told, files)
        declared = {} if given is None else {one.name: one.field_type for one in given.fields}
        self._partitions = _Partitions(
            found, told, _arrow_types(types), _arrow_types(declared), self.name
        )
        self.schema = self._with_keys(columns)
        self._files = files

    @property
    def partition(self) -> list[str]:
        """The keys, in the order of the folders."""
        return list(self._partitions.keys)

    @property
    def iceberg(self) -> IcebergTable:
        """Raises ReadOnlyTable."""
        raise ReadOnlyTable(self.name)

    def source(
        self,
        *,
        snapshot: int | None,
        as_of: datetime | date | str | None,
        branch: str | None,
    ) -> HiveSource:
        """Return what there is. Raises UnknownSnapshot if a version is asked for."""
        check_version(self.name, snapshot=snapshot, as_of=as_of, branch=branch)
        return HiveSource(
            name=self.name,
            catalog=self.catalog,
            schema=self.schema,
            partitions=self._partitions,
            files=self._files,
        )

    def reopening(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return a function, and its arguments, that opens the table in another process."""
        return _reopen, (self.location, *self._given)

    def _with_keys(self, columns: Schema) -> Schema:
        """Put the keys, with their types, behind the columns of the files."""
        from pyiceberg.schema import Schema, assign_fresh_schema_ids
        from pyiceberg.types import NestedField

        keys = self._partitions.keys
        fields = [field for field in columns.fields if field.name not in keys]
        for number, (name, values) in enumerate(keys.items(), columns.highest_field_id + 1):
            fields.append(NestedField(number, name, iceberg_type(values.type), required=False))
        return assign_fresh_schema_ids(Schema(*fields))


@dataclass(frozen=True)
class _Partitions:
    """The partitions that folders are; made once, as the files were found."""

    found: Sequence[FoundFile]
    format: FileFormat
    types: Mapping[str, pyarrow.DataType]
    declared: Mapping[str, pyarrow.DataType]
    table: str

    def __len__(self) -> int:
        return len(self._folders)

    @cached_property
    def keys(self) -> Mapping[str, pyarrow.Array]:
        """The values of each key, one for each partition. Raises PartitionsInvalid."""
        rows = [pairs for _, pairs in self._pairs()]
        names = [name for name, _ in rows[0]]
        unknown = sorted(set(self.types) - set(names))
        if unknown:
            raise UsageError(
                f"`{unknown[0]}` is no key of the partitions of `{self.table}`",
                hint=f"its keys are: {', '.join(f'`{one}`' for one in names) or 'none'}",
            )
        columns = {}
        for at, name in enumerate(names):
            values = [pairs[at][1] for pairs in rows]
            kind = self.types.get(name) or self.declared.get(name) or infer_type(values)
            columns[name] = typed_values(name, values, kind, table=self.table)
        return columns

    def files(self, wanted: Sequence[int]) -> Iterable[tuple[int, FileFormat, Sequence[FoundFile]]]:
        """Yield the files of some partitions."""
        for at in wanted:
            yield at, self.format, self._folders[at][1]

    @cached_property
    def _folders(self) -> list[tuple[tuple[str, ...], list[FoundFile]]]:
        ordered = sorted(self.found, key=lambda one: (one.folders, one.path))
        return [(key, list(files)) for key, files in groupby(ordered, lambda one: one.folders)]

    def _pairs(self) -> Iterable[tuple[str, Pairs]]:
        first: tuple[str, ...] | None = None
        for folders, files in self._folders:
            pairs = pairs_of(folders, table=self.table)
            names = tuple(name for name, _ in pairs)
            if first is None:
                first = names
            if names != first or len(set(names)) != len(names):
                shown = "/".join(folders) or files[0].path.rpartition("/")[2]
                raise PartitionsInvalid(
                    f"folders of table `{self.table}` have different keys: `{shown}` beside "
                    f"`{'/'.join(self._folders[0][0]) or 'files in no partition'}`",
                    hint="all files must be below the same keys, in the same order",
                )
            yield "/".join(folders), pairs


def _format_of(found: Sequence[FoundFile], given: str | None, table: str) -> FileFormat:
    endings = {_ending(one.path) for one in found}
    if given is not None:
        of_kind = [one for one in _ENDINGS.values() if one.kind == given]
        if not of_kind:
            raise UsageError(
                f"`{given}` is no format of files",
                hint="formats: `parquet`, `orc`, `csv`, `json`",
            )
        return _ENDINGS["tsv"] if given == "csv" and endings == {"tsv"} else of_kind[0]
    formats = {_ENDINGS.get(ending) for ending in endings}
    told = formats.pop()
    if formats or told is None:
        shown = ", ".join(f"`.{one}`" if one else "none" for one in sorted(endings))
        raise UsageError(
            f"the endings of files do not tell the format of `{table}`: {shown}",
            hint="give `format='parquet'`, `'orc'`, `'csv'` or `'json'`",
        )
    return told


def _ending(path: str) -> str:
    name, dot, ending = path.rpartition("/")[2].rpartition(".")
    if ending.lower() in _COMPRESSIONS:
        name, dot, ending = name.rpartition(".")
    return ending.lower() if dot else ""


def _arrow_types(types: Mapping[str, object]) -> dict[str, pyarrow.DataType]:
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return {name: schema_to_pyarrow(iceberg_type(kind)) for name, kind in types.items()}


def _reopen(
    location: str, format: FormatKind | None, types: Mapping[str, object], schema: object
) -> Any:
    # A table's face opens tables, so it is imported only when one is unpickled.
    from flowkit.table.table import Table

    return Table.folder(location, format=format, types=types, schema=schema)
