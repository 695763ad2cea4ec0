"""Many flows, and all that looks after their store, at once in one home.

The model is small: what each command was told, and what it answered. At the end, what a store and
its index hold must be what these answers promised.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import shake_256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flowkit.client import Run
from flowkit.metadata import Metadata
from flowkit.store import reindex, verify_store

if TYPE_CHECKING:
    from conftest import Yard

IS_LONG = os.environ.get("FLOWKIT_CRASH") == "long"
SEEDS = range(6) if IS_LONG else range(1)
ROUNDS = 4 if IS_LONG else 1
"""How often each of the flows is run."""
AT_ONCE = 20 if IS_LONG else 6

END = "end.json"
BLOB_BYTES = 20_000
"""Too much to be packed: an object of its own, which runs share that have the same."""
WIDTH = 4
PAUSE_S = 0.02 if IS_LONG else 0.2
"""Between the rounds of those who look after the store, so that the flows have their share."""

FLOWS = f"""
    from hashlib import shake_256

    def blob(name):
        return shake_256(name.encode()).digest({BLOB_BYTES})

    class Wide(FlowSpec):
        seed = Parameter("seed", default=0)

        @step
        def start(self):
            self.items = list(range({WIDTH}))
            self.next(self.each, foreach="items")

        @step
        def each(self):
            self.own, self.shared = blob(f"{{self.seed}}/{{self.input}}"), blob(f"{{self.input}}")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.all = [one.own for one in inputs]
            self.shared = blob("0")
            self.next(self.end)

        @step
        def end(self):
            self.result = blob(f"{{self.seed}}/{WIDTH}")

    class Steady(Wide):
        pass

    class Failing(FlowSpec):
        seed = Parameter("seed", default=0)

        @step
        def start(self):
            self.own, self.shared = blob(f"{{self.seed}}/0"), blob("0")
            self.next(self.left, self.right)

        @step
        def left(self):
            self.more = blob(f"{{self.seed}}/1")
            self.next(self.join)

        @step
        def right(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs)
            if "GO_ON" not in os.environ:
                raise ValueError("not yet")
            self.next(self.end)

        @step
        def end(self):
            self.result = blob(f"{{self.seed}}/{WIDTH}")
