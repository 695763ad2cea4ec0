"""Behaviours of flows in which something goes wrong: retried, caught, timed out, resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from flowkit.client import Task
from matrix.behaviour import Behaviour, Launch
from matrix.shapes import Gang, Switch

if TYPE_CHECKING:
    from matrix.behaviour import Cell, Ended, Executor
    from matrix.shapes import Due, Node, Shape


def dies(executor: Executor) -> str:
    """Code that ends an attempt: by a signal where it has a process of its own."""
    raises = "raise KeyError('dies')"
    return raises if executor == "inline" else "os.kill(os.getpid(), signal.SIGKILL)"


class Retries(Behaviour):
    """The last attempt's artifacts and logs win; each attempt's metadata stays readable."""

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Try up to three times."""
        return ("retry(times=2, minutes_between_retries=0)",)

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Raise in the first attempt, and die in the second."""
        return f"""
self.tried = current.retry_count
print("attempt", current.retry_count)
if current.retry_count == 0:
    raise ValueError("the first")
if current.retry_count == 1:
    {dies(executor)}
"""

    def check(self, cell: Cell, ended: Ended) -> None:
        """Every task was tried three times."""
        for due in cell.shape.due():
            task = ended.task(due)
            assert (task.data.tried, task.current_attempt, task.stdout) == (2, 2, "attempt 2\n")
            first = Task(task.pathspec, attempt=0, workspace=cell.lab.workspace)
            assert first.metadata_dict["attempt"] == "0"
            assert not first.successful
            # Another node may have failed before this one came to print.
            assert first.stdout == "attempt 0\n" or cell.shape.is_gang(due.step)
        start = f"{ended.run.pathspec}/start"
        assert cell.cli("logs", start, "--attempt", "0", "--stdout") == "attempt 0\n"


class Catches(Behaviour):
    """`@catch` keeps what was set before, holds the exception, and goes on."""

    def fits(self, shape: Shape) -> bool:
        """Not with gangs: `@catch` stands in for all their nodes, as `test_gangs` shows."""
        return not shape.has(Gang)

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Catch where the way on is known."""
        return ("catch(var='problem', print_exception=False)",) if node.goes_one_way else ()

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Fail."""
        return "raise ValueError('boom')" if node.goes_one_way else ""

    def check(self, cell: Cell, ended: Ended) -> None:
        """Each failed task holds its exception; the command line shows it."""
        for due in cell.shape.due():
            if cell.shape.nodes[due.step].goes_one_way:
                problem = ended.task(due).data.problem
                assert (problem.type, problem.exception) == ("ValueError", "boom")
        assert "boom" in cell.cli("dump", f"{ended.run.pathspec}/end", "--include", "problem")


class Survives(Behaviour):
    """A task that is killed is caught; what went before it is kept."""

    executors = ("local", "process")

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Catch it at the end."""
        return () if node.next else ("catch(var='problem', print_exception=False)",)

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Die at the end."""
        return "" if node.next else "print('last words', flush=True)\n" + dies(executor)

    def keeps_trail(self, due: Due) -> bool:
        """What a killed task has set is lost."""
        return due.step != "end"

    def check(self, cell: Cell, ended: Ended) -> None:
        """The end knows of what, and has the artifacts of the step before."""
        data, due = ended.run.data, cell.shape.due()[-1]
        assert data is not None
        assert data.problem.type == "ProcessDied"
        assert data.trail == due.trail[:-1]
        assert "last words" in cell.cli("logs", f"{ended.run.pathspec}/end", "--stdout")


class TimesOut(Behaviour):
    """`@timeout` raises inside the step; what was set before is kept by `@catch`."""

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Limit the end to a second."""
        return () if node.next else ("catch(var='problem')", "timeout(seconds=1)")

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Wait for ever at the end."""
        if node.next:
            return ""
        return """
try:
    signal.pause()
finally:
    self.was_raised = sys.exc_info()[0] is not None
