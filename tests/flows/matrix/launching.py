"""Running a flow by the command line, in a process of its own, or by `Runner` in this one."""

from __future__ import annotations

import os
from contextlib import ExitStack, chdir, contextmanager
from typing import TYPE_CHECKING, Any

from flowkit import Runner
from flowkit.client import Run
from matrix.behaviour import Cell, Ended, Launch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def launched(cell: Cell, launch: Launch) -> Ended:
    """Run, or resume, the cell's flow to its end."""
    id_file = cell.folder / "run-id"
    ends = _by_runner if cell.way == "runner" else _by_cli
    code, out, err = ends(cell, launch, id_file)
    cell.lab.close()
    assert id_file.exists(), err
    flow = next(iter(cell.json("list", "flows")["flows"]))["flow"]
    run = Run(f"{flow}/{id_file.read_text()}", workspace=cell.lab.workspace)
    return Ended(code, out, err, run)


def _by_cli(cell: Cell, launch: Launch, id_file: Path) -> tuple[int, str, str]:
    words = ["run" if launch.resumes is None else "resume", str(cell.lab.file)]
    words += [launch.resumes] if launch.resumes else []
    words += ["--executor", cell.executor, "--run-id-file", str(id_file), "--max-workers", "4"]
    words += ["--progress", "off", *_options(launch)]
    done = cell.lab.cli(*words, env=cell.lab.environ(**launch.environ), cwd=cell.folder)
    return done.returncode, done.stdout, done.stderr


def _options(launch: Launch) -> Iterator[str]:
    for name, text in launch.parameters.items():
        yield from (f"--{name}", text)
    for name, text in launch.configs.items():
        yield from ("--config-value", name, text)
    for tag in launch.tags:
        yield from ("--tag", tag)
    if launch.branch is not None:
        yield from ("--branch", launch.branch)
    if launch.reuse:
        yield "--reuse"


def _by_runner(cell: Cell, launch: Launch, id_file: Path) -> tuple[int, str, str]:
    top: dict[str, Any] = {"home": cell.lab.home, "executor": cell.executor, "user": "tester"}
    if launch.configs:
        top["config_value"] = list(launch.configs.items())
    if launch.branch is not None:
        top["branch"] = launch.branch
    given = {"run_id_file": id_file, "max_workers": 4, "tags": launch.tags or None}
    environ = {"FLOWKIT_SYNC": "0", **launch.environ}
    with ExitStack() as here:
        if cell.executor == "inline":  # it is in this very process, and so in its surroundings
            here.enter_context(chdir(cell.folder))
            here.enter_context(_variables(environ))
        else:
            top |= {"env": environ, "cwd": cell.folder}
        runner = here.enter_context(Runner(cell.lab.file, show_output=False, **top))
        if launch.resumes is None:
            names = {name.replace("-", "_"): text for name, text in launch.parameters.items()}
            running = runner.run(**given, **names, **({"reuse": True} if launch.reuse else {}))
        else:
            running = runner.resume(launch.resumes or None, **given)
        assert running.returncode is not None
        return running.returncode, running.stdout, running.stderr


@contextmanager
def _variables(environ: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield
    finally:
        for name in environ:
            os.environ.pop(name)
        os.environ.update(before)
