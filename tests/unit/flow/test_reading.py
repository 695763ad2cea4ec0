"""From a class in a flow file to a description."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from flowkit.errors import UsageError
from flowkit.flow import FlowSpec, choose_flow, describe_flow, find_flows
from flowkit.graph import (
    RESERVED_NAMES,
    Case,
    FlowDescription,
    FlowFaults,
    Graph,
    Kind,
    Node,
    Place,
    Retry,
    check,
)

LoadModule = Callable[..., ModuleType]

ALL_KINDS = '''
class Kinds(FlowSpec):
    """Every way to hand over.

    In one flow.
    """

    limit = 3
    title: str = Parameter(default="x")

    @step
    def start(self):
        """Split."""
        self.next(self.a, self.b)

    @step
    def a(this):
        this.next(this.c, foreach="items")

    @step
    def c(self):
        self.next(
            {"good": self.d, 2: self.e, True: self.e, None: self.c, -1.5: self.d},
            condition="quality",
        )

    @step
    def d(self):
        self.next(self.gather)

    @step
    def e(self):
        self.next(self.gather)

    @retry(times=1)
    @step
    def gather(self, inputs):
        self.next(self.both)

    @step
    def b(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
'''

TWO_STEPS = """
class Flow(FlowSpec):
    @step
    def start(self):{start}
        self.next(self.end)
    @step
    def end(self):
        {end}
"""


def described(module: ModuleType, name: str | None = None) -> dict[str, Node]:
    description = describe_flow(choose_flow(find_flows(module), name))
    return {node.name: node for node in description.nodes}


def line_of(module: ModuleType, text: str) -> int:
    assert module.__file__ is not None
    lines = Path(module.__file__).read_text("utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.strip() == text]
    return number


def code_of_start(module: ModuleType) -> str:
    return described(module)["start"].code


def test_every_way_to_hand_over_is_read(flow_module: LoadModule) -> None:
    nodes = described(flow_module(ALL_KINDS))
    assert {name: (node.kind, node.targets, node.is_join) for name, node in nodes.items()} == {
        "start": (Kind.SPLIT, ("a", "b"), False),
        "a": (Kind.FOREACH, ("c",), False),
        "c": (Kind.SWITCH, ("d", "e", "c"), False),
        "d": (Kind.LINEAR, ("gather",), False),
        "e": (Kind.LINEAR, ("gather",), False),
        "gather": (Kind.LINEAR, ("both",), True),
        "b": (Kind.LINEAR, ("both",), False),
        "both": (Kind.LINEAR, ("end",), True),
        "end": (Kind.END, (), False),
    }
    assert nodes["a"].foreach == "items"
    assert nodes["c"].condition == "quality"
    assert nodes["c"].cases == (
        Case("good", "d"),
        Case("2", "e"),
        Case("True", "e"),
        Case("None", "c"),
        Case("-1.5", "d"),
    )
    assert nodes["gather"].policies.retry == Retry(1, 120)


def test_description_says_what_the_class_says(flow_module: LoadModule) -> None:
    module = flow_module(ALL_KINDS)
    description = describe_flow(module.Kinds, file="kinds.py")
    assert (description.name, description.file) == ("Kinds", "kinds.py")
    assert (description.start, description.end) == ("start", "end")
    assert description.doc == "Every way to hand over.\n\nIn one flow."
    assert description.constants == ("limit",)
    assert [one.name for one in description.parameters] == ["title"]
    nodes = {node.name: node for node in description.nodes}
    assert nodes["start"].doc == "Split."
    assert nodes["gather"].place == Place("kinds.py", line_of(module, "def gather(self, inputs):"))


def test_description_fits_the_graph(flow_module: LoadModule) -> None:
    graph = Graph(describe_flow(flow_module(ALL_KINDS).Kinds))
    assert graph.split_of("gather") == "a"
    assert graph.open_splits("d") == ("start", "a")


def test_start_and_end_may_have_other_names(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Flow(FlowSpec):
            @step(start=True)
            def first(self):
                self.next(self.start)
            @step
            def start(self):
                self.next(self.last)
            @step(end=True)
            def last(self):
                pass
    """)
    description = describe_flow(module.Flow)
    assert (description.start, description.end) == ("first", "last")
    assert {node.name: node.kind for node in description.nodes}["last"] is Kind.END


