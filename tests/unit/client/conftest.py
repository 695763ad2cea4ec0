"""Runs written record by record into a real store and index, as a runner would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowkit.client import Workspace, default_namespace, open_workspace, use_workspace
from flowkit.graph import Case, FlowDescription, Kind, Node, ParameterDescription, Place
from flowkit.logs import encode_line
from flowkit.records import Clone, Clones, RunEnd, RunRecord
from flowkit.settings import Settings
from flowkit.values import Attempt, Failure, Outcome, RunId, TaskKey, TaskResult

START = datetime(2024, 5, 17, 12, 30, tzinfo=UTC)


def _node(name: str, kind: Kind, *targets: str, is_join: bool = False) -> Node:
    return Node(name=name, kind=kind, place=Place("flow.py", 1), targets=targets, is_join=is_join)


def _describe(name: str) -> FlowDescription:
    """Describe a foreach over `fit`, joined by `pick`, then a loop that leaves two ways."""
    return FlowDescription(
        name=name,
        file="flow.py",
        start="start",
        end="end",
        nodes=(
            _node("start", Kind.FOREACH, "fit"),
            _node("fit", Kind.LINEAR, "pick"),
            _node("pick", Kind.LINEAR, "again", is_join=True),
            Node(
                name="again",
                kind=Kind.SWITCH,
                place=Place("flow.py", 9),
                targets=("again", "skip", "end"),
                condition="way",
                cases=(Case("more", "again"), Case("no", "skip"), Case("yes", "end")),
            ),
            _node("skip", Kind.LINEAR, "end"),
            _node("end", Kind.END),
        ),
        parameters=(
            ParameterDescription(name="learning-rate", attribute="rate", type_name="float"),
        ),
        constants=("LAYERS",),
    )


class Writer:
    """One run, written as it goes."""

    def __init__(self, workspace: Workspace, flow: str, number: int, **changes: object) -> None:
        self._workspace = workspace
        self.run = RunId(flow, str(number))
        fields: dict[str, object] = {
            "run": self.run,
            "description": _describe(flow),
            "parameters": self.manifest(rate=0.5, LAYERS=3),
            "started_at": START + timedelta(minutes=number),
            "user": "ann",
            "system_tags": ("user:ann",),
        }
        self.record = RunRecord(**(fields | changes))  # type: ignore[arg-type]
        assert workspace.store.create_run(self.record)
        workspace.metadata.record_run(self.record)

    def manifest(self, **values: object) -> object:
        """Store artifacts, and return their manifest's digest."""
        writer = self._workspace.store.write_manifest()
        for name, value in values.items():
            writer.add(name, value)
        return writer.commit()

    def succeed(
        self,
        key: TaskKey,
        values: dict[str, object] | None = None,
        *,
        attempt: int = 0,
        choice: str | None = None,
        caught: Failure | None = None,
    ) -> Outcome:
        """Let an attempt end well."""
        outcome = Outcome(manifest=self.manifest(**(values or {})), choice=choice)  # type: ignore[arg-type]
        self._result(key, attempt, status="succeeded", outcome=outcome, caught=caught)
        return outcome

    def fail(self, key: TaskKey, *, attempt: int = 0, failure: Failure | None = None) -> None:
        """Let an attempt end badly."""
        failure = failure or Failure(type_name="ValueError", message=f"attempt {attempt} of {key}")
        self._result(key, attempt, status="failed", failure=failure)

    def _result(self, key: TaskKey, attempt: int, **fields: object) -> None:
        result = TaskResult(
            attempt=Attempt(key, attempt),
            started_at=START + timedelta(seconds=attempt),
            finished_at=START + timedelta(seconds=attempt + 0.5),
            host="laptop",
            pid=42,
            **fields,  # type: ignore[arg-type]
        )
        assert self._workspace.store.create_result(self.run, result)
        self._workspace.metadata.record_results(self.run, [result])

    def begin(self, key: TaskKey, *, attempt: int = 0) -> None:
        """Let an attempt start."""
        now = datetime.now(UTC)
        self._workspace.metadata.record_started(self.run, [Attempt(key, attempt)], now)

    def clone(self, *clones: Clone) -> None:
        """Let tasks of another run stand for this one's."""
        made = Clones(self.run, clones)
        assert self._workspace.store.create_clones(made)
        self._workspace.metadata.record_clones(made)

    def log(self, key: TaskKey, *lines: tuple[str, bytes], attempt: int = 0) -> bytes:
        """Return what an attempt printed as a log; `store_log` keeps it."""
        return b"".join(
            encode_line(
                1_700_000_000_000_000 + at,
                stream,  # type: ignore[arg-type]
                text.removesuffix(b"\n"),
                ended=text.endswith(b"\n"),
            )
            for at, (stream, text) in enumerate(lines)
        )

    def store_log(self, key: TaskKey, *lines: tuple[str, bytes], attempt: int = 0) -> None:
        """Keep what an attempt printed."""
        data = self.log(key, *lines)
        assert self._workspace.store.create_log(self.run, Attempt(key, attempt), data)

    def end(self, status: str = "succeeded", *failed: TaskKey) -> None:
        """Let the run end."""
        end = RunEnd(
            run=self.run,
            status=status,  # type: ignore[arg-type]
            finished_at=self.record.started_at + timedelta(seconds=30),
            failed=failed,
            failure=Failure(type_name="ValueError", message="no") if failed else None,
        )
        assert self._workspace.store.create_end(end)
        self._workspace.metadata.record_end(end)


Begin = Callable[..., Writer]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace of user `ann`, in use."""
    settings = Settings(home=tmp_path / "home", user="ann", sync=False)
    opened = open_workspace(settings)
    with use_workspace(opened):
        default_namespace()
        yield opened
        default_namespace()
    opened.close()


@pytest.fixture
def begin(workspace: Workspace) -> Begin:
    """Begin a run: `begin(number, flow=..., **fields of its record)`."""

    def begin_run(number: int = 1, flow: str = "Train", **changes: object) -> Writer:
        return Writer(workspace, flow, number, **changes)

    return begin_run


@pytest.fixture
def whole_run(begin: Begin) -> Writer:
    """A run that ended well: three fits, one of them at its second attempt."""
    run = begin(12, tags=("nightly",))
    run.succeed(TaskKey("start"), {"names": ["a", "b", "c"]})
    run.succeed(TaskKey("fit", (0,)), {"score": 0.1})
    run.fail(TaskKey("fit", (1,)))
    run.succeed(TaskKey("fit", (1,)), {"score": 0.2}, attempt=1)
    run.succeed(TaskKey("fit", (2,)), {"score": 0.3})
    run.succeed(TaskKey("pick"), {"best": 2})
    run.succeed(TaskKey("again"), choice="again")
    run.succeed(TaskKey("again", (), 1), choice="end")
    run.succeed(TaskKey("end"), {"best": 2, "model": {"weights": [1.5, 2.5]}})
    run.end()
    return run
