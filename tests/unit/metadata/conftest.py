"""Records as a runner writes them, for tests of the index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowkit.graph.model import FlowDescription, Kind, Node, Place
from flowkit.metadata import Metadata
from flowkit.records import RunRecord
from flowkit.values import Attempt, Digest, Failure, Outcome, RunId, TaskKey, TaskResult

START = datetime(2024, 5, 17, 12, 30, 0, 123457, tzinfo=UTC)


def _node(name: str, kind: Kind, *targets: str) -> Node:
    return Node(name=name, kind=kind, place=Place("flow.py", 1), targets=targets)


DESCRIPTION = FlowDescription(
    name="Train",
    file="flow.py",
    start="start",
    end="end",
    nodes=(
        _node("start", Kind.FOREACH, "fit"),
        _node("fit", Kind.LINEAR, "pick"),
        _node("pick", Kind.LINEAR, "end"),
        _node("end", Kind.END),
    ),
)


@pytest.fixture
def digest() -> Callable[[int], Digest]:
    """Digests that differ by number."""
    return lambda number: Digest(number.to_bytes(32, "big"))


@pytest.fixture
def record(digest: Callable[[int], Digest]) -> Callable[..., RunRecord]:
    """Run records: number N begins N minutes after noon."""

    def make(number: int = 1, flow: str = "Train", **changes: object) -> RunRecord:
        fields: dict[str, object] = {
            "run": RunId(flow, str(number)),
            "description": DESCRIPTION,
            "parameters": digest(1000 + number),
            "started_at": START + timedelta(minutes=number),
            "user": "ann",
            "system_tags": ("user:ann",),
        }
        return RunRecord(**(fields | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def success(digest: Callable[[int], Digest]) -> Callable[..., TaskResult]:
    """Results of attempts that succeeded."""

    def make(step: str, *path: int, attempt: int = 0, at: int = 0, **changes: object) -> TaskResult:
        fields: dict[str, object] = {
            "attempt": Attempt(TaskKey(step, path), attempt),
            "status": "succeeded",
            "started_at": START + timedelta(seconds=at),
            "finished_at": START + timedelta(seconds=at + 1),
            "outcome": Outcome(manifest=digest(hash((step, path, attempt)) % 10**9)),
            "host": "laptop",
            "pid": 42,
            "cpu_s": 0.25,
            "peak_memory_bytes": 1 << 33,
        }
        return TaskResult(**(fields | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def failed(success: Callable[..., TaskResult]) -> Callable[..., TaskResult]:
    """Results of attempts that failed."""

    def make(step: str, *path: int, attempt: int = 0, at: int = 0) -> TaskResult:
        failure = Failure(type_name="ValueError", message="häßlich\nno", hint="fix it")
        changes = {"status": "failed", "outcome": None, "failure": failure}
        return success(step, *path, attempt=attempt, at=at, **changes)

    return make


@pytest.fixture
def index_path(tmp_path: Path) -> str:
    """Where the index's file is."""
    return str(tmp_path / "home" / "metadata.db")


@pytest.fixture
def index(index_path: str) -> Iterator[Metadata]:
    """An empty index."""
    opened = Metadata.open(index_path)
    yield opened
    opened.close()
