"""`flowkit migrate`: what it shows, writes, leaves alone and returns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowkit.errors import UsageError
from flowkit.migrate import read_file, write_file

Call = Callable[..., Any]

FLOW = "from metaflow import FlowSpec, step\n"


@pytest.fixture
def tree(home: Path, tmp_path: Path) -> Path:
    """A project with a flow and what lies beside one."""
    files = {
        "flow.py": FLOW,
        "run.sh": "METAFLOW_USER=ada METAFLOW_PROFILE=x python flow.py run\n",
        "Dockerfile": "FROM python\nRUN pip install metaflow==2.19\nENV METAFLOW_RUN_X=1\n",
        "deploy/job.yaml": "env: {METAFLOW_USER: ada}\n",
        ".env": "METAFLOW_USER=ada\n",
        "requirements.txt": "numpy\nmetaflow>=2\n",
        "notes.md": "from metaflow import step; METAFLOW_USER\n",
        ".git/hook.py": FLOW,
        "env/pyvenv.cfg": "",
        "env/lib/flow.py": FLOW,
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_changes_are_shown_and_nothing_is_written(tree: Path, call: Call) -> None:
    before = _contents(tree)
    said = call("migrate", "project")
    assert said.code == 0
    assert "-from metaflow import FlowSpec, step\n+from flowkit import FlowSpec, step" in said.out
    assert "project/run.sh:1: missing: `METAFLOW_PROFILE`" in said.err
    assert "project/Dockerfile:2: differs: asks for the package `metaflow`" in said.err
    assert "project/requirements.txt:2: differs:" in said.err
    assert "5 files to change" in said.err
    assert _contents(tree) == before


def test_what_is_written_is_what_was_shown(tree: Path, call: Call) -> None:
    shown = call("migrate", "project").out
    copy = tree.parent / "copy"
    shutil.copytree(tree, copy / "project")
    subprocess.run(["patch", "--silent", "-p0"], input=shown.encode(), cwd=copy, check=True)
    assert call("migrate", "project", "--write").code == 0
    written = _contents(tree)
    assert written == _contents(copy / "project")
    assert written["flow.py"] == b"from flowkit import FlowSpec, step\n"
    assert written[".env"] == b"FLOWKIT_USER=ada\n"
    assert written["notes.md"].startswith(b"from metaflow")
    assert written["env/lib/flow.py"] == written[".git/hook.py"] == FLOW.encode()


def test_a_second_time_changes_nothing(tree: Path, call: Call) -> None:
    call("migrate", "project", "--write")
    written = _contents(tree)
    said = call("migrate", "project", "--write")
    assert said.out == ""
    assert "0 files written" in said.err
    assert _contents(tree) == written


def test_quiet_leaves_the_summary_away(tree: Path, call: Call) -> None:
    assert call("--quiet", "migrate", "project/flow.py", "--write").err == ""


def test_check_tells_by_its_exit_code(tree: Path, call: Call) -> None:
    said = call("migrate", "project/flow.py", "--check")
    assert (said.code, said.out) == (3, "project/flow.py\n")
    call("migrate", "project/flow.py", "--write")
    assert call("migrate", "project/flow.py", "--check").code == 0
    assert call("migrate", "project", "--check", "--write").code == 2


def test_a_file_that_cannot_be_parsed_is_named_and_the_others_go_on(tree: Path, call: Call) -> None:
    bad = tree / "bad.py"
    bad.write_text("import metaflow\ndef f(:\n")
    (tree / "strange.py").write_bytes(b"# coding: nonsense\nimport metaflow\n")
    (tree / "torn.py").write_bytes(b"import metaflow  # \xff\n")
    said = call("migrate", "project", "--write")
    assert said.code == 3
    assert "error: `project/bad.py` cannot be parsed: invalid syntax in line 2" in said.err
    assert "`project/strange.py` cannot be parsed" in said.err
    assert "`project/torn.py` cannot be" in said.err
    assert bad.read_text() == "import metaflow\ndef f(:\n"
    assert (tree / "flow.py").read_text() == "from flowkit import FlowSpec, step\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfimport metaflow\r\n\r\nmetaflow.Run\r\n",
        b"# -*- coding: latin-1 -*-\r\n# caf\xe9\r\nimport metaflow",
        b"import metaflow\rmetaflow.Run\r",
    ],
)
def test_encodings_and_ends_of_lines_stay(data: bytes, home: Path, call: Call) -> None:
    Path("flow.py").write_bytes(data)
    assert call("migrate", "flow.py", "--write").code == 0
    assert Path("flow.py").read_bytes() == data.replace(b"metaflow", b"flowkit")


def test_bytes_of_any_encoding_come_out_of_a_script_as_they_went_in(home: Path, call: Call) -> None:
    Path("run.sh").write_bytes(b"# caf\xe9 \xff\r\nMETAFLOW_USER=x\r\n")
    call("migrate", "run.sh", "--write")
    assert Path("run.sh").read_bytes() == b"# caf\xe9 \xff\r\nFLOWKIT_USER=x\r\n"


def test_rights_and_links_stay(home: Path, call: Call) -> None:
    Path("real.py").write_text(FLOW)
    Path("real.py").chmod(0o750)
    Path("link.py").symlink_to("real.py")
    call("migrate", "link.py", "--write")
    assert Path("link.py").is_symlink()
    assert "flowkit" in Path("real.py").read_text()
    assert Path("real.py").stat().st_mode & 0o777 == 0o750
    assert sorted(os.listdir()) == ["link.py", "real.py"]


def test_a_file_that_somebody_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(FLOW)
    file = read_file(path)
    path.write_text(FLOW + "x = 1\n")
    with pytest.raises(UsageError):
        write_file(file, "y = 2\n")
    assert path.read_text() == FLOW + "x = 1\n"
    assert os.listdir(tmp_path) == ["flow.py"]


def _notebook(*cells: str | list[str]) -> dict[str, Any]:
    return {
        "cells": [
            {"cell_type": "markdown", "source": ["from metaflow import step"]},
            *({"cell_type": "code", "outputs": [], "source": source} for source in cells),
        ],
        "nbformat": 4,
    }


@pytest.mark.parametrize("indent", [1, 2])
@pytest.mark.parametrize("end", ["", "\n"])
def test_cells_of_a_notebook_are_one_module(indent: int, end: str, home: Path, call: Call) -> None:
    before = _notebook(
        ["%matplotlib inline\n", "import metaflow\n", "'é'"],
        "%%bash\nfrom metaflow import step",
        "x = ('%d'\n  % 2)",
        "run = metaflow.Run('A/1')\nawait run.x\nrun?",
        "!ls\nmetaflow.Nothing",
    )
    after = _notebook(
        ["%matplotlib inline\n", "import flowkit\n", "'é'"],
        "%%bash\nfrom metaflow import step",
        "x = ('%d'\n  % 2)",
        "run = flowkit.Run('A/1')\nawait run.x\nrun?",
        "!ls\nflowkit.Nothing",
    )
    path = Path("look.ipynb")
    path.write_text(json.dumps(before, indent=indent, ensure_ascii=False) + end)
    said = call("migrate", "look.ipynb", "--write")
    assert path.read_text() == json.dumps(after, indent=indent, ensure_ascii=False) + end
    assert "look.ipynb:1: missing: cell 6, line 2: `Nothing`" in said.err
    assert call("migrate", "look.ipynb", "--check").code == 0


def test_a_cell_that_cannot_be_parsed_is_named(home: Path, call: Call) -> None:
    notebook = json.dumps(_notebook("import metaflow", "def f(:"), indent=1)
    Path("look.ipynb").write_text(notebook)
    said = call("migrate", "look.ipynb", "--write")
    assert said.code == 3
    assert "`look.ipynb` cannot be parsed: invalid syntax in cell 3" in said.err
    assert Path("look.ipynb").read_text() == notebook


def test_a_notebook_in_an_unusual_layout_is_left_to_a_person(home: Path, call: Call) -> None:
    notebook = json.dumps(_notebook("import metaflow"))
    Path("look.ipynb").write_text(notebook)
    assert "change it by hand" in call("migrate", "look.ipynb", "--write").err
    assert Path("look.ipynb").read_text() == notebook


def test_json_names_every_file_and_remark(tree: Path, call: Call) -> None:
    document = call("migrate", "project", "--json").json
    assert document["schema"] == "flowkit.migrate/1"
    files = {file["path"]: file for file in document["files"]}
    assert files["project/flow.py"]["changes"] is True
    assert [one["kind"] for one in files["project/run.sh"]["remarks"]] == ["missing"]


@pytest.mark.parametrize("path", ["nowhere", "notes.md"])
def test_what_cannot_be_migrated_is_wrong_usage(path: str, home: Path, call: Call) -> None:
    Path("notes.md").write_text("x")
    assert call("migrate", path).code == 2