def test_one_step_may_be_start_and_end(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Flow(FlowSpec):
            @step(start=True, end=True)
            def only(self):
                pass
    """)
    description = describe_flow(module.Flow)
    assert (description.start, description.end) == ("only", "only")
    assert [node.kind for node in description.nodes] == [Kind.END]


def test_steps_are_inherited_along_a_diamond(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Base(FlowSpec):
            alpha = Parameter(default=1)
            @step
            def start(self):
                self.next(self.work)
            @step
            def work(self):
                "base"
                self.next(self.end)
            @step
            def end(self):
                pass

        class Left(Base):
            beta = Parameter(default=2)
            @step
            def work(self):
                "left"
                self.next(self.more)
            @step
            def more(self):
                self.next(self.end)

        class Right(Base):
            alpha = Parameter(default=3)
            @step
            def work(self):
                "right"
                self.next(self.end)

        class Both(Left, Right):
            limit = 7
    """)
    description = describe_flow(module.Both)
    nodes = {node.name: node for node in description.nodes}
    assert nodes["work"].doc == "left"
    assert nodes["work"].targets == ("more",)
    assert {one.name: one.default for one in description.parameters} == {"alpha": "3", "beta": "2"}
    assert description.constants == ("limit",)
    assert {node.name: node.doc for node in describe_flow(module.Right).nodes}["work"] == "right"


def test_steps_of_another_file_are_placed_there(flow_module: LoadModule) -> None:
    base = flow_module(TWO_STEPS.format(start="", end="pass"))
    module = flow_module(
        f"from {base.__name__} import Flow as Base\n"
        "class Child(Base):\n"
        "    @step\n"
        "    def end(self):\n"
        "        print(3)\n"
    )
    nodes = {node.name: node for node in describe_flow(module.Child, file="child.py").nodes}
    assert nodes["start"].place == Place(str(base.__file__), line_of(base, "def start(self):"))
    assert nodes["end"].place == Place("child.py", line_of(module, "def end(self):"))


