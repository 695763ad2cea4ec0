"""`NBRunner`: running a flow that is defined in a cell of a notebook."""

from __future__ import annotations

import ast
import atexit
import linecache
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from flowkit.client import Run
from flowkit.errors import UsageError
from flowkit.launch.executing import ExecutingRun
from flowkit.launch.options import Place, TopOptions
from flowkit.launch.programs import Runner

_STARTERS = frozenset({"NBRunner", "NBDeployer"})
_SHELL = "get_ipython"


class NBRunner:
    """Runs a flow whose class is defined in the same cell of a notebook.

    ```python
    class HelloFlow(FlowSpec):
        ...

    run = NBRunner(HelloFlow).nbrun(alpha=0.5)
    ```

    The flow's own process imports a temporary file with the cell's code up to the call, so the
    cell holds all that the flow needs: its imports too. Line and cell magics are left out.

    Args:
        flow: the class. One that was imported is run from its own file.
        show_output: whether `nbrun` and `nbresume` print what a command line would.
        profile: there are no profiles; None.
        env: environment variables for the run, on top of this process's.
        base_dir: the folder to run in, from which the flow can also import.
        file_read_timeout: has no effect: nothing is waited for.
        top_opts: as for `Runner`.

    Raises:
        UsageError: the code of the cell cannot be found.
    """

    def __init__(
        self,
        flow: type,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        base_dir: str | Path | None = None,
        file_read_timeout: int = 3600,
        **top_opts: Any,
    ) -> None:
        self._remove: Callable[[], None] | None = None
        file = _file_of(flow)
        if file is None:
            code = flow_code(_cell_of(flow))
            folder = mkdtemp(prefix="flowkit-cell-")
            # Not with this object: a run that was handed out may need the file for longer.
            self._remove = atexit.register(partial(rmtree, folder, ignore_errors=True))
            file = os.path.join(folder, f"{flow.__name__}.py")
            Path(file).write_text(code, encoding="utf-8")
            if not _is_inline(env, base_dir, top_opts):
                env = _importing_from(base_dir, env)
        self._runner = Runner(
            f"{file}:{flow.__name__}",
            show_output=show_output,
            profile=profile,
            env=env,
            cwd=base_dir,
            **top_opts,
        )

    def nbrun(self, **given: Any) -> Run:
        """Run the flow and wait for its end; takes and raises what `Runner.run` does."""
        return self._runner.run(**given).run

    def nbresume(self, step_to_rerun: str | None = None, **given: Any) -> Run:
        """Resume a run and wait for its end; takes and raises what `Runner.resume` does."""
        return self._runner.resume(step_to_rerun, **given).run

    async def async_run(self, **given: Any) -> ExecutingRun:
        """Start a run; see `Runner.async_run`."""
        return await self._runner.async_run(**given)

    async def async_resume(self, step_to_rerun: str | None = None, **given: Any) -> ExecutingRun:
        """Start resuming; see `Runner.async_resume`."""
        return await self._runner.async_resume(step_to_rerun, **given)

    def cleanup(self) -> None:
        """Stop what still goes on, and remove the temporary file, with which it can run no more.

        Without it the file is removed when the process ends.
        """
        self._runner.cleanup()
        if self._remove is not None:
            self._remove()
            atexit.unregister(self._remove)
            self._remove = None


def flow_code(cell: str) -> str:
    r"""Return the code of a cell without what belongs to the notebook, every line in its place.

    That is: calls of the notebook's shell, which magics become, and all from the first statement
    on that starts a run.

    >>> flow_code("import os\nclass F: ...\nrun = NBRunner(F).nbrun()\nprint(run)")
    'import os\nclass F: ...\n'
    """
    lines = cell.splitlines(keepends=True)
    for statement in ast.parse(cell).body:
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        # A decorator stands above the line that a definition begins at.
        first = min([statement.lineno, *(one.lineno for one in _decorators(statement))]) - 1
        if names & _STARTERS:
            return "".join(lines[:first])
        if _SHELL in names:
            last = statement.end_lineno or statement.lineno
            lines[first:last] = ["\n"] * (last - first)
    return "".join(lines)


def _decorators(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.decorator_list
    return []


def _file_of(flow: type) -> str | None:
    """Return the file that a class was imported from; None if it is from a cell."""
    module = sys.modules.get(flow.__module__)
    file = getattr(module, "__file__", None)
    return None if file is None or flow.__module__ == "__main__" else os.path.abspath(file)


def _cell_of(flow: type) -> str:
    """Return the code that defined a class, as the interpreter keeps it for tracebacks."""
    for member in vars(flow).values():
        with suppress(AttributeError):
            lines = linecache.getlines(member.__code__.co_filename)
            if lines:
                return "".join(lines)
    raise UsageError(
        f"the code of `{flow.__name__}` cannot be found",
        hint="define it in a cell without a magic such as `%%time`, or in a file for `Runner`",
    )


def _is_inline(
    env: Mapping[str, str] | None, base_dir: str | Path | None, top_opts: Mapping[str, object]
) -> bool:
    """Say whether steps will run in this very process, which imports from where the cell does."""
    overrides = TopOptions.of(top_opts).overrides
    return Place.of(env, base_dir).settings(overrides).executor == "inline"


def _importing_from(
    base_dir: str | Path | None, env: Mapping[str, str] | None
) -> Mapping[str, str]:
    """Let a flow import from the folder that it runs in, as the cell could."""
    given = dict(env or {})
    before = given.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
    folder = os.path.abspath(base_dir or "")
    return {**given, "PYTHONPATH": os.pathsep.join([folder, *([before] if before else [])])}
