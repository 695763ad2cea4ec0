"""Decoding Parquet files to Arrow: pyarrow by its allocators beside Polars, by kind of column.

The files are those of `table_scan.py`. Each way decodes all of them in turn, on as many threads
as there are cores, each time in a process of its own. Polars is measured with and without turning
its text views into the text that Arrow libraries share: who asks for Arrow pays for both.

    python benchmarks/table_decoding.py [--rounds 3] [--rows 12000000]
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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from table_scan import make_table

WAYS = ("jemalloc", "mimalloc", "system", "polars", "polars to arrow")
KINDS = {
    "numbers": ("p", "id", "x", "y", "count", "code", "at"),
    "repeated text": ("name",),
    "distinct text": ("note",),
}


def decoder(way: str, columns: Sequence[str]) -> Callable[[str], Any]:
    """Return what decodes one file, with all that it imports loaded."""
    if way.startswith("polars"):
        import polars

        oldest = polars.CompatLevel.oldest()

        def by_polars(path: str) -> Any:
            frame = polars.read_parquet(path, columns=list(columns), glob=False)
            return frame.to_arrow(compat_level=oldest) if way == "polars to arrow" else frame

        return by_polars
    import pyarrow
    import pyarrow.parquet

    pyarrow.set_memory_pool(getattr(pyarrow, f"{way}_memory_pool")())

    def by_pyarrow(path: str) -> Any:
        file = pyarrow.parquet.ParquetFile(path, memory_map=True)
        return file.read(columns=list(columns), use_threads=False)

    return by_pyarrow


def decode_once(way: str, kind: str, folder: Path) -> float:
    """Decode all files in this process, and return the CPU seconds."""
    decode = decoder(way, KINDS[kind])
    paths = sorted(str(path) for path in folder.glob("w/**/*.parquet"))
    decode(paths[0])
    before = resource.getrusage(resource.RUSAGE_SELF)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        kept = list(pool.map(decode, paths))
    after = resource.getrusage(resource.RUSAGE_SELF)
    if len(kept) != len(paths):
        sys.exit(f"{way} lost files")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(way: str, kind: str, folder: Path) -> float:
    """Decode all files in a process of its own."""
    root = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, __file__, "--child", way, kind, str(folder)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{way} failed:\n{done.stdout}\n{done.stderr}")
    return float(done.stdout)


def main() -> None:
    """Compare the ways on each kind of columns."""
    if sys.argv[1:2] == ["--child"]:
        way, kind, folder = sys.argv[2:]
        print(decode_once(way, kind, Path(folder)))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=12_000_000)
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        make_table(Path(folder), options.rows)
        for kind in KINDS:
            results: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(options.rounds):
                for way, runs in results.items():
                    runs.append(measure(way, kind, Path(folder)))
            print(f"\n{kind} ({options.rounds} rounds, alternating)")
            least = statistics.median(results["jemalloc"])
            for way, runs in results.items():
                median = statistics.median(runs)
                print(f"{way:16}{median:7.2f} CPU s, {median / least:.2f} of jemalloc's", end="")
                print(f" ({min(runs):.2f} to {max(runs):.2f})")


if __name__ == "__main__":
    main()
