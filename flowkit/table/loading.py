"""Loading a table by name, with errors that say what is there instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowkit.errors import StoreError, UsageError
from flowkit.table.arguments import check_kind
from flowkit.table.catalogs import answering, list_tables
from flowkit.table.errors import TableReplaced, UnknownTable

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
    check_name(name)
    with existing(catalog, name), answering(catalog):
        return catalog.load_table(name)


def refresh_table(table: IcebergTable) -> None:
    """Bring a table to its newest metadata.

    Raises:
        UnknownTable: it has been dropped since it was loaded.
        TableReplaced: and another one was made under its name.
        CatalogError: the catalog does not answer.
    """
    name = ".".join(table.name())
    try:
        with existing(table.catalog, name), answering(table.catalog):
            table.refresh()
    except ValueError as error:
        # pyiceberg has no class for it.
        if "UUID does not match" not in str(error):
            raise
        raise TableReplaced(name, catalog=table.catalog.name) from error


@contextmanager
def existing(catalog: Catalog, name: str) -> Iterator[None]:
    """Turn what pyiceberg raises for a table that is not there into an error that says so.

    A table that has been loaded may have been dropped since.

    Raises:
        UnknownTable: the catalog has no table of this name.
        UsageError: the catalog has it, but its metadata is gone.
        StoreError: where its metadata is cannot be reached.
    """
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

    try:
        yield
    except (NoSuchTableError, NoSuchNamespaceError) as error:
        raise UnknownTable(name, catalog=catalog.name, known=list_tables(catalog)) from error
    except FileNotFoundError as error:
        raise UsageError(
            f"catalog `{catalog.name}` has table `{name}`, but its metadata is gone: {error}",
            hint="drop the table from the catalog, or restore the file",
        ) from error
    except OSError as error:
        raise StoreError(
            f"the metadata of table `{name}` of catalog `{catalog.name}` cannot be read or "
            f"written: {' '.join(str(error).split())}",
            hint="does its store answer, and may you use it? `[catalogs."
            f"{catalog.name}]` and AWS's variables say where it is",
        ) from error


def check_name(name: str) -> tuple[str, ...]:
    """Return a table's name in parts: its namespace, and its own name. Raises UsageError."""
    check_kind("the name of a table", name, str, hint="write `Table('namespace.name')`")
    parts = tuple(name.split("."))
    if len(parts) < 2 or not all(parts):
        raise UsageError(
            f"`{name}` does not name a table: it has no namespace",
            hint=f"write `Table('namespace.{name.strip('.') or 'name'}')`",
        )
    return parts
