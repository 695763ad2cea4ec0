"""The code of a step: what of its project it reaches, and what it does not."""

from __future__ import annotations

import importlib
import linecache
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


HARD = """
    import functools
    import json
    from functools import lru_cache, partial

    def rates(n):
        return {"low": n}

    TABLE = rates(3)
    if TABLE:
        LATER = [1]
    GROWN = [2]
    GROWN.append(4)

    def maker(n):
        def made(x):
            return x * n
        return made

    doubled = maker(5)
    halved = partial(maker, 6)

    @lru_cache
    def cached(x):
        return x + 7

    def around(function):
        @functools.wraps(function)
        def call(self):
            print("before 8")
            return function(self)
        return call

    class Base(FlowSpec):
        def base(self):
            return 9

        def overridden(self):
            return 10

    class F(Base):
        _weights = [11]
        _computed = rates(12)

        def overridden(self):
            return super().overridden()

        def unnamed(self):
            return 13

        @step
        def start(self):
            self.x = TABLE["low"]
            self.next(self.late)

        @step
        def late(self):
            self.x = LATER[0] + GROWN[0]
            self.next(self.made)

        @step
        def made(self):
            self.x = doubled(1) + cached(2)
            self.next(self.parts)

        @step
        def parts(self):
            self.x = halved()
            self.next(self.wrapped)

        @around
        @step
        def wrapped(self):
            self.next(self.private)

        @step
        def private(self):
            self.x = self._weights[0] + self._computed["low"]
            self.next(self.over)

        @step
        def over(self):
            self.x = self.overridden()
            self.next(self.handed)

        @step
        def handed(self):
            json.dumps(self)
            self.next(self.end)

        @step
        def end(self):
            self.x = self.base()
"""


OPEN = {"wrapped", "over", "handed"}
"""The steps whose flow object is handed on: all that is in the class is theirs."""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("rates(3)", "rates(4)", {"start", "late"}),
        ('{"low": n}', '{"low": 2 * n}', {"start", "late", "private", *OPEN}),
        ("LATER = [1]", "LATER = [2]", {"late"}),
        ("GROWN.append(4)", "GROWN.append(5)", {"late"}),
        ("maker(5)", "maker(50)", {"made"}),
        ("x * n", "x * n * n", {"made", "parts"}),
        ("x + 7", "x + 70", {"made"}),
        ("before 8", "before 80", {"wrapped"}),
        ("return 9", "return 90", {"end", *OPEN}),
        ("return 10", "return 100", OPEN),
        ("[11]", "[110]", {"private", *OPEN}),
        ("rates(12)", "rates(120)", {"private", *OPEN}),
        ("return 13", "return 130", OPEN),
    ],
)
def test_a_change_counts_however_indirectly_it_is_reached(
    flow_module: Callable[..., ModuleType], old: str, new: str, changed: set[str]
) -> None:
    assert old in HARD
    before, after = codes(flow_module(HARD)), codes(flow_module(HARD.replace(old, new)))
    assert {name for name in before if before[name] != after[name]} == changed


IMPORTING = {
    "flow": """
from flowkit import FlowSpec, step
import importlib
import settings_of
from settings_of import CHOICES

class F(FlowSpec):
    @step
    def start(self):
        from helpers_of import fitted
        self.x = fitted(1)
        self.next(self.middle)

    @step
    def middle(self):
        import helpers_of.deep as deep
        self.x = deep.TWO
        self.next(self.last)

    @step
    def last(self):
        self.x = CHOICES["a"]
        self.next(self.named)

    @step
    def named(self):
        self.x = importlib.import_module("plug_of").TWO
        self.next(self.called)

    @step
    def called(self):
        from importlib import import_module
        self.x = import_module(name="plugs_of.one").TWO + __import__("plug_of").TWO
        self.next(self.end)

    @step
    def end(self):
        import json
        import not_there
        self.x = json.dumps(1)
""",
    "plug_of": "TWO = 3\n",
    "plugs_of/__init__": "",
    "plugs_of/one": "import importlib\n\nTWO = importlib.import_module('.two', __name__)\n",
    "plugs_of/two": "import plugs_of.three\n",
    "plugs_of/three": "TWO = 4\n",
    "settings_of": "CHOICES = {'a': 1}\n",
    "helpers_of/__init__": "from .fits import fitted\n",
    "helpers_of/fits": "from helpers_of import deep\n\ndef fitted(x):\n    return x + deep.TWO\n",
    "helpers_of/deep": "TWO = 2\n",
}


