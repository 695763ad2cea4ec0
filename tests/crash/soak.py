"""Random flows under random faults for a given time, in one home; prints what came of it.

    python tests/crash/soak.py --minutes 60 --seed 7

Each flow is one of the shapes of the matrix of flows, with steps that raise at times. Its driver,
its zygote and its workers are killed or interrupted, and the run is resumed until it succeeds.
Garbage is collected, runs are deleted and tagged, and the index is built again meanwhile. What each
task must leave is known from a walk over the shape in plain Python.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import suppress
from hashlib import shake_256
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent / "flows")]

from matrix.behaviour import Behaviour  # noqa: E402
from matrix.shapes import SHAPES, Gang, Node, Shape  # noqa: E402
from matrix.writing import flow_name, written  # noqa: E402

from flowkit.client import Run, namespace, open_workspace  # noqa: E402
from flowkit.metadata import Metadata  # noqa: E402
from flowkit.settings import check_settings  # noqa: E402
from flowkit.store import reindex, verify_store  # noqa: E402
from flowkit.values import RunId  # noqa: E402

MARK = "SOAK_HOME"
PATIENCE_S = 60.0
KEPT_RUNS = 30
MOST_FAULTS = 6
BLOB_BYTES = 20_000
UNWANTED = re.compile(r"\blocked\b|\bbusy\b|this is a bug|damaged|reindex", re.IGNORECASE)


class Soaked(Behaviour):
    """Steps that leave an object of their own, and raise or die now and then."""

    before_class = (
        "import os, random, time\nfrom hashlib import shake_256\nfrom flowkit import FlowSpec, "
        "parallel, retry, step\n"
    )

    def __init__(self, draw: random.Random) -> None:
        self._retried = draw.random()

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Some steps are tried again."""
        is_retried = random.Random(f"{node.name} {self._retried}").random() < 0.5
        return ("retry(times=2, minutes_between_retries=0)",) if is_retried else ()

    def lines(self, node: Node, shape: Shape, executor: str) -> str:
        """Leave bytes that follow from where the task is; take some time; fail at times."""
        return (
            f"self.blob = shake_256(repr(self.trail).encode()).digest({BLOB_BYTES})\n"
            "time.sleep(random.random() * 0.1)\n"
            "if random.random() < float(os.environ['SOAK_RAISES']):\n"
            "    raise RuntimeError('as it happens')\n"
        )


class Soak:
    """One home, and all that is done in it."""

    def __init__(self, folder: Path, seed: int, minutes: float) -> None:
        self.folder, self.home, self.seed = folder, folder / "home", seed
        self.until = time.monotonic() + minutes * 60
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self.sizes: list[tuple[float, int]] = []
        self.done: list[str] = []
        """Runs that succeeded, were looked at and are there still."""
        self._lock = threading.Lock()

    @property
    def goes_on(self) -> bool:
        """Whether there is time left, and nothing went wrong."""
        return time.monotonic() < self.until and not self.violations

    def environ(self, raises: float = 0.0) -> dict[str, str]:
        """Return an environment in which this flowkit runs, with a mark to know processes by."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FLOWKIT_")}
        more = {"PYTHONPATH": str(ROOT), "FLOWKIT_SYNC": "0", "FLOWKIT_USER": "tester"}
        return {**kept, **more, MARK: str(self.home), "SOAK_RAISES": str(raises)}

    def note(self, what: str, times: int = 1) -> None:
        """Count something."""
        with self._lock:
            self.counts[what] += times

    def guarded(self, act: Any, *given: Any) -> None:
        """Do something until the time is up; whatever goes wrong is a violation."""
        try:
            while self.goes_on:
                act(*given)
        except BaseException:
            self.violations.append(traceback.format_exc())

    def workspace(self) -> Any:
        """Open the store and its index."""
        given: dict[str, Any] = {"home": self.home, "user": "tester", "namespace": None}
        return open_workspace(check_settings({**given, "sync": False}))

    def processes(self, more: str) -> list[int]:
        """Return the processes of this home whose command line or environment has a text."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(OSError, IndexError):
                    environ = (entry / "environ").read_bytes()
                    line = (entry / "cmdline").read_bytes()
                    is_ours = f"{MARK}={self.home}".encode() in environ
                    if is_ours and more.encode() in environ + line:
                        state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                        if state != "Z":
                            found.append(int(entry.name))
        return found


