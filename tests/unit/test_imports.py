"""What importing flowkit offers, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import flowkit

HEAVY = {
    "click",
    "cloudpickle",
    "networkx",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "rich",
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


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        flowkit.no_such_name  # noqa: B018


def test_public_names_are_sorted_and_unique() -> None:
    assert list(flowkit.__all__) == sorted(set(flowkit.__all__))
