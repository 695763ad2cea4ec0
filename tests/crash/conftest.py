"""Processes of `flowkit` to kill, and what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from faults import compile_shim
from scenes import Stage

import flowkit
from flowkit.client import Run, Workspace, namespace, open_workspace
from flowkit.settings import check_settings

PATIENCE_S = 60.0


class Yard:
    """A flow in a folder, run by `flowkit` processes over a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.file = folder / "flow.py"
        self._begun: list[subprocess.Popen[str]] = []

    def write(self, text: str) -> None:
        """Write the flow."""
        imports = "import os, random, signal, subprocess, sys, time\nfrom flowkit import *\n"
        self.file.write_text(imports + dedent(text))

    def command(self, *words: str) -> list[str]:
        """Return a command line of `flowkit`."""
        return [sys.executable, "-m", "flowkit", "--home", str(self.home), *words]

    def environ(self, **more: str) -> dict[str, str]:
        """Return an environment in which this flowkit runs."""
        root = str(Path(flowkit.__file__).parent.parent)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FLOWKIT_")}
        mark = {"PYTHONPATH": root, "FLOWKIT_SYNC": "0", "FLOWKIT_USER": "tester"}
        return {**kept, **mark, "YARD": str(self.folder), **more}

    def begin(
        self, *words: str, ignore_interrupts: bool = False, **more: str
    ) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        # Where the tests themselves run in the background of a script, Ctrl-C is ignored.
        interrupt = signal.SIG_IGN if ignore_interrupts else signal.SIG_DFL
        process = subprocess.Popen(
            self.command(*words, str(self.file)),
            env=self.environ(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, interrupt),
        )
        self._begun.append(process)
        return process

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words, str(self.file)),
            env=self.environ(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def open(self) -> Workspace:
        """Open the store and the index."""
        given: dict[str, Any] = {"home": self.home, "user": "tester", "namespace": None}
        return open_workspace(check_settings({**given, "sync": False}))

    def latest(self, flow: str) -> Run:
        """Return the newest run of a flow."""
        workspace = self.open()
        row = workspace.metadata.latest_run(flow)
        assert row is not None
        return Run.of(row, workspace)

    def processes(self) -> list[int]:
        """Return the processes that were started here, by what they inherited."""
        mark = f"YARD={self.folder}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                lives = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
                if lives and mark in (entry / "environ").read_bytes() + b"\0":
                    found.append(int(entry.name))
            except (OSError, IndexError):
                continue
        return found

    def wait_for(self, what: Callable[[], object]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.005)

    def clear(self) -> None:
        """End whatever still runs."""
        for process in self._begun:
            process.kill()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._begun:
            process.communicate()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Open a place to kill processes in."""
    namespace(None)
    yard = Yard(tmp_path)
    yield yard
    yard.clear()


@pytest.fixture(scope="module")
def lasting_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Open a place that the tests of a module share."""
    yard = Yard(tmp_path_factory.mktemp("yard"))
    yield yard
    yard.clear()


@pytest.fixture
def yards(tmp_path: Path) -> Iterator[Callable[[], Yard]]:
    """Open places to kill processes in, as many as are asked for."""
    namespace(None)
    opened: list[Yard] = []

    def open_yard() -> Yard:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(Yard(folder))
        return opened[-1]

    yield open_yard
    for yard in opened:
        yard.clear()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Set the stage: what is preloaded is compiled, and homes are prepared as they are needed."""
    folder = tmp_path_factory.mktemp("stage")
    return Stage(compile_shim(folder), folder)
