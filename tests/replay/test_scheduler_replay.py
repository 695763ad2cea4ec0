"""Recorded runs: the same events give the same commands as when they were recorded.

A changed decision is a changed fixture, seen in review. Run as a program, this file records all
of them anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flowkit.graph import Catch, FlowDescription, Graph, Policies, Resources, Retry, Timeout
from flowkit.plan import (
    CancelRequested,
    ClockTicked,
    CloneTask,
    Command,
    Event,
    FinishRun,
    Limits,
    RunStarted,
    Scheduler,
    StartTask,
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.testing.graphs import SHAPES
from flowkit.values import Digest, Outcome, TaskKey
from flowkit.wire import decode, encode

FOLDER = Path(__file__).parent / "logs"
KINDS: dict[str, type[Event] | type[Command]] = {
    kind.__name__: kind
    for kind in (
        *(CancelRequested, ClockTicked, TaskFailed, TaskSucceeded),
        *(CloneTask, FinishRun, StartTask, StopTask),
    )
}


@dataclass(frozen=True)
class Recording:
    """A run: its flow and limits, and what was answered to each event."""

    flow: FlowDescription
    limits: Limits
    log: list[tuple[Event, list[Command]]]


def to_json(value: Event | Command) -> Any:
    """Return a value as JSON under its type's name; the mapping of a RunStarted as pairs."""
    if isinstance(value, RunStarted):
        fields = {"parameters": value.parameters, "reusable": list(value.reusable.items())}
        return {"RunStarted": json.loads(encode(fields))}
    return {type(value).__name__: json.loads(encode(value))}


def from_json(data: Any) -> Any:
    """Read what `to_json` wrote."""
    ((name, fields),) = data.items()
    if name != "RunStarted":
        return decode(KINDS[name], json.dumps(fields).encode(), name=name)
    pairs = json.dumps(fields["reusable"]).encode()
    reusable = dict(decode(list[tuple[TaskKey, Outcome]], pairs, name=name))
    return RunStarted(Digest.parse(fields["parameters"]), reusable)


def write(path: Path, recording: Recording) -> None:
    """Write a recording with an event a line, so that differences can be read."""
    lines = [
        json.dumps({"event": to_json(event), "commands": [to_json(one) for one in commands]})
        for event, commands in recording.log
    ]
    flow, limits = encode(recording.flow).decode(), encode(recording.limits).decode()
    head = f'{{"flow": {flow},\n"limits": {limits}'
    path.write_text(head + ',\n"log": [\n' + ",\n".join(lines) + "\n]}\n")


def read(path: Path) -> Recording:
    data = json.loads(path.read_text())
    return Recording(
        decode(FlowDescription, json.dumps(data["flow"]).encode(), name=path.name),
        decode(Limits, json.dumps(data["limits"]).encode(), name=path.name),
        [
            (from_json(one["event"]), [from_json(command) for command in one["commands"]])
            for one in data["log"]
        ],
    )


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_run_is_decided_as_it_was(path: Path) -> None:
    recording = read(path)
    scheduler = Scheduler(Graph(recording.flow), recording.limits)
    for event, commands in recording.log:
        assert scheduler.handle(event) == commands


def test_there_is_a_recording_of_each_scenario() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(SCENARIOS)


def test_recordings_come_back_as_they_were_written(tmp_path: Path) -> None:
    recording = SCENARIOS["resumed"]().recording
    write(tmp_path / "log.json", recording)
    assert read(tmp_path / "log.json") == recording


# --- how they were recorded ---------------------------------------------------------------------


class Recorder:
    """Tells a scheduler a story and keeps the log. Tasks are named by what `str` gives a key."""

    def __init__(self, shape: str, *, limits: Limits | None = None, **policies: Policies) -> None:
        nodes = [
            replace(node, policies=policies.get(node.name, Policies()))
            for node in SHAPES[shape].nodes
        ]
        flow = replace(SHAPES[shape], nodes=tuple(nodes))
        self.recording = Recording(flow, limits or Limits(), [])
        self.scheduler = Scheduler(Graph(flow), self.recording.limits)
        self.running: dict[str, StartTask] = {}

    def tell(self, event: Event) -> Recorder:
        commands = self.scheduler.handle(event)
        self.recording.log.append((event, commands))
        for command in commands:
            if isinstance(command, StartTask):
                self.running[str(command.attempt.key)] = command
        return self

    def begin(self, reusable: Iterable[tuple[TaskKey, Outcome]] = ()) -> Recorder:
        return self.tell(RunStarted(manifest("parameters"), dict(reusable)))

    def succeed(self, *names: str, width: int | None = None, choice: str | None = None) -> Recorder:
        for name in names:
            outcome = Outcome(manifest=manifest(name), width=width, choice=choice)
            self.tell(TaskSucceeded(self.running[name].attempt, outcome))
        return self

    def fail(self, name: str, *, retryable: bool = True, died: bool = False) -> Recorder:
        return self.tell(TaskFailed(self.running[name].attempt, retryable, died))

    def tick(self, *times_s: float) -> Recorder:
        for now_s in times_s:
            self.tell(ClockTicked(now_s))
        return self


