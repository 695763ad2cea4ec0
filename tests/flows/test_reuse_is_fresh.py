"""A run that reuses leaves what a fresh run leaves, whatever was edited in between."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flowkit.runner import RunOptions

if TYPE_CHECKING:
    from conftest import Lab, Ran

HELPERS = """
    RATES = {{"low": {low}, "high": 3}}

    def scaled(x):
        return x * RATES["low"]

    def late(x):
        return x + {late}
"""
FLOW = """
    from {helpers} import scaled

    def shown(flow):
        return sorted(name for name in vars(flow) if not name.startswith("_")), flow.alpha

    class Shapes(FlowSpec):
        alpha = Parameter(default=1)
        beta = Parameter(default=2)
        CONSTANT = {constant}
        _hidden = [{hidden}]

        @property
        def twice(self):
            return 2 * self.beta

        def summed(self, one):
            return one + self._hidden[0]

        @step
        def start(self):
            self.rows = {rows}
            self.note = "{note}"
            self.dropped = "{note}"
            self.turn = 0
            self.next(self.left, self.right)

        @step
        def left(self):
            self.count = len(self.rows)
            del self.dropped
            self.next(self.fork)

        @step
        def fork(self):
            self.next(self.work, foreach="rows")

        @step
        def work(self):
            self.pairs = [self.input, self.input + 1]
            self.next(self.inner, foreach="pairs")

        @step
        def inner(self):
            self.value = scaled(self.input)
            self.next(self.tail)

        @step
        def tail(self):
            from {helpers} import late

            self.value += late(0)
            self.next(self.inner_join)

        @step
        def inner_join(self, inputs):
            self.value = max(inputs, key=lambda one: one.value).value
            self.place = self.index
            self.merge_artifacts(inputs)
            self.next(self.outer_join)

        @step
        def outer_join(self, inputs):
            self.merge_artifacts(inputs, exclude=["value", "place", "pairs"])
            self.values = [(one.value, one.place) for one in inputs]
            self.next(self.both)

        @step
        def right(self):
            self.turn += 1
            self.again = self.turn < {turns}
            self.next({{True: self.right, False: self.seen}}, condition="again")

        @step
        def seen(self):
            self.seen_names = shown(self)
            self.next(self.both)

        @step
        def both(self, inputs):
            self.values = inputs.outer_join.values
            self.turns = inputs.seen.turn
            self.note = inputs[0].note
            self.beta_there = inputs[1].beta
            self.next(self.end)

        @step
        def end(self):
            self.total = sum(value for value, _ in self.values) * self.alpha
            self.more = self.summed(self.twice) + self.CONSTANT
"""
EDITS: dict[str, list[Any]] = {
    "low": [2, 3],
    "late": [0, 5],
    "constant": [7, 8],
    "hidden": [1, 2],
    "rows": [[1, 2], [2, 1], [5, 1, 2], [2]],
    "note": ["a", "b"],
    "turns": [1, 3],
    "alpha": [1, 4],
    "beta": [2, 6],
}


def everything(ran: Ran) -> dict[str, dict[str, Any]]:
    return {
        task.pathspec.split("/", 2)[2]: {name: getattr(task.data, name) for name in task.data}
        for step in ran.run
        for task in step
    }


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_edited_a_run_that_reuses_leaves_what_a_fresh_one_leaves(
    lab: Lab, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    (tmp_path / "other").mkdir()
    other = type(lab)(tmp_path / "other", executor="local")
    state = {name: values[0] for name, values in EDITS.items()}
    cloned = 0
    for turn in range(7):
        for name in draw.sample(list(EDITS), draw.choice((1, 1, 2))) if turn else ():
            state[name] = draw.choice(EDITS[name])
        for one in (lab, other):
            one.write(HELPERS.format(**state), "helpers.py")
            one.write(FLOW.format(helpers="helpers", **state), "shapes.py")
        given = {"alpha": str(state["alpha"]), "beta": str(state["beta"])}
        reused = lab.run(options=RunOptions(parameters=given, reuse=True))
        fresh = other.run(options=RunOptions(parameters=given))
        assert reused.status == fresh.status == "succeeded", reused.end
        assert everything(reused) == everything(fresh)
        cloned += len(reused.cloned)
    assert cloned
    other.close()


MAKERS = """
    import functools

    class Scale:
        def __init__(self, rate):
            self.rate = rate

        def of(self, x):
            return self.rate * x

        of_two = functools.partialmethod(of, 2 * {rate})

    multiplied = functools.partial(Scale({rate}).of, 3)
    scaled = Scale({rate}).of
    cached = functools.cache(functools.partial(pow, {rate}))
