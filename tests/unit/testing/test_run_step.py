"""`run_step`: what a step finds and leaves when a test runs it by itself."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from flowkit import (
    Config,
    FlowSpec,
    Parameter,
    catch,
    current,
    environment,
    parallel,
    retry,
    secrets,
    step,
    timeout,
    user_step_decorator,
)
from flowkit.errors import UsageError
from flowkit.store import UnpicklableArtifact
from flowkit.testing import run_step


@user_step_decorator
def noting(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Any:
    """Leave an artifact before and after the step."""
    flow.noted = [step_name]
    yield
    flow.noted = [*flow.noted, "done"]


class Shop(FlowSpec):
    """A foreach, a join and a switch, with a parameter and a config."""

    rate = Parameter(default=0.5)
    currency = Parameter(type=str, required=True)
    config = Config("config", default_value={"rounds": 2})
    vat = (1.0,)

    @step
    def start(self) -> None:
        """Fan out."""
        self.prices = [1.0, 2.0, 3.0]
        self.next(self.convert, foreach="prices")

    @step
    def convert(self) -> None:
        """Convert one price."""
        self.converted = round(self.input * self.rate, self.config.rounds)
        self.at = self.index
        self.next(self.sum_up)

    @step
    def sum_up(self, inputs: Any) -> None:
        """Join."""
        self.total = sum(one.converted for one in inputs)
        self.first = inputs[0].input
        self.next(self.choose)

    @step
    def choose(self) -> None:
        """Switch."""
        self.size = "large" if self.total > 10 else "small"
        self.next({"large": self.large, "small": self.end}, condition="size")

    @step
    def large(self) -> None:
        """Name the currency."""
        self.text = f"{self.total} {self.currency}"
        self.next(self.end)

    @step
    def end(self) -> None:
        """Leave it as it is."""


class Branches(FlowSpec):
    """Two branches, and steps with decorators."""

    @step
    def start(self) -> None:
        """Split."""
        self.common = 1
        self.next(self.left, self.right)

    @step
    def left(self) -> None:
        """Go left."""
        self.x = self.common + 1
        self.next(self.merge)

    @environment(vars={"COLOUR": "red"})
    @step
    def right(self) -> None:
        """Go right."""
        self.x = os.environ["COLOUR"]
        self.next(self.merge)

    @step
    def merge(self, inputs: Any) -> None:
        """Join."""
        self.both = (inputs.left.x, inputs.right.x)
        self.merge_artifacts(inputs, exclude=["x"])
        self.next(self.guarded)

    @catch(var="problem")
    @retry(times=3)
    @timeout(seconds=1)
    @step
    def guarded(self) -> None:
        """Fail, or say where it runs."""
        if self.common == 0:
            raise ZeroDivisionError("nothing in common")
        self.where = (current.flow_name, current.step_name, current.is_running_flow)
        self.next(self.watched)

    @noting
    @step
    def watched(self) -> None:
        """Be decorated."""
        self.next(self.end)

    @step
    def end(self) -> None:
        """Read what may not be there."""
        self.seen = self.common


class Other(Branches):
    """Inherits all steps but one."""

    @step
    def end(self) -> None:
        """Do something else."""
        self.seen = -self.common


class Gangs(FlowSpec):
    """A gang in a foreach, and its join."""

    @step
    def start(self) -> None:
        """Fan out."""
        self.names = ["a", "b"]
        self.next(self.size, foreach="names")

    @step
    def size(self) -> None:
        """Open a gang."""
        self.next(self.train, num_parallel=self.nodes)

    @parallel
    @step
    def train(self) -> None:
        """Say which node it is, and of what."""
        gang = current.parallel
        self.v = (gang.node_index, gang.num_nodes, gang.control_task_id)
        self.stack = self.foreach_stack()
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        """Join the gang."""
        self.all = [one.v for one in inputs]
        self.element = inputs[0].input
        self.next(self.collect)

    @step
    def collect(self, inputs: Any) -> None:
        """Join the foreach."""
        self.gang = len(inputs)
        self.next(self.end)

    @step
    def end(self) -> None:
        """Read an artifact that is named like an option."""
        self.seen = self.gang


def test_a_step_leaves_what_it_was_given_and_what_it_set() -> None:
    ran = run_step(Branches.left, common=4)
    assert ran.artifacts == {"common": 4, "x": 5}
    assert ran.artifacts.x == ran.artifacts["x"] == 5
    assert (ran.step, ran.next, ran.elements) == ("left", ("merge",), None)


def test_a_split_tells_all_the_steps_that_it_goes_on_to() -> None:
    assert run_step(Branches.start).next == ("left", "right")


def test_a_foreach_tells_its_elements() -> None:
    ran = run_step(Shop.start)
    assert (ran.next, ran.elements) == (("convert",), [1.0, 2.0, 3.0])


def test_a_switch_tells_the_step_that_it_chose() -> None:
    assert run_step(Shop.choose, total=11).next == ("large",)
    assert run_step(Shop.choose, total=9).next == ("end",)


def test_a_foreach_body_has_the_element_and_index_that_are_given() -> None:
    ran = run_step(Shop.convert, input=3.0, index=300)
    assert ran.artifacts == {"converted": 1.5, "at": 300}
    assert ran.input == 3.0


def test_parameters_and_configs_have_defaults_or_what_is_given() -> None:
    ran = run_step(Shop.convert, input=1.0, rate=0.123, config={"rounds": 1})
    assert ran.artifacts.converted == 0.1
    assert "rate" not in ran.artifacts


def test_a_parameter_that_a_run_needs_is_needed_only_by_steps_that_read_it() -> None:
    assert run_step(Shop.choose, total=11).artifacts.size == "large"
    assert run_step(Shop.large, total=11, currency="euro").artifacts.text == "11 euro"
    with pytest.raises(UsageError, match="step `large` reads the parameter `currency`") as raised:
        run_step(Shop.large, total=11)
    assert raised.value.hint == "give it as `currency=...`"


def test_a_join_takes_the_artifacts_of_its_inputs() -> None:
    ran = run_step(Shop.sum_up, inputs=[{"converted": 1.0, "input": "a"}, {"converted": 2.5}])
    assert ran.artifacts == {"total": 3.5, "first": "a"}


def test_a_join_takes_what_steps_came_to() -> None:
    converted = [run_step(Shop.convert, input=one, index=at) for at, one in enumerate([4.0, 6.0])]
    assert run_step(Shop.sum_up, inputs=converted).artifacts == {"total": 5.0, "first": 4.0}


def test_a_join_of_branches_takes_its_inputs_in_order_or_by_step() -> None:
    left, right = {"x": 1, "common": 7}, {"x": 2, "common": 7}
    expected = {"both": (1, 2), "common": 7}
    assert run_step(Branches.merge, inputs=[left, right]).artifacts == expected
    assert run_step(Branches.merge, inputs={"right": right, "left": left}).artifacts == expected
    ran = [run_step(Branches.right, common=7), run_step(Branches.left, common=7)]
    assert run_step(Branches.merge, inputs=ran).artifacts == {"both": (8, "red"), "common": 7}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "is a join, and has no inputs"),
        ([{"x": 1}], "joins 2 branches, and 1 inputs are given"),
        ({"left": {}, "end": {}}, "step `end` does not lead to the join `merge`"),
        ([1, 2], "an input of join `merge` is `1`"),
    ],
)
def test_inputs_that_do_not_fit_a_join_are_refused(inputs: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_step(Branches.merge, inputs=inputs)


def test_artifacts_of_a_join_are_given_with_its_inputs() -> None:
    with pytest.raises(UsageError, match="it finds `x` on its inputs"):
        run_step(Branches.merge, inputs=[{}, {}], x=1)


def test_what_a_step_raises_is_raised_as_it_is_whatever_its_policies() -> None:
    with pytest.raises(ZeroDivisionError, match="nothing in common"):
        run_step(Branches.guarded, common=0)


def test_a_step_that_does_not_fail_leaves_the_variable_of_catch_as_none() -> None:
    ran = run_step(Branches.guarded, common=1)
    assert ran.artifacts.problem is None
    assert ran.artifacts.where == ("Branches", "guarded", True)
    assert not current.is_running_flow


def test_decorators_of_the_users_own_apply_unless_they_are_skipped() -> None:
    assert run_step(Branches.watched).artifacts.noted == ["watched", "done"]
    assert "noted" not in run_step(Branches.watched, skip_decorators=True).artifacts


def test_secrets_are_the_tests_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hides(FlowSpec):
        @secrets(sources=[{"type": "inline", "options": {"env_vars": {"KEY": "real"}}}])
        @step
        def start(self) -> None:
            self.key = os.environ["KEY"]
            self.next(self.end)

        @step
        def end(self) -> None:
            pass

    monkeypatch.setenv("KEY", "fake")
    assert run_step(Hides.start).artifacts.key == "fake"


def test_an_artifact_that_is_missing_is_missed_by_the_step_with_a_note_on_how_to_give_it() -> None:
    with pytest.raises(AttributeError, match="step `left` has no artifact `common`") as raised:
        run_step(Branches.left)
    assert raised.value.__notes__ == [
        "what a step reads is given to `run_step`, here as `common=...`"
    ]


def test_one_name_is_suggested_for_a_misspelt_artifact() -> None:
    class Shares(FlowSpec):
        @step
        def start(self) -> None:
            self.share = 0.5
            self.next(self.end)

        @step
        def end(self) -> None:
            print(self.shar)

    with pytest.raises(AttributeError) as raised:
        run_step(Shares.end, share=0.5)
    with pytest.raises(AttributeError) as of_result:
        _ = run_step(Shares.start).artifacts.shar
    for one in (raised, of_result):
        assert one.value.name == "shar"
        told = traceback.format_exception_only(one.value)
        assert told[0].endswith(" no artifact `shar`; did you mean `share`?\n")


def test_names_that_nothing_in_the_flow_knows_are_refused() -> None:
    with pytest.raises(UsageError, match="no step of `Shop` sets or reads `totl`") as raised:
        run_step(Shop.choose, totl=3)
    assert raised.value.hint == "did you mean `total`?"


def test_constants_cannot_be_given() -> None:
    with pytest.raises(UsageError, match="`vat` is a constant of `Shop`"):
        run_step(Shop.choose, total=3, vat=[2.0])


def test_a_foreach_body_that_reads_its_element_needs_one() -> None:
    with pytest.raises(UsageError, match="an element of the foreach in `start`"):
        run_step(Shop.convert)
    with pytest.raises(UsageError, match="step `large` is in no foreach"):
        run_step(Shop.large, total=1, currency="euro", input=2)


def test_a_step_is_given_copies_so_that_the_test_keeps_what_it_holds() -> None:
    class Appends(FlowSpec):
        @step
        def start(self) -> None:
            self.items.append(1)
            self.next(self.end)

        @step
        def end(self) -> None:
            pass

    mine: list[int] = []
    assert run_step(Appends.start, items=mine).artifacts["items"] == [1]
    assert mine == []


def test_what_a_run_could_not_keep_fails_here_too() -> None:
    class Locks(FlowSpec):
        @step
        def start(self) -> None:
            self.lock = Lock()
            self.next(self.end)

        @step
        def end(self) -> None:
            pass

    with pytest.raises(UnpicklableArtifact, match="lock"):
        run_step(Locks.start)


def test_nested_foreaches_are_given_as_a_stack() -> None:
    class Nested(FlowSpec):
        @step
        def start(self) -> None:
            self.rows = [1, 2]
            self.next(self.row, foreach="rows")

        @step
        def row(self) -> None:
            self.cells = "ab"
            self.next(self.cell, foreach="cells")

        @step
        def cell(self) -> None:
            self.stack = self.foreach_stack()
            self.next(self.join_cells)

        @step
        def join_cells(self, inputs: Any) -> None:
            self.stack = self.foreach_stack()
            self.next(self.join_rows)

        @step
        def join_rows(self, inputs: Any) -> None:
            self.next(self.end)

        @step
        def end(self) -> None:
            pass

    stack = [(1, 2, 2), (0, 2, "a")]
    assert run_step(Nested.cell, foreach_stack=stack).artifacts.stack == stack
    ran = run_step(Nested.join_cells, foreach_stack=stack[:1], inputs=[{}, {}])
    assert ran.artifacts.stack == stack[:1]
    assert run_step(Nested.row, input=1).elements == ["a", "b"]
    with pytest.raises(UsageError, match="there are 2 foreaches"):
        run_step(Nested.cell, foreach_stack=stack[:1])


def test_a_node_of_a_gang_knows_which_of_how_many_it_is() -> None:
    ran = run_step(Gangs.train, gang=(1, 3), input="b", index=1)
    assert ran.artifacts == {"v": (1, 3, "1.0"), "stack": [(1, 2, "b")]}
    assert run_step(Gangs.train, input="b").artifacts.v == (0, 1, "0.0")
    assert run_step(Gangs.size, nodes=3, input="a").elements == [0, 1, 2]


@pytest.mark.parametrize("gang", [(3, 3), (-1, 2), 2, ("0", "1")])
def test_a_node_that_no_gang_has_is_refused(gang: Any) -> None:
    with pytest.raises(UsageError, match="step `train` is run as node") as raised:
        run_step(Gangs.train, gang=gang)
    assert raised.value.hint is not None


def test_outside_of_a_gang_that_name_is_an_artifacts() -> None:
    assert run_step(Gangs.end, gang=2).artifacts == {"gang": 2, "seen": 2}


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_a_join_takes_all_nodes_of_its_gang(nodes: int) -> None:
    ran = run_step(Gangs.join, inputs=[{"v": at} for at in range(nodes)], input="b", index=1)
    assert ran.artifacts == {"all": list(range(nodes)), "element": "b"}
    trained = [run_step(Gangs.train, gang=(at, nodes), input="b") for at in range(nodes)]
    joined = run_step(Gangs.join, inputs=trained, input="b")
    assert [one[0] for one in joined.artifacts.all] == list(range(nodes))


def test_an_inherited_step_runs_on_the_flow_that_defines_it_or_the_one_that_is_named() -> None:
    assert run_step(Branches.end, common=2).artifacts.seen == 2
    assert run_step(Other.end, common=2).artifacts.seen == -2
    assert run_step(Other(use_cli=False).left, common=2).artifacts.x == 3


def test_what_is_no_step_is_refused() -> None:
    with pytest.raises(UsageError, match="which is no step"):
        run_step(len)


def test_nothing_is_written_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_step(Shop.sum_up, inputs=[{"converted": 1.0}])
    assert list(tmp_path.iterdir()) == []