def manifest(name: str) -> Digest:
    return Digest(sha256(name.encode()).digest())


def branches() -> Recorder:
    play = Recorder("split_in_foreach", limits=Limits(slots=3)).begin()
    play.succeed("start/0", width=3).succeed("fork/2", "fork/0", "fork/1")
    play.succeed("left/2", "right/2", "left/1", "left/0", "right/1", "right/0")
    return play.succeed("fork_join/2", "fork_join/1", "fork_join/0", "join/0", "end/0")


def retried() -> Recorder:
    body = Policies(retry=Retry(1, 30), catch=Catch(), timeout=Timeout(60))
    play = Recorder("foreach", limits=Limits(slots=2, stop_grace_s=5), body=body)
    play.tick(1000.0).begin().succeed("start/0", width=3).tick(1000.5)
    play.fail("body/0").tick(1001.0, 1031.0).fail("body/1", died=True).tick(1040.0)
    play.fail("body/0", died=True).tick(1065.5, 1070.0, 1096.0)
    for name in ("body/0", "tail/0", "body/1", "tail/1", "body/2", "tail/2", "join/0", "end/0"):
        if name in play.running:
            play.succeed(name)
    return play.tick(1200.0)


def failed() -> Recorder:
    play = Recorder("nested_foreach", limits=Limits(slots=4), inner=Policies(retry=Retry(2, 0)))
    play.begin().succeed("start/0", width=2).succeed("outer/0", "outer/1", width=2)
    play.fail("inner/0.0").fail("inner/1.0", retryable=False).fail("inner/0.1")
    return play.succeed("inner/1.1").succeed("inner/0.0").fail("inner/1.0")


def cancelled() -> Recorder:
    play = Recorder("switch_in_foreach", limits=Limits(slots=2)).begin()
    play.succeed("start/0", width=4).succeed("decide/0", choice="yes")
    play.succeed("decide/1", choice="join").succeed("yes/0")
    play.tell(CancelRequested()).tell(CancelRequested())
    return play.fail("decide/2", died=True).succeed("decide/3", choice="no")


def resumed() -> Recorder:
    play = Recorder("loop_in_foreach", limits=Limits(slots=1))
    play.begin(
        [
            (TaskKey("start"), Outcome(manifest=manifest("old start"), width=3)),
            (TaskKey("turn", (0,)), Outcome(manifest=manifest("old turn"), choice="turn")),
            (TaskKey("turn", (0,), 1), Outcome(manifest=manifest("old end"), choice="leave")),
            (TaskKey("turn", (2,)), Outcome(manifest=manifest("old turn 2"), choice="leave")),
            (TaskKey("leave", (2,)), Outcome(manifest=manifest("old leave"))),
            (TaskKey("leave", (1,)), Outcome(manifest=manifest("of a turn that is lost"))),
        ]
    )
    play.succeed("leave/0").succeed("turn/1", choice="turn").succeed("turn/1@1", choice="leave")
    return play.succeed("leave/1", "join/0", "end/0")


def crowded() -> Recorder:
    play = Recorder(
        "split_in_foreach",
        limits=Limits(slots=5, cpu=4, memory_mb=8000, gpu=1, patience=1),
        fork=Policies(resources=Resources(1, 1000)),
        left=Policies(resources=Resources(4, 1000, 1)),
        right=Policies(concurrency=1, resources=Resources(0.5, 500)),
    )
    play.begin().succeed("start/0", width=6)
    for _ in range(30):
        # Whatever runs longest ends first.
        name = next(iter(play.running), None)
        if name is not None:
            play.succeed(name)
            del play.running[name]
    return play


def ganged() -> Recorder:
    train = Policies(parallel=True, retry=Retry(1, 30), catch=Catch())
    play = Recorder("gang_in_foreach", limits=Limits(slots=4), train=train).tick(1000.0).begin()
    play.succeed("start/0", width=3).succeed("open/0", width=3).succeed("open/1", width=2)
    play.fail("train/0.1").fail("train/0.0", died=True).succeed("train/0.2")
    play.succeed("open/2", width=6).tick(1000.5, 1030.5)
    play.succeed("train/1.1", "train/1.0", "gather/1")
    play.succeed(*(f"train/2.{node}" for node in reversed(range(6))), "gather/2")
    play.fail("train/0.0").fail("train/0.1", died=True).fail("train/0.2", died=True)
    return play.succeed("train/0.0", "train/0.1", "train/0.2", "gather/0", "join/0", "end/0")


SCENARIOS: dict[str, Callable[[], Recorder]] = {
    story.__name__: story
    for story in (branches, cancelled, crowded, failed, ganged, resumed, retried)
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for title, story in SCENARIOS.items():
        write(FOLDER / f"{title}.json", story().recording)