"""
CALLING = """
    import makers

    class Calling(FlowSpec):
        @memo
        @step
        def start(self):
            self.value = {called}
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize(
    ("called", "values"),
    [
        ("makers.multiplied()", [6, 15]),
        ("makers.scaled(4)", [8, 20]),
        ("makers.cached(2)", [4, 25]),
        ("makers.Scale(1).of_two()", [4, 10]),
    ],
)
def test_what_a_callable_holds_is_not_that_of_an_earlier_run(
    lab: Lab, called: str, values: list[int]
) -> None:
    for rate, value in zip((2, 5), values, strict=True):
        lab.write(MAKERS.format(rate=rate), "makers.py")
        lab.write(CALLING.format(called=called), "calling.py")
        first = lab.run()
        assert first.status == "succeeded", first.end
        assert first.run["start"].task["value"].data == value
        assert first.cloned == []
        assert lab.run().cloned == ["start/0"]


HOLDING = """
    import functools
    import threading

    def guarded(lock):
        def decorate(function):
            @functools.wraps(function)
            def call(self):
                with lock:
                    return function(self)
            return call
        return decorate

    class Holding(FlowSpec):
        @memo
        @guarded(threading.Lock())
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_step_with_something_that_cannot_be_compared_is_not_reused(lab: Lab) -> None:
    lab.run(HOLDING)
    again = lab.run(options=RunOptions(reuse=True))
    assert again.status == "succeeded"
    assert again.cloned == ["end/0"]


SHOP = """
    class Model:
        def answer(self):
            return {answer}
"""

BOUGHT = """
    {import_first}

    class Bought(FlowSpec):
        @memo
        @step
        def start(self):
            import shop
            self.model = shop.Model()
            self.models = [shop.Model(), shop.Model()]
            self.plain = 7
            self.next(self.ask)

        @memo
        @step
        def ask(self):
            self.answer = self.model.answer()
            self.next(self.each, foreach="models")

        @memo
        @step
        def each(self):
            self.answer = self.input.answer()
            self.next(self.join)

        @memo
        @step
        def join(self, inputs):
            self.answers = [one.answer for one in inputs]
            self.plain = inputs[0].plain
            self.next(self.end)

        @memo
        @step
        def end(self):
            self.doubled = self.plain * 2
"""


@pytest.mark.parametrize("import_first", ["import shop", ""])
def test_what_an_artifact_does_is_not_what_its_class_did(lab: Lab, import_first: str) -> None:
    for answer in (1, 2):
        lab.write(SHOP.format(answer=answer), "shop.py")
        lab.write(BOUGHT.format(import_first=import_first), "bought.py")
        ran = lab.run()
        assert ran.status == "succeeded", ran.end
        assert ran.run["ask"].task["answer"].data == answer
        assert ran.run["join"].task["answers"].data == [answer, answer]
        # What reads no object of the class does not depend on it.
        assert ("end/0" in ran.cloned) == (answer == 2)
    again = lab.run().cloned
    assert "end/0" in again
    # Of a module that only a step imports it is not known what it says today.
    assert ("ask/0" in again) == bool(import_first)
