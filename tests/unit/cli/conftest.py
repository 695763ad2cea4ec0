"""Runs written record by record, and the command line called in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flowkit.cli import main
from flowkit.client import Workspace, open_workspace
from flowkit.graph import FlowDescription, Kind, Node, ParameterDescription, Place
from flowkit.logs import Stream, encode_line
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.settings import Settings
from flowkit.values import Attempt, Digest, Failure, Outcome, RunId, TaskKey, TaskResult

START = datetime(2024, 5, 17, 12, 30, tzinfo=UTC)


def node(name: str, kind: Kind, *targets: str, **more: Any) -> Node:
    return Node(name=name, kind=kind, place=Place("train.py", 1), targets=targets, **more)


TRAIN = FlowDescription(
    name="Train",
    file="train.py",
    start="start",
    end="end",
    nodes=(
        node("start", Kind.FOREACH, "fit", foreach="names", doc="Lists what to fit."),
        node("fit", Kind.LINEAR, "pick"),
        node("pick", Kind.LINEAR, "end", is_join=True),
        node("end", Kind.END),
    ),
    parameters=(ParameterDescription(name="learning-rate", attribute="rate", type_name="float"),),
    doc="Fits many models.",
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a call of the command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return msgspec.json.decode(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, with no setting from outside."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWKIT_USER", "ann")
    monkeypatch.setenv("FLOWKIT_SYNC", "false")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def call(home: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Call the command line: `call("list", "runs")`."""

    def run_command(*words: str) -> Said:
        capfd.readouterr()
        code = main(words)
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    return run_command


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    opened = open_workspace(Settings(home=home, user="ann", sync=False))
    yield opened
    opened.close()


class Story:
    """A run, told record by record."""

    def __init__(self, workspace: Workspace, number: int, **changes: Any) -> None:
        self._workspace = workspace
        self.run = RunId("Train", str(number))
        fields: dict[str, Any] = {
            "run": self.run,
            "description": TRAIN,
            "parameters": self.manifest(rate=0.5),
            "started_at": START + timedelta(minutes=number),
            "user": "ann",
            "host": "laptop",
            "system_tags": ("user:ann",),
        }
        self.record = RunRecord(**(fields | changes))
        assert workspace.store.create_run(self.record)
        workspace.metadata.record_run(self.record)

    def manifest(self, **values: object) -> Digest:
        writer = self._workspace.store.write_manifest()
        for name, value in values.items():
            writer.add(name, value)
        return writer.commit()

    def succeed(
        self, key: TaskKey, attempt: int = 0, *, caught: Failure | None = None, **values: object
    ) -> Outcome:
        outcome = Outcome(manifest=self.manifest(**values))
        self._result(key, attempt, status="succeeded", outcome=outcome, caught=caught)
        return outcome

    def fail(self, key: TaskKey, attempt: int = 0, failure: Failure | None = None) -> Failure:
        failure = failure or Failure(
            type_name="ValueError", message="no luck", traceback="Traceback\nValueError: no luck\n"
        )
        self._result(key, attempt, status="failed", failure=failure)
        return failure

    def _result(self, key: TaskKey, attempt: int, **fields: Any) -> None:
        began = self.record.started_at + timedelta(seconds=attempt)
        result = TaskResult(
            attempt=Attempt(key, attempt),
            started_at=began,
            finished_at=began + timedelta(seconds=0.5),
            host="laptop",
            pid=42,
            peak_memory_bytes=20_000_000,
            **fields,
        )
        assert self._workspace.store.create_result(self.run, result)
        self._workspace.metadata.record_results(self.run, [result])

    def print(self, key: TaskKey, *lines: tuple[Stream, bytes], attempt: int = 0) -> None:
        """Keep a log; its lines are a second apart, with the index added in microseconds."""
        index = key.path[0] if key.path else 0
        data = b"".join(
            encode_line(
                1_700_000_000_000_000 + at * 1_000_000 + index,
                stream,
                text.removesuffix(b"\n"),
                ended=text.endswith(b"\n"),
            )
            for at, (stream, text) in enumerate(lines)
        )
        assert self._workspace.store.create_log(self.run, Attempt(key, attempt), data)

    def clone(self, key: TaskKey, origin: Story, outcome: Outcome) -> None:
        clones = Clones(self.run, (Clone(key=key, origin=origin.run, attempt=0, outcome=outcome),))
        assert self._workspace.store.create_clones(clones)
        self._workspace.metadata.record_clones(clones)

    def end(self, status: str = "succeeded", *failed: TaskKey, failure: Any = None) -> None:
        end = RunEnd(
            run=self.run,
            status=status,  # type: ignore[arg-type]
            finished_at=self.record.started_at + timedelta(seconds=30),
            failed=failed,
            failure=failure,
        )
        assert self._workspace.store.create_end(end)
        self._workspace.metadata.record_end(end)


Tell = Callable[..., Story]


@pytest.fixture
def tell(workspace: Workspace) -> Tell:
    """Begin a run: `tell(12, tags=("nightly",))`."""

    def begin(number: int, **changes: Any) -> Story:
        return Story(workspace, number, **changes)

    return begin


@pytest.fixture
def good(tell: Tell) -> Story:
    """Run 12 ended well; one of its three fits at the second attempt."""
    story = tell(12, tags=("nightly",))
    story.succeed(TaskKey("start"), names=["a", "b", "c"])
    story.print(TaskKey("start"), ("stdout", b"hello\n"), ("stderr", b"careful\n"))
    story.succeed(TaskKey("fit", (0,)), score=0.1, _secret=1)
    story.fail(TaskKey("fit", (1,)))
    story.print(TaskKey("fit", (1,)), ("stderr", b"broken\n"))
    story.succeed(TaskKey("fit", (1,)), 1, score=0.2)
    story.print(TaskKey("fit", (0,)), ("stdout", b"zero\n"), ("stdout", b"zero again\n"))
    story.print(TaskKey("fit", (1,)), ("stdout", b"one \xff\n"), ("stdout", b"open"), attempt=1)
    story.succeed(TaskKey("fit", (2,)), score=0.3)
    story.succeed(TaskKey("pick"), best=2)
    story.succeed(TaskKey("end"), best=2, model={"weights": [1.5, 2.5]}, big=bytes(50_000))
    story.end()
    return story


@pytest.fixture
def bad(tell: Tell) -> Story:
    """Run 13 failed in `fit`."""
    story = tell(13)
    story.succeed(TaskKey("start"), names=["a"])
    failure = story.fail(TaskKey("fit", (0,)))
    story.end("failed", TaskKey("fit", (0,)), failure=failure)
    return story
