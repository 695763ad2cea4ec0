"""Writing an Iceberg table beside pyiceberg's own append: a plain one, and one of 96 partitions.

Both write the same Arrow table into tables of their own, in turn, each in a process of its own,
and what was written is counted back. What counts is CPU seconds; wall time depends on what else
the machine does. Making the data is not counted.

    python benchmarks/table_write.py [--rounds 3] [--rows 4000000]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARTITIONS = 96
MEMORY_BYTES = 512 << 20


@dataclass(frozen=True)
class Measured:
    """One write: CPU seconds, wall seconds, memory above that of the data, and bytes on disk."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    disk_bytes: int


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


def write_once(writer: str, folder: Path, rows: int, *, partitioned: bool) -> Measured:
    """Write the table with one of the two, in this process."""
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
    before_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began, began_cpu = time.perf_counter(), time.process_time()
    if writer == "flowkit":
        with open_writer(table, memory_bytes=MEMORY_BYTES) as opened:
            opened.write(data)
        commit_files(table, [opened.result])
    else:
        table.append(data)
    cpu_s, wall_s = time.process_time() - began_cpu, time.perf_counter() - began
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if table.scan().count() != rows:
        sys.exit(f"{writer} lost rows")
    sizes = (path.stat().st_size for path in folder.glob("w/**/*.parquet"))
    return Measured(cpu_s, wall_s, peak_bytes - before_bytes, sum(sizes))


def measure(writer: str, rows: int, *, partitioned: bool) -> Measured:
    """Write the table in a process of its own."""
    root = str(Path(__file__).parent.parent)
    with tempfile.TemporaryDirectory() as folder:
        words = ["--child", writer, folder, str(rows), "partitioned" if partitioned else "plain"]
        done = subprocess.run(
            [sys.executable, __file__, *words],
            env={**os.environ, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{writer} failed:\n{done.stdout}\n{done.stderr}")
    cpu_s, wall_s, memory_bytes, disk_bytes = done.stdout.split()
    return Measured(float(cpu_s), float(wall_s), int(memory_bytes), int(disk_bytes))


def compare(title: str, rounds: int, rows: int, *, partitioned: bool) -> None:
    """Write with both, in turn, and print the medians and their ratio."""
    results: dict[str, list[Measured]] = {"flowkit": [], "pyiceberg": []}
    for _ in range(rounds):
        for writer, runs in results.items():
            runs.append(measure(writer, rows, partitioned=partitioned))
    print(f"\n{title} ({rounds} rounds, alternating)")
    print(f"{'':10}{'CPU s, median':>15}{'lowest':>9}{'highest':>9}{'wall s':>9}", end="")
    print(f"{'memory, MB':>12}{'on disk, MB':>13}")
    medians = {}
    for writer, runs in results.items():
        cpu = [one.cpu_s for one in runs]
        medians[writer] = statistics.median(cpu)
        wall_s = statistics.median(one.wall_s for one in runs)
        memory = statistics.median(one.memory_bytes for one in runs) / 1e6
        disk = runs[0].disk_bytes / 1e6
        print(f"{writer:10}{medians[writer]:15.2f}{min(cpu):9.2f}{max(cpu):9.2f}", end="")
        print(f"{wall_s:9.2f}{memory:12.0f}{disk:13.0f}")
    print(
        f"flowkit uses {medians['flowkit'] / medians['pyiceberg']:.2f} of pyiceberg's CPU seconds"
    )


def main() -> None:
    """Compare both on a plain table, and on a partitioned one."""
    if sys.argv[1:2] == ["--child"]:
        writer, folder, rows, kind = sys.argv[2:]
        one = write_once(writer, Path(folder), int(rows), partitioned=kind == "partitioned")
        print(one.cpu_s, one.wall_s, one.memory_bytes, one.disk_bytes)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4_000_000)
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    millions = options.rows / 1e6
    compare(f"{millions:g} M rows, no partitions", options.rounds, options.rows, partitioned=False)
    compare(
        f"{millions:g} M rows, {PARTITIONS} partitions",
        options.rounds,
        options.rows,
        partitioned=True,
    )


if __name__ == "__main__":
    main()
