"""Decoding Parquet files to Arrow: pyarrow by its allocators beside Polars, by kind of column.

The files are those of `table_scan.py`. Each way decodes all of them in turn, on as many threads
as there are cores, each time in a process of its own. Polars is measured with and without turning
its text views into the text that Arrow libraries share: who asks for Arrow pays for both.

    python benchmarks/table_decoding.py [--rounds 3] [--rows 12000000]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def decode_once(way: str, kind: str, folder: Path) -> None:
    """Decode all files in this process, and report it."""
    decode = decoder(way, KINDS[kind])
    paths = sorted(str(path) for path in folder.glob("w/**/*.parquet"))
    decode(paths[0])

    def decode_all() -> int:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return len(list(pool.map(decode, paths)))

    taken, decoded = measure(decode_all)
    if decoded != len(paths):
        sys.exit(f"{way} lost files")
    report(taken)


def main() -> None:
    """Compare the ways on each kind of columns."""
    if words := child_words():
        way, kind, folder = words
        decode_once(way, kind, Path(folder))
        return
    parser = new_parser(__doc__)
    parser.add_argument("--rows", type=int, default=12_000_000)
    options = parser.parse_args()
    print_heading()
    with tempfile.TemporaryDirectory() as folder:
        make_table(Path(folder), options.rows)
        for kind in KINDS:
            sides = {way: partial(run_child, __file__, way, kind, folder) for way in WAYS}
            print_table(kind, alternate(sides, options.rounds))


if __name__ == "__main__":
    main()
