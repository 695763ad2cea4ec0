"""`Table`: an Iceberg table by name. It is long because it is a face: the work is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowkit.errors import UsageError
from flowkit.table.arguments import check_kind, check_names, check_texts
from flowkit.table.catalogs import answering, list_tables, open_catalog
from flowkit.table.committing import Mode, commit_files
from flowkit.table.errors import TableExists
from flowkit.table.evolution import Evolution
from flowkit.table.expiry import Expired, expire
from flowkit.table.filters import parse_filter
from flowkit.table.formats import FormatKind
from flowkit.table.history import SnapshotRow, history, snapshots
from flowkit.table.hive.folders import OpenedFolder
from flowkit.table.hive.metastore import find_hive_table
from flowkit.table.iceberg import OpenedIceberg
from flowkit.table.lineage import note_written
from flowkit.table.loading import check_name, existing, load_table
from flowkit.table.orphans import GRACE, OrphanFile, clean_orphans, orphans
from flowkit.table.refs import (
    RefRow,
    create_branch,
    create_tag,
    delete_branch,
    delete_tag,
    publish,
    refs,
)
from flowkit.table.scan import Scan, parse_bytes
from flowkit.table.schemas import partition_spec, schema_of, sort_order
from flowkit.table.sources import OpenedTable
from flowkit.table.writing import TableWriter, open_writer
from flowkit.table.written import WrittenFiles

if TYPE_CHECKING:
    import pyarrow
    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.types import NestedField


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
        found = find_hive_table(opened, name)
        self._opened: OpenedTable = found or OpenedIceberg(opened, load_table(opened, name))

    @classmethod
    def _of(cls, opened: OpenedTable) -> Table:
        table = cls.__new__(cls)
        table._opened = opened
        return table

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
        check_names("partition", partition)
        check_names("sort", sort)
        check_texts("properties", properties or {})
        fields = schema_of(schema)
        spec = partition_spec(list(partition), fields, table=name)
        order = sort_order(list(sort), fields, table=name)
        try:
            with existing(opened, name), answering(opened):
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
        return cls._of(OpenedIceberg(opened, made))

    @classmethod
    def folder(
        cls,
        location: str | Path,
        *,
        format: FormatKind | None = None,
        types: Mapping[str, object] | None = None,
        schema: object = None,
    ) -> Table:
        """Open a folder of files in Hive's layout, `key=value/`, as a table to read.

        The table is what is there when it is opened, or refreshed.

        Args:
            location: a path, or an address such as `s3://bucket/events`.
            format: `parquet`, `orc`, `csv` or `json`; by default the endings of files tell.
            types: types of keys, such as `{"zip": "string"}`; a key of which they do not tell is
                an integer or a date if all its values are, and else text.
            schema: the columns of the files, as `create` takes it; by default those that the
                first and the last file have.

        Raises:
            UsageError: the folder has no data files, or they do not tell their format.
            PartitionsInvalid: folders do not fit together, or values not to their key's type.
            DataFileDamaged, DataFileUnlike: the first or last file cannot be read.
        """
        check_kind("types", types or {}, Mapping, hint="give types by keys: `{'zip': 'string'}`")
        return cls._of(OpenedFolder(str(location), format=format, types=types or {}, schema=schema))

    @staticmethod
    def names(catalog: str | Catalog | None = None) -> list[str]:
        """Return the names of all tables of a catalog, sorted."""
        return list_tables(_as_catalog(catalog))

    @property
    def name(self) -> str:
        """The namespace and name."""
        return self._opened.name

    @property
    def catalog(self) -> str:
        """The name of the catalog that it is in."""
        return self._opened.catalog

    @property
    def iceberg(self) -> IcebergTable:
        """Pyiceberg's table. After changing the table by it, call `refresh`."""
        return self._opened.iceberg

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns, as Arrow has them."""
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        return schema_to_pyarrow(self._opened.schema, include_field_ids=False)

    @property
    def fields(self) -> list[NestedField]:
        """The columns as pyiceberg has them: types by their names in the format, and docs."""
        return list(self._opened.schema.fields)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [field.name for field in self._opened.schema.fields]

    @property
    def partition(self) -> list[str]:
        """How the table is partitioned, as `create` takes it."""
        return self._opened.partition

    @property
    def location(self) -> str:
        """The folder that the table's files are in."""
        return self._opened.location

    @property
    def metadata_location(self) -> str:
        """The file that describes the version that is shown: what other engines open."""
        return self.iceberg.metadata_location

    @property
    def snapshot(self) -> int | None:
        """The id of the current snapshot; None if nothing has been written yet."""
        return self._opened.snapshot

    def refresh(self) -> Table:
        """Look what others have committed since. Raises UnknownTable, CatalogError."""
        self._opened.refresh()
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
        if limit is not None:
            check_kind("limit", limit, int, hint="give a number of rows")
            if limit < 0:
                raise UsageError(f"a limit of {limit} makes no sense", hint="give 0 or more")
        if columns is not None:
            check_names("columns", columns)
        source = self._opened.source(snapshot=snapshot, as_of=as_of, branch=branch)
        return Scan(
            source,
            parse_filter(where, source.schema, table=self.name),
            columns=columns,
            limit=limit,
        )

    def snapshots(self) -> list[SnapshotRow]:
        """Describe all versions that are kept, oldest first, with who made them."""
        return snapshots(self.iceberg)

    def history(self, branch: str = "main") -> list[SnapshotRow]:
        """Describe the versions that led to a branch or tag, oldest first, with who made them.

        Raises:
            UnknownRef: there is no such branch or tag.
        """
        return history(self.iceberg, branch)

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

    def writer(
        self,
        *,
        branch: str | None = None,
        file_size: int | str | None = None,
        memory: int | str = "512MB",
    ) -> TableWriter:
        """Return a writer of one part of the table, such as a task's, for a `with` block.

        What it writes is seen by nobody before `commit` has been given its `result`.

        Args:
            branch: where the part is to be committed; `main` if left out.
            file_size: how large files shall be, such as `"256MB"`; by default the table's
                property `write.target-file-size-bytes`, or 512 MB.
            memory: how much the writer may hold.

        Raises:
            UnknownRef: there is no such branch.
        """
        return open_writer(
            self.iceberg,
            branch=branch,
            target_file_bytes=None if file_size is None else parse_bytes(file_size),
            memory_bytes=parse_bytes(memory),
        )

    def commit(
        self,
        parts: WrittenFiles | Iterable[WrittenFiles],
        *,
        mode: Mode = "append",
        branch: str | None = None,
        key: str | None = None,
        properties: Mapping[str, str] | None = None,
        where: str | BooleanExpression | None = None,
        on: Sequence[str] = (),
    ) -> int:
        """Make all that was written visible in one snapshot, once; return the snapshot's id.

        A retried task and a resumed run commit nothing twice: the commit is known by the task.
        Commits that others make meanwhile are waited out.

        Args:
            parts: results of writers.
            mode: `append`; `overwrite` the partitions that the parts have rows in; `replace` all
                rows; `delete` those that pass `where`, and add the parts; `upsert`: replace the
                rows that agree with a new one in the columns `on`, and add the others.
            branch: where to; by default where the parts were written for.
            key: what the commit is known by, if not by the task.
            properties: more entries of the snapshot's summary.
            where: a filter, with `delete`.
            on: key columns, with `upsert`.

        Raises:
            PartRefused: a part was written for another table, schema or partitioning.
            CommitConflict: somebody has changed what would be replaced.
            CommitFailed: the catalog failed; the same parts may be committed again.
            UnknownRef: there is no such branch.
            UnknownTable: the table has been dropped meanwhile.
        """
        made = commit_files(
            self.iceberg,
            [parts] if isinstance(parts, WrittenFiles) else parts,
            mode=mode,
            branch=branch,
            key=key,
            properties=properties,
            where=where,
            on=on,
        )
        note_written(self.name, self.catalog, made)
        return made

    def append(self, data: object, *, branch: str | None = None) -> int:
        """Add rows, given as anything that speaks Arrow. Raises what `commit` raises."""
        return self._write(data, "append", branch)

    def overwrite(self, data: object, *, branch: str | None = None) -> int:
        """Put rows in the place of the partitions that they are in. Raises what `commit` raises."""
        return self._write(data, "overwrite", branch)

    def replace(self, data: object, *, branch: str | None = None) -> int:
        """Put rows in the place of all that there are. Raises what `commit` raises."""
        return self._write(data, "replace", branch)

    def upsert(self, data: object, *, on: Sequence[str], branch: str | None = None) -> int:
        """Put rows in the place of those that agree in the columns `on`, and add the others.

        Raises what `commit` raises.
        """
        return self._write(data, "upsert", branch, on)

    def delete(self, where: str | BooleanExpression, *, branch: str | None = None) -> int:
        """Delete the rows that pass a filter. Raises what `commit` raises."""
        return self.commit((), mode="delete", where=where, branch=branch)

    def branches(self) -> list[RefRow]:
        """Return branches and tags by name."""
        return refs(self.iceberg)

    def create_branch(self, name: str, *, at: int | str | None = None) -> int:
        """Make a branch at a snapshot, branch or tag, by default at `main`; return its snapshot.

        Raises:
            UsageError: the name is taken, or nothing has been written yet.
            UnknownRef: there is no `at`.
        """
        return create_branch(self.iceberg, name, at=at)

    def create_tag(self, name: str, *, at: int | str | None = None) -> int:
        """Give a version a name. Arguments and errors are those of `create_branch`."""
        return create_tag(self.iceberg, name, at=at)

    def delete_branch(self, name: str) -> None:
        """Delete a branch; its snapshots stay until they expire. Raises UnknownRef, UsageError."""
        delete_branch(self.iceberg, name)

    def delete_tag(self, name: str) -> None:
        """Delete a tag. Raises UnknownRef."""
        delete_tag(self.iceberg, name)

    def publish(self, branch: str) -> int:
        """Make what a branch holds that of `main`, without copying; return the snapshot.

        Raises:
            NotAncestor: `main` has gone on since the branch was made.
            UnknownRef: there is no such branch.
        """
        return publish(self.iceberg, branch)

    def expire(self, *, older_than: datetime, keep_last: int = 1) -> Expired:
        """Forget snapshots that are older than a time, and delete the files that only they need.

        Branches, tags and the last `keep_last` snapshots of each branch stay. Shards of what is
        forgotten cannot be read any more.
        """
        return expire(self.iceberg, older_than=older_than, keep_last=keep_last)

    def orphans(self, *, grace: timedelta = GRACE) -> list[OrphanFile]:
        """Return files that nothing leads to and that are older than `grace`: killed writers'."""
        return orphans(self.iceberg, grace=grace)

    def clean(self, *, grace: timedelta = GRACE) -> list[OrphanFile]:
        """Delete what `orphans` lists, and return it."""
        return clean_orphans(self.iceberg, grace=grace)

    def _write(self, data: object, mode: Mode, branch: str | None, on: Sequence[str] = ()) -> int:
        with self.writer(branch=branch) as writer:
            writer.write(data)
        return self.commit(writer.result, mode=mode, on=on)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        # By name: what is pickled shows the table as it is where and when it is opened again.
        return self._opened.reopening()

    def __repr__(self) -> str:
        where = f" of catalog {self.catalog}" if self.catalog else ""
        hive = self._opened.kind == "hive"
        version = "Hive's, read-only" if hive else f"snapshot {self.snapshot}"
        return f"<Table {self.name}{where}, {version}>"


def _as_catalog(catalog: str | Catalog | None) -> Catalog:
    if catalog is None or isinstance(catalog, str):
        return open_catalog(catalog)
    from pyiceberg.catalog import Catalog

    check_kind("catalog", catalog, Catalog, hint="give a name, or a catalog of pyiceberg")
    return catalog
