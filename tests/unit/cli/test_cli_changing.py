"""Commands that change what is stored: tags, deletion, garbage collection, reindexing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


def break_index(home: Path) -> None:
    (home / "metadata.db").write_bytes(b"no database at all" * 1000)
    for name in ("metadata.db-wal", "metadata.db-shm"):
        (home / name).unlink(missing_ok=True)


def test_tags_are_added_removed_and_replaced(call: Call, good: Any) -> None:
    assert call("tag", "add", "Train/12", "good", "fast").out.split() == ["fast", "good", "nightly"]
    assert call("tag", "remove", "Train/12", "good", "never").out.split() == ["fast", "nightly"]
    assert call("tag", "replace", "Train/12", "fast", "slow").out.split() == ["nightly", "slow"]
    document = call("tag", "list", "Train/12", "--json").json
    assert (document["tags"], document["system_tags"]) == (["nightly", "slow"], ["user:ann"])
    assert [run["id"] for run in call("list", "runs", "--tag", "slow", "--json").json["runs"]]


def test_the_systems_own_tags_stay(call: Call, good: Any) -> None:
    assert call("tag", "remove", "Train/12", "user:ann").code == 2
    assert "user:ann" in call("tag", "list", "Train/12").out


def test_tags_belong_to_runs(call: Call, good: Any) -> None:
    said = call("tag", "add", "Train/12/fit", "good")
    assert said.code == 2
    assert "Train/12" in said.err


def test_a_run_is_deleted_after_a_yes(call: Call, good: Any, bad: Any, workspace: Any) -> None:
    refused = call("run", "delete", "Train/12")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert call("show", "Train/12").code == 0
    assert call("run", "delete", "Train/12", "Train/12", "--yes").out == "deleted Train/12\n"
    assert call("show", "Train/12").code == 2
    assert [str(run) for run in workspace.store.run_ids()] == ["Train/13"]


def test_an_index_that_is_damaged_says_what_mends_it_when_a_run_is_deleted(
    call: Call, home: Path, good: Any, bad: Any
) -> None:
    with closing(sqlite3.connect(home / "metadata.db")) as connection:
        connection.execute("DROP TABLE attempts")
    said = call("run", "delete", "Train/12", "--yes")
    assert said.code == 4
    assert "run `Train/12` is deleted, but the index still lists it" in said.err
    assert said.err.endswith("hint: rebuild it from the store: `flowkit store reindex`\n")
    assert call("store", "reindex").out.startswith("indexed 1 run of 1 flow")
    assert call("show", "Train/12").code == 2


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_an_index_that_is_no_file_keeps_nobody_waiting(
    call: Call, home: Path, make: Callable[[Path], None]
) -> None:
    home.mkdir()
    make(home / "metadata.db")
    for words in ("list runs", "store reindex", "show Train/12"):
        said = call(*words.split())
        assert said.code == 4
        assert f"`{home}/metadata.db` is no file" in said.err
        assert "move away what is there" in said.err


def test_nothing_is_deleted_when_one_of_the_runs_is_missing(call: Call, good: Any) -> None:
    assert call("run", "delete", "Train/12", "Train/77", "--yes").code == 2
    assert call("show", "Train/12").code == 0


def test_a_running_run_is_not_deleted(call: Call, tell: Any, workspace: Any) -> None:
    story = tell(20)
    workspace.metadata.heartbeat(story.run, datetime.now(UTC))
    said = call("run", "delete", "Train/20", "--yes")
    assert said.code == 2
    assert "running" in said.err


def test_garbage_is_what_only_deleted_runs_need(call: Call, good: Any, bad: Any) -> None:
    before = call("gc", "--dry-run", "--json").json["report"]
    assert before["unreached"] == 0
    call("run", "delete", "Train/12", "--yes")
    dry = call("gc", "--dry-run", "--grace", "0s", "--json").json["report"]
    assert (dry["unreached"] > 0, dry["deleted"]) == (True, 0)
    young = call("gc", "--grace", "1h", "--json").json["report"]
    assert (young["unreached"], young["deleted"]) == (dry["unreached"], 0)
    while call("gc", "--grace", "0", "--json").json["report"]["deleted"] < dry["unreached"]:
        dry = call("gc", "--dry-run", "--json").json["report"]  # some were written just now
    assert call("gc", "--dry-run", "--json").json["report"]["unreached"] == 0
    assert call("dump", "Train/13/start").code == 0


@pytest.mark.parametrize("grace", ["soon", "-1s", "1 h", ""])
def test_a_grace_that_is_no_duration_is_refused(call: Call, grace: str) -> None:
    said = call("gc", "--grace", grace)
    assert said.code == 2
    assert "--grace" in said.err


def test_the_index_is_built_again_from_the_store(call: Call, good: Any, home: Path) -> None:
    call("tag", "add", "Train/12", "kept")
    listed = call("list", "tasks", "Train/12", "--json").out
    break_index(home)
    broken = call("list", "runs")
    assert broken.code == 4
    assert "flowkit store reindex" in broken.err
    assert call("store", "reindex", "--json").json["runs"] == 1
    assert call("list", "tasks", "Train/12", "--json").out == listed
    assert "kept" in call("tag", "list", "Train/12").out


def test_an_undamaged_store_is_verified(call: Call, good: Any) -> None:
    assert call("store", "verify", "--json").json["ok"] is True
    assert call("store", "verify").out == "ok: the store is undamaged\n"


def test_one_altered_byte_is_found(call: Call, good: Any, home: Path) -> None:
    record = home / "store" / "runs" / "Train" / "12" / "end.json"
    altered = bytearray(record.read_bytes())
    altered[-2] ^= 1
    record.chmod(0o644)
    record.write_bytes(altered)
    said = call("store", "verify")
    assert said.code == 4
    assert "runs/Train/12/end.json" in said.out
    (damage,) = call("store", "verify", "--json").json["damage"]
    assert damage["key"] == "runs/Train/12/end.json"


def test_doctor_finds_nothing_in_a_healthy_place(call: Call, good: Any) -> None:
    said = call("doctor", "--json")
    assert (said.code, said.json["ok"]) == (0, True)
    names = [check["name"] for check in said.json["checks"]]
    assert {"python", "native core", "store", "index", "disk", "clock", "processes"} <= set(names)
    assert all(line.startswith("ok ") for line in call("doctor").out.splitlines())


def test_doctor_does_not_make_what_it_looks_for(call: Call, home: Path) -> None:
    assert call("doctor").code == 0
    assert not home.exists()


def test_doctor_says_what_to_do_about_a_broken_index(call: Call, good: Any, home: Path) -> None:
    break_index(home)
    said = call("doctor")
    assert said.code == 4
    assert "problem" in said.out
    assert "flowkit store reindex" in said.out


def test_doctor_finds_damage_that_opening_the_index_does_not_meet(
    call: Call, good: Any, workspace: Any, home: Path
) -> None:
    workspace.close()
    file = home / "metadata.db"
    data = file.read_bytes()
    file.write_bytes(data[:-4096] + b"\xff" * 4096)
    assert call("list", "runs").code == 0
    said = call("doctor", "--json")
    assert said.code == 4
    (problem,) = [check for check in said.json["checks"] if not check["ok"]]
    assert problem["name"] == "index"
    assert "flowkit store reindex" in problem["hint"]
    assert call("store", "reindex").code == 0
    assert call("doctor").code == 0


def test_doctor_compares_the_index_with_the_store(call: Call, good: Any, workspace: Any) -> None:
    workspace.metadata.forget_run(good.run)
    said = call("doctor", "--json")
    assert said.code == 4
    (problem,) = [check for check in said.json["checks"] if not check["ok"]]
    assert problem["name"] == "index"


def test_settings_say_where_each_value_came_from(call: Call, home: Path, tmp_path: Path) -> None:
    (tmp_path / "flowkit.toml").write_text("max_workers = 3\n")
    told = call("--store", "elsewhere", "settings", "--json").json["settings"]
    assert told["max_workers"]["value"] == 3
    assert told["max_workers"]["origin"].endswith("flowkit.toml:1")
    assert told["home"]["origin"] == "environment FLOWKIT_HOME"
    assert told["store"]["origin"] == "command line"
    assert told["gpu"]["origin"] == "default"
    assert "flowkit.toml:1" in call("settings").out
    assert "cores" in call("settings", "--explain").out.lower()


def test_an_empty_tag_is_refused(call: Call, good: Any) -> None:
    assert call("tag", "add", "Train/12", "").code == 2
    assert call("tag", "list", "Train/12", "--json").json["tags"] == ["nightly"]


def test_doctor_says_what_to_do_about_a_home_that_cannot_be_made(call: Call) -> None:
    said = call("--home", "/proc/nowhere", "doctor", "--json")
    assert said.code == 4
    problems = {check["name"]: check["hint"] for check in said.json["checks"] if not check["ok"]}
    assert "`home`" in problems["home"]
