"""What importing flowkit offers, and what it leaves alone."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import flowkit

HEAVY = {
    "click",
    "cloudpickle",
    "duckdb",
    "networkx",
    "numpy",
    "obstore",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "pyiceberg",
    "rich",
    "sqlalchemy",
    "sqlite3",
}


@pytest.mark.parametrize(
    "statement", ["import flowkit", "from flowkit import FlowSpec, step, Parameter, current"]
)
def test_importing_flowkit_loads_no_heavy_library(statement: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        cwd=Path(flowkit.__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "flowkit" in loaded
    assert HEAVY & {name.partition(".")[0] for name in loaded} == set()


@pytest.mark.parametrize("name", flowkit.__all__)
def test_a_public_name_can_be_imported_and_is_documented(name: str) -> None:
    assert getattr(flowkit, name).__doc__
    assert name in dir(flowkit)


def test_no_public_name_gives_way_to_a_room_that_is_imported() -> None:
    script = (
        "import importlib, pkgutil, types, flowkit\n"
        "for room in pkgutil.iter_modules(flowkit.__path__):\n"
        "    if not room.name.startswith('_'):\n"
        "        importlib.import_module(f'flowkit.{room.name}')\n"
        "for name in flowkit.__all__:\n"
        "    assert not isinstance(getattr(flowkit, name), types.ModuleType), name\n"
        "from flowkit import *\n"
        "assert metadata.__name__ == 'metadata' and callable(metadata)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(flowkit.__file__).parents[1]
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        flowkit.no_such_name  # noqa: B018


def test_public_names_are_unique() -> None:
    assert len(flowkit.__all__) == len(set(flowkit.__all__))


ROOMS = [
    "cards",
    "client",
    "executor",
    "flow",
    "graph",
    "metadata",
    "plan",
    "runner",
    "s3",
    "store",
    "table",
    "worker",
]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_offers_what_it_says(room: str) -> None:
    package = importlib.import_module(f"flowkit.{room}")
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018


def test_a_run_imports_only_what_it_uses(tmp_path: Path) -> None:
    flow = tmp_path / "small.py"
    flow.write_text(
        "from flowkit import FlowSpec, step\n"
        "class Small(FlowSpec):\n"
        "    @step\n"
        "    def start(self):\n"
        "        self.next(self.end)\n"
        "    @step\n"
        "    def end(self):\n"
        "        pass\n"
    )
    driver = (
        "import sys, flowkit.cli\n"
        "try:\n"
        f"    flowkit.cli.main(['--home', {str(tmp_path / 'home')!r}, 'run', {str(flow)!r}])\n"
        "finally:\n"
        "    print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", driver],
        cwd=Path(flowkit.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "flowkit.runner.drive" in loaded
    assert "small" not in loaded
    unused = {"cloudpickle", "networkx", "numpy", "obstore", "pandas", "pyarrow", "rich"}
    unused |= {"flowkit.flow", "flowkit.s3"}
    assert unused & loaded == set()
