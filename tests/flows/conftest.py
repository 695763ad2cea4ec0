"""A place to run real flows in: a flow file, a store and an index of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from msgspec.structs import replace

import flowkit
from flowkit.client import Run, Workspace, namespace, open_workspace
from flowkit.metadata import Metadata
from flowkit.records import RunEnd
from flowkit.runner import (
    FlowSource,
    Noticed,
    Printed,
    Resumes,
    RunFact,
    RunOptions,
    TasksCloned,
    TaskStarted,
    open_session,
)
from flowkit.settings import check_settings
from flowkit.store import Store, open_storage
from flowkit.testing import CountingStorage
from flowkit.values import Failure

PRELUDE = """\
import os, random, signal, subprocess, sys, time
from flowkit import (FlowSpec, JSONType, Parameter, Task, Run, catch, concurrency, current,
                     environment, memo, parallel, resources, retry, step, timeout)
"""

_numbers = count()


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended: how, what its driver told, and the run as the client shows it."""

    end: RunEnd
    facts: list[RunFact]
    run: Run

    @property
    def status(self) -> str:
        """How the run ended."""
        return self.end.status

    @property
    def failure(self) -> Failure:
        """What made the run fail."""
        assert self.end.failure is not None, self.end
        return self.end.failure

    @property
    def started(self) -> list[str]:
        """The attempts that were started, in the order of their keys."""
        keys = sorted(one.attempt for one in self.facts if isinstance(one, TaskStarted))
        return [f"{one.key}" + (f"#{one.number}" if one.number else "") for one in keys]

    @property
    def cloned(self) -> list[str]:
        """The tasks that were cloned, in the order of their keys."""
        clones = [one for one in self.facts if isinstance(one, TasksCloned)]
        return [str(key) for one in clones for key in sorted(one.keys)]

    @property
    def notices(self) -> list[str]:
        """What was worth a line."""
        return [one.message for one in self.facts if isinstance(one, Noticed)]

    @property
    def printed(self) -> list[str]:
        """What steps printed, in order."""
        return [one.text for one in self.facts if isinstance(one, Printed)]

    def value(self, name: str, step: str = "end", task: str = "0") -> Any:
        """Load an artifact."""
        return getattr(self.run[step][task].data, name)

    def values(self, name: str, step: str) -> list[Any]:
        """Load an artifact of all tasks of a step, in the order of their keys."""
        return [getattr(task.data, name) for task in self.run[step]]


class Lab:
    """Writes flows into a folder and runs them there, in a store and an index of their own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.home = folder / "home"
        given = {"sync": False, "max_workers": 4, "user": "tester", "namespace": None}
        self.settings = check_settings({"home": self.home, **given, **settings})
        self.file = folder / "flow.py"
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """The store and the index."""
        if self._workspace is None:
            self._workspace = open_workspace(self.settings)
        return self._workspace

    def count_storage(self) -> CountingStorage:
        """Count from now on what the driver asks of the storage."""
        self.close()
        storage = CountingStorage(open_storage(self.settings.store, sync=False))
        metadata = Metadata.open(self.settings.metadata)
        self._workspace = Workspace(Store(storage), metadata, self.settings)
        return storage

    def close(self) -> None:
        """Release the index."""
        if self._workspace is not None:
            self._workspace.close()
            self._workspace = None

    def having(self, **settings: Any) -> None:
        """Change settings for what comes next."""
        self.close()
        self.settings = replace(self.settings, **settings)

    def write(self, text: str, name: str | None = None) -> Path:
        """Write a flow under a module name that no other test has."""
        if name is None and self.file.name == "flow.py":
            name = f"lab_{os.getpid()}_{next(_numbers)}.py"
        self.file = self.folder / (name or self.file.name)
        self.file.write_text(PRELUDE + dedent(text))
        return self.file

    def run(
        self,
        text: str | None = None,
        *,
        options: Any = None,
        flow: str | None = None,
        **parameters: Any,
    ) -> Ran:
        """Run the flow, or the one of that name, after writing `text` if it is given."""
        if text is not None:
            self.write(text)
        chosen = options or RunOptions(parameters=parameters)
        return self.driven(lambda session, listener: session.run(chosen, listener), flow)

    def resume(self, *, options: RunOptions | None = None, **given: Any) -> Ran:
        """Resume the flow's latest run, or the one given as `origin`."""
        chosen = options or RunOptions()
        return self.driven(
            lambda session, listener: session.resume(chosen, listener, **given),
            resumes=Resumes(given.get("origin")),
        )

    def cli(self, *words: str, wait: bool = True, **given: Any) -> Any:
        """Run `flowkit WORDS` in a process: the ended one, or with `wait=False` a running one."""
        command = [sys.executable, "-m", "flowkit", "--home", str(self.home), *words]
        given = {"text": True, "env": self.environ(), **given}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if wait:
            return subprocess.run(command, timeout=120, check=False, **{**pipes, **given})
        return subprocess.Popen(command, start_new_session=True, **{**pipes, **given})

    def python(self, *words: str) -> Any:
        """Run `python WORDS` in a process that finds this flowkit."""
        return subprocess.run(
            [sys.executable, *words],
            timeout=120,
            check=False,
            capture_output=True,
            text=True,
            env=self.environ(FLOWKIT_HOME=str(self.home)),
        )

    def environ(self, **more: str) -> dict[str, str]:
        """Return an environment in which this flowkit runs, fast."""
        root = str(Path(flowkit.__file__).parent.parent)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FLOWKIT_")}
        return {**kept, "PYTHONPATH": root, "FLOWKIT_SYNC": "0", "FLOWKIT_USER": "tester", **more}

    def latest(self, flow: str) -> Run:
        """Return the newest run of a flow."""
        row = self.workspace.metadata.latest_run(flow)
        assert row is not None
        return Run.of(row, self.workspace)

    def driven(self, drive: Callable[..., RunEnd], flow: str | None = None, **opening: Any) -> Ran:
        """Open a session, and have it do something."""
        facts: list[RunFact] = []
        source = FlowSource(str(self.file), flow)
        with open_session(source, self.settings, workspace=self.workspace, **opening) as session:
            end = drive(session, facts.append)
        return Ran(end, facts, Run(str(end.run), workspace=self.workspace))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Open a place to run flows in forked processes."""
    yield from _open(tmp_path, "local")


@pytest.fixture(params=["local", "process", "inline"])
def any_lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Open a place to run flows in, for each executor."""
    yield from _open(tmp_path, request.param)


@pytest.fixture(params=["local", "process"])
def process_lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Open a place to run flows in, for each executor that gives attempts their own process."""
    yield from _open(tmp_path, request.param)


def _open(folder: Path, executor: str) -> Iterator[Lab]:
    namespace(None)
    lab = Lab(folder, executor=executor)
    yield lab
    lab.close()
