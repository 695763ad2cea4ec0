"""The code of a step: what of its project it reaches, and what it does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from flowkit.flow import describe_flow

FLOW = """
    LIMIT = 3
    UNUSED = 4
    TABLE = {"a": 1}

    def helper(x):
        return deeper(x)

    def deeper(x):
        return x + 1

    def unused():
        return 0

    class Model:
        rate = 2
        def fit(self):
            return deeper(1)

    class F(FlowSpec):
        _private = 5

        def method(self):
            return self.other

        @property
        def other(self):
            return 6

        @step
        def start(self):
            self.x = helper(1)
            self.next(self.middle)

        @step
        def middle(self):
            self.x = self.method() + LIMIT + TABLE["a"] + self._private
            self.next(self.end)

        @step
        def end(self):
            Model().fit()
"""


def codes(module: ModuleType) -> dict[str, str]:
    return {node.name: node.code for node in describe_flow(module.F).nodes}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("x + 1", "x + 2", {"start", "end"}),
        ("return deeper(x)", "return deeper(2 * x)", {"start"}),
        ("return 0", "return 1", set()),
        ("LIMIT = 3", "LIMIT = 4", {"middle"}),
        ("UNUSED = 4", "UNUSED = 5", set()),
        ('"a": 1', '"a": 2', {"middle"}),
        ("rate = 2", "rate = 3", {"end"}),
        ("return 6", "return 7", {"middle"}),
        ("self.other", "2 * self.other", {"middle"}),
        ("_private = 5", "_private = 6", {"middle"}),
        ("helper(1)", "helper(2)", {"start"}),
        ("return x + 1", "return x + 1  # as before", set()),
    ],
)
def test_a_change_counts_for_the_steps_that_reach_it(
    flow_module: Callable[..., ModuleType], old: str, new: str, changed: set[str]
) -> None:
    assert old in FLOW
    before, after = codes(flow_module(FLOW)), codes(flow_module(FLOW.replace(old, new)))
    assert {name for name in before if before[name] != after[name]} == changed


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import from; what was imported from it is forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


MODULES = {
    "flow": """
import json
import numbers_of as numbers
from flowkit import FlowSpec, step
from lib.deep import FACTOR, scaled

class F(FlowSpec):
    @step
    def start(self):
        self.x = numbers.one() + numbers.TWO
        self.next(self.middle)

    @step
    def middle(self):
        self.x = scaled(3) * FACTOR + json.loads("1")
        self.next(self.end)

    @step
    def end(self):
        print(numbers)
""",
    "numbers_of": """
TWO = 2
OTHER = 9
def one():
    return 1
def never():
    return 0
""",
    "lib/__init__": "",
    "lib/deep": """
FACTOR = 10
def scaled(x):
    return recursive(x)
def recursive(x):
    return x if x < 1 else recursive(x - 1)
""",
}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("numbers_of", "return 1", "return 2", {"start", "end"}),
        ("numbers_of", "TWO = 2", "TWO = 3", {"start", "end"}),
        ("numbers_of", "OTHER = 9", "OTHER = 8", {"end"}),
        ("numbers_of", "return 0", "return 3", {"end"}),
        ("lib/deep", "FACTOR = 10", "FACTOR = 20", {"middle"}),
        ("lib/deep", "x < 1", "x < 2", {"middle"}),
    ],
)
def test_modules_of_the_project_are_followed(
    project: Path, file: str, old: str, new: str, changed: set[str]
) -> None:
    def described() -> dict[str, str]:
        for name in ("flow", "numbers_of", "lib", "lib.deep"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return codes(importlib.import_module("flow"))

    sys.dont_write_bytecode, written = True, sys.dont_write_bytecode
    try:
        for name, text in MODULES.items():
            (project / name).parent.mkdir(exist_ok=True)
            (project / f"{name}.py").write_text(text)
        before = described()
        (project / f"{file}.py").write_text(MODULES[file].replace(old, new))
        import linecache

        linecache.clearcache()
        after = described()
    finally:
        sys.dont_write_bytecode = written
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_method_that_reads_a_constant_makes_its_step_read_it(
    flow_module: Callable[..., ModuleType],
) -> None:
    module = flow_module("""
        class F(FlowSpec):
            rate = 3
            def scaled(self):
                return self.rate
            @step
            def start(self):
                self.scaled()
                self.next(self.end)
            @step
            def end(self): ...
    """)
    assert [node.constants for node in describe_flow(module.F).nodes] == [("rate",), ()]


def test_modules_that_load_their_names_late_are_left_alone(
    project: Path, flow_module: Callable[..., ModuleType]
) -> None:
    (project / "late.py").write_text("def __getattr__(name): raise RuntimeError(name)\n")
    module = flow_module("""
        import late

        class F(FlowSpec):
            @step
            def start(self):
                late.load()
                self.next(self.end)
            @step
            def end(self): ...
    """)
    assert set(codes(module)) == {"start", "end"}
