"""A Hive metastore for tests: the real protocol over a socket, with what it knows in memory.

It answers the calls that flowkit and pyiceberg make to find tables and their partitions. It is no
metastore of Hive: it keeps nothing, checks nothing and knows no locks. It takes `flowkit[hive]`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

StorageKind = Literal["parquet", "orc", "text", "csv", "json"]

_HIVE: Final = "org.apache.hadoop.hive"
_STORAGE: Final[dict[StorageKind, tuple[str, str]]] = {
    "parquet": (
        f"{_HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{_HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "orc": (f"{_HIVE}.ql.io.orc.OrcInputFormat", f"{_HIVE}.ql.io.orc.OrcSerde"),
    "text": ("org.apache.hadoop.mapred.TextInputFormat", f"{_HIVE}.serde2.lazy.LazySimpleSerDe"),
    "csv": ("org.apache.hadoop.mapred.TextInputFormat", f"{_HIVE}.serde2.OpenCSVSerde"),
    "json": ("org.apache.hadoop.mapred.TextInputFormat", "org.apache.hive.hcatalog.data.JsonSerDe"),
}
_DEFAULT_PARTITION: Final = "__HIVE_DEFAULT_PARTITION__"


@dataclass(slots=True)
class _Known:
    table: Any
    partitions: dict[str, Any] = field(default_factory=dict)


class HiveMetastore:
    """What a metastore knows, and the address where it answers."""

    def __init__(self) -> None:
        self.uri = ""
        self.asked: list[tuple[str, ...]] = []
        """Names of partitions that clients have asked about, call by call."""
        self._databases: dict[str, dict[str, _Known]] = {}

    def add_table(
        self,
        name: str,
        columns: Mapping[str, str],
        *,
        location: str,
        keys: Mapping[str, str] | None = None,
        storage: StorageKind = "parquet",
        serde: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        table_type: str = "EXTERNAL_TABLE",
    ) -> None:
        """Make a table known.

        Args:
            name: its database and name, with a dot between.
            columns: columns of its files, with their types as Hive writes them.
            location: the folder of its files.
            keys: keys of its partitions, with their types.
            storage: how files are written.
            serde: parameters of the SerDe, such as `field.delim`.
            parameters: properties of the table.
            table_type: `EXTERNAL_TABLE`, `MANAGED_TABLE` or `VIRTUAL_VIEW`.
        """
        from hive_metastore.ttypes import Table

        database, _, own = name.partition(".")
        described = Table(
            tableName=own,
            dbName=database,
            sd=_storage(columns, location, storage, serde or {}),
            partitionKeys=_fields(keys or {}),
            parameters=dict(parameters or {}),
            tableType=table_type,
        )
        self._databases.setdefault(database, {})[own] = _Known(described)

    def add_partition(
        self,
        name: str,
        values: Sequence[str | None],
        *,
        location: str,
        columns: Mapping[str, str] | None = None,
        storage: StorageKind = "parquet",
        serde: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """Make a partition known, by the values of its keys as text; None is the default one.

        The rest is as for tables; columns are those of the table unless given.
        """
        from hive_metastore.ttypes import Partition

        known = self._known(*name.split("."))
        texts = [_DEFAULT_PARTITION if one is None else one for one in values]
        keys = [key.name for key in known.table.partitionKeys]
        storage_of = _storage(columns or {}, location, storage, serde or {})
        if columns is None:
            storage_of.cols = known.table.sd.cols
        known.partitions[
            "/".join(
                f"{key}={quote(text, safe=' ()[]{}!$&+,;<>|@')}"
                for key, text in zip(keys, texts, strict=True)
            )
        ] = Partition(
            values=texts,
            dbName=known.table.dbName,
            tableName=known.table.tableName,
            sd=storage_of,
            parameters=dict(parameters or {}),
        )

    # The calls of the protocol, by the names that it gives them.

    def get_all_databases(self) -> list[str]:
        """Name the databases."""
        return sorted(self._databases)

    def get_database(self, name: str) -> Any:
        """Describe a database."""
        from hive_metastore.ttypes import Database, NoSuchObjectException

        if name not in self._databases:
            raise NoSuchObjectException(f"there is no database {name}")
        return Database(name=name, parameters={})

    def create_database(self, database: Any) -> None:
        """Make a database."""
        from hive_metastore.ttypes import AlreadyExistsException

        if database.name in self._databases:
            raise AlreadyExistsException(database.name)
        self._databases[database.name] = {}

    def get_all_tables(self, db_name: str) -> list[str]:
        """Name the tables of a database."""
        return sorted(self._databases.get(db_name, {}))

    def get_table(self, dbname: str, tbl_name: str) -> Any:
        """Describe a table."""
        return self._known(dbname, tbl_name).table

    def create_table(self, tbl: Any) -> None:
        """Make a table, as pyiceberg does."""
        from hive_metastore.ttypes import AlreadyExistsException

        tables = self._databases.setdefault(tbl.dbName, {})
        if tbl.tableName in tables:
            raise AlreadyExistsException(tbl.tableName)
        tables[tbl.tableName] = _Known(tbl)

    def drop_table(self, dbname: str, name: str, deleteData: bool) -> None:  # noqa: N803
        """Forget a table; its files stay."""
        del deleteData
        self._known(dbname, name)
        del self._databases[dbname][name]

    def get_partition_names(self, db_name: str, tbl_name: str, max_parts: int) -> list[str]:
        """Name the partitions of a table."""
        names = sorted(self._known(db_name, tbl_name).partitions)
        return names if max_parts < 0 else names[:max_parts]

    def get_partitions_by_names(
        self, db_name: str, tbl_name: str, names: Sequence[str]
    ) -> list[Any]:
        """Describe partitions; those that are not there are left out."""
        self.asked.append(tuple(names))
        known = self._known(db_name, tbl_name).partitions
        return [known[name] for name in names if name in known]

    def _known(self, database: str, name: str) -> _Known:
        from hive_metastore.ttypes import NoSuchObjectException

        tables = self._databases.get(database, {})
        if name not in tables:
            raise NoSuchObjectException(f"{database}.{name} table not found")
        return tables[name]


@contextmanager
def open_hive_metastore() -> Iterator[HiveMetastore]:
    """Let a metastore answer at a free port of this machine, for a `with` block."""
    from hive_metastore.ThriftHiveMetastore import Processor
    from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
    from thrift.server.TServer import TThreadedServer
    from thrift.transport.TSocket import TServerSocket
    from thrift.transport.TTransport import TBufferedTransportFactory

    metastore = HiveMetastore()
    transport = TServerSocket("127.0.0.1", 0)
    server = TThreadedServer(
        Processor(metastore),
        transport,
        TBufferedTransportFactory(),
        TBinaryProtocolFactory(),
        daemon=True,
    )
    transport.listen()
    metastore.uri = f"thrift://127.0.0.1:{transport.handle.getsockname()[1]}"

    def answer() -> None:
        # The server's own loop cannot be ended.
        with suppress(OSError):
            while client := transport.accept():
                threading.Thread(target=server.handle, args=(client,), daemon=True).start()

    thread = threading.Thread(target=answer, name="hive-metastore")
    thread.start()
    try:
        yield metastore
    finally:
        with suppress(OSError):
            transport.handle.shutdown(socket.SHUT_RDWR)
        thread.join()
        transport.close()


def _fields(columns: Mapping[str, str]) -> list[Any]:
    from hive_metastore.ttypes import FieldSchema

    return [FieldSchema(name, kind, None) for name, kind in columns.items()]


def _storage(
    columns: Mapping[str, str], location: str, kind: StorageKind, serde: Mapping[str, str]
) -> Any:
    from hive_metastore.ttypes import SerDeInfo, StorageDescriptor

    input_format, library = _STORAGE[kind]
    return StorageDescriptor(
        cols=_fields(columns),
        location=location,
        inputFormat=input_format,
        serdeInfo=SerDeInfo(serializationLib=library, parameters=dict(serde)),
    )
