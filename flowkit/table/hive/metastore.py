"""Tables of a Hive metastore that are not Iceberg's, by the client that pyiceberg ships."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.catalogs import answering, list_tables
from flowkit.table.errors import PartitionsInvalid, ReadOnlyTable, UnknownTable, UnsupportedTable
from flowkit.table.files import Files, TableKind
from flowkit.table.formats import FileFormat
from flowkit.table.hive.hive_types import type_of
from flowkit.table.hive.keys import DEFAULT_PARTITION, Pairs, pairs_of, typed_values
from flowkit.table.hive.listing import FoundFile, list_files
from flowkit.table.hive.serdes import format_of
from flowkit.table.hive.source import HiveSource, check_version
from flowkit.table.loading import check_name

if TYPE_CHECKING:
    import pyarrow
    from hive_metastore.ThriftHiveMetastore import Client
    from hive_metastore.ttypes import Partition
    from hive_metastore.ttypes import Table as Described
    from pyiceberg.catalog import Catalog
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as IcebergTable

_ASKED_AT_ONCE: Final = 500
_LISTED_AT_ONCE: Final = 8


def find_hive_table(catalog: Catalog, name: str) -> OpenedHiveTable | None:
    """Return a table that a metastore has, and that is not Iceberg's; None if there is none.

    Raises:
        UsageError: the name has no namespace.
        UnsupportedTable: it is a view, or its files are not to be read as they are.
        CatalogError: the metastore does not answer.
    """
    if type(catalog).__name__ != "HiveCatalog":
        return None
    described = _described(catalog, name)
    if described is None:
        return None
    _check(described, name)
    return OpenedHiveTable(catalog, described, name)


class OpenedHiveTable:
    """A table of a metastore, at the time when it was opened or last refreshed."""

    kind: TableKind = "hive"
    snapshot: int | None = None

    def __init__(self, catalog: Catalog, described: Described, name: str) -> None:
        self._catalog, self._described = catalog, described
        self.name = name
        self.schema = _schema(described, name)

    @property
    def catalog(self) -> str:
        """The name of the catalog."""
        return self._catalog.name

    @property
    def partition(self) -> list[str]:
        """The keys of the partitions."""
        return [str(key.name) for key in self._described.partitionKeys or ()]

    @property
    def location(self) -> str:
        """The folder that partitions are in, unless they have one of their own."""
        return str(self._described.sd.location)

    @property
    def iceberg(self) -> IcebergTable:
        """Raises ReadOnlyTable."""
        raise ReadOnlyTable(self.name)

    def refresh(self) -> None:
        """Ask the metastore again. Raises UnknownTable, CatalogError."""
        described = _described(self._catalog, self.name)
        if described is None:
            known = list_tables(self._catalog)
            raise UnknownTable(self.name, catalog=self.catalog, known=known)
        self._described = described
        self.schema = _schema(described, self.name)

    def source(
        self,
        *,
        snapshot: int | None,
        as_of: datetime | date | str | None,
        branch: str | None,
    ) -> HiveSource:
        """Return what there is. Raises UnknownSnapshot if a version is asked for."""
        check_version(self.name, snapshot=snapshot, as_of=as_of, branch=branch)
        files = Files(self.name, self.catalog, None, kind="hive")
        return HiveSource(
            name=self.name,
            catalog=self.catalog,
            schema=self.schema,
            partitions=_Partitions(self._catalog, self._described, self.name, self.schema, files),
            files=files,
        )

    def reopening(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return a function, and its arguments, that opens the table in another process."""
        from flowkit.table.iceberg import reopen

        return reopen, (self.name, self.catalog)