"""

UNWANTED = re.compile(r"\blocked\b|\bbusy\b|Traceback|this is a bug|damaged|reindex", re.IGNORECASE)
"""What no user may be shown, whatever happens at the same time."""
RAISED = re.compile(
    r"""Traceback \(most .*\n.*File ".*flow\.py", line \d+, in join\n.*\n.*ValueError: not yet\n"""
)
"""What the flow that is meant to fail prints; twice if its log is late."""
GONE = re.compile(r"does not exist|has no runs here|was deleted")
"""How a command says that a run is not there any more."""


def blob(name: str) -> bytes:
    return shake_256(name.encode()).digest(BLOB_BYTES)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that was carried out."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def is_gone(self) -> bool:
        """Whether it says that its run is not there."""
        return self.code != 0 and GONE.search(self.err) is not None

    def run_id(self, flow: str) -> str:
        """Return the run that a command has made."""
        found = re.search(rf"{flow}/(\d+)", self.err)
        assert found, self
        return found[1]


@dataclass(slots=True)
class Crowd:
    """All that is done at once in a home, and what was answered."""

    yard: Yard
    done: list[Done] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    asked_to_delete: set[str] = field(default_factory=set)
    seeds: dict[str, int] = field(default_factory=dict)
    """Of each run that succeeded, its parameter."""
    tags: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of each run, the tags that are in effect."""
    faults: list[BaseException] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def flowkit(self, *words: str, **environ: str) -> Done:
        """Carry out a command in a process of its own."""
        ended = subprocess.run(
            self.yard.command(*words),
            env=self.yard.environ(**environ),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        done = Done(words, ended.returncode, ended.stdout, ended.stderr)
        self.done.append(done)
        return done

    def run(self, flow: str, seed: int, *more: str) -> str:
        """Run a flow to its end."""
        done = self.flowkit("run", f"{self.yard.file}:{flow}", "--seed", str(seed), *more)
        run_id = done.run_id(flow)
        assert done.code == (1 if flow == "Failing" else 0), done
        if done.code == 0:
            self.seeds[f"{flow}/{run_id}"] = seed
        return run_id

    def thread(self, act: Callable[[], None]) -> threading.Thread:
        """Start something beside the rest; what goes wrong in it is kept."""

        def guarded() -> None:
            try:
                act()
            except BaseException as error:
                self.faults.append(error)
                self.stop.set()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def ended(self) -> list[str]:
        """Return the runs that have ended, as a look at the folders tells."""
        folder = self.yard.home / "store/runs"
        # `walk` takes it that folders vanish.
        found = {
            os.path.relpath(path, folder) for path, _, names in os.walk(folder) if END in names
        }
        return sorted(found - self.asked_to_delete)


class Actor:
    """A process that carries out one command after the other."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("actor.py"))],
            env=crowd.yard.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> Done:
        """Carry out a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps(["--home", str(self._crowd.yard.home), *words]),
            file=self._process.stdin,
            flush=True,
        )
        done = Done(words, **json.loads(self._process.stdout.readline()))
        self._crowd.done.append(done)
        return done

    def __enter__(self) -> Actor:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def _collect(crowd: Crowd) -> None:
    with Actor(crowd) as act:
        while not crowd.stop.wait(PAUSE_S):
            for grace in ("0s", "1h"):
                done = act("gc", "--grace", grace)
                assert done.code == 0, done


def _look(crowd: Crowd, draw: random.Random) -> None:
    with Actor(crowd) as act:
        while not crowd.stop.wait(PAUSE_S):
            for words in (("list", "runs"), ("list", "flows"), ("list", "runs", "--json")):
                done = act(*words)
                assert done.code == 0, done
            if not (runs := crowd.ended()):
                continue
            run = draw.choice(runs)
            for words in (("show", run), ("list", "tasks", run), ("tag", "list", run)):
                done = act(*words)
                assert done.code == 0 or (done.is_gone and run in crowd.asked_to_delete), done


def _mend(crowd: Crowd) -> None:
    with Actor(crowd) as act:
        while not crowd.stop.wait(PAUSE_S):
            done = act("store", "reindex")
            assert done.code == 0, done
            done = act("store", "verify")
            assert done.code == 0, done


def _tag(crowd: Crowd, name: str, draw: random.Random) -> None:
    with Actor(crowd) as act:
        at = 0
        while not crowd.stop.wait(PAUSE_S):
            if not (runs := crowd.ended()):
                continue
            run = draw.choice(runs)
            mine = {one for one in crowd.tags[run] if one.startswith(f"{name}-")}
            at += 1
            new, old = f"{name}-{at}", draw.choice(sorted(mine)) if mine else ""
            match draw.choice(["add", "remove", "replace"] if len(mine) < 9 else ["remove"]):
                case "add":
                    words, after = ("add", run, new), mine | {new}
                case "remove" if mine:
                    words, after = ("remove", run, old), mine - {old}
                case "replace" if mine:
                    words, after = ("replace", run, old, new), (mine - {old}) | {new}
                case _:
                    continue
            done = act("tag", *words)
            if done.code == 0:
                crowd.tags[run] -= mine
                crowd.tags[run] |= after
            else:
                assert done.is_gone, done
                assert run in crowd.asked_to_delete, done


def _resume_and_delete(crowd: Crowd, draw: random.Random, seed: int) -> None:
    """Run a flow that fails; resume the run while it goes on, and while it is deleted."""
    first = crowd.run("Failing", seed)
    deleting = crowd.thread(lambda: _delete(crowd, f"Failing/{first}", draw.random() * 0.8))
    words = ("resume", f"{crowd.yard.file}:Failing", "--origin-run-id", first)
    done = crowd.flowkit(*words, GO_ON="1")
    deleting.join()
    if done.code == 0:
        crowd.seeds[f"Failing/{done.run_id('Failing')}"] = seed
    else:
        assert done.is_gone, done


def _delete(crowd: Crowd, run: str, delay_s: float) -> None:
    time.sleep(delay_s)
    crowd.asked_to_delete.add(run)
    done = crowd.flowkit("run", "delete", run, "--yes")
    assert done.code == 0, done
    crowd.deleted.add(run)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crowd_in_one_home_keeps_what_each_was_promised(yard: Yard, seed: int) -> None:
    yard.write(FLOWS)
    crowd, draw = Crowd(yard), random.Random(seed)
    # Runs to be deleted beside the others, which have much of the same bytes.
    victims = [f"Wide/{crowd.run('Wide', 0, '--executor', 'inline')}" for _ in range(2)]
    keepers = [
        crowd.thread(lambda: _collect(crowd)),
        crowd.thread(lambda: _collect(crowd)),
        crowd.thread(lambda: _mend(crowd)),
        crowd.thread(lambda: _look(crowd, random.Random(draw.random()))),
        crowd.thread(lambda: _tag(crowd, "a", random.Random(draw.random()))),
        crowd.thread(lambda: _tag(crowd, "b", random.Random(draw.random()))),
    ]
    room = threading.Semaphore(AT_ONCE)

    def in_room(act: Callable[[], object]) -> Callable[[], None]:
        def acting() -> None:
            with room:
                act()

        return acting

    runs: list[Callable[[], object]] = []
    for at in range(1, ROUNDS + 1):
        runs += [
            lambda at=at: crowd.run("Wide", at),
            lambda: crowd.run("Wide", 0, "--reuse"),
            lambda at=at: crowd.run("Steady", at),
            lambda at=at: _resume_and_delete(crowd, draw, at),
            lambda at=at: _resume_and_delete(crowd, draw, 100 + at),
        ]
    runs += [lambda run=run: _delete(crowd, run, draw.random()) for run in victims]
    draw.shuffle(runs)
    for thread in [crowd.thread(in_room(one)) for one in runs]:
        thread.join()
    crowd.stop.set()
    for thread in keepers:
        thread.join()
    if crowd.faults:
        raise BaseExceptionGroup("what the crowd met", crowd.faults)
    _see_that_all_holds(crowd)


def _see_that_all_holds(crowd: Crowd) -> None:
    for done in crowd.done:
        assert not UNWANTED.search(RAISED.sub("", done.err)), done
    assert crowd.flowkit("gc", "--grace", "0s").code == 0
    workspace = crowd.yard.open()
    store, index = workspace.store, workspace.metadata
    assert list(verify_store(store)) == []
    rebuilt = Metadata.open(":memory:")
    assert reindex(store, rebuilt) == []
    assert index.snapshot() == rebuilt.snapshot()
    rebuilt.close()
    there = {str(row.run): row for row in index.runs()}
    assert there.keys() == {str(run) for run in store.run_ids()}
    assert there.keys().isdisjoint(crowd.deleted)
    # Numbers are given out one after the other, and none twice.
    for flow in ("Wide", "Steady", "Failing"):
        known = [run for run in [*there, *crowd.deleted] if run.startswith(f"{flow}/")]
        assert {*known} == {f"{flow}/{at}" for at in range(1, len(known) + 1)}
    for run, seed in crowd.seeds.items():
        if run not in crowd.deleted:
            assert there[run].status == "succeeded"
            _see_that_artifacts_are_right(Run(run, workspace=workspace), seed)
    for run, row in there.items():
        assert set(row.tags) == crowd.tags[run], run
        assert set(store.tags(row.run)) == crowd.tags[run], run
    workspace.close()


def _see_that_artifacts_are_right(run: Any, seed: int) -> None:
    assert run.data.result == blob(f"{seed}/{WIDTH}")
    if "each" in run:
        found = {task.index: (task.data.own, task.data.shared) for task in run["each"]}
        due = {at: (blob(f"{seed}/{at}"), blob(str(at))) for at in range(WIDTH)}
        assert found == due
        assert run["join"].task.data.all == [own for own, _ in due.values()]
    else:
        assert run["join"].task.data.more == blob(f"{seed}/1")
        assert run["join"].task.data.own == blob(f"{seed}/0")
