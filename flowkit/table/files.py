"""Where the files of tables are: on this machine, or behind a store that a catalog knows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from flowkit.settings import read_settings
from flowkit.table.errors import DataFileMissing, SnapshotExpired, UnknownTable

if TYPE_CHECKING:
    from pyiceberg.io import FileIO

TableKind: TypeAlias = Literal["iceberg", "hive"]


def local_path(location: str) -> str | None:
    """Return the path of a file on this machine, or None if it is elsewhere."""
    if location.startswith("/"):
        return location
    if location.startswith("file:"):
        # As pyiceberg has it: what follows is a path as it is, nothing is escaped in it.
        return "/" + location.removeprefix("file:").lstrip("/")
    return None


class Files:
    """Opens the files of one table; elsewhere with the credentials of its catalog.

    `io` is pyiceberg's access to files; left out, it is made when a file elsewhere is asked for.
    """

    def __init__(
        self,
        table: str,
        catalog: str,
        snapshot: int | None,
        io: FileIO | None = None,
        *,
        kind: TableKind = "iceberg",
    ) -> None:
        self.table, self.snapshot, self.kind = table, snapshot, kind
        self._catalog, self._io = catalog, io

    def open(self, location: str) -> Any:
        """Return a path, or a file to read from.

        Raises:
            DataFileMissing: there is no such file, though the snapshot is there.
            SnapshotExpired: there is none, because the snapshot has been expired.
        """
        path = local_path(location)
        if path is not None:
            return path
        try:
            return self.remote(location).new_input(location).open()
        except FileNotFoundError as error:
            raise self.missing(location) from error

    def are_local(self, locations: Iterable[str]) -> bool:
        """Say whether all of these files are on this machine."""
        return all(local_path(one) is not None for one in locations)

    def missing(self, location: str) -> DataFileMissing | SnapshotExpired:
        """Say why a file is not there."""
        if self.kind == "hive":
            return DataFileMissing(location, table=self.table, snapshot=None)
        if self.snapshot is None or self._is_expired(self.snapshot):
            return SnapshotExpired(table=self.table, snapshot=self.snapshot)
        return DataFileMissing(location, table=self.table, snapshot=self.snapshot)

    def read(self, location: str) -> bytes:
        """Return all bytes of a file. Raises what `open` raises."""
        source = self.open(location)
        try:
            if isinstance(source, str):
                with open(source, "rb") as file:
                    return file.read()
            with source:
                return bytes(source.read())
        except FileNotFoundError as error:
            raise self.missing(location) from error

    def remote(self, location: str) -> FileIO:
        """Return access to files that are not on this machine, such as the one at `location`."""
        if self._io is None:
            from pyiceberg.io import load_file_io

            from flowkit.table.catalogs import answering, open_catalog

            if self.kind == "hive":
                # A folder is in no catalog, and a metastore lends no credentials.
                named = dict(open_catalog(self._catalog).properties) if self._catalog else {}
                self._io = load_file_io({**_from_environment(location), **named}, location)
                return self._io
            catalog = open_catalog(self._catalog)
            if type(catalog).__name__ == "RestCatalog":
                # It may lend credentials for the files of one table.
                with answering(catalog):
                    self._io = catalog.load_table(self.table).io
            else:
                self._io = load_file_io(dict(catalog.properties), location)
        return self._io

    def _is_expired(self, snapshot: int) -> bool:
        from flowkit.table.catalogs import open_catalog
        from flowkit.table.loading import load_table

        try:
            table = load_table(open_catalog(self._catalog), self.table)
        except UnknownTable:
            return True
        return table.snapshot_by_id(snapshot) is None


def _from_environment(location: str) -> dict[str, str]:
    """Return properties of pyiceberg for access to S3 as `flowkit.S3` has it."""
    if not location.startswith(("s3:", "s3a:", "s3n:")):
        return {}
    from flowkit.s3 import find_options

    options = find_options(read_settings(Path.cwd(), {}).settings.s3_endpoint)
    return {f"s3.{name.replace('_', '-')}": value for name, value in options.items()}
