"""Runs that go by age, number and tags; tags of many runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowkit.client import Workspace, open_workspace
from flowkit.records import RunEnd, RunRecord
from flowkit.values import RunId

Call = Callable[..., Any]


@pytest.fixture
def workspace(home: Any, train: Any) -> Workspace:
    """Five runs of Train and two of Other, one a day, the newest now; Train/3 has a tag."""
    workspace = open_workspace()
    now = datetime.now(UTC)
    for flow, count in (("Train", 5), ("Other", 2)):
        for number in range(1, count + 1):
            run = RunId(flow, str(number))
            record = RunRecord(
                run=run,
                description=train(flow),
                parameters=workspace.store.write_manifest().commit(),
                started_at=now - timedelta(days=count - number, minutes=1),
                user="ann",
                tags=("production",) if (flow, number) == ("Train", 3) else (),
                system_tags=("user:ann" if number != 2 else "user:ben",),
            )
            workspace.store.create_run(record)
            workspace.metadata.record_run(record)
            end = RunEnd(run=run, status="succeeded", finished_at=now)
            workspace.store.create_end(end)
            workspace.metadata.record_end(end)
    return workspace


@pytest.fixture
def train() -> Callable[[str], Any]:
    from flowkit.graph import FlowDescription

    return lambda name: FlowDescription(name=name, file="f.py", start="start", end="end", nodes=())


def left(workspace: Workspace) -> set[str]:
    stored = {str(run) for run in workspace.store.run_ids()}
    assert stored == {str(row.run) for row in workspace.metadata.runs()}
    return stored


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        (["--older-than", "36h"], {"Train/1", "Train/2", "Train/3"}),
        (["--older-than", "36h", "--keep-tag", "production"], {"Train/1", "Train/2"}),
        (["--keep-last", "1"], {"Train/1", "Train/2", "Train/3", "Train/4", "Other/1"}),
        (["--keep-last", "1", "--flow", "Other"], {"Other/1"}),
        (["--older-than", "12h", "--keep-last", "3"], {"Train/1", "Train/2"}),
        (["--older-than", "60d"], set()),
        ([], set()),
    ],
)
def test_gc_deletes_the_runs_that_nothing_keeps(
    call: Call, workspace: Workspace, options: list[str], gone: set[str]
) -> None:
    before = left(workspace)
    told = call("gc", *options, "--dry-run", "--json").json
    assert set(told["runs"]) == gone
    assert left(workspace) == before
    said = call("gc", *options, "--yes")
    assert said.code == 0
    assert {line.split()[1] for line in said.out.splitlines() if "/" in line} == gone
    assert before - left(workspace) == gone


def test_gc_asks_before_runs_go_and_leaves_running_ones(call: Call, workspace: Workspace) -> None:
    refused = call("gc", "--keep-last", "0")
    assert refused.code == 2
    assert "needs a yes" in refused.err
    assert call("gc", "--keep-tag", "x").code == 2
    record = workspace.store.run_record(RunId("Train", "5"))
    going = RunRecord(
        run=RunId("Train", "6"),
        description=record.description,
        parameters=record.parameters,
        started_at=datetime.now(UTC) - timedelta(days=90),
        user="ann",
    )
    workspace.store.create_run(going)
    workspace.metadata.record_run(going)
    workspace.metadata.heartbeat(going.run, datetime.now(UTC))
    assert call("gc", "--keep-last", "0", "--yes").code == 0
    assert left(workspace) == {"Train/6"}


def test_tags_of_many_runs_are_listed_in_three_ways(call: Call, workspace: Workspace) -> None:
    by_tag = call("tag", "list", "Train", "--all", "--group-by-tag").out.splitlines()
    assert by_tag == [
        "production: Train/3",
        "user:ann: Train/5, Train/4, Train/3, Train/1",
        "user:ben: Train/2",
    ]
    by_run = call("tag", "list", "Train", "--my-runs", "--group-by-run").out.splitlines()
    assert by_run == [
        "Train/5: user:ann",
        "Train/4: user:ann",
        "Train/3: production, user:ann",
        "Train/1: user:ann",
    ]
    flat = call("tag", "list", "Train", "--all", "--flat", "--hide-system-tags").out
    assert flat == "production\n"
    assert call("tag", "list", "Train", "--all", "--json").json["runs"]["Train/2"] == ["user:ben"]


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--all"],
        ["list", "Train/1", "--all"],
        ["list"],
        ["list", "Train", "--all", "--flat", "--group-by-run"],
        ["add", "Train/1"],
        ["replace", "Train/1", "a"],
        ["add", "Train/2", "x", "--namespace", "user:ann"],
    ],
)
def test_tag_commands_that_name_too_little_are_refused(
    call: Call, workspace: Workspace, words: list[str]
) -> None:
    said = call("tag", *words)
    assert said.code == 2
    assert "hint:" in said.err


def test_run_may_be_named_by_its_id(call: Call, workspace: Workspace) -> None:
    assert call("tag", "add", "--run-id", "Train/1", "a", "b").out.split() == ["a", "b"]
    assert call("tag", "replace", "--run-id", "Train/1", "a", "c").out.split() == ["b", "c"]
    assert call("tag", "remove", "b", "--run-id", "Train/1").out.split() == ["c"]
    assert "c" in call("tag", "list", "--run-id", "Train/1").out
    named = call("tag", "add", "Train/2", "x", "--namespace", "user:ben")
    assert named.out.split() == ["x"]
