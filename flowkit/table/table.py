"""`Table`: an Iceberg table by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from flowkit.errors import UsageError
from flowkit.table.catalogs import answering, list_tables, open_catalog
from flowkit.table.errors import TableExists
from flowkit.table.evolution import Evolution
from flowkit.table.filters import parse_filter
from flowkit.table.loading import check_name, load_table
from flowkit.table.scan import Scan
from flowkit.table.schemas import partition_spec, schema_of, sort_order
from flowkit.table.snapshots import SnapshotInfo, find_version, history_of, snapshot_infos

if TYPE_CHECKING:
    import pyarrow
    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table as IcebergTable


class Table:
    """A table of a catalog, opened by name: `Table("sales.orders")`.

    It shows the table as it was when it was opened, or last refreshed; a scan stays with the
    version that it was made for. `iceberg` is pyiceberg's own table, for what is not here.
    """

    def __init__(self, name: str, *, catalog: str | Catalog | None = None) -> None:
        """Open a table.

        Args:
            name: its namespace and name, with a dot between.
            catalog: the catalog to look in, by name or as pyiceberg has it; by default the one
                that the settings name.

        Raises:
            UnknownTable: there is none of this name; near names are suggested.
            UnknownCatalog, CatalogInvalid: no such catalog is set up, or not so that it works.
            CatalogError: the catalog does not answer.
        """
        opened = _as_catalog(catalog)
        self._open(opened, load_table(opened, name))

    def _open(self, catalog: Catalog, iceberg: IcebergTable) -> None:
        self._catalog = catalog
        self._iceberg = iceberg

    @classmethod
    def create(
        cls,
        name: str,
        schema: object,
        *,
        partition: Sequence[str] = (),
        sort: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        exist_ok: bool = False,
        catalog: str | Catalog | None = None,
    ) -> Table:
        """Make a table, and the namespace if that is new too.

        Args:
            name: its namespace and name, with a dot between.
            schema: a pyarrow or pyiceberg schema, a pydantic model, or a data frame to be like.
            partition: columns, or transforms of them: `"day(ts)"`, `"bucket(16, id)"`,
                `"truncate(4, name)"`, `"month(ts)"`.
            sort: columns or transforms, each perhaps with `desc` and `nulls last`.
            properties: properties of the format, such as `write.target-file-size-bytes`.
            exist_ok: open the table if it is there already, as it is.
            catalog: the catalog to make it in, as for `Table`.

        Raises:
            TableExists: there is one of this name.
            SchemaInvalid, UnknownColumn: schema, partition or order make no table.
        """
        from pyiceberg.exceptions import TableAlreadyExistsError

        opened = _as_catalog(catalog)
        namespace = check_name(name)[:-1]
        fields = schema_of(schema)
        spec = partition_spec(list(partition), fields, table=name)
        order = sort_order(list(sort), fields, table=name)
        try:
            with answering(opened):
                opened.create_namespace_if_not_exists(namespace)
                made = opened.create_table(
                    name,
                    fields,
                    partition_spec=spec,
                    sort_order=order,
                    properties=dict(properties or {}),
                )
        except TableAlreadyExistsError as error:
            if exist_ok:
                return cls(name, catalog=opened)
            raise TableExists(name, catalog=opened.name) from error
        table = cls.__new__(cls)
        table._open(opened, made)
        return table

    @staticmethod
    def names(catalog: str | Catalog | None = None) -> list[str]:
        """Return the names of all tables of a catalog, sorted."""
        return list_tables(_as_catalog(catalog))

    @property
    def name(self) -> str:
        """The namespace and name."""
        return ".".join(self._iceberg.name())

    @property
    def catalog(self) -> str:
        """The name of the catalog that it is in."""
        return self._catalog.name

    @property
    def iceberg(self) -> IcebergTable:
        """Pyiceberg's table. After changing the table by it, call `refresh`."""
        return self._iceberg

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns, as Arrow has them."""
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        return schema_to_pyarrow(self._iceberg.schema(), include_field_ids=False)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [field.name for field in self._iceberg.schema().fields]

    @property
    def partition(self) -> list[str]:
        """How the table is partitioned, as `create` takes it."""
        schema = self._iceberg.schema()
        terms = []
        for field in self._iceberg.spec().fields:
            column = schema.find_column_name(field.source_id)
            transform = str(field.transform)
            width = transform.partition("[")[2].rstrip("]")
            function = transform.partition("[")[0]
            if function == "identity":
                terms.append(str(column))
            elif function != "void":
                terms.append(f"{function}({f'{width}, ' if width else ''}{column})")
        return terms

    @property
    def location(self) -> str:
        """The folder that the table's files are in."""
        return self._iceberg.location()

    @property
    def metadata_location(self) -> str:
        """The file that describes the version that is shown: what other engines open."""
        return self._iceberg.metadata_location

    @property
    def snapshot(self) -> int | None:
        """The id of the current snapshot; None if nothing has been written yet."""
        found = self._iceberg.metadata.current_snapshot()
        return None if found is None else found.snapshot_id

    def refresh(self) -> Table:
        """Look what others have committed since. Raises CatalogError."""
        with answering(self._catalog):
            self._iceberg.refresh()
        return self

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: str | BooleanExpression | None = None,
        snapshot: int | None = None,
        as_of: datetime | date | str | None = None,
        branch: str | None = None,
        limit: int | None = None,
    ) -> Scan:
        """Say what to read: which columns and rows, of which version.

        Args:
            columns: names, `a.b` for a field inside a struct; all if left out.
            where: a filter as in SQL, `"year = 2013 and carrier in ('AA', 'UA')"`, or an
                expression of `pyiceberg.expressions`. As in SQL, null passes no comparison.
            snapshot: the id of a snapshot, whose rows are read as the table was then.
            as_of: a time; the snapshot that was current then. UTC unless it has a zone.
            branch: a branch, or a tag.
            limit: so many rows at most, whichever come first.

        Raises:
            UnknownColumn: a name is no column; near names are suggested.
            FilterInvalid: the filter cannot be understood.
            UnknownSnapshot: there is no such version.
        """
        if limit is not None and limit < 0:
            raise UsageError(f"a limit of {limit} makes no sense", hint="give 0 or more")
        version = find_version(
            self._iceberg.metadata,
            table=self.name,
            snapshot=snapshot,
            as_of=as_of,
            branch=branch,
        )
        return Scan(
            self._iceberg,
            version,
            parse_filter(where, version.schema, table=self.name),
            name=self.name,
            catalog=self.catalog,
            columns=columns,
            limit=limit,
        )

    def snapshots(self) -> list[SnapshotInfo]:
        """Describe all versions that are kept, oldest first."""
        return snapshot_infos(self._iceberg.metadata)

    def history(self, branch: str = "main") -> list[SnapshotInfo]:
        """Describe the versions that led to a branch, newest first, with who made each."""
        return history_of(self._iceberg.metadata, branch)

    def evolve(self) -> Evolution:
        """Change columns and partitions, all at once at the end of a `with` block.

        ```python
        with table.evolve() as change:
            change.add_column("tail", "string", doc="the plane")
            change.rename_column("dep", "departed_at")
            change.set_partition(["month(departed_at)"])
        ```
        """
        return Evolution(self)

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        # By name: what is pickled shows the table as it is where and when it is opened again.
        return _reopen, (self.name, self.catalog)

    def __repr__(self) -> str:
        return f"<Table {self.name} of catalog {self.catalog}, snapshot {self.snapshot}>"


def _as_catalog(catalog: str | Catalog | None) -> Catalog:
    return open_catalog(catalog) if catalog is None or isinstance(catalog, str) else catalog


def _reopen(name: str, catalog: str) -> Table:
    return Table(name, catalog=catalog)
