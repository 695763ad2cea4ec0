"""Every shape of flow runs as it is drawn, under every executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

LINEAR = """
    class Linear(FlowSpec):
        @step
        def start(self):
            self.trace = ["start"]
            self.next(self.middle)

        @step
        def middle(self):
            self.trace = [*self.trace, "middle"]
            self.next(self.end)

        @step
        def end(self):
            self.trace = [*self.trace, "end", self.index, self.input]
"""

BRANCH = """
    class Branch(FlowSpec):
        @step
        def start(self):
            self.common = "c"
            self.next(self.a, self.b, self.count)

        @step
        def a(self):
            self.x = "a" + self.common
            self.next(self.a2)

        @step
        def a2(self):
            self.x += "2"
            self.next(self.join)

        @step
        def b(self):
            self.x = "b"
            self.next(self.join)

        @step
        def count(self):
            self.x = "n"
            self.next(self.join)

        @step
        def join(self, inputs):
            self.trace = [one.x for one in inputs]
            self.trace += [inputs.a2.x, inputs.count.x, inputs[-1].x, len(inputs)]
            self.trace += [hasattr(self, "x"), hasattr(self, "common"), inputs.b.common]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

NESTED_BRANCH = """
    class NestedBranch(FlowSpec):
        @step
        def start(self):
            self.next(self.left, self.right)

        @step
        def left(self):
            self.next(self.up, self.down)

        @step
        def up(self):
            self.x = "up"
            self.next(self.inner)

        @step
        def down(self):
            self.x = "down"
            self.next(self.inner)

        @step
        def inner(self, inputs):
            self.x = inputs.up.x + inputs.down.x
            self.next(self.outer)

        @step
        def right(self):
            self.x = "right"
            self.next(self.outer)

        @step
        def outer(self, inputs):
            self.trace = [inputs.inner.x, inputs.right.x]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

FOREACH = """
    class Foreach(FlowSpec):
        @step
        def start(self):
            self.items = ["x", "y", "z"]
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.got = (self.index, self.input)
            self.next(self.after)

        @step
        def after(self):
            self.got += (self.index, self.input)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.trace = [one.got for one in inputs]
            self.trace += [(one.index, one.input) for one in inputs]
            self.trace += [inputs[-1].got[0], [one.index for one in inputs[:2]]]
            self.trace += [self.index, self.input]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

DEEP_FOREACH = """
    class Deep(FlowSpec):
        @step
        def start(self):
            self.outer = "ab"
            self.next(self.one, foreach="outer")

        @step
        def one(self):
            self.middle = [10, 20]
            self.next(self.two, foreach="middle")

        @step
        def two(self):
            self.inner = range(2)
            self.next(self.three, foreach="inner")

        @step
        def three(self):
            self.stack = self.foreach_stack()
            self.next(self.close)

        @step
        def close(self, inputs):
            self.seen = [one.stack for one in inputs]
            self.at = (self.index, self.input)
            self.next(self.closer)

        @step
        def closer(self, inputs):
            self.seen = [stack for one in inputs for stack in one.seen]
            self.at = [one.at for one in inputs]
            self.next(self.closest)

        @step
        def closest(self, inputs):
            stacks = [stack for one in inputs for stack in one.seen]
            self.trace = [[(i, w, v) for i, w, v in stack] for stack in stacks]
            self.at = [one.at for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            assert self.foreach_stack() == []
"""

