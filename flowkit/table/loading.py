"""Loading a table by name, with errors that say what is there instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.errors import UsageError
from flowkit.table.catalogs import answering, list_tables
from flowkit.table.errors import UnknownTable

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table as IcebergTable


def load_table(catalog: Catalog, name: str) -> IcebergTable:
    """Load a table's newest metadata.

    Raises:
        UsageError: the name has no namespace.
        UnknownTable: the catalog has none of this name; near names are suggested.
        CatalogError: the catalog does not answer.
    """
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

    check_name(name)
    try:
        with answering(catalog):
            return catalog.load_table(name)
    except (NoSuchTableError, NoSuchNamespaceError) as error:
        raise UnknownTable(name, catalog=catalog.name, known=list_tables(catalog)) from error
    except FileNotFoundError as error:
        raise UsageError(
            f"catalog `{catalog.name}` has table `{name}`, but its metadata is gone: {error}",
            hint="drop the table from the catalog, or restore the file",
        ) from error


def check_name(name: str) -> tuple[str, ...]:
    """Return a table's name in parts: its namespace, and its own name. Raises UsageError."""
    parts = tuple(name.split("."))
    if len(parts) < 2 or not all(parts):
        raise UsageError(
            f"`{name}` does not name a table: it has no namespace",
            hint=f"write `Table('namespace.{name.strip('.') or 'name'}')`",
        )
    return parts
