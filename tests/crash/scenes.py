"""Commands to disturb, the homes that they find, and what must hold whatever became of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

from faults import IS_LONG, ROLES, Faults, Point, Role

from flowkit.cli import main
from flowkit.client import Run, Workspace, delete_run
from flowkit.metadata import Metadata, may_be_driven
from flowkit.store import DirectoryStorage, Store, collect, reindex, verify_store
from flowkit.values import RunId

if TYPE_CHECKING:
    from conftest import Yard

# A large artifact, which is stored by itself and mapped, then another that is mostly the same; and
# small ones, packed into manifests. What is computed is noted outside of what is disturbed.
FLOW: Final = """
    import os, random
    from flowkit import FlowSpec, current, step

    def note():
        with open(os.path.join(os.environ["YARD"], "computed"), "a") as file:
            file.write(f"{current.step_name}/{current.task_id}\\n")

    class Work(FlowSpec):
        @step
        def start(self):
            note()
            self.large = random.Random(os.environ.get("SEED", "7")).randbytes(2 << 20)
            self.items = range(2)
            self.next(self.square, foreach="items")

        @step
        def square(self):
            note()
            print("squaring", self.input)
            self.small = [self.input**2] * 1000
            self.next(self.join)

        @step
        def join(self, inputs):
            assert "FAIL" not in os.environ
            note()
            self.all = [one.small for one in inputs]
            large = inputs[0].large
            self.large = large[: 1 << 20] + b"and more" + large[1 << 20 :]
            self.next(self.end)

        @step
        def end(self):
            note()
"""
TASKS: Final = 5


@dataclass(frozen=True, slots=True)
class Scene:
    """A command, and the home that it finds: none, or one that was prepared."""

    words: Sequence[str]
    found: str | None
    roles: Sequence[Role] = ("command",)

    @property
    def runs(self) -> bool:
        """Whether the command runs the flow."""
        return runs_the_flow(self.words)


_LONG: Final = 12

SCENES: Final[Mapping[str, Scene]] = {
    "run": Scene(["run"], None, ROLES),
    "cold run": Scene(["run", "--executor", "process"], None, ROLES),
    "resume": Scene(["resume"], "half", ROLES),
    "gc": Scene(["gc", "--grace", "0s"], "garbage"),
    "delete": Scene(["run", "delete", "Work/1", "--yes"], "resumed"),
    "tag": Scene(["tag", "add", "Work/1", "nice"], "whole"),
    "reindex": Scene(["store", "reindex"], "whole"),
}


def cases(counts: Mapping[tuple[str, Role], int], *, otherwise: int) -> list[tuple[str, Role, int]]:
    """Return scenes and roles, with how many points of each to try; many more in the long form."""
    if not IS_LONG:
        return [(*case, count) for case, count in counts.items()]
    return [
        (name, role, _LONG * counts.get((name, role), otherwise))
        for name, scene in SCENES.items()
        for role in scene.roles
    ]


def runs_the_flow(words: Sequence[str]) -> bool:
    """Say whether a command takes the flow."""
    return words[0] in ("run", "resume") and words[1:2] != ["delete"]


class Stage:
    """Sets scenes, and knows what comes of them undisturbed."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library, self._folder = library, folder
        self._points: dict[str, list[Point]] = {}
        self._artifacts: dict[str, str] = {}

    def set(self, yard: Yard, scene: Scene) -> Faults:
        """Write the flow and lay out the home; returns what can befall the command."""
        yard.file.write_text(dedent(FLOW))
        if scene.found is not None:
            shutil.copytree(self._home(yard, scene.found), yard.home)
        return Faults(self._library, yard.home, yard.folder)

    def points(self, yard: Yard, name: str) -> list[Point]:
        """Return the points of a scene, in an undisturbed performance on a yard like this one."""
        if name not in self._points:
            scene = SCENES[name]
            yard = self._yard_beside(yard, name)
            faults = self.set(yard, scene)
            ended = act(yard, scene.words, faults)
            assert ended.returncode == 0, ended.stderr
            self._points[name] = faults.points
        return self._points[name]

    def artifacts(self, yard: Yard) -> dict[str, str]:
        """Return what the flow leaves if nothing disturbs it."""
        if not self._artifacts:
            yard = self._yard_beside(yard, "artifacts")
            shutil.copytree(self._home(yard, "whole"), yard.home)
            self._artifacts = artifacts_of(yard.latest("Work"))
        return self._artifacts

    def _yard_beside(self, yard: Yard, name: str) -> Yard:
        folder = self._folder / name.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        return type(yard)(folder)

    def _home(self, yard: Yard, name: str) -> Path:
        """Return a home that was prepared.

        It has a run that failed (`half`), one that succeeded (`whole`), that one resumed
        (`resumed`), or that one and garbage.
        """
        yard = self._yard_beside(yard, name)
        if yard.home.exists():
            return yard.home
        yard.file.write_text(dedent(FLOW))
        if name not in ("whole", "half"):
            shutil.copytree(self._home(yard, "whole"), yard.home)
        more = {"half": {"FAIL": "yes"}, "garbage": {"SEED": "8"}}.get(name, {})
        ended = act(yard, ["resume" if name == "resumed" else "run"], **more)
        assert ended.returncode == (1 if name == "half" else 0), ended.stderr
        if name == "garbage":
            workspace = yard.open()
            delete_run(workspace, RunId("Work", "2"))
            workspace.close()
        return yard.home