class Case:
    """A flow that is run, harmed and resumed until it succeeds."""

    def __init__(self, soak: Soak, draw: random.Random, number: int) -> None:
        self.soak, self.draw = soak, draw
        self.shape = draw.choice([*SHAPES])
        self.flow = flow_name(self.shape)
        self.file = soak.folder / f"flow_{number}.py"
        self.file.write_text(written(self.shape, Soaked(draw), "local"))
        self.faults = 0

    def live(self) -> None:
        """Run it to its end, whatever happens on the way."""
        origin: str | None = None
        while True:
            committed = self._committed(origin)
            words = ["run", str(self.file)]
            if origin is not None:
                words = ["resume", str(self.file), "--origin-run-id", origin]
                self.soak.note("resumes")
            code, run_id, err = self._launch(words)
            assert not UNWANTED.search(err), err
            if run_id is not None:
                self.soak.note("runs")
                self._see_clones(run_id, origin, committed)
            if code == 0:
                assert run_id is not None, err
                self._see_artifacts(run_id)
                self.soak.done.append(f"{self.flow}/{run_id}")
                self.file.unlink()
                return
            # A run that was killed before it had taken over anything has nothing to resume.
            if run_id is not None and (origin is None or self._has_clones(run_id)):
                origin = run_id

    def _launch(self, words: list[str]) -> tuple[int, str | None, str]:
        """Start a command, and perhaps harm it; return its exit code, its run and what it told."""
        fault = None
        if self.faults < MOST_FAULTS and self.draw.random() < 0.8:
            self.faults += 1
            fault = self.draw.choice(
                ["kill driver", "kill driver", "kill zygote", "kill worker", "interrupt", "raise"]
            )
            self.soak.note(f"fault: {fault}")
        command = [sys.executable, "-m", "flowkit", "--home", str(self.soak.home), *words]
        process = subprocess.Popen(
            command,
            env=self.soak.environ(0.15 if fault == "raise" else 0.0),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        harm = threading.Timer(self.draw.random() * 0.8 + 0.1, self._harm, [process, fault])
        harm.start()
        try:
            _, err = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"{self.flow} hangs: {words} {fault}") from None
        harm.cancel()
        self._see_nobody_left(process.pid)
        if fault is None:
            assert process.returncode == 0, (words, err)
        if fault == "raise" and process.returncode != 0:
            assert "as it happens" in err, err
        found = re.search(rf"run {self.flow}/(\d+) started", err)
        return process.returncode, found[1] if found else None, err

    def _harm(self, process: subprocess.Popen[str], fault: str | None) -> None:
        with suppress(ProcessLookupError):
            match fault:
                case "kill driver":
                    process.kill()
                case "interrupt":
                    os.killpg(process.pid, self.draw.choice([signal.SIGINT, signal.SIGTERM]))
                case "kill zygote" | "kill worker":
                    pids = sorted(set(self.soak.processes(str(self.file))) - {process.pid})
                    pids = [one for one in pids if _descends(one, process.pid)]
                    if pids:
                        # The zygote is the eldest.
                        pid = (
                            pids[0]
                            if fault == "kill zygote"
                            else self.draw.choice(pids[1:] or pids)
                        )
                        os.kill(pid, signal.SIGKILL)

    def _see_nobody_left(self, driver: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while left := self.soak.processes(str(self.file)):
            if time.monotonic() > deadline:
                self.soak.note("leaked processes", len(left))
                raise AssertionError(f"driver {driver} left {left}")
            time.sleep(0.01)

    def _committed(self, run_id: str | None) -> set[str]:
        """Return the tasks that a run has finished, as its records tell."""
        if run_id is None:
            return set()
        store, run = self._store(), RunId(self.flow, run_id)
        clones = store.clones(run)
        found = {str(one.key) for one in clones.clones} if clones else set()
        return found | {
            str(one.attempt.key) for one in store.results(run) if one.status == "succeeded"
        }

    def _has_clones(self, run_id: str) -> bool:
        return bool(self._store().has_clones(RunId(self.flow, run_id)))

    def _store(self) -> Any:
        workspace = self.soak.workspace()
        workspace.close()
        return workspace.store

    def _see_clones(self, run_id: str, origin: str | None, committed: set[str]) -> None:
        """See that nothing was computed again that was there."""
        clones = self._store().clones(RunId(self.flow, run_id))
        cloned = {str(one.key) for one in clones.clones} if clones else set()
        self.soak.note("tasks cloned", len(cloned))
        # A gang that was cut off runs again as a whole.
        if clones and origin is not None and not self.shape.has(Gang):
            assert cloned == committed, (self.flow, run_id, origin, committed - cloned)

    def _see_artifacts(self, run_id: str) -> None:
        workspace = self.soak.workspace()
        run = Run(f"{self.flow}/{run_id}", workspace=workspace)
        tasks = {
            (step.id, task.key.path, task.key.iteration): task for step in run for task in step
        }
        due = self.shape.due()
        assert len(tasks) == len(due), (run.pathspec, sorted(map(str, tasks)))
        for one in due:
            task = tasks[one.step, one.path, one.iteration]
            assert task.data.trail == one.trail, (task, task.data.trail, one.trail)
            assert task.data.blob == shake_256(repr(one.trail).encode()).digest(BLOB_BYTES)
            self.soak.note("tasks computed", task.origin_pathspec is None)
        self.soak.note("flows finished")
        workspace.close()


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        with suppress(OSError):
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            continue
        return False
    return pid == ancestor


class Keeper:
    """Looks after the store meanwhile: collects, tags, deletes, lists, builds the index again."""

    def __init__(self, soak: Soak, draw: random.Random) -> None:
        self.soak, self.draw = soak, draw
        self.tags: dict[str, list[str]] = {}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "actor.py")],
            env=soak.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def turn(self) -> None:
        """Do one thing."""
        time.sleep(self.draw.random() * 0.4)
        runs = list(self.soak.done)
        if len(runs) > KEPT_RUNS:
            run = self.draw.choice(runs)
            self.soak.done.remove(run)
            self.tags.pop(run, None)
            self._flowkit("run", "delete", run, "--yes")
            return
        match self.draw.choice(["gc", "gc", "gc", "list", "reindex", "verify", *["tag"] * 4]):
            case "gc":
                self._flowkit("gc", "--grace", self.draw.choice(["0s", "0s", "1h"]))
            case "list":
                self._flowkit("list", "runs")
            case "reindex" if self.draw.random() < 0.3:
                self._flowkit("store", "reindex")
            case "verify" if self.draw.random() < 0.1:
                self._flowkit("store", "verify")
            case "tag" if runs:
                run = self.draw.choice(runs)
                mine = self.tags.setdefault(run, [])
                if len(mine) > 5:
                    self._flowkit("tag", "remove", run, mine.pop(0))
                else:
                    mine.append(f"t{self.soak.counts['keeper: tag']}")
                    self._flowkit("tag", "add", run, mine[-1])

    def _flowkit(self, *words: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps(["--home", str(self.soak.home), *words])
        print(line, file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert answer["code"] == 0, (words, answer)
        assert not UNWANTED.search(answer["err"]), (words, answer)
        self.soak.note(f"keeper: {words[0]}")

    def close(self) -> None:
        """End its process."""
        self._process.communicate()


def _measure(soak: Soak, began: float) -> None:
    """Note how much is on the disk."""
    size = sum(
        one.stat().st_size for one in soak.home.rglob("*") if not one.is_symlink() and one.is_file()
    )
    soak.sizes.append((time.monotonic() - began, size))


def _finish(soak: Soak, keeper: Keeper) -> None:
    """See that all holds in the end."""
    namespace(None)
    subprocess.run(
        [sys.executable, "-m", "flowkit", "--home", str(soak.home), "gc", "--grace", "0s"],
        env=soak.environ(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    workspace = soak.workspace()
    store, index = workspace.store, workspace.metadata
    damage = list(verify_store(store))
    assert damage == [], damage
    rebuilt = Metadata.open(":memory:")
    assert reindex(store, rebuilt) == []
    assert index.snapshot() == rebuilt.snapshot(), "the index is not what a reindex makes"
    there = {str(row.run): row for row in index.runs()}
    for run in soak.done:
        assert there[run].status == "succeeded"
        assert sorted(there[run].tags) == sorted(keeper.tags.get(run, [])), run
    assert [row.run for row in there.values() if row.status == "running"] == []
    leftovers = list((soak.home / "store/.temporary").glob("*"))
    soak.note("leftover temporary files", len(leftovers))
    assert leftovers == []
    workspace.close()


def soaked(folder: Path, *, seed: int, minutes: float, at_once: int) -> Soak:
    """Soak for some minutes; what went wrong is in `violations`."""
    soak, began = Soak(folder, seed, minutes), time.monotonic()
    namespace(None)
    keeper = Keeper(soak, random.Random(f"keeper {seed}"))
    numbers = iter(range(10**9))

    def lived(draw: random.Random) -> None:
        Case(soak, draw, next(numbers)).live()

    threads = [
        threading.Thread(target=soak.guarded, args=(lived, random.Random(f"{seed} {at}")))
        for at in range(at_once)
    ]
    threads.append(threading.Thread(target=soak.guarded, args=(keeper.turn,)))
    for thread in threads:
        thread.start()
    while alive := [thread for thread in threads if thread.is_alive()]:
        alive[0].join(timeout=30)
        with suppress(OSError):  # what is being measured may vanish
            _measure(soak, began)
    keeper.close()
    if not soak.violations:
        try:
            _finish(soak, keeper)
        except AssertionError:
            soak.violations.append(traceback.format_exc())
    soak.note("leaked processes", len(soak.processes("")))
    return soak


def main() -> int:
    """Soak as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2, help="flows at a time")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flowkit-soak-"))
    soak = soaked(folder, seed=given.seed, minutes=given.minutes, at_once=given.at_once)
    for what, count in sorted(soak.counts.items()):
        print(f"{what}: {count}")
    shown = soak.sizes[:: max(1, len(soak.sizes) // 10)]
    print("disk:", ", ".join(f"{size / 1e6:.1f} MB at {at:.0f} s" for at, size in shown))
    print(f"violations: {len(soak.violations)}")
    for violation in soak.violations:
        print(violation)
    if soak.violations:
        print(f"kept: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