FOREACH_IN_BRANCH = """
    class ForeachInBranch(FlowSpec):
        @step
        def start(self):
            self.next(self.fan, self.plain)

        @step
        def fan(self):
            self.items = [1, 2, 3]
            self.next(self.square, foreach="items")

        @step
        def square(self):
            self.y = self.input**2
            self.next(self.total)

        @step
        def total(self, inputs):
            self.y = sum(one.y for one in inputs)
            self.next(self.join)

        @step
        def plain(self):
            self.y = 100
            self.next(self.join)

        @step
        def join(self, inputs):
            self.trace = [inputs.total.y, inputs.plain.y]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

BRANCH_IN_FOREACH = """
    class BranchInForeach(FlowSpec):
        @step
        def start(self):
            self.items = [1, 2]
            self.next(self.split, foreach="items")

        @step
        def split(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.y = ("a", self.input)
            self.next(self.both)

        @step
        def b(self):
            self.y = ("b", self.input)
            self.next(self.both)

        @step
        def both(self, inputs):
            self.y = [inputs.a.y, inputs.b.y, self.index]
            self.next(self.join)

        @step
        def join(self, inputs):
            self.trace = [one.y for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

SWITCH = """
    class Switch(FlowSpec):
        way = Parameter("way", default="low")

        @step
        def start(self):
            self.next({"low": self.low, "high": self.high, "none": self.end}, condition="way")

        @step
        def low(self):
            self.trace = "low"
            self.next(self.after)

        @step
        def high(self):
            self.trace = "high"
            self.next(self.after)

        @step
        def after(self):
            self.trace += " after"
            self.next(self.end)

        @step
        def end(self):
            self.trace = getattr(self, "trace", "straight")
"""

SWITCH_IN_FOREACH = """
    class SwitchInForeach(FlowSpec):
        @step
        def start(self):
            self.items = [1, 2, 3]
            self.next(self.look, foreach="items")

        @step
        def look(self):
            self.odd = self.input % 2 == 1
            self.next({True: self.is_odd, False: self.is_even}, condition="odd")

        @step
        def is_odd(self):
            self.y = f"odd {self.input}"
            self.next(self.join)

        @step
        def is_even(self):
            self.y = f"even {self.input}"
            self.next(self.join)

        @step
        def join(self, inputs):
            self.trace = [one.y for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

LOOP = """
    class Loop(FlowSpec):
        @step
        def start(self):
            self.turn = 0
            self.again = "yes"
            self.next(self.loop)

        @step
        def loop(self):
            self.turn += 1
            self.again = "yes" if self.turn < 4 else "no"
            self.next({"yes": self.loop, "no": self.end}, condition="again")

        @step
        def end(self):
            self.trace = self.turn
"""

LOOP_IN_FOREACH = """
    class LoopInForeach(FlowSpec):
        @step
        def start(self):
            self.items = [3, 1]
            self.next(self.begin, foreach="items")

        @step
        def begin(self):
            self.seen = []
            self.next(self.loop)

        @step
        def loop(self):
            self.seen.append((self.index, current.task_id))
            self.more = len(self.seen) < self.input
            self.next({True: self.loop, False: self.join}, condition="more")

        @step
        def join(self, inputs):
            self.trace = [one.seen for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

TWO_FOREACHES = """
    class TwoForeaches(FlowSpec):
        @step
        def start(self):
            self.items = [1, 2]
            self.next(self.first, foreach="items")

        @step
        def first(self):
            self.y = self.input * 10
            self.next(self.between)

        @step
        def between(self, inputs):
            self.items = [one.y for one in inputs] + [30]
            self.next(self.second, foreach="items")

        @step
        def second(self):
            self.y = self.input + self.index
            self.next(self.join)

        @step
        def join(self, inputs):
            self.trace = [one.y for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

WHOLE_IN_ONE = """
    class OneStep(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            self.trace = "alone"
"""

SHAPES = {
    "linear": (LINEAR, ["start", "middle", "end", None, None]),
    "branch": (BRANCH, ["ac2", "b", "n", "ac2", "n", "n", 3, False, False, "c"]),
    "nested branch": (NESTED_BRANCH, ["updown", "right"]),
    "foreach": (
        FOREACH,
        [
            *[(0, "x", 0, "x"), (1, "y", 1, "y"), (2, "z", 2, "z")],
            *[(0, "x"), (1, "y"), (2, "z"), 2, [0, 1], None, None],
        ],
    ),
    "deep foreach": (
        DEEP_FOREACH,
        [
            [(i, 2, letter), (j, 2, ten), (k, 2, k)]
            for i, letter in enumerate("ab")
            for j, ten in enumerate((10, 20))
            for k in range(2)
        ],
    ),
    "foreach in branch": (FOREACH_IN_BRANCH, [14, 100]),
    "branch in foreach": (
        BRANCH_IN_FOREACH,
        [[("a", 1), ("b", 1), 0], [("a", 2), ("b", 2), 1]],
    ),
    "switch": (SWITCH, "low after"),
    "switch in foreach": (SWITCH_IN_FOREACH, ["odd 1", "even 2", "odd 3"]),
    "loop": (LOOP, 4),
    "loop in foreach": (LOOP_IN_FOREACH, [[(0, "0"), (0, "0@1"), (0, "0@2")], [(1, "1")]]),
    "two foreaches": (TWO_FOREACHES, [10, 21, 32]),
}


# A cold process a task is dear, and differs from a forked one in nothing that depends on shape.
CASES = [(executor, shape) for executor in ("local", "inline") for shape in SHAPES]
CASES += [("process", shape) for shape in ("branch", "foreach", "loop")]


@pytest.mark.parametrize(("executor", "shape"), CASES)
def test_a_shape_runs_as_it_is_drawn(lab: Lab, executor: str, shape: str) -> None:
    text, trace = SHAPES[shape]
    lab.having(executor=executor)
    ran = lab.run(text)
    assert ran.status == "succeeded", ran.end
    assert ran.value("trace") == trace
    assert all(task.successful for one in ran.run for task in one)


def test_a_flow_may_have_a_single_step(lab: Lab) -> None:
    assert lab.run(WHOLE_IN_ONE).value("trace", "only") == "alone"


def test_index_and_input_of_a_nested_join_are_those_of_the_foreach_around_it(lab: Lab) -> None:
    ran = lab.run(DEEP_FOREACH)
    assert ran.value("at") == [[(0, 10), (1, 20)], [(0, 10), (1, 20)]]
    assert [task.id for task in ran.run["close"]] == ["0.0", "0.1", "1.0", "1.1"]


@pytest.mark.parametrize(
    ("way", "trace", "steps"),
    [
        ("high", "high after", {"start", "high", "after", "end"}),
        ("none", "straight", {"start", "end"}),
    ],
)
def test_only_the_chosen_arm_of_a_switch_runs(
    lab: Lab, way: str, trace: str, steps: set[str]
) -> None:
    ran = lab.run(SWITCH, way=way)
    assert ran.value("trace") == trace
    assert {one.id for one in ran.run} == steps


def test_every_turn_of_a_loop_is_a_task_of_its_own(lab: Lab) -> None:
    ran = lab.run(LOOP)
    assert [task.id for task in ran.run["loop"]] == ["0", "0@1", "0@2", "0@3"]
    assert ran.values("turn", "loop") == [1, 2, 3, 4]


def test_a_split_may_have_many_branches(lab: Lab) -> None:
    names = [f"branch_{number}" for number in range(30)]
    steps = "".join(
        f"""
        @step
        def {name}(self):
            self.me = "{name}"
            self.next(self.join)
        """
        for name in names
    )
    ran = lab.run(
        f"""
    class Wide(FlowSpec):
        @step
        def start(self):
            self.next({", ".join(f"self.{name}" for name in names)})
        {steps}
        @step
        def join(self, inputs):
            self.names = [one.me for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.value("names") == names


ITEMS = {
    "list": ("[1, 'a', None, [2]]", [1, "a", None, [2]]),
    "one": ("['only']", ["only"]),
    "tuple": ("((1, 2), (3, 4))", [(1, 2), (3, 4)]),
    "generator": ("(n * n for n in range(4))", [0, 1, 4, 9]),
    "dict": ("{'a': 1, 'b': 2}", ["a", "b"]),
    "dict items": ("{'a': 1}.items()", [("a", 1)]),
    "dict keys": ("{'a': 1, 'b': 1}.keys()", ["a", "b"]),
    "set": ("{7}", [7]),
    "range": ("range(0, 600, 200)", [0, 200, 400]),
    "text": ("'ünï'", ["ü", "n", "ï"]),
    "bytes": ("b'ab'", [97, 98]),
    "map": ("map(str, [1, 2])", ["1", "2"]),
    "zip": ("zip('ab', [1, 2])", [("a", 1), ("b", 2)]),
    "array": ("__import__('numpy').arange(3) * 2", [0, 2, 4]),
    "matrix": ("__import__('numpy').eye(2)", [[1.0, 0.0], [0.0, 1.0]]),
    "series": ("__import__('pandas').Series([5, 6], index=[8, 9])", [5, 6]),
    "objects": ("[object]", [object]),
    "functions": ("[lambda: 3, lambda: 4]", None),
    "by position": ("Countdown()", [2, 1, 0]),
}


@pytest.mark.parametrize("kind", ITEMS)
def test_a_foreach_takes_any_iterable(lab: Lab, kind: str) -> None:
    items, expected = ITEMS[kind]
    ran = lab.run(
        f"""
    class Countdown:
        def __getitem__(self, at):
            return [2, 1, 0][at]

    class Items(FlowSpec):
        @step
        def start(self):
            self.items = {items}
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.element = self.input
            self.plain = self.input.tolist() if hasattr(self.input, "tolist") else self.input
            self.next(self.join)

        @step
        def join(self, inputs):
            self.elements = [one.plain for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    found = ran.value("elements")
    if expected is None:
        assert [one() for one in found] == [3, 4]
    else:
        assert found == expected
