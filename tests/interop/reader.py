"""Reads Iceberg tables with one library, in the environment of that library: `reader.py daft`.

Each line of its input holds the place of a table's metadata, a tab, and the name of a file: it
writes the table there, as an Arrow IPC file, and answers with a line, `ok` or what went wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow


def by_duckdb() -> Callable[[str], Any]:
    import duckdb
    import duckdb_extension_avro
    import duckdb_extension_iceberg

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for package in (duckdb_extension_avro, duckdb_extension_iceberg):
        [extension] = Path(package.__file__).parent.rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{extension}'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET arrow_lossless_conversion = true")

    def read(metadata: str) -> Any:
        path = metadata.removeprefix("file://")
        return connection.execute(f"SELECT * FROM iceberg_scan('{path}')").fetch_arrow_table()

    return read


def by_polars() -> Callable[[str], Any]:
    import polars

    def read(metadata: str) -> Any:
        return polars.scan_iceberg(metadata, reader_override="native").collect().to_arrow()

    return read


def by_daft() -> Callable[[str], Any]:
    import daft
    from pyiceberg.table import StaticTable

    def read(metadata: str) -> Any:
        return daft.read_iceberg(StaticTable.from_metadata(metadata)).to_arrow()

    return read


READERS = {"duckdb": by_duckdb, "polars": by_polars, "daft": by_daft}


def main() -> None:
    """Answer requests until there are no more."""
    read = READERS[sys.argv[1]]()
    for line in sys.stdin:
        metadata, place = line.rstrip("\n").split("\t")
        try:
            table = read(metadata)
            with (
                pyarrow.OSFile(place, "wb") as sink,
                pyarrow.ipc.new_file(sink, table.schema) as out,
            ):
                out.write_table(table)
            answer = "ok"
        except Exception as error:
            answer = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