"""

    def check(self, cell: Cell, ended: Ended) -> None:
        """The exception went through the step."""
        data = ended.run.data
        assert data is not None
        assert (data.was_raised, data.problem.type) == (True, "StepTimedOut")


class Resumes(Behaviour):
    """Resumed, what succeeded before the failure is cloned, and the rest runs."""

    def __init__(self, which: Literal["middle", "join", "end"]) -> None:
        self.which = which

    def __str__(self) -> str:
        return f"Resumes_at_{self.which}"

    def fits(self, shape: Shape) -> bool:
        """Tell whether there is such a step."""
        return self.which != "join" or bool(shape.joins)

    def broken(self, shape: Shape) -> str:
        """Name the step that fails."""
        if self.which == "join":
            return shape.joins[-1].name
        names = list(dict.fromkeys(one.step for one in shape.due()))
        return "end" if self.which == "end" else names[len(names) // 2]

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Fail in the first run, at the last turn of a loop."""
        if node.name != self.broken(shape):
            return ""
        turns = max(one.iteration for one in shape.due() if one.step == node.name)
        is_last = f"self.trail.count({node.name!r}) > {turns}"
        return f"""
if {is_last} and not os.path.exists("mended"):
    raise ValueError("broken")
"""

    def goes_on(self, cell: Cell, ended: Ended) -> Launch | None:
        """Resume once."""
        if ended.run.origin_pathspec is not None:
            return None
        assert (ended.code, ended.run.status) == (1, "failed")
        assert ended.run.failure is not None
        assert ended.run.failure.message == "broken"
        (cell.folder / "mended").touch()
        return Launch(resumes="")

    def check(self, cell: Cell, ended: Ended) -> None:
        """What the first run finished is cloned, and nothing that follows a broken task."""
        broken = self.broken(cell.shape)
        origin = ended.run.origin_pathspec
        assert origin is not None

        def rows(run: str) -> dict[tuple[object, ...], dict[str, Any]]:
            listed = cell.json("list", "tasks", run)["tasks"]
            return {(row["step"], *row["path"], row["iteration"]): row for row in listed}

        # The first run starts nothing more once a branch has failed: how far the others came
        # is a matter of time.
        finished = {key for key, row in rows(origin).items() if row["status"] == "succeeded"}
        failed = {key for key, row in rows(origin).items() if row["status"] == "failed"}
        cloned = {key: row for key, row in rows(ended.run.pathspec).items() if row["cloned_from"]}
        assert cloned.keys() == finished
        assert failed
        assert {key[0] for key in failed} == {broken}
        for due in cell.shape.due():
            key = (due.step, *due.path, due.iteration)
            if key in failed:
                assert _steps_in(due.trail[:-1]) - {broken} <= {one[0] for one in finished}
            if broken in _steps_in(due.trail[:-1]) and due.step != broken:
                assert key not in cloned
            if key in cloned:
                task = ended.task(due)
                assert task.origin_pathspec == f"{origin}/{due.step}/{task.id}"


class ResumesNamed(Behaviour):
    """A run that went well is resumed from a step: it and what follows run anew."""

    def broken(self, shape: Shape) -> str:
        """Name the step from which it is resumed."""
        names = list(dict.fromkeys(one.step for one in shape.due()))
        return names[len(names) // 2]

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Leave a trace of having run."""
        return "with open('runs.txt', 'a') as runs: runs.write('x')"

    def goes_on(self, cell: Cell, ended: Ended) -> Launch | None:
        """Resume once."""
        if ended.run.origin_pathspec is not None:
            return None
        assert (ended.code, ended.run.status) == (0, "succeeded")
        (cell.folder / "runs.txt").unlink()
        return Launch(resumes=self.broken(cell.shape))

    def check(self, cell: Cell, ended: Ended) -> None:
        """Exactly they have run."""
        step = self.broken(cell.shape)
        anew = {
            (due.step, *due.path, due.iteration)
            for due in cell.shape.due()
            if step in _steps_in(due.trail)
        }
        rows = cell.json("list", "tasks", ended.run.pathspec)["tasks"]
        ran = {
            (row["step"], *row["path"], row["iteration"]) for row in rows if not row["cloned_from"]
        }
        assert ran == anew
        assert (cell.folder / "runs.txt").read_text() == "x" * len(anew)


class Crashes(Behaviour):
    """A run whose end dies tells why, and keeps what was printed."""

    ends = "failed"

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Print, and die at the end."""
        if node.next:
            return ""
        return "print('last wörds', flush=True)\nprint('oh', file=sys.stderr)\n" + dies(executor)

    def check(self, cell: Cell, ended: Ended) -> None:
        """Client and command line say what died, and show what it printed."""
        shown = cell.json("show", ended.run.pathspec)
        assert shown["failed_tasks"] == [f"{ended.run.pathspec}/end/0"]
        end = ended.run["end"].task
        assert (end.stdout, end.successful) == ("last wörds\n", False)
        assert "oh\n" in end.stderr
        assert "last wörds" in cell.cli("logs", end.pathspec, "--stdout")
        died = "KeyError" if cell.executor == "inline" else "ProcessDied"
        assert ended.run.failure is not None
        assert ended.run.failure.type_name == died


class UnknownKeys(Behaviour):
    """A switch with a key that no arm has says which there are."""

    ends = "failed"

    def fits(self, shape: Shape) -> bool:
        """Tell whether there is a switch."""
        return shape.has(Switch)

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Choose what there is not."""
        return "self.key = 'nowhere'" if isinstance(node.next, Switch) else ""

    def check(self, cell: Cell, ended: Ended) -> None:
        """The failure names the key and the known ones."""
        failure = ended.run.failure
        assert failure is not None
        assert "'nowhere'" in failure.message
        switch = next(one.next for one in cell.shape.nodes.values() if isinstance(one.next, Switch))
        assert all(f"`{key}`" in str(failure.hint) for key in switch.arms)
        if cell.way == "cli":
            assert str(failure.hint) in ended.err


def _keys(cell: Cell, ended: Ended, *, cloned: bool) -> set[tuple[str, *tuple[int, ...]]]:
    """Return the tasks that were cloned, or those that were not: step, path and iteration."""
    rows = cell.json("list", "tasks", ended.run.pathspec)["tasks"]
    chosen = [row for row in rows if bool(row["cloned_from"]) is cloned]
    return {(row["step"], *row["path"], row["iteration"]) for row in chosen}


def _steps_in(trail: object) -> set[str]:
    if isinstance(trail, str):
        return {trail}
    assert isinstance(trail, list)
    return set().union(*map(_steps_in, trail))


FAILURES = [
    *(Retries(), Catches(), Survives(), TimesOut()),
    *(Resumes("middle"), Resumes("join"), Resumes("end"), ResumesNamed()),
    *(Crashes(), UnknownKeys()),
]
