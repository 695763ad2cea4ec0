"""Behaviours of what surrounds a run: projects, tags, logs, cards, formats, reuse, hooks."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest

from flowkit import get_cards
from flowkit.client import Flow, Run, namespace
from flowkit.exception import MetaflowNamespaceMismatch
from matrix.behaviour import Behaviour, Launch

if TYPE_CHECKING:
    from matrix.behaviour import Cell, Ended, Executor
    from matrix.shapes import Node, Shape


class RunIdFiles(Behaviour):
    """The file with the run's id is there before the first task starts."""

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Read it."""
        return """
with open("run-id") as file:
    assert file.read() == current.run_id
"""


class Projects(Behaviour):
    """`@project` names a branch, which all tasks know."""

    before_class = "from flowkit import project\n"
    flow_decorators = ("project(name='fraud')",)

    def launch(self, cell: Cell) -> Launch:
        """Run in a branch of a name by the command line, and in one's own by `Runner`."""
        return Launch(branch="idea" if cell.way == "cli" else None)

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Note it."""
        return "self.where = (current.project_name, current.branch_name, current.project_flow_name)"

    def check(self, cell: Cell, ended: Ended) -> None:
        """It is in all tasks, and in the run's tags."""
        branch = "test.idea" if cell.way == "cli" else "user.tester"
        flow = ended.run.parent.id
        for due in cell.shape.due():
            assert ended.task(due).data.where == ("fraud", branch, f"fraud.{branch}.{flow}")
        assert {"project:fraud", f"project_branch:{branch}"} <= ended.run.system_tags


class Tags(Behaviour):
    """Tags of a run are on all that is in it, can be changed, and make namespaces."""

    def launch(self, cell: Cell) -> Launch:
        """Give two."""
        return Launch(tags=("nächtlich", "two words"))

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Note them."""
        return "self.tags_here = sorted(current.tags)"

    def check(self, cell: Cell, ended: Ended) -> None:
        """They are everywhere; what is added and removed is seen at once."""
        given = {"nächtlich", "two words"}
        for due in cell.shape.due():
            task = ended.task(due)
            assert given <= set(task.data.tags_here)
            assert task.user_tags == task.parent.user_tags == task["trail"].user_tags == given
        run = ended.run
        cell.cli("tag", "add", run.pathspec, "später")
        cell.cli("tag", "remove", run.pathspec, "two words")
        again = Run(run.pathspec, workspace=cell.lab.workspace)
        assert again.user_tags == {"nächtlich", "später"}
        assert "user:tester" in again.system_tags
        found = cell.json("list", "runs", "--tag", "später")["runs"]
        assert [row["run"] for row in found] == [run.pathspec]
        assert cell.json("list", "runs", "--tag", "two words")["runs"] == []
        try:
            namespace("später")
            assert [one.id for one in Flow(run.parent.id, workspace=cell.lab.workspace)] == [run.id]
            namespace("two words")
            with pytest.raises(MetaflowNamespaceMismatch):
                Run(run.pathspec, workspace=cell.lab.workspace)
        finally:
            namespace(None)


class Logs(Behaviour):
    """Both streams, in order, in any script."""

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Print."""
        return f"""
print("eins", "zwölf", {node.name!r})
print("\\u6f22\\u5b57", file=sys.stderr)
print("last", end="")
"""

    def check(self, cell: Cell, ended: Ended) -> None:
        """Client and command line show what was printed, and so did the run."""
        for due in cell.shape.due():
            task = ended.task(due)
            out = f"eins zwölf {due.step}\nlast"
            assert task.stdout.rstrip("\n") == out
            assert task.stderr == "漢字\n"
            assert [text for _, text in task.loglines("stderr")] == ["漢字"]
            shown = cell.cli("--quiet", "logs", "--stdout", task.pathspec)
            assert shown.rstrip("\n") == out
        assert ended.out.count("zwölf") == len(cell.shape.due())


class Cards(Behaviour):
    """A card of every task, into which it appends; one that fails is no harm."""

    before_class = """
from flowkit import card
from flowkit.cards import Markdown, MetaflowCardComponent

class Broken(MetaflowCardComponent):
    def render(self):
        raise ValueError("no card")
"""

    def decorators(self, node: Node) -> tuple[str, ...]:
        """A card of one's own, and at the end one that fails."""
        broken = () if node.next else ("card(type='blank', id='broken')",)
        return ("card(type='blank', id='own', customize=True)", *broken)

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Append to it, and to the one that fails."""
        broken = "" if node.next else "current.card['broken'].append(Broken())\n"
        return f"current.card.append(Markdown('Made by **{node.name}**'))\n{broken}"

    def check(self, cell: Cell, ended: Ended) -> None:
        """They are there for the client and for the command line."""
        for due in cell.shape.due():
            task = ended.task(due)
            (own,) = get_cards(task, id="own")
            assert f"Made by <strong>{due.step}</strong>" in own.get()
        end = f"{ended.run.pathspec}/end/0"
        listed = json.loads(cell.cli("card", "list", end, "--as-json"))
        assert listed["pathspec"] == end
        assert {"hash", "id", "type", "filename"} <= listed["cards"][0].keys()
        assert listed["cards"][0]["id"] == "own"


class Formats(Behaviour):
    """`dump` prints and saves the artifacts of all tasks."""

    def check(self, cell: Cell, ended: Ended) -> None:
        """The saved ones are a pickle of dicts by task."""
        file = cell.folder / "dumped.pickle"
        cell.cli("dump", ended.run.pathspec, "--file", str(file))
        dumped = pickle.loads(file.read_bytes())
        tasks = [ended.task(due) for due in cell.shape.due()]
        assert set(dumped) == {one.pathspec.split("/", 1)[1] for one in tasks}
        for task in tasks:
            assert dumped[task.pathspec.split("/", 1)[1]]["trail"] == task.data.trail
        shown = cell.json("dump", ended.run.pathspec, "--include", "trail")["tasks"]
        assert shown.keys() == {one.pathspec for one in tasks}


class Reuses(Behaviour):
    """A second run with `--reuse` takes over every task of the first."""

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Leave a trace of having run."""
        return "print('runs')"

    def goes_on(self, cell: Cell, ended: Ended) -> Launch | None:
        """Run again."""
        return Launch(reuse=True) if ended.run.id == "1" else None

    def check(self, cell: Cell, ended: Ended) -> None:
        """Nothing has run."""
        rows = cell.json("list", "tasks", ended.run.pathspec)["tasks"]
        assert all(row["cloned_from"] for row in rows)
        assert "runs" not in ended.out


