"""Every flow in examples/ does what it says, started as a user would start it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import flowkit
from flowkit.client import Run, Workspace, open_workspace
from flowkit.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
HELLO, DIGITS, PENGUINS = (EXAMPLES / one / "flow.py" for one in ("hello", "digits", "penguins"))
FLOWKIT = ("-m", "flowkit")


class Shell:
    """A terminal in a folder of its own, and the runs that its commands leave."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self.folder, self.workspace = folder, workspace

    def python(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Start Python with these words, and wait for its end."""
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("FLOWKIT_")},
            "FLOWKIT_HOME": str(self.workspace.settings.home),
            "FLOWKIT_USER": self.workspace.settings.user,
            # Where the tree is not installed, it is found from every folder all the same.
            "PYTHONPATH": str(Path(flowkit.__file__).parents[1]),
        }
        return subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def lines(self, *words: object) -> list[str]:
        """Start Python with these words; return what it prints to stdout, if all goes well."""
        done = self.python(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    def run(self, pathspec: str) -> Run:
        """Look at a run."""
        return Run(pathspec, workspace=self.workspace)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with closing(open_workspace(Settings(home=tmp_path / "home", user="ada"))) as workspace:
        yield Shell(tmp_path, workspace)


def data_of(run: Run) -> Any:
    assert run.successful
    return run.data


def test_hello_prints_its_greeting(shell: Shell) -> None:
    assert shell.lines(*FLOWKIT, "run", HELLO) == ["end | hello, flow"]

    run = shell.run("Hello/1")
    assert data_of(run).greeting == "hello, flow"
    assert run["end"].task.stdout == "hello, flow\n"


def test_hello_is_a_program_too_and_resumes_what_it_ran(shell: Shell) -> None:
    shell.lines(HELLO, "run")
    assert shell.lines(HELLO, "resume", "end") == ["end | hello, flow"]

    resumed = shell.run("Hello/2")
    assert resumed.origin_pathspec == "Hello/1"
    assert resumed["start"].task.origin_pathspec == "Hello/1/start/0"
    assert resumed["end"].task.origin_pathspec is None


def test_digits_keeps_the_best_of_all_models_and_how_it_errs(shell: Shell) -> None:
    lines = shell.lines(*FLOWKIT, "run", DIGITS)

    run = shell.run("Digits/1")
    found = data_of(run)
    trained = [task.data for task in run["train"]]
    best = max(trained, key=lambda one: one.score)
    assert len(trained) == 12
    assert (found.model, found.settings) == (best.model, best.settings)
    assert f"end | winner: {found.model} {found.settings}" in lines[-2]
    assert found.confusion.shape == (10, 10)
    assert found.confusion.sum() == len(found.test_y) == 450
    assert found.confusion.trace() / 450 == pytest.approx(found.accuracy)
    assert found.accuracy > 0.95
    assert [f"compare | {row}" for row in found.report.splitlines()] == [
        line for line in lines if line.startswith("compare | ")
    ]


def test_digits_resumes_at_the_comparison_without_training_again(shell: Shell) -> None:
    shell.lines(*FLOWKIT, "run", DIGITS, "--models", "neighbours,vectors")
    shell.lines(*FLOWKIT, "resume", DIGITS, "compare")

    first, second = shell.run("Digits/1"), shell.run("Digits/2")
    assert len(list(second["train"])) == 6
    for step in ("start", "sweep", "train", "pick"):
        assert all(task.origin_pathspec for task in second[step])
    assert second["compare"].task.origin_pathspec is None
    assert data_of(second).ranking == data_of(first).ranking


def test_the_same_seed_gives_the_same_digits(shell: Shell) -> None:
    for _ in range(2):
        shell.lines(*FLOWKIT, "run", DIGITS, "--models", "forest", "--seed", 3)

    first, second = (shell.run(f"Digits/{number}")["end"].task for number in (1, 2))
    assert first["train_x"].sha == second["train_x"].sha
    assert first["confusion"].sha == second["confusion"].sha


def test_penguins_writes_a_guide_to_one_island(shell: Shell) -> None:
    lines = shell.lines(*FLOWKIT, "run", PENGUINS, "--island", "Dream")

    found = data_of(shell.run("Penguins/1"))
    assert found.species == [("Chinstrap", 68), ("Adelie", 56)]
    assert found.typical["Adelie"]["body_mass_g"] == pytest.approx(3688, abs=1)
    assert len(found.birds) == 342
    assert [f"end | {row}" for row in found.guide.splitlines()] == lines[1:]


def test_penguins_knows_its_islands(shell: Shell) -> None:
    done = shell.python(*FLOWKIT, "run", PENGUINS, "--island", "Atlantis")
    assert done.returncode == 2
    assert "Biscoe" in done.stderr


def test_every_example_has_a_section_in_the_documentation() -> None:
    sections = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8").splitlines()
    for flow in EXAMPLES.glob("*/flow.py"):
        assert f"## {flow.parent.name}" in sections
