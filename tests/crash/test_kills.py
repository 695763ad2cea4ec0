"""A driver that is killed at any moment loses nothing that was committed."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from subprocess import Popen, TimeoutExpired
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Yard

# Each task appends to a file when it is computed, so that nothing computed twice goes unseen.
WORK = """
    def note(task):
        with open(os.path.join(os.environ["YARD"], "computed"), "a") as file:
            file.write(f"{current.run_id} {current.step_name}/{current.task_id}\\n")

    class Work(FlowSpec):
        @step
        def start(self):
            note(self)
            self.items = range(12)
            self.next(self.square, foreach="items")

        @step
        def square(self):
            note(self)
            import hashlib
            self.y = hashlib.sha256(str(self.input).encode()).hexdigest() * 500
            time.sleep(0.02)
            self.next(self.more)

        @step
        def more(self):
            note(self)
            self.z = self.y[self.input]
            self.next(self.join)

        @step
        def join(self, inputs):
            note(self)
            self.all = [one.z for one in inputs]
            self.turn = 0
            self.next(self.loop)

        @step
        def loop(self):
            note(self)
            self.turn += 1
            self.again = self.turn < 4
            self.next({True: self.loop, False: self.end}, condition="again")

        @step
        def end(self):
            note(self)
"""
TASKS = 1 + 12 + 12 + 1 + 4 + 1


def _artifacts(run: Any) -> dict[str, str]:
    return {f"{t.key}.{one.id}": one.sha for step in run for t in step for one in t}


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_driver_is_resumed_as_if_nothing_had_happened(yard: Yard, seed: int) -> None:
    yard.write(WORK)
    draw = random.Random(seed)
    words = ["run"]
    for _ in range(2):
        process = yard.begin(*words)
        moment = draw.random()
        _kill_after(yard, process, moment * 1.2)
        yard.wait_for(lambda: yard.processes() == [])
        words = ["resume"]
        if not _committed(yard):
            words = ["run"]
    committed = _committed(yard)
    resumed = yard.run(*words)
    assert resumed.returncode == 0, resumed.stderr
    run = yard.latest("Work")
    # A run that nobody kills, last, so that the others did not have its large artifacts to share.
    assert yard.run("run").returncode == 0
    assert _artifacts(run) == _artifacts(yard.latest("Work"))
    computed = (yard.folder / "computed").read_text().splitlines()
    anew = {line.split()[1] for line in computed if line.split()[0] == run.id}
    assert anew.isdisjoint(committed)
    assert len(anew) == TASKS - len(committed)


@pytest.mark.parametrize("seed", range(6))
def test_a_driver_killed_while_it_reuses_is_resumed_as_if_nothing_had_happened(
    yard: Yard, seed: int
) -> None:
    text = WORK.replace("note(self)", "note()").replace("def note(task)", "def note()")
    yard.write(text)
    assert yard.run("run").returncode == 0
    yard.write(text.replace("range(12)", "[20, *range(12)]"))
    draw = random.Random(seed)
    _kill_after(yard, yard.begin("run", "--reuse"), draw.random() * 0.6, run_id="2")
    yard.wait_for(lambda: yard.processes() == [])
    committed = _committed(yard)
    resumed = yard.run("resume", "--with", "memo")
    assert resumed.returncode == 0, resumed.stderr
    run = yard.latest("Work")
    computed = (yard.folder / "computed").read_text().splitlines()
    anew = {line.split()[1] for line in computed if line.split()[0] == run.id}
    assert anew.isdisjoint(committed)
    assert yard.run("run").returncode == 0
    assert _artifacts(run) == _artifacts(yard.latest("Work"))


def _kill_after(
    yard: Yard, process: Popen[str], delay_s: float, *, run_id: str | None = None
) -> None:
    """Kill a driver so long after its run began, unless it ends before."""
    began = yard.home / "store/runs" / (f"Work/{run_id}/run.json" if run_id else "")
    yard.wait_for(lambda: process.poll() is not None or began.exists())
    with suppress(TimeoutExpired):
        process.wait(timeout=delay_s)
    process.kill()
    process.wait()


def _committed(yard: Yard) -> set[str]:
    """Return the tasks of the latest run that have a result or are clones."""
    workspace = yard.open()
    runs = list(workspace.store.run_ids("Work"))
    if not runs:
        return set()
    clones = workspace.store.clones(runs[-1])
    found = {str(one.key) for one in clones.clones} if clones else set()
    results = workspace.store.results(runs[-1])
    return found | {str(one.attempt.key) for one in results if one.status == "succeeded"}


def test_a_killed_driver_takes_what_steps_started_with_it(yard: Yard) -> None:
    yard.write(
        """
    class Long(FlowSpec):
        @step
        def start(self):
            subprocess.Popen(["sleep", "600"])
            print("waiting", flush=True)
            time.sleep(600)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    process = yard.begin("run")
    assert process.stdout is not None
    assert "waiting" in process.stdout.readline()
    yard.wait_for(lambda: "start" in yard.latest("Long"))
    process.kill()
    process.wait()
    yard.wait_for(lambda: yard.processes() == [])
    run = yard.latest("Long")
    assert run.status == "lost"
    assert run["start"].task.stdout == "waiting\n"


def test_a_run_that_still_runs_cannot_be_resumed(yard: Yard) -> None:
    yard.write(
        """
    class Busy(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            print("waiting", flush=True)
            time.sleep(600)
    """
    )
    process = yard.begin("run")
    assert process.stdout is not None
    assert "waiting" in process.stdout.readline()
    refused = yard.run("resume")
    assert refused.returncode == 2
    assert "still running" in refused.stderr
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)


def test_a_killed_runs_index_can_be_rebuilt(yard: Yard) -> None:
    yard.write(WORK)
    process = yard.begin("run")
    yard.wait_for(lambda: len(_committed(yard)) > 5 if (yard.home / "store").exists() else False)
    process.kill()
    process.wait()
    (yard.home / "metadata.db").unlink()
    for extra in yard.home.glob("metadata.db-*"):
        extra.unlink()
    import subprocess

    command = yard.command("store", "reindex")
    ended = subprocess.run(command, env=yard.environ(), capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    committed = _committed(yard)
    resumed = yard.run("resume")
    assert resumed.returncode == 0, resumed.stderr
    run = yard.latest("Work")
    assert {str(t.key) for step in run for t in step if t.origin_pathspec} == committed