@pytest.mark.parametrize(
    ("module", "old", "new", "changed"),
    [
        ("helpers_of/fits", "x + deep", "2 * x + deep", {"start", "middle"}),
        ("helpers_of/deep", "TWO = 2", "TWO = 3", {"start", "middle"}),
        ("helpers_of/__init__", "import fitted", "import fitted, deep", {"start", "middle"}),
        ("settings_of", "'a': 1", "'a': 2", {"last"}),
        ("plug_of", "TWO = 3", "TWO = 30", {"named", "called"}),
        ("plugs_of/three", "TWO = 4", "TWO = 40", {"called"}),
    ],
)
def test_what_a_step_imports_when_it_runs_is_its_code_too(
    project: Path, module: str, old: str, new: str, changed: set[str]
) -> None:
    found = []
    for texts in (IMPORTING, {**IMPORTING, module: IMPORTING[module].replace(old, new)}):
        for name in [one for one in sys.modules if one.partition(".")[0] in IMPORTING]:
            del sys.modules[name]
        for name, text in texts.items():
            path = project / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()
        linecache.clearcache()
        flow = importlib.import_module("flow")
        found.append(codes(flow))
        assert not {"helpers_of", "plug_of", "plugs_of"}.intersection(sys.modules)
    before, after = found
    assert {name for name in before if before[name] != after[name]} == changed


def test_what_is_installed_counts_by_its_package(flow_module: Callable[..., ModuleType]) -> None:
    text = """
        import msgspec
        from blake3 import blake3

        class F(FlowSpec):
            @step
            def start(self):
                self.x = msgspec.json.encode(1)
                self.next(self.middle)

            @step
            def middle(self):
                import numpy as np
                from zlib import crc32
                self.x = crc32(b"")
                self.next(self.end)

            @step
            def end(self):
                self.x = blake3(b"").digest()
    """
    nodes = {node.name: node for node in describe_flow(flow_module(text).F).nodes}
    found = {name: node.reach.packages for name, node in nodes.items()}
    assert found == {"start": ("msgspec",), "middle": ("numpy",), "end": ("blake3",)}


