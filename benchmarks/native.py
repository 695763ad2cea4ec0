"""The native core beside its peers: millions of rows, pairs or entries a core-second.

All run on one thread, in turn, in one go. What counts is CPU seconds of this process; the median
of the rounds is printed, and how far they are apart. Peers that are not installed are left out.

    python benchmarks/native.py [--rounds 5] [--only bucket]
"""

from __future__ import annotations

import argparse
import importlib
import platform
import random
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flowkit import native

ROWS = 4_000_000
PAIRS = 2_000_000
NAMES = 1_000
"""Distinct strings: few enough for a cache, so that kernels are measured and not memory."""
ENTRIES = 10_000


@dataclass(frozen=True)
class Contender:
    """One way to do a case's work: how many units it does at a call, and the call."""

    name: str
    units: int
    call: Callable[[], object]


def installed(name: str) -> ModuleType | None:
    """Import a peer, if it is there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def bucket(_folder: Path) -> Iterator[Contender]:
    """Iceberg buckets of 64-bit integers."""
    values = pa.array(np.random.default_rng(1).integers(-(2**62), 2**62, ROWS))
    yield Contender("flowkit", ROWS, lambda: native.bucket(values, 96))
    if core := installed("pyiceberg_core"):
        yield Contender("pyiceberg-core", ROWS, lambda: core.transform.bucket(values, 96))


def permutation(_folder: Path) -> Iterator[Contender]:
    """Rows sorted by one of 96 partitions."""
    codes = pa.array(np.random.default_rng(2).integers(0, 96, ROWS).astype(np.int32))
    yield Contender("flowkit", ROWS, lambda: native.partition_permutation(codes, 96))
    yield Contender("pyarrow", ROWS, lambda: pc.sort_indices(codes))


def write_manifest(folder: Path) -> Path:
    """Write a manifest of many entries, with bounds of ten columns, as pyiceberg writes it."""
    from pyiceberg import manifest, types
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.transforms import IdentityTransform
    from pyiceberg.typedef import Record

    columns = [types.NestedField(at, f"c{at}", types.LongType()) for at in range(1, 11)]
    spec = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "c1"))
    path = folder / "manifest.avro"
    output = PyArrowFileIO().new_output(str(path))
    with manifest.write_manifest(2, spec, Schema(*columns), output, 1, "deflate") as writer:
        for at in range(ENTRIES):
            counts = {column: at * 7 + column for column in range(1, 11)}
            bounds = {column: struct.pack("<q", at * column) for column in range(1, 11)}
            file = manifest.DataFile.from_args(
                content=manifest.DataFileContent.DATA,
                file_path=f"s3://lake/db/table/data/c1={at % 28}/{at:05}-9ae2f5.parquet",
                file_format=manifest.FileFormat.PARQUET,
                partition=Record(at % 28),
                record_count=83_000 + at,
                file_size_in_bytes=8_000_000 + at,
                column_sizes=counts,
                value_counts=counts,
                null_value_counts=counts,
                nan_value_counts={},
                lower_bounds=bounds,
                upper_bounds=bounds,
                split_offsets=[4],
            )
            writer.add(manifest.ManifestEntry.from_args(data_file=file))
    return path


def entries(folder: Path) -> Iterator[Contender]:
    """Entries of a manifest, with all they hold or with what a scan without a filter needs."""
    if installed("pyiceberg") is None:
        return
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.manifest import ManifestContent, ManifestFile

    path = write_manifest(folder)
    file = path.read_bytes()
    needed = ("status", "content", "file_path", "partition", "record_count")
    listed = ManifestFile.from_args(
        manifest_path=str(path),
        manifest_length=len(file),
        partition_spec_id=0,
        content=ManifestContent.DATA,
        sequence_number=1,
        added_snapshot_id=1,
    )
    yield Contender("flowkit, all", ENTRIES, lambda: native.read_manifest(file))
    yield Contender("flowkit, five columns", ENTRIES, lambda: native.read_manifest(file, needed))
    io = PyArrowFileIO()
    yield Contender("pyiceberg", ENTRIES, lambda: listed.fetch_manifest_entry(io))


def names() -> list[str]:
    """Return names of people, of 8 to 21 characters."""
    source = random.Random(3)
    first = ["james", "mary", "robert", "linda", "john", "jennifer", "michael", "elizabeth"]
    last = ["smith", "johnson", "williams", "brown", "garcia", "rodriguez", "lee", "hernandez"]
    return [
        f"{source.choice(first)} {source.choice('abcdefgh')} {source.choice(last)}"
        for _ in range(NAMES)
    ]


def similarity(kernel: str) -> Iterator[Contender]:
    """Pairs of names, by one similarity."""
    ascii_names = pa.array(names())
    accented = pa.array([name.replace("a", "ä").replace("o", "ö") for name in names()])
    rows = np.random.default_rng(4).integers(0, NAMES, (2, PAIRS)).astype(np.int32)
    left, right = pa.array(rows[0]), pa.array(rows[1])
    ours = getattr(native, kernel)
    yield Contender("flowkit, ASCII", PAIRS, lambda: ours(ascii_names, ascii_names, left, right))
    yield Contender("flowkit, Unicode", PAIRS, lambda: ours(accented, accented, left, right))
    if duckdb := installed("duckdb"):
        taken = pa.table({"a": ascii_names.take(left), "b": ascii_names.take(right)})
        part = taken.slice(0, PAIRS // 10)
        base = duckdb.connect()
        base.execute("SET threads = 1")
        base.register("pairs", part)
        function = {"jaro": "jaro_similarity", "jaro_winkler": "jaro_winkler_similarity"}
        query = f"SELECT sum({function.get(kernel, kernel)}(a, b)) FROM pairs"
        yield Contender("duckdb", len(part), lambda: base.execute(query).fetchall())
    if rapidfuzz := installed("rapidfuzz.distance"):
        few = PAIRS // 20
        texts = ascii_names.to_pylist()
        lefts = [texts[row] for row in rows[0, :few]]
        rights = [texts[row] for row in rows[1, :few]]
        scorer = "".join(word.title() for word in kernel.split("_"))
        score = getattr(rapidfuzz, scorer).normalized_similarity
        yield Contender("rapidfuzz", few, lambda: list(map(score, lefts, rights)))


def tokens(folder: Path) -> Iterator[Contender]:
    """Pairs of names by their tokens, in many pairs each and in one."""
    del folder
    texts = names()
    few = pa.array(texts)
    rows = np.random.default_rng(5).integers(0, NAMES, (2, PAIRS)).astype(np.int32)
    left, right = pa.array(rows[0]), pa.array(rows[1])
    many_left, many_right = few.take(left), few.take(right)
    each = pa.array(np.arange(PAIRS, dtype=np.int32))
    ours = native.token_set_jaccard
    yield Contender("flowkit, few strings", PAIRS, lambda: ours(few, few, left, right))
    yield Contender(
        "flowkit, a string a pair", PAIRS, lambda: ours(many_left, many_right, each, each)
    )
    sets = [set(text.split()) for text in texts]
    part = PAIRS // 20
    lefts = [sets[row] for row in rows[0, :part]]
    rights = [sets[row] for row in rows[1, :part]]
    yield Contender(
        "sets of Python",
        part,
        lambda: [len(a & b) / len(a | b) for a, b in zip(lefts, rights, strict=True)],
    )


def cosine(folder: Path) -> Iterator[Contender]:
    """Pairs of names by their trigrams."""
    del folder
    texts = pa.array(names())
    rows = np.random.default_rng(6).integers(0, NAMES, (2, PAIRS)).astype(np.int32)
    left, right = pa.array(rows[0]), pa.array(rows[1])
    yield Contender("flowkit", PAIRS, lambda: native.ngram_cosine(texts, texts, left, right))


def gathered(folder: Path) -> Iterator[Contender]:
    """Rows in any order: numbers and names."""
    del folder
    source = np.random.default_rng(7)
    indices = pa.array(source.integers(0, ROWS, ROWS).astype(np.int32))
    numbers = pa.array(source.integers(0, 2**40, ROWS))
    texts = pa.array(names()).take(pa.array(source.integers(0, NAMES, ROWS)))
    for kind, values in (("int64", numbers), ("string", texts)):
        yield Contender(f"flowkit, {kind}", ROWS, partial(native.gather, values, indices))
        yield Contender(f"pyarrow, {kind}", ROWS, partial(pc.take, values, indices))


def count(batches: native.PairBatches) -> int:
    """Go through pairs."""
    return sum(len(left) for left, _ in batches)


def make_and_count(make: Callable[[], native.PairBatches]) -> int:
    """Make pairs, and what they are made from."""
    return count(make())


def blocking(folder: Path) -> Iterator[Contender]:
    """Pairs of rows, counted: with what they are made from, and once that is there."""
    del folder
    source = np.random.default_rng(8)
    rows = 200_000
    keys = pa.array([f"key {one}" for one in source.integers(0, rows // 100, rows)])
    texts = pa.array([f"{one:020d}" for one in source.integers(0, 10**18, rows)])
    cases: dict[str, Callable[[], native.PairBatches]] = {
        "key_blocks": partial(native.key_blocks, keys),
        "sorted_neighbourhood": partial(native.sorted_neighbourhood, texts, window=50),
        "minhash_lsh": partial(native.minhash_lsh, keys, bands=4, rows=4),
    }
    for name, case in cases.items():
        made = case()
        pairs = count(made)
        yield Contender(name, pairs, partial(make_and_count, case))
        yield Contender(f"{name}, ready", pairs, partial(count, made))
    yield Contender("minhash_lsh, M strings", rows, partial(native.minhash_lsh, texts))
    if duckdb := installed("duckdb"):
        base = duckdb.connect()
        base.execute("SET threads = 1")
        base.register("given", pa.table({"key": keys, "row": np.arange(rows)}))
        base.execute("CREATE TABLE t AS SELECT * FROM given")
        query = "SELECT a.row, b.row FROM t a JOIN t b ON a.key = b.key AND a.row < b.row"
        yield Contender(
            "duckdb, equal keys",
            count(native.key_blocks(keys)),
            lambda: sum(len(batch) for batch in base.sql(query).to_arrow_reader(1 << 20)),
        )


CASES: dict[str, tuple[str, Callable[[Path], Iterator[Contender]]]] = {
    "bucket": ("Iceberg bucket of int64, M rows", bucket),
    "permutation": ("partition permutation, M rows", permutation),
    "manifest": ("manifest entries, M entries", entries),
    "jaro_winkler": ("Jaro-Winkler, M pairs", lambda _: similarity("jaro_winkler")),
    "levenshtein": ("Levenshtein, M pairs", lambda _: similarity("levenshtein")),
    "damerau": ("Damerau-Levenshtein, M pairs", lambda _: similarity("damerau_levenshtein")),
    "tokens": ("token-set Jaccard, M pairs", tokens),
    "cosine": ("cosine of trigrams, M pairs", cosine),
    "gather": ("rows by their numbers, M rows", gathered),
    "blocking": ("pairs by blocking, M pairs", blocking),
}


def measure(contenders: Iterator[Contender], rounds: int) -> None:
    """Run all contenders in turn, and print millions of units a core-second."""
    kept = list(contenders)
    speeds: dict[str, list[float]] = {contender.name: [] for contender in kept}
    for contender in kept:
        contender.call()
    for _ in range(rounds):
        for contender in kept:
            began = time.process_time()
            contender.call()
            spent_s = time.process_time() - began
            speeds[contender.name].append(contender.units / spent_s / 1e6)
    for name, found in speeds.items():
        median = statistics.median(found)
        print(f"  {name:24}{median:10.3f}{min(found):10.3f}{max(found):10.3f}")


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=CASES)
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}")
    print(f"{'M a core-second':26}{'median':>10}{'lowest':>10}{'highest':>10}")
    for name, (title, contenders) in CASES.items():
        if options.only in (None, name):
            print(title)
            with tempfile.TemporaryDirectory() as folder:
                measure(contenders(Path(folder)), options.rounds)


if __name__ == "__main__":
    main()
