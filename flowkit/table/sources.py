"""What a table must say of itself to be scanned, whatever its format: the seam under `Scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from flowkit.table.conditions import Condition
from flowkit.table.files import Files, TableKind
from flowkit.table.formats import FileFormat
from flowkit.table.shards import FilePart
from flowkit.table.targets import Target

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as IcebergTable


class Plan(Protocol):
    """The files that a scan must read."""

    def __len__(self) -> int:
        """Return the number of files."""
        ...

    @property
    def files(self) -> Sequence[Any]:
        """The files, as the table describes them."""
        ...

    @property
    def rows(self) -> int | None:
        """Rows in these files, before any is left out; None if they must be opened to know."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes of these files."""
        ...

    @property
    def formats(self) -> tuple[FileFormat, ...]:
        """What the formats of parts are, where files are not Parquet."""
        ...

    def parts(self) -> tuple[FilePart, ...]:
        """Return the files as shards have them, each whole."""
        ...

    def split_offsets(self, at: int) -> Sequence[int]:
        """Say where the row groups of a file begin, in bytes; nothing where nobody knows."""
        ...


class Source(Protocol):
    """One version of a table. What it answers never changes."""

    @property
    def name(self) -> str:
        """What the table is called."""
        ...

    @property
    def catalog(self) -> str:
        """The name of the catalog."""
        ...

    @property
    def snapshot(self) -> int | None:
        """The id of the snapshot; None if there is none."""
        ...

    @property
    def schema(self) -> Schema:
        """The columns, numbered."""
        ...

    @property
    def files(self) -> Files:
        """Opens its files."""
        ...

    def target(self, columns: Sequence[str] | None, condition: Condition | None) -> Target:
        """Describe the columns of a scan. Raises UnknownColumn, UnsupportedTable."""
        ...

    def plan(self, where: BooleanExpression) -> Plan:
        """Return the files that may hold rows which pass. Raises UnsupportedTable."""
        ...


class OpenedTable(Protocol):
    """A table as its catalog has it, at the time when it was opened or last refreshed."""

    @property
    def kind(self) -> TableKind:
        """Whose format it has."""
        ...

    @property
    def name(self) -> str:
        """What the table is called."""
        ...

    @property
    def catalog(self) -> str:
        """The name of the catalog."""
        ...

    @property
    def schema(self) -> Schema:
        """The columns, numbered."""
        ...

    @property
    def partition(self) -> list[str]:
        """How it is partitioned, as `Table.create` takes it."""
        ...

    @property
    def location(self) -> str:
        """The folder of its files."""
        ...

    @property
    def snapshot(self) -> int | None:
        """The id of the snapshot; None if there is none."""
        ...

    @property
    def iceberg(self) -> IcebergTable:
        """Pyiceberg's table. Raises ReadOnlyTable if it is none of Iceberg's."""
        ...

    def refresh(self) -> None:
        """Look what has changed since. Raises CatalogError."""
        ...

    def source(
        self,
        *,
        snapshot: int | None,
        as_of: datetime | date | str | None,
        branch: str | None,
    ) -> Source:
        """Return the version that is meant. Raises UnknownSnapshot."""
        ...

    def reopening(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return a function, and its arguments, that opens the table in another process."""
        ...