def test_a_base_class_may_take_a_step_back(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Base(FlowSpec):
            @step
            def start(self):
                self.next(self.end)
            @step
            def extra(self):
                self.next(self.end)
            @step
            def end(self):
                pass

        class Flow(Base):
            extra = None
    """)
    assert set(described(module, "Flow")) == {"start", "end"}


def test_generic_mixins_leave_no_members(flow_module: LoadModule) -> None:
    module = flow_module("""
        import abc, typing
        Item = typing.TypeVar("Item")
        class Mixin(abc.ABC, typing.Generic[Item]):
            shared = 3
            def helper(self): ...
            @property
            def shown(self): ...
        class Flow(Mixin[int], FlowSpec):
            import math
            class Inner: ...
            _hidden = 4
            @step
            def start(self):
                self.next(self.end)
            @step
            def end(self):
                pass
    """)
    description = describe_flow(module.Flow)
    assert description.constants == ("shared",)


def test_wrapped_step_is_read_where_it_is_written(flow_module: LoadModule) -> None:
    module = flow_module("""
        def timed(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper

        class Flow(FlowSpec):
            @timed
            @step
            def start(self):
                self.next(self.a)
            @retry(times=2)
            @step
            @timed
            @timeout(seconds=3)
            def a(self):
                self.next(self.end)
            @step
            def end(self):
                pass
    """)
    nodes = described(module)
    assert nodes["start"].targets == ("a",)
    assert nodes["a"].place.line == line_of(module, "def a(self):")
    assert nodes["a"].policies.retry == Retry(2, 120)
    assert nodes["a"].policies.timeout is not None


def test_next_of_another_object_is_not_the_steps(flow_module: LoadModule) -> None:
    start = """
        class Walker:
            def go(self):
                self.end = 3
                self.next(self.middle)
        walker = Walker()
        walker.next(walker.middle)
        walker.end = 3"""
    nodes = described(flow_module(TWO_STEPS.format(start=start, end="pass")))
    assert nodes["start"].targets == ("end",)


def test_unicode_is_no_obstacle(flow_module: LoadModule) -> None:
    start = '\n        """Größe 大 messen."""\n        self.größe = "ü"'
    nodes = described(flow_module(TWO_STEPS.format(start=start, end="pass")))
    assert nodes["start"].doc == "Größe 大 messen."


@pytest.mark.parametrize(
    "start", ["  # said", '\n        """Said."""', "\n\n", "\n        # said\n"], ids=repr
)
def test_code_is_the_same_whatever_is_said_about_it(flow_module: LoadModule, start: str) -> None:
    plain = code_of_start(flow_module(TWO_STEPS.format(start="", end="pass")))
    assert code_of_start(flow_module(TWO_STEPS.format(start=start, end="print(3)"))) == plain
    assert len(plain) == 64


def test_policies_are_no_code(flow_module: LoadModule) -> None:
    plain = TWO_STEPS.format(start="", end="pass")
    decorated = plain.replace("    @step\n    def start", "    @retry\n    @step\n    def start")
    assert decorated != plain
    assert code_of_start(flow_module(decorated)) == code_of_start(flow_module(plain))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("self.x = 3", "self.x = 4"),
        ("self.x = 1", "self.x = True"),
        ("self.x = 1", "self.x = 1.0"),
        ("return None", "return"),
        ("self.x = [1, None]", "self.x = [1]"),
        ("self.x = lambda: None", "self.x = lambda a=None: a"),
        ("'said'", "self.x = 'said'"),
    ],
)
def test_code_differs_when_a_step_does_something_else(
    flow_module: LoadModule, one: str, other: str
) -> None:
    def code(line: str) -> str:
        start = f"\n        print()\n        {line}"
        return code_of_start(flow_module(TWO_STEPS.format(start=start, end="pass")))

    assert code(one) != code(other)


def test_code_does_not_depend_on_the_version_of_python(flow_module: LoadModule) -> None:
    start = """
        def inner(a, /, b=3, *rest, c, **more) -> int: return f"{a!r:>{b}}"
        class Inner: x: int = 3
        match self.x:
            case {"a": [1, *_]} | None if inner(2, c=3): pass
        try:
            self.y = [one for one in inner()] if ... else (1, 2j, b"x", ...)
        except* ValueError as error:
            raise error from None"""
    code = code_of_start(flow_module(TWO_STEPS.format(start=start, end="1")))
    assert code == "4b05e9708e19c35b90052383900b0556ef79b3c4151cb8e3c31b281a7a69c1ee"


def test_faults_of_all_kinds_are_told_together_sorted_by_place(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Flow(FlowSpec):
            alpha = Parameter(type=int, default="x")
            @retry(times=9)
            @retry
            @step
            def start(self):
                self.next(self.nd)
            @step
            def other(self, one, two):
                if self.x:
                    self.next(self.end)
            @step
            def end(self):
                pass
    """)
    with pytest.raises(FlowFaults) as caught:
        describe_flow(module.Flow, file="flow.py")
    error = caught.value
    assert [fault.rule for fault in error.faults] == [
        "parameter-default",
        "decorator-twice",
        "decorator-arguments",
        "target-unknown",
        "step-arguments",
        "next-not-last",
    ]
    lines = [fault.place.line for fault in error.faults if fault.place]
    assert lines == sorted(lines)
    assert len(lines) == 6
    told = error.message.splitlines()
    assert told[0] == "flow `Flow` has 6 faults"
    assert told[1::2] == [str(fault) for fault in error.faults]
    assert told[2::2] == [f"    hint: {fault.hint}" for fault in error.faults]
    assert all(line.startswith("flow.py:") for line in told[1::2])
    assert error.exit_code == 3
    assert error.hint == "change the flow, then run `flowkit check flow.py`"


def test_near_names_are_offered(flow_module: LoadModule) -> None:
    module = flow_module(TWO_STEPS.format(start="", end="pass").replace("self.end)", "self.edn)"))
    with pytest.raises(FlowFaults) as caught:
        describe_flow(module.Flow)
    assert caught.value.faults[0].hint == "did you mean `end`?"


def test_changed_file_is_a_missing_source(flow_module: LoadModule) -> None:
    module = flow_module(TWO_STEPS.format(start="", end="pass"))
    assert module.__file__ is not None
    Path(module.__file__).write_text("# nothing left\n")
    with pytest.raises(FlowFaults) as caught:
        describe_flow(module.Flow)
    assert {fault.rule for fault in caught.value.faults} == {"source-missing"}


def test_class_that_is_made_by_a_call_has_steps_with_a_source(flow_module: LoadModule) -> None:
    module = flow_module("""
        @step
        def start(self):
            self.next(self.end)
        @step
        def end(self): ...
        Made = type("Made", (FlowSpec,), {
            "start": start, "end": end, "alpha": Parameter(), "limit": 3, "__module__": __name__,
        })
        Wrong = type("Wrong", (Made,), {"index": 3, "__module__": __name__})
    """)
    nodes = {node.name: node for node in describe_flow(module.Made).nodes}
    assert nodes["start"].place.line == line_of(module, "def start(self):")
    with pytest.raises(FlowFaults) as caught:
        describe_flow(module.Wrong)
    assert [(fault.rule, fault.place) for fault in caught.value.faults] == [("name-reserved", None)]


def test_decorator_under_another_name_is_told_at_the_step(flow_module: LoadModule) -> None:
    module = flow_module("""
        again = retry(times=9)
        class Flow(FlowSpec):
            @again
            @step(start=True, end=True)
            def only(self): ...
    """)
    with pytest.raises(FlowFaults) as caught:
        describe_flow(module.Flow)
    (fault,) = caught.value.faults
    assert fault.place is not None
    assert fault.place.line == line_of(module, "def only(self): ...")


def test_flow_of_thousands_of_steps_is_read_without_recursion(flow_module: LoadModule) -> None:
    steps = "".join(
        f"    @step\n    def s{at}(self):\n        self.next(self.s{at + 1})\n"
        for at in range(3000)
    )
    module = flow_module(
        "class Long(FlowSpec):\n" + steps + "    @step\n    def s3000(self):\n        pass\n"
        "Long.s0.__flowkit_step__ = step(start=True)(lambda: None).__flowkit_step__\n"
        "Long.s3000.__flowkit_step__ = step(end=True)(lambda: None).__flowkit_step__\n"
    )
    assert len(describe_flow(module.Long).nodes) == 3001


def test_flows_of_a_module_are_those_it_defines(flow_module: LoadModule) -> None:
    base = flow_module(TWO_STEPS.format(start="", end="pass"))
    module = flow_module(
        f"from {base.__name__} import Flow\n"
        "class Empty(FlowSpec): ...\n"
        "class Shared(FlowSpec):\n"
        "    @step\n"
        "    def end(self): ...\n"
        "class One(Flow): ...\n"
        "class Two(Shared):\n"
        "    @step(start=True)\n"
        "    def first(self): ...\n"
        "Alias = Two\n"
    )
    assert find_flows(module) == [module.One, module.Two]


def test_flow_that_only_lacks_its_start_is_still_found(flow_module: LoadModule) -> None:
    module = flow_module(TWO_STEPS.format(start="", end="pass").replace("def start", "def strat"))
    assert find_flows(module) == [module.Flow]


def test_one_of_several_flows_must_be_named(flow_module: LoadModule) -> None:
    two = TWO_STEPS.format(start="", end="pass")
    module = flow_module(two + two.replace("Flow(", "Other("))
    flows = find_flows(module)
    assert choose_flow(flows, "Other") is module.Other
    assert choose_flow(flows[:1], None) is module.Flow
    with pytest.raises(UsageError) as caught:
        choose_flow(flows, None, file="flow.py")
    assert "`Flow`, `Other`" in caught.value.message
    assert caught.value.hint == "name one: `flowkit run flow.py:Other`"
    with pytest.raises(UsageError, match="no flow `Otter`") as caught:
        choose_flow(flows, "Otter", file="flow.py")
    assert caught.value.hint == "did you mean `flow.py:Other`?"
    with pytest.raises(UsageError, match="no flow `Zzz`") as caught:
        choose_flow(flows, "Zzz")
    assert caught.value.hint == "it defines `Flow`, `Other`"


def test_file_without_flows_is_a_usage_error() -> None:
    with pytest.raises(UsageError) as caught:
        choose_flow([], None, file="flow.py")
    assert caught.value.message == "`flow.py` defines no flow"


def test_all_public_names_of_flowspec_are_reserved() -> None:
    public = {name for name in vars(FlowSpec) if not name.startswith("_")}
    assert public <= RESERVED_NAMES


def test_flow_of_the_main_script_can_be_read(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from flowkit import FlowSpec, step\n"
        + TWO_STEPS.format(start="", end="pass")
        + "import sys\n"
        "from flowkit.flow import choose_flow, describe_flow, find_flows\n"
        "flow = choose_flow(find_flows(sys.modules['__main__']), None)\n"
        "print([str(node.place) for node in describe_flow(flow, file='script.py').nodes])\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "['script.py:5', 'script.py:8']\n"


def test_faultless_description_passes_the_checks_again(flow_module: LoadModule) -> None:
    description: FlowDescription = describe_flow(flow_module(ALL_KINDS).Kinds)
    assert check(description) == []