def act(
    yard: Yard, words: Sequence[str], faults: Faults | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and see that no process is left of it."""
    flow = [str(yard.file)] if runs_the_flow(words) else []
    given = {"FLOWKIT_SYNC": "1", **(faults.environ if faults else {}), **more}
    ended = subprocess.run(
        yard.command(*words, *flow),
        env=yard.environ(**given),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        start_new_session=True,
    )
    yard.wait_for(lambda: yard.processes() == [])
    return ended


def act_here(yard: Yard, words: Sequence[str]) -> int:
    """Run a command to its end in this process, which is quicker; returns its exit code."""
    flow = [str(yard.file)] if runs_the_flow(words) else []
    before = dict(os.environ)
    os.environ |= yard.environ(FLOWKIT_SYNC="1")
    try:
        return main(["--home", str(yard.home), *words, *flow])
    finally:
        os.environ.clear()
        os.environ |= before
        yard.wait_for(lambda: yard.processes() == [])


def artifacts_of(run: Any) -> dict[str, str]:
    """Return the digests of all artifacts of a run."""
    return {f"{t.key}.{one.id}": one.sha for step in run for t in step for one in t}


def computed(yard: Yard) -> list[str]:
    """Return the tasks that were computed so far, each time that they were."""
    file = yard.folder / "computed"
    return file.read_text().splitlines() if file.exists() else []


def committed(yard: Yard) -> set[str]:
    """Return the tasks that some run has a result of, or a clone."""
    store = yard.open().store
    found = set()
    for run in store.run_ids("Work"):
        clones = store.clones(run)
        found |= {str(one.key) for one in clones.clones} if clones else set()
        found |= {str(one.attempt.key) for one in store.results(run) if one.status == "succeeded"}
    return found


def inspect(yard: Yard) -> list[Run]:
    """See that nothing is damaged and that all that is listed can be looked at; return the runs."""
    workspace = yard.open()
    assert list(verify_store(workspace.store)) == []
    runs = [Run.of(row, workspace) for row in workspace.metadata.runs()]
    home = ["--home", str(yard.home)]
    assert main([*home, "list", "runs"]) == 0
    for run in runs:
        assert main([*home, "show", run.pathspec]) == 0
        for step in run:
            for task in step:
                assert isinstance(task.stdout, str)
                if task.successful:
                    for one in task:
                        assert one.data is not None
    return runs


def see_that_index_agrees(workspace: Workspace) -> None:
    """Compare the index with one that is made anew from the store."""
    anew = Metadata.open(":memory:")
    assert reindex(workspace.store, anew) == []
    indexed, stored = workspace.metadata.snapshot(), anew.snapshot()
    for table, rows in stored.items():
        assert set(indexed[table]) == set(rows), table
    anew.close()


def go_on(yard: Yard, stage: Stage) -> None:
    """Resume, or run if nothing had begun; see that it comes to what an undisturbed run does."""
    before, lines = committed(yard), len(computed(yard))
    has_begun = bool(yard.open().metadata.runs("Work"))
    assert act_here(yard, ["resume"] if has_begun else ["run"]) == 0
    anew = computed(yard)[lines:]
    assert before.isdisjoint(anew), f"computed twice: {before & set(anew)}"
    assert len(anew) == TASKS - len(before)
    see_that_all_is_well(yard, stage)


def see_that_it_was_done(yard: Yard, name: str) -> None:
    """See that a command has come to what it is for."""
    ids = [run.id for run in store_runs(yard)]
    match name:
        case "delete":
            assert ids == ["2"]
        case "tag":
            assert yard.latest("Work").user_tags == {"nice"}
        case "gc":
            store = yard.open().store
            assert collect(store, grace_s=0, dry_run=True, lives=lambda _: False).unreached == 0


def store_runs(yard: Yard) -> list[RunId]:
    """Return the runs that the store has."""
    return list(yard.open().store.run_ids())


def see_that_all_is_well(yard: Yard, stage: Stage) -> None:
    """See that the latest run is whole, the index right, and nothing left over for good."""
    workspace = yard.open()
    assert artifacts_of(yard.latest("Work")) == stage.artifacts(yard)
    see_that_index_agrees(workspace)
    # To the storage, all is an hour old: what is as young as the collection itself is spared.
    aged = DirectoryStorage(yard.home / "store", now=lambda: time.time() + 3600)
    collect(Store(aged), grace_s=0, lives=lambda record: may_be_driven(record, None))
    inspect(yard)
    assert not os.listdir(yard.home / "store/.temporary")
