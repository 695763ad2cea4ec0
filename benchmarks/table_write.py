"""Writing an Iceberg table beside pyiceberg's own append: a plain one, and one of 96 partitions.

Both write the same Arrow table into tables of their own, in turn, each in a process of its own,
and what was written is counted back. What counts is CPU seconds; wall time depends on what else
the machine does. Making the data is not counted.

    python benchmarks/table_write.py [--rounds 3] [--rows 4000000]
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from _measuring import (
    Measured,
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
MEMORY_BYTES = 512 << 20


def make_data(rows: int) -> Any:
    """Return an Arrow table as flows write them: keys, numbers, times and words."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(0)
    words = pa.array([f"name {number}" for number in range(5000)])
    return pa.table(
        {
            "p": random.integers(0, PARTITIONS, rows),
            "id": np.arange(rows),
            "x": random.random(rows),
            "count": random.integers(0, 1000, rows),
            "code": random.integers(0, 10**9, rows).astype(np.int32),
            "at": pa.array(random.integers(0, 10**15, rows), pa.timestamp("us")),
            "name": words.take(pa.array(random.integers(0, len(words), rows))),
        }
    )


def write_once(writer: str, folder: Path, rows: int, *, partitioned: bool) -> None:
    """Write the table with one of the two, in this process, and report it."""
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.transforms import IdentityTransform

    from flowkit.table.committing import commit_files
    from flowkit.table.writing import open_writer

    catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")
    catalog.create_namespace("n")
    data = make_data(rows)
    table = catalog.create_table("n.t", data.schema)
    if partitioned:
        with table.update_spec() as update:
            update.add_field("p", IdentityTransform(), "p")

    def by_flowkit() -> None:
        with open_writer(table, memory_bytes=MEMORY_BYTES) as opened:
            opened.write(data)
        commit_files(table, [opened.result])

    taken, _ = measure(by_flowkit if writer == "flowkit" else lambda: table.append(data))
    if table.scan().count() != rows:
        sys.exit(f"{writer} lost rows")
    report(taken, disk_bytes=sum(path.stat().st_size for path in folder.glob("w/**/*.parquet")))


def write_in_child(writer: str, rows: int, kind: str) -> Measured:
    """Write the table in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return run_child(__file__, writer, folder, rows, kind)


def main() -> None:
    """Compare both on a plain table, and on a partitioned one."""
    if words := child_words():
        writer, folder, rows, kind = words
        write_once(writer, Path(folder), int(rows), partitioned=kind != "no partitions")
        return
    parser = new_parser(__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    options = parser.parse_args()
    print_heading()
    for kind in ("no partitions", f"{PARTITIONS} partitions"):
        sides = {
            writer: partial(write_in_child, writer, options.rows, kind)
            for writer in ("flowkit", "pyiceberg")
        }
        print_table(
            f"{options.rows / 1e6:g} M rows, {kind}",
            alternate(sides, options.rounds),
            columns={"on disk, MB": lambda one: one.facts["disk_bytes"] / 1e6},
        )


if __name__ == "__main__":
    main()
