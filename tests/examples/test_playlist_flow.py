"""The playlist in examples/ keeps to the wish and the time, and says so when it cannot."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import flowkit
from flowkit.client import Run, Workspace, open_workspace
from flowkit.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "playlist"
FLOW = EXAMPLE / "flow.py"
FLOWKIT = ("-m", "flowkit")


class Listener:
    """Somebody in a folder of their own who asks for playlists, and the runs that this leaves."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self.folder, self.workspace = folder, workspace

    def python(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Start Python with these words, and wait for its end."""
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("FLOWKIT_")},
            "FLOWKIT_HOME": str(self.workspace.settings.home),
            "FLOWKIT_USER": self.workspace.settings.user,
            # Where the tree is not installed, it is found from every folder all the same.
            "PYTHONPATH": str(Path(flowkit.__file__).parents[1]),
        }
        return subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    def ask(self, *words: object) -> list[str]:
        """Start Python with these words; return what it prints to stdout, if all goes well."""
        done = self.python(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    def run(self, number: int) -> Run:
        """Look at a run."""
        return Run(f"Playlist/{number}", workspace=self.workspace)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with closing(open_workspace(Settings(home=tmp_path / "home", user="ada"))) as workspace:
        yield Listener(tmp_path, workspace)


def data_of(run: Run) -> Any:
    assert run.successful
    return run.data


def clock(time_s: int) -> str:
    return f"{time_s // 60}:{time_s % 60:02}"


def test_an_hour_of_jazz_is_printed_with_its_running_time(listener: Listener) -> None:
    lines = listener.ask(*FLOWKIT, "run", FLOW)

    run = listener.run(1)
    playlist = data_of(run).playlist
    starts = [sum(track["seconds"] for track in playlist[:at]) for at in range(len(playlist) + 1)]
    printed = [line.removeprefix("end | ") for line in lines if line.startswith("end | ")]
    assert printed[0].split() == ["at", "title", "artist", "genre"]
    assert [row.split()[0] for row in printed[1:]] == [clock(start) for start in starts]
    for row, track in zip(printed[1:-1], playlist, strict=True):
        assert track["title"][:32] in row
        assert track["artist"][:24] in row
        assert row.endswith(track["genre"])
    assert printed[-1].endswith(f"{len(playlist)} tracks, at most 60:00")
    assert 58 * 60 < starts[-1] <= 60 * 60
    assert run["end"].task.stdout.splitlines() == printed


def test_both_branches_are_told_and_come_together(listener: Listener) -> None:
    lines = listener.ask(*FLOWKIT, "run", FLOW)

    found = data_of(listener.run(1))
    assert f"fill | {len(found.wished)} of 129 tracks of Jazz" in lines
    assert f"surprise | {len(found.surprises)} surprises from 19 other genres" in lines
    assert {track["genre"] for track in found.wished} == {"Jazz"}
    genres = [track["genre"] for track in found.surprises]
    assert len(genres) > 1
    assert len({"Jazz", *genres}) == len(genres) + 1
    assert sum(track["seconds"] for track in found.surprises) <= 60 * 60 * 0.2
    assert [track for track in found.playlist if track["genre"] == "Jazz"] == found.wished
    assert [track for track in found.playlist if track["genre"] != "Jazz"] == found.surprises
    # Surprises are spread: none opens or ends the list, and no two are neighbours.
    wished = [track["genre"] == "Jazz" for track in found.playlist]
    assert wished[0]
    assert wished[-1]
    assert all(before or after for before, after in pairwise(wished))


def test_it_is_a_program_that_takes_another_genre_in_any_case(listener: Listener) -> None:
    lines = listener.ask(
        *(FLOW, "run", "--genre", "bossa nova", "--minutes", 20, "--seed", 3, "--quiet")
    )

    found = data_of(listener.run(1))
    assert found.wish == "Bossa Nova"
    assert {track["genre"] for track in found.wished} == {"Bossa Nova"}
    assert "Bossa Nova" not in {track["genre"] for track in found.surprises}
    length_s = sum(track["seconds"] for track in found.playlist)
    assert 0 < length_s <= 20 * 60
    count = len(found.wished) + len(found.surprises)
    assert lines[-1].split(" | ")[1].split() == [
        *(clock(length_s), str(count), "tracks,", "at", "most", "20:00")
    ]


def test_the_seed_decides_the_list(listener: Listener) -> None:
    for seed in (1, 1, 2):
        listener.ask(*FLOWKIT, "run", FLOW, "--seed", seed)

    first, again, other = (listener.run(number)["end"].task["playlist"] for number in (1, 2, 3))
    assert first.sha == again.sha
    assert first.sha != other.sha


def test_an_unknown_genre_is_answered_with_near_ones(listener: Listener) -> None:
    done = listener.python(*FLOWKIT, "run", FLOW, "--genre", "hevy metal")

    assert done.returncode == 1
    assert "there is no genre `hevy metal`" in done.stderr
    assert "hint: try one of `Heavy Metal`, `Metal`\n" in done.stderr
    run = listener.run(1)
    assert run.finished
    assert not run.successful
    assert [step.id for step in run] == ["start"]


def test_a_genre_that_is_like_none_is_answered_with_all(listener: Listener) -> None:
    done = listener.python(FLOW, "run", "--genre", "xyzzy")

    assert done.returncode == 1
    with (EXAMPLE / "tracks.csv").open(encoding="utf-8", newline="") as file:
        genres = sorted({row["genre"] for row in csv.DictReader(file)})
    assert f"hint: try one of {', '.join(f'`{genre}`' for genre in genres)}\n" in done.stderr


def test_a_table_of_ones_own_takes_the_place_of_the_bundled_one(listener: Listener) -> None:
    (listener.folder / "mine.csv").write_text(
        "title,artist,album,genre,seconds\n"
        '"Rain, Again",The Puddles,Wet,Weather,200\n'
        '"Rain, Again",The Puddles,Wet (Live),Weather,240\n'
        "Dry,The Dunes,Sand,Desert,100\n",
        encoding="utf-8",
    )
    lines = listener.ask(
        *(*FLOWKIT, "run", FLOW, "--quiet", "--tracks", "mine.csv", "--genre", "Weather")
    )

    assert "fill | 1 of 1 tracks of Weather" in lines
    assert lines[-1].endswith("2 tracks, at most 60:00")


def test_the_table_is_music_in_order_and_states_its_licence() -> None:
    table = EXAMPLE / "tracks.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["title", "artist", "album", "genre", "seconds"]
    assert len(rows) == 3289
    assert all(all(row.values()) and int(row["seconds"]) > 0 for row in rows)
    order = [(row["artist"], row["album"], row["title"]) for row in rows]
    assert order == sorted(order)
    assert not {"Comedy", "Drama", "TV Shows"} & {row["genre"] for row in rows}
    assert table.stat().st_size < 300_000
    licence = (EXAMPLE / "LICENSE-tracks.txt").read_text(encoding="utf-8")
    assert "Copyright (c) 2008-2017 Luis Rocha" in licence
    assert "(LICENSE-tracks.txt)" in (EXAMPLE / "SOURCE.md").read_text(encoding="utf-8")