MADE = """
    import functools
    from functools import cache, lru_cache, partial, partialmethod

    BASE = 1
    TIMES = [2]

    def mul(a, b):
        return a * b

    def maker(rates):
        def made(x):
            return x * rates[0]
        return made

    def scaling(rate):
        def decorate(function):
            @functools.wraps(function)
            def call(*args):
                return function(*args) * rate[0]
            return call
        return decorate

    class Model:
        rate = BASE + 3
        def __init__(self, n):
            self.n = n
        def fit(self, x=0):
            return self.n + x
        plus = partialmethod(fit, 4)
        fixed = staticmethod(partial(mul, 5))

    multiplied = partial(mul, 6)
    powered = partial(pow, 7)
    cached = lru_cache(partial(mul, 8))
    fitted = Model(9).fit
    of_list = maker([10])
    from_constant = maker(TIMES)
    short = lambda x: x + 11
    static = staticmethod(partial(mul, 12))
    counted = functools.update_wrapper(partial(mul, 13), mul)
    Made = type("Made", (), {"rate": 14})

    @scaling([15])
    def scaled(x):
        return x

    def marked(x):
        return x * marked.rate

    marked.rate = 16

    class F(FlowSpec):
        _short = partial(mul, 17)
        long = partialmethod(mul, 18)
        lazy = functools.cached_property(partial(mul, 19))

        class Inner:
            rate = 20

        @scaling([21])
        def method(self):
            return 1

        @step
        def start(self):
            self.x = (CALLED)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize(
    ("called", "old", "new"),
    [
        ("Model(1).rate", "BASE = 1", "BASE = 10"),
        ("from_constant(1)", "TIMES = [2]", "TIMES = [20]"),
        ("Model(1).rate", "BASE + 3", "BASE + 30"),
        ("Model(1).plus()", "fit, 4", "fit, 40"),
        ("Model.fixed(1)", "mul, 5", "mul, 50"),
        ("multiplied(1)", "mul, 6", "mul, 60"),
        ("powered(1)", "pow, 7", "pow, 70"),
        ("cached(1)", "mul, 8", "mul, 80"),
        ("cached(1)", "a * b", "a * b * b"),
        ("fitted()", "Model(9)", "Model(90)"),
        ("fitted()", "self.n + x", "self.n - x"),
        ("of_list(1)", "[10]", "[100]"),
        ("short(1)", "x + 11", "x + 110"),
        ("static(1)", "mul, 12", "mul, 120"),
        ("counted(1)", "mul, 13", "mul, 130"),
        ("Made.rate", '"rate": 14', '"rate": 140'),
        ("scaled(1)", "scaling([15])", "scaling([150])"),
        ("marked(1)", "marked.rate = 16", "marked.rate = 160"),
        ("self._short(1)", "mul, 17", "mul, 170"),
        ("self.long(1)", "mul, 18", "mul, 180"),
        ("self.lazy", "mul, 19", "mul, 190"),
        ("self.Inner.rate", "rate = 20", "rate = 200"),
        ("self.method()", "scaling([21])", "scaling([210])"),
    ],
)
def test_what_a_callable_was_made_with_counts(
    flow_module: Callable[..., ModuleType], called: str, old: str, new: str
) -> None:
    text = MADE.replace("CALLED", called)
    assert text.count(old) == 1
    before, after = codes(flow_module(text)), codes(flow_module(text.replace(old, new)))
    assert {name for name in before if before[name] != after[name]} == {"start"}
    assert codes(flow_module(text)) == before


AROUND = """
    import threading

    def keeping(kept):
        def decorate(function):
            @functools.wraps(function)
            def call(self):
                kept
                return function(self)
            return call
        return decorate

    def helper(x):
        return x + 1

    class F(FlowSpec):
        @keeping(KEPT)
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize(
    ("kept", "other"),
    [
        ("[1, 2]", "[1, 3]"),
        ("[1, []]", "[1, {}]"),
        ('{"a": {1, 2}}', '{"a": {1, 3}}'),
        ("functools.partial(pow, 2)", "functools.partial(pow, 3)"),
        ('functools.partial(pow, mod="a".upper)', 'functools.partial(pow, exp="a".upper)'),
    ],
)
def test_what_the_decorator_of_a_step_was_given_counts(
    flow_module: Callable[..., ModuleType], kept: str, other: str
) -> None:
    nodes = [
        describe_flow(flow_module(AROUND.replace("KEPT", one)).F).nodes[0]
        for one in (kept, kept, other)
    ]
    assert [one.reach.untold for one in nodes] == [(), (), ()]
    assert nodes[0].code == nodes[1].code != nodes[2].code


@pytest.mark.parametrize("kept", ["threading.Lock()", "[object()]", "[LOOP]", "list(range(999))"])
def test_what_cannot_be_compared_is_told(flow_module: Callable[..., ModuleType], kept: str) -> None:
    loop = "LOOP = []\n    LOOP.append(LOOP)\n\n    class F"
    text = AROUND.replace("KEPT", kept).replace("class F", loop)
    start, end = describe_flow(flow_module(text).F).nodes
    assert start.reach.untold
    assert not end.reach.untold
