"""The flights in examples/ are loaded once, ranked right, and both tables say who wrote them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest

import flowkit
from flowkit import Table
from flowkit.client import Run, open_workspace
from flowkit.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
FLIGHTS = 336_776


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    for name in list(os.environ):
        if name.startswith("FLOWKIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLOWKIT_HOME", str(folder))
    monkeypatch.setenv("FLOWKIT_SYNC", "0")
    # Where the tree is not installed, it is found from every folder all the same.
    monkeypatch.setenv("PYTHONPATH", str(Path(flowkit.__file__).parents[1]))
    return folder


def run(file: str, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "flowkit", "run", str(EXAMPLE / file), *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_flights_are_loaded_by_one_commit_and_ranked_from_shards(home: Path) -> None:
    for _ in range(2):
        assert run("load.py") == [f"end | nyc.flights: {FLIGHTS:,} flights in 12 files"]
    flights = Table("nyc.flights")
    assert [row.run for row in flights.snapshots()] == ["LoadFlights/1", "LoadFlights/2"]
    march = flights.scan(where="month = 3")
    assert len(march.plan().files) == 1
    assert march.count() == 28_834

    *worst, written = run("rank.py", "--min-flights", "1000")
    assert worst[0].startswith("end | EWR: EV arrives 17.0 minutes late")
    ranking = Table("nyc.delays").scan().to_arrow()
    assert written == f"end | written by RankCarriers/1: {len(ranking)} rows"
    arrived = flights.scan(
        columns=["arr_delay"],
        where="carrier = 'EV' and origin = 'EWR' and arr_delay is not null",
    ).to_arrow()
    (late,) = [
        row for row in ranking.to_pylist() if (row["origin"], row["carrier"]) == ("EWR", "EV")
    ]
    assert late["flights"] == len(arrived)
    assert late["mean_delay"] == pytest.approx(pc.mean(arrived["arr_delay"]).as_py(), abs=0.01)

    workspace = open_workspace(Settings(home=home))
    used = Run("RankCarriers/1", workspace=workspace, check_namespace=False).tables
    workspace.close()
    assert {(use.table, use.how) for use in used} == {
        ("nyc.flights", "read"),
        ("nyc.delays", "written"),
    }
