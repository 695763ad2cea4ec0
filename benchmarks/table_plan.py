"""Planning a scan beside pyiceberg's own plan: without a filter, by partition, and by a column.

Both open the same table and say which files must be read, in turn and in one process, warmed by a
round that is not counted. The tables have no data files, only manifests: of files in 96 partitions
with statistics of 8 columns, 10,000 a manifest. What counts is CPU seconds.

    python benchmarks/table_plan.py [--rounds 5] [--files 10000 100000]
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from typing import Any, Final

PARTITIONS: Final = 96
COLUMNS: Final = 8
PER_MANIFEST: Final = 10_000
ROWS: Final = 1000

FILTERS: Final = {
    "no filter": None,
    "one partition of 96": "p = 7",
    "half of the partitions": "p >= 48",
    "one file in 100, by a column": f"c2 < {ROWS * PER_MANIFEST // 100}",
}


def make_table(name: str, files: int) -> None:
    """Create a table in flowkit's embedded catalog, and list files in it that are not there."""
    import pyarrow as pa

    from flowkit import Table

    fields = [("p", pa.int64()), *((f"c{at}", pa.int64()) for at in range(2, COLUMNS + 1))]
    table = Table.create(name, pa.schema(fields), partition=["p"])
    for start in range(0, files, PER_MANIFEST):
        with table.iceberg.transaction() as change, change.update_snapshot().fast_append() as added:
            for at in range(start, min(files, start + PER_MANIFEST)):
                added.append_data_file(data_file(at))


def data_file(at: int) -> Any:
    """Return the entry of a file: each has rows of its own range in every column but the first."""
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record

    partition = at % PARTITIONS
    numbers = range(1, COLUMNS + 1)
    first = at % PER_MANIFEST * ROWS
    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=f"s3://lake/shop/orders/data/p={partition}/{random.getrandbits(128):032x}.parquet",
        file_format=FileFormat.PARQUET,
        partition=Record(partition),
        record_count=ROWS,
        file_size_in_bytes=8_000_000 + at,
        column_sizes={number: 1_000_000 + at * number for number in numbers},
        value_counts=dict.fromkeys(numbers, ROWS),
        null_value_counts=dict.fromkeys(numbers, 0),
        nan_value_counts={},
        lower_bounds=bounds(partition, first),
        upper_bounds=bounds(partition, first + ROWS - 1),
        key_metadata=None,
        split_offsets=[4, 4_000_000 + at],
        equality_ids=None,
        sort_order_id=0,
    )
    file.spec_id = 1
    return file


def bounds(partition: int, value: int) -> dict[int, bytes]:
    """Return bounds of all columns."""
    return {
        number: struct.pack("<q", partition if number == 1 else value)
        for number in range(1, COLUMNS + 1)
    }


def plan_with_flowkit(name: str, where: str | None) -> list[str]:
    """Return the paths that flowkit plans to read."""
    from flowkit import Table

    return [one.file.file_path for one in Table(name).scan(where=where).plan().files]


def plan_with_pyiceberg(name: str, where: str | None) -> list[str]:
    """Return the paths that pyiceberg plans to read."""
    from flowkit.table import open_catalog

    scan = open_catalog().load_table(name).scan(row_filter=where or "true")
    return [task.file.file_path for task in scan.plan_files()]


PLANNERS: Final[dict[str, Callable[[str, str | None], list[str]]]] = {
    "flowkit": plan_with_flowkit,
    "pyiceberg": plan_with_pyiceberg,
}


def compare(name: str, files: int, title: str, where: str | None, rounds: int) -> None:
    """Plan with both, in turn, and print the medians and their ratio."""
    cpu_s: dict[str, list[float]] = {planner: [] for planner in PLANNERS}
    found: dict[str, list[str]] = {}
    for turn in range(rounds + 1):
        for planner, plan in PLANNERS.items():
            began = time.process_time()
            found[planner] = plan(name, where)
            if turn:
                cpu_s[planner].append(time.process_time() - began)
    if found["flowkit"] != found["pyiceberg"]:
        raise SystemExit(f"{title}: the plans differ")
    ours, theirs = (statistics.median(cpu_s[planner]) for planner in PLANNERS)
    print(
        f"{files:>9,}  {title:30}{len(found['flowkit']):>9,}{ours:>10.3f}{theirs:>11.3f}"
        f"{theirs / ours:>7.0f}x   {min(cpu_s['flowkit']):.3f} to {max(cpu_s['flowkit']):.3f}"
    )


def main() -> None:
    """Make tables of so many files each, and compare both on each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(
        f"{'files':>9}  {'':30}{'planned':>9}{'flowkit':>10}{'pyiceberg':>11}{'ratio':>8}", end=""
    )
    print("   flowkit, lowest to highest (CPU s)")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWKIT_HOME"] = os.environ["PYICEBERG_HOME"] = folder
        for files in options.files:
            name = f"bench.files_{files}"
            make_table(name, files)
            for title, where in FILTERS.items():
                compare(name, files, title, where, options.rounds)


if __name__ == "__main__":
    main()