@dataclass(frozen=True)
class _Partitions:
    """The partitions of a table, whose names are asked for once; the rest for those wanted."""

    catalog: Catalog
    described: Described
    table: str
    schema: Schema
    access: Files = field(repr=False)

    def __len__(self) -> int:
        return len(self._pairs)

    @cached_property
    def keys(self) -> Mapping[str, pyarrow.Array]:
        """The values of each key, one for each partition. Raises PartitionsInvalid."""
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        columns = {}
        for at, key in enumerate(self.described.partitionKeys or ()):
            kind = schema_to_pyarrow(self.schema.find_field(key.name).field_type)
            values = [pairs[at][1] for pairs in self._pairs]
            columns[str(key.name)] = typed_values(key.name, values, kind, table=self.table)
        return columns

    def files(self, wanted: Sequence[int]) -> Iterable[tuple[int, FileFormat, Sequence[FoundFile]]]:
        """Yield the files of some partitions; several are listed at a time."""
        with ThreadPoolExecutor(_LISTED_AT_ONCE, thread_name_prefix="flowkit-list") as pool:
            yield from pool.map(self._listed, self._storages(wanted))

    @cached_property
    def _names(self) -> list[str]:
        if not self.described.partitionKeys:
            return [""]
        with _client(self.catalog) as client:
            return sorted(
                client.get_partition_names(
                    db_name=self.described.dbName, tbl_name=self.described.tableName, max_parts=-1
                )
            )

    @cached_property
    def _pairs(self) -> list[Pairs]:
        return [pairs_of(filter(None, name.split("/")), table=self.table) for name in self._names]

    def _storages(self, wanted: Sequence[int]) -> Iterator[tuple[int, Any, Mapping[str, str]]]:
        """Yield where partitions are and how they are written."""
        parameters = self.described.parameters or {}
        if not self.described.partitionKeys:
            yield from ((at, self.described.sd, parameters) for at in wanted)
            return
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            some = wanted[start : start + _ASKED_AT_ONCE]
            asked = {self._values(at): at for at in some}
            with _client(self.catalog) as client:
                found: list[Partition] = client.get_partitions_by_names(
                    db_name=self.described.dbName,
                    tbl_name=self.described.tableName,
                    names=[self._names[at] for at in some],
                )
            # In the order asked for. One that has been dropped since is not among them.
            numbered = sorted((asked[tuple(one.values)], at) for at, one in enumerate(found))
            for number, at in numbered:
                yield number, found[at].sd, {**parameters, **(found[at].parameters or {})}

    def _values(self, at: int) -> tuple[str, ...]:
        return tuple(DEFAULT_PARTITION if one is None else one for _, one in self._pairs[at])

    def _listed(
        self, partition: tuple[int, Any, Mapping[str, str]]
    ) -> tuple[int, FileFormat, Sequence[FoundFile]]:
        number, storage, parameters = partition
        format = format_of(storage, parameters, table=self.table)
        found = list_files(storage.location, self.access)
        for file in found:
            if any("=" in name for name in file.folders):
                raise PartitionsInvalid(
                    f"table `{self.table}` has partitions that its metastore does not know, such "
                    f"as `{'/'.join(file.folders)}` in `{storage.location}`",
                    hint="add them: `msck repair table`, in Hive",
                )
        return number, format, found


@contextmanager
def _client(catalog: Any) -> Iterator[Client]:
    """Connect to the metastore. Raises CatalogError."""
    with answering(catalog), catalog._client as client:
        yield client


def _described(catalog: Catalog, name: str) -> Described | None:
    """Return what the metastore says of a table; None of one that it has not, or Iceberg's."""
    from hive_metastore.ttypes import NoSuchObjectException

    namespace, *deeper, own = check_name(name)
    if deeper:
        return None
    with _client(catalog) as client:
        try:
            described = client.get_table(dbname=namespace, tbl_name=own)
        except NoSuchObjectException:
            return None
    is_iceberg = (described.parameters or {}).get("table_type", "").upper() == "ICEBERG"
    return None if is_iceberg else described


def _check(described: Described, name: str) -> None:
    """Refuse tables whose files are not their rows. Raises UnsupportedTable."""
    parameters = described.parameters or {}
    provider = parameters.get("spark.sql.sources.provider", "").lower()
    if "VIEW" in str(described.tableType or ""):
        feature = "it is a view"
    elif parameters.get("transactional", "").lower() == "true":
        feature = "it is transactional: its files hold changes, not rows"
    elif "storage_handler" in parameters:
        feature = f"its rows are in another system, behind `{parameters['storage_handler']}`"
    elif provider in ("delta", "hudi"):
        feature = f"it is a table of `{provider}`"
    else:
        return
    raise UnsupportedTable(
        name, feature=feature, hint="read a copy that Hive or Spark has written as plain files"
    )


def _schema(described: Described, name: str) -> Schema:
    """Return the columns of the files, and the keys behind them."""
    from pyiceberg.schema import Schema, assign_fresh_schema_ids
    from pyiceberg.types import NestedField

    columns = [*described.sd.cols, *(described.partitionKeys or ())]
    return assign_fresh_schema_ids(
        Schema(
            *(
                NestedField(
                    number,
                    column.name,
                    type_of(column.type, column=column.name, table=name),
                    required=False,
                    doc=column.comment or None,
                )
                for number, column in enumerate(columns, 1)
            )
        )
    )