class Decorated(Behaviour):
    """A decorator of the user's runs before and after every step."""

    before_class = """
from flowkit import user_step_decorator

@user_step_decorator
def noted(step_name, flow, inputs=None, attributes=None):
    flow.noted_before = [step_name, inputs is not None, attributes["label"]]
    yield
    flow.noted_after = flow.trail[-1]
"""

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Decorate every step."""
        return ("noted(label='x')",)

    def check(self, cell: Cell, ended: Ended) -> None:
        """It saw each step."""
        for due in cell.shape.due():
            data = ended.task(due).data
            assert data.noted_before == [due.step, bool(due.inputs), "x"]
            assert data.noted_after == due.step


class Mutated(Behaviour):
    """A mutator adds a parameter to the flow, and a decorator to every step."""

    before_class = """
from flowkit import FlowMutator

class Adding(FlowMutator):
    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("added", Parameter("added", default=3))

    def mutate(self, mutable_flow):
        for _, step in mutable_flow.steps:
            step.add_decorator(environment, deco_kwargs={"vars": {"COLOUR": "red"}})
"""
    flow_decorators = ("Adding",)

    def launch(self, cell: Cell) -> Launch:
        """Give the added parameter."""
        return Launch(parameters={"added": "4"})

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Note both."""
        return "self.seen = (self.added, os.environ['COLOUR'])"

    def check(self, cell: Cell, ended: Ended) -> None:
        """Every step has seen them."""
        for due in cell.shape.due():
            assert ended.task(due).data.seen == (4, "red")


class Hooks(Behaviour):
    """Exit hooks are called once, after the run."""

    before_class = """
from flowkit import exit_hook

def note(run):
    with open("hooks.txt", "a") as hooks:
        hooks.write(f"{run.pathspec} {run.successful}\\n")
"""
    flow_decorators = ("exit_hook(on_success=[note])",)

    def check(self, cell: Cell, ended: Ended) -> None:
        """It was called with the run."""
        assert (cell.folder / "hooks.txt").read_text() == f"{ended.run.pathspec} True\n"


class Spins(Behaviour):
    """A step spun after a run sees what it saw there, and no run learns of it."""

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Tell what is seen."""
        return "print(self.trail, (self.index, self.input))"

    def check(self, cell: Cell, ended: Ended) -> None:
        """Spun, the last task of each step prints what it did."""
        before = cell.json("list", "tasks", ended.run.pathspec)["tasks"]
        last = {due.step: due for due in cell.shape.due()}
        for due in last.values():
            task = ended.task(due)
            words = ("spin", str(cell.lab.file), task.pathspec)
            spun = cell.cli("--quiet", *words, "--executor", "inline")
            assert task.stdout in spun
        assert cell.json("list", "tasks", ended.run.pathspec)["tasks"] == before
        assert len(cell.json("list", "runs")["runs"]) == 1


class Secrets(Behaviour):
    """Every step has its secret, and nothing that is kept or printed shows it."""

    before_class = "from flowkit import secrets\n"

    def launch(self, cell: Cell) -> Launch:
        """Write a file with one."""
        (cell.folder / "secret.env").write_text("PASSWORD='correct horse battery'")
        return Launch()

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Fetch it."""
        return ("secrets(sources=['env-file.secret.env'])",)

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Use it, and print it."""
        return "self.length = len(os.environ['PASSWORD'])\nprint('with', os.environ['PASSWORD'])"

    def check(self, cell: Cell, ended: Ended) -> None:
        """It was there, and it is masked."""
        for due in cell.shape.due():
            task = ended.task(due)
            assert (task.data.length, task.stdout) == (21, "with ***\n")
        assert "horse" not in ended.out + ended.err
        for file in cell.lab.home.rglob("*"):
            assert not file.is_file() or b"horse" not in file.read_bytes()


SURROUNDINGS = [
    *(RunIdFiles(), Projects(), Tags(), Logs(), Cards(), Formats(), Reuses()),
    *(Decorated(), Mutated(), Hooks(), Spins(), Secrets()),
]
