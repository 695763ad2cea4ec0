"""Flows in cells of a notebook."""

from __future__ import annotations

import asyncio
import linecache
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flowkit import NBRunner, Run, UsageError
from flowkit.launch.notebook import flow_code

CELL = """
import beside
from flowkit import FlowSpec, NBRunner, Parameter, step
get_ipython().run_line_magic('matplotlib', 'inline')

class Note:
    def __init__(self, text):
        self.text = text

class CellFlow(FlowSpec):
    alpha = Parameter("alpha", default=1)

    @step
    def start(self):
        self.note = Note(beside.WORD)
        self.next(self.end)

    @step
    def end(self):
        print(self.note.text, self.alpha)
        self.twice = self.alpha * 2
"""

_numbers = count()
RunCell = Callable[[str], dict[str, Any]]


class Shell:
    """What IPython puts into a notebook's names."""

    def run_line_magic(self, name: str, line: str) -> None:
        """Do nothing."""


@pytest.fixture
def run_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunCell]:
    """Run a cell as a notebook does: its code is known to the interpreter, but in no file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWKIT_SYNC", "0")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "beside.py").write_text("WORD = 'besides'\n")
    names: list[str] = []

    def run(cell: str) -> dict[str, Any]:
        name = f"<cell {next(_numbers)}>"
        names.append(name)
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        scope: dict[str, Any] = {"__name__": "__main__", "get_ipython": Shell}
        exec(compile(cell, name, "exec"), scope)
        return scope

    yield run
    for name in names:
        linecache.cache.pop(name, None)


def test_a_flow_in_a_cell_is_run_and_resumed(
    run_cell: RunCell, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = run_cell(CELL + "\nrun = NBRunner(CellFlow).nbrun(alpha=4)\nprint(run.data.twice)\n")
    assert isinstance(scope["run"], Run)
    assert "end | besides 4\n8\n" in capsys.readouterr().out
    resumed = NBRunner(scope["CellFlow"], show_output=False).nbresume("end")
    assert resumed.origin_pathspec == scope["run"].pathspec
    assert resumed.data is not None
    assert resumed.data.twice == 8


def test_a_flow_in_a_cell_is_run_in_the_background(run_cell: RunCell, tmp_path: Path) -> None:
    flow = run_cell(CELL)["CellFlow"]

    async def main() -> None:
        runner = NBRunner(flow, base_dir=tmp_path, env={"FLOWKIT_USER": "ada"})
        running = await runner.async_run()
        assert (await running.wait()).status == "successful"
        assert running.run.user == "ada"
        runner.cleanup()

    asyncio.run(main())


def test_a_flow_that_was_imported_is_run_from_its_own_file(
    run_cell: RunCell, tmp_path: Path
) -> None:
    (tmp_path / "imported_cell_flow.py").write_text(
        CELL.replace("get_ipython()", "#").replace("import beside", "import beside")
    )
    cell = """
    from imported_cell_flow import CellFlow
    from flowkit import NBRunner
    run = NBRunner(CellFlow, show_output=False).nbrun()
    """
    run = run_cell(dedent(cell))["run"]
    assert run.successful
    assert run.description.file == str(tmp_path / "imported_cell_flow.py")


def test_a_class_whose_code_is_nowhere_is_refused() -> None:
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec("class Nowhere:\n    def start(self): ...\n", scope)
    with pytest.raises(UsageError, match="Nowhere"):
        NBRunner(scope["Nowhere"])


def test_what_follows_the_call_and_what_magics_became_is_left_out_of_a_flows_code() -> None:
    cell = """\
    import os
    get_ipython().system(
        'ls')
    @deco
    class F: ...
    @NBRunner.something
    def g(): ...
    print(1)
    """
    expected = "import os\n\n\n@deco\nclass F: ...\n"
    assert flow_code(dedent(cell)) == expected
