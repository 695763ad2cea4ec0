"""Reading an Iceberg table into memory beside pyiceberg and Polars, whole and in part.

One table of 288 files in 96 partitions is written once. Then each reader reads it in turn, each
time in a process of its own: all of it, two columns, one partition in twelve, a range of a sorted
column, and as a stream of batches. Counted is the CPU time from the loaded table to the rows in
memory, after a read that matches nothing has imported what is needed; pyiceberg and flowkit end
with Arrow tables, Polars with its own frame. Memory is what the process grew by.

    python benchmarks/table_scan.py [--rounds 3] [--rows 24000000]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from _measuring import (
    alternate,
    child_words,
    measure,
    new_parser,
    print_heading,
    print_table,
    report,
    run_child,
)

PARTITIONS = 96
FILES_EACH = 3
STREAM_BYTES = 256 << 20
READERS = ("flowkit", "pyiceberg", "polars")
KINDS = ("full", "two columns", "partitions", "range", "stream")


def make_slice(number: int, rows: int) -> Any:
    """Return the rows of one file, about 100 bytes each in Arrow."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(number)
    words = pa.array([f"name {word}" for word in range(5000)])
    notes = random.integers(0, 10**9, rows).astype(str)
    return pa.table(
        {
            "p": np.full(rows, number // FILES_EACH),
            "id": np.arange(number * rows, (number + 1) * rows),
            "x": random.random(rows),
            "y": random.random(rows),
            "count": random.integers(0, 1000, rows),
            "code": random.integers(0, 10**6, rows).astype(np.int32),
            "at": pa.array(random.integers(0, 10**15, rows), pa.timestamp("us")),
            "name": words.take(pa.array(random.integers(0, len(words), rows))),
            "note": pa.array(np.char.add("order ", notes)),
        }
    )


def open_table(folder: Path) -> Any:
    """Return pyiceberg's table."""
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")
    return catalog.load_table("n.t")


def make_table(folder: Path, rows: int) -> int:
    """Write the table, and return the bytes that its rows take in Arrow."""
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.transforms import IdentityTransform

    from flowkit.table.committing import commit_files
    from flowkit.table.writing import open_writer

    catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")
    catalog.create_namespace("n")
    each = rows // (PARTITIONS * FILES_EACH)
    table = catalog.create_table("n.t", make_slice(0, 1).schema)
    with table.update_spec() as update:
        update.add_field("p", IdentityTransform(), "p")
    parts, size_bytes = [], 0
    for number in range(PARTITIONS * FILES_EACH):
        data = make_slice(number, each)
        size_bytes += data.nbytes
        with open_writer(table, memory_bytes=256 << 20) as writer:
            writer.write(data)
        parts.append(writer.result)
    commit_files(table, parts)
    return size_bytes


def selection(kind: str, rows: int) -> tuple[str | None, tuple[str, ...] | None]:
    """Return the filter and the columns of a kind of read."""
    each = rows // (PARTITIONS * FILES_EACH)
    if kind == "two columns":
        return None, ("id", "x")
    if kind == "partitions":
        return f"p < {PARTITIONS // 12}", None
    if kind == "nothing":
        return "p < 0", None
    if kind == "range":
        return f"id >= {each // 2} and id < {each * 3}", None
    return None, None


def readers(table: Any, kind: str, rows: int) -> dict[str, Callable[[], Any]]:
    """Return what each reader does."""
    where, columns = selection(kind, rows)

    def by_pyiceberg() -> Any:
        fields = columns or ("*",)
        found = table.scan(selected_fields=fields, **({"row_filter": where} if where else {}))
        if kind == "stream":
            return sum(len(batch) for batch in found.to_arrow_batch_reader())
        return len(found.to_arrow())

    def by_flowkit() -> Any:
        from flowkit import Table

        scan = Table("n.t", catalog=table.catalog).scan(where=where, columns=columns)
        if kind == "stream":
            return sum(len(batch) for batch in scan.batches(memory=STREAM_BYTES))
        return len(scan.to_arrow())

    def by_polars() -> Any:
        import polars

        frame = polars.scan_iceberg(table)
        if where:
            frame = frame.filter(polars.sql_expr(where))
        if columns:
            frame = frame.select(columns)
        if kind == "stream":
            return sum(len(batch) for batch in frame.collect_batches())
        return len(frame.collect())

    return {"flowkit": by_flowkit, "pyiceberg": by_pyiceberg, "polars": by_polars}


def read_once(reader: str, folder: Path, kind: str, rows: int) -> None:
    """Read with one of them, in this process, and report it."""
    table = open_table(folder)
    readers(table, "nothing", rows)[reader]()
    taken, found = measure(readers(table, kind, rows)[reader])
    report(taken, rows=found)


def compare(folder: Path, kind: str, rounds: int, rows: int) -> None:
    """Read with all, in turn, and print the medians and their ratios."""
    sides = {reader: partial(run_child, __file__, reader, folder, kind, rows) for reader in READERS}
    results = alternate(sides, rounds)
    counts = {run.facts["rows"] for runs in results.values() for run in runs}
    if len(counts) != 1:
        sys.exit(f"the readers found different rows: {counts}")
    print_table(f"{kind}: {counts.pop():,} rows", results)


def main() -> None:
    """Compare the readers on each kind of read."""
    if words := child_words():
        reader, folder, kind, rows = words
        read_once(reader, Path(folder), kind, int(rows))
        return
    parser = new_parser(__doc__)
    parser.add_argument("--rows", type=int, default=24_000_000)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    print_heading()
    with tempfile.TemporaryDirectory() as folder:
        size_bytes = make_table(Path(folder), options.rows)
        print(f"{options.rows:,} rows in {PARTITIONS * FILES_EACH} files: ", end="")
        print(f"{size_bytes / 1e6:.0f} MB of Arrow data")
        for kind in options.kinds:
            compare(Path(folder), kind, options.rounds, options.rows)


if __name__ == "__main__":
    main()
