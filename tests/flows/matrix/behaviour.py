"""What a behaviour is: what it adds to a flow and to its launch, and how it is checked."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from flowkit.cli import main
from flowkit.client import Run, Task
from matrix.shapes import Due, Node, Shape

if TYPE_CHECKING:
    from conftest import Lab

Executor: TypeAlias = Literal["local", "process", "inline"]
Way: TypeAlias = Literal["cli", "runner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a run is started with."""

    parameters: dict[str, str] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    branch: str | None = None
    reuse: bool = False
    resumes: str | None = None
    """Resume: the step to run again, or empty for where the run failed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that ended: its exit code, its printed lines, and how the client shows it."""

    code: int
    out: str
    err: str
    run: Run

    def task(self, due: Due) -> Task:
        """Find a task that is due."""
        key = (due.path, due.iteration)
        same = [one for one in self.run[due.step] if (one.key.path, one.key.iteration) == key]
        assert len(same) == 1, (due, same)
        return same[0]


@dataclass(frozen=True, slots=True)
class Cell:
    """A shape with a behaviour, an executor and a way to run it, in a place of its own."""

    shape: Shape
    behaviour: Behaviour
    executor: Executor
    way: Way
    lab: Lab

    def cli(self, *words: str) -> str:
        """Return what a command prints that only looks."""
        written = io.BytesIO()
        with redirect_stdout(io.TextIOWrapper(written, "utf-8", write_through=True)):
            assert main(["--home", str(self.lab.home), *words]) == 0, words
            return written.getvalue().decode()

    def json(self, *words: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self.cli(*words, "--json"))

    @property
    def folder(self) -> Path:
        """Where the flow is."""
        return self.lab.folder


class Behaviour:
    """Something that a flow of any shape does, or that is done with it."""

    before_class = ""
    members = ""
    flow_decorators: tuple[str, ...] = ()
    executors: tuple[Executor, ...] = ("local", "process", "inline")
    ends: Literal["succeeded", "failed"] = "succeeded"

    def __str__(self) -> str:
        return type(self).__name__

    def fits(self, shape: Shape) -> bool:
        """Tell whether flows of the shape can behave like this."""
        return True

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Decorators of a step, without the @."""
        return ()

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """What a step does before it names the next."""
        return ""

    def launch(self, cell: Cell) -> Launch:
        """With what the flow is run, after preparing files for it."""
        return Launch()

    def goes_on(self, cell: Cell, ended: Ended) -> Launch | None:
        """With what a second run follows the first; None: there is none."""
        return None

    def keeps_trail(self, due: Due) -> bool:
        """Whether the task's own artifacts are kept."""
        return True

    def check(self, cell: Cell, ended: Ended) -> None:
        """Check what is special of the last run; that its tasks are as due was seen before."""
