"""Iceberg tables as `Table` and `Scan` ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from flowkit.table.conditions import Condition
from flowkit.table.files import Files, TableKind
from flowkit.table.loading import refresh_table
from flowkit.table.planned import IcebergPlan
from flowkit.table.planning import plan
from flowkit.table.schemas import partition_terms
from flowkit.table.snapshots import Version, find_version
from flowkit.table.targets import Target, target_of

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as IcebergTable


class IcebergSource:
    """One version of an Iceberg table."""

    def __init__(self, table: IcebergTable, version: Version, *, name: str, catalog: str) -> None:
        self._table, self._version = table, version
        self.name, self.catalog = name, catalog
        self.files = Files(name, catalog, self.snapshot, io=table.io)

    @property
    def snapshot(self) -> int | None:
        """The id of the snapshot; None if there is none."""
        found = self._version.snapshot
        return None if found is None else found.snapshot_id

    @property
    def schema(self) -> Schema:
        """The columns, numbered."""
        return self._version.schema

    def target(self, columns: Sequence[str] | None, condition: Condition | None) -> Target:
        """Describe the columns of a scan. Raises UnknownColumn, UnsupportedTable."""
        return target_of(self.schema, columns, condition, self._table.metadata, table=self.name)

    def plan(self, where: BooleanExpression) -> IcebergPlan:
        """Return the files that may hold rows which pass.

        Raises:
            UnsupportedTable: a file that matters cannot be read.
            ManifestDamaged: a manifest cannot be decoded.
        """
        snapshot = self._version.snapshot
        if snapshot is None:
            return IcebergPlan()
        return plan(
            self._table.metadata,
            snapshot,
            self.schema,
            where,
            table=self.name,
            files=self.files,
        )


class OpenedIceberg:
    """An Iceberg table of a catalog."""

    kind: TableKind = "iceberg"

    def __init__(self, catalog: Catalog, table: IcebergTable) -> None:
        self._catalog, self.iceberg = catalog, table

    @property
    def name(self) -> str:
        """What the table is called."""
        return ".".join(self.iceberg.name())

    @property
    def catalog(self) -> str:
        """The name of the catalog."""
        return self._catalog.name

    @property
    def schema(self) -> Schema:
        """The columns, numbered."""
        return self.iceberg.schema()

    @property
    def partition(self) -> list[str]:
        """How it is partitioned, as `Table.create` takes it."""
        return partition_terms(self.iceberg.spec(), self.schema)

    @property
    def location(self) -> str:
        """The folder of its files."""
        return self.iceberg.location()

    @property
    def snapshot(self) -> int | None:
        """The id of the snapshot; None if there is none."""
        found = self.iceberg.metadata.current_snapshot()
        return None if found is None else found.snapshot_id

    def refresh(self) -> None:
        """Look what others have committed since. Raises UnknownTable, CatalogError."""
        refresh_table(self.iceberg)

    def source(
        self,
        *,
        snapshot: int | None,
        as_of: datetime | date | str | None,
        branch: str | None,
    ) -> IcebergSource:
        """Return the version that is meant. Raises UnknownSnapshot."""
        version = find_version(
            self.iceberg.metadata,
            table=self.name,
            snapshot=snapshot,
            as_of=as_of,
            branch=branch,
        )
        return IcebergSource(self.iceberg, version, name=self.name, catalog=self.catalog)

    def reopening(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return a function, and its arguments, that opens the table in another process."""
        return reopen, (self.name, self.catalog)


def reopen(name: str, catalog: str) -> Any:
    """Open a table that has been pickled by its name."""
    # A table's face opens tables, so it is imported only when one is unpickled.
    from flowkit.table.table import Table

    return Table(name, catalog=catalog)
