"""Decorators and mutators that users write, in real runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowkit.errors import FlowInvalid, UsageError
from flowkit.graph import FlowFaults
from flowkit.runner import RunOptions

if TYPE_CHECKING:
    from conftest import Lab

HELPERS = """
    from flowkit import (USER_SKIP_STEP, FlowMutator, StepMutator, UserStepDecorator,
                         user_step_decorator)

    @user_step_decorator
    def traced(step_name, flow, inputs=None, attributes=None):
        name = attributes.get("name", "traced")
        flow.trace = [*getattr(flow, "trace", []), f"{name} before {step_name}"]
        try:
            yield
        except ValueError as error:
            flow.trace = [*flow.trace, f"{name} caught {error}"]
            if not attributes.get("mends"):
                raise
        else:
            flow.trace = [*flow.trace, f"{name} after {step_name}"]

    class Counted(UserStepDecorator):
        def init(self, start=0, mends=False):
            self.count, self.mends = start, mends

        def pre_step(self, step_name, flow, inputs=None):
            flow.seen = (step_name, None if inputs is None else len(inputs))

        def post_step(self, step_name, flow, exception=None):
            flow.count = self.count + 1
            return None if self.mends else exception
"""


def test_code_runs_before_and_after_from_the_outermost_to_the_innermost(any_lab: Lab) -> None:
    ran = any_lab.run(
        HELPERS
        + """
    class Flow(FlowSpec):
        @traced(name="outer")
        @traced
        @step(start=True, end=True)
        def only(self):
            self.trace = [*self.trace, "step"]
    """
    )
    assert ran.value("trace", "only") == [
        "outer before only",
        "traced before only",
        "step",
        "traced after only",
        "outer after only",
    ]


def test_decorator_class_gets_its_options_and_the_inputs_of_a_join(any_lab: Lab) -> None:
    ran = any_lab.run(
        HELPERS
        + """
    class Flow(FlowSpec):
        @Counted
        @step
        def start(self):
            self.items = [1, 2, 3]
            self.next(self.each, foreach="items")

        @step
        def each(self):
            self.next(self.join)

        @Counted(start=40)
        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self): ...
    """
    )
    assert (ran.value("seen", "start"), ran.value("count", "start")) == (("start", None), 1)
    assert (ran.value("seen", "join"), ran.value("count", "join")) == (("join", 3), 41)


FAILING = """
    class Flow(FlowSpec):
        DECORATOR
        @step
        def start(self):
            self.reached = True
            raise ValueError("no luck")
            self.next(self.end)

        @step
        def end(self): ...
"""


@pytest.mark.parametrize(
    ("decorator", "status"),
    [
        ("@traced", "failed"),
        ("@traced(mends=True)", "succeeded"),
        ("@Counted", "failed"),
        ("@Counted(mends=True)", "succeeded"),
    ],
)
def test_decorator_may_catch_what_the_step_raises(lab: Lab, decorator: str, status: str) -> None:
    ran = lab.run(HELPERS + FAILING.replace("DECORATOR", decorator))
    assert ran.status == status
    if status == "succeeded":
        assert ran.value("reached", "start") is True
    else:
        assert ran.failure.message == "no luck"
        assert "no luck" in ran.failure.traceback


@pytest.mark.parametrize("decorators", ["", "@traced", "@traced @traced(name='inner')", "@Counted"])
@pytest.mark.parametrize(
    ("line", "type_name"),
    [("time.sleep(60)", "StepTimedOut"), ("Flow(use_cli=False).foreach_stack()", "StepRaised")],
)
def test_what_flowkit_raises_in_a_step_has_the_steps_place_below_its_decorators(
    lab: Lab, decorators: str, line: str, type_name: str
) -> None:
    text = FAILING.replace("DECORATOR", "@timeout(seconds=1)\n        DECORATOR")
    text = text.replace("DECORATOR", decorators.replace(" @", "\n        @"))
    ran = lab.run(HELPERS + text.replace('raise ValueError("no luck")', line))
    assert ran.failure.type_name == type_name
    frames = [one for one in ran.failure.traceback.splitlines() if one.startswith("  File")]
    assert frames[-1].endswith(", in start")
    assert len(frames) == 1 + decorators.count("traced")
    assert line in ran.failure.traceback
    place = frames[-1].split('"')[1], frames[-1].split("line ")[1].split(",")[0]
    assert ran.failure.where == ":".join(place)


def test_exception_of_a_decorator_replaces_the_steps(lab: Lab) -> None:
    helper = """
    @user_step_decorator
    def dressed(step_name, flow, inputs=None, attributes=None):
        try:
            yield
        except ValueError as error:
            raise KeyError("dressed") from error
    """
    ran = lab.run(HELPERS + helper + FAILING.replace("DECORATOR", "@dressed"))
    assert (ran.failure.type_name, ran.failure.message) == ("KeyError", "'dressed'")


SKIPPING = """
    @user_step_decorator
    def skips(step_name, flow, inputs=None, attributes=None):
        flow.items, flow.way = [5, 6], "right"
        yield attributes.get("how", USER_SKIP_STEP)

    class Flow(FlowSpec):
        @skips
        @traced
        @step
        def start(self):
            self.ran = True
            self.next(self.each, foreach="items")

        @step
        def each(self):
            self.value = self.input
            self.next(self.join)

        @step
        def join(self, inputs):
            self.values = [one.value for one in inputs]
            self.next(self.turn)

        @skips
        @step
        def turn(self):
            self.next({"left": self.left, "right": self.right}, condition="way")

        @step
        def left(self):
            self.next(self.end)

        @step
        def right(self):
            self.went = "right"
            self.next(self.end)

        @step
        def end(self): ...
"""


def test_skipped_step_goes_on_as_its_code_says(any_lab: Lab) -> None:
    ran = any_lab.run(HELPERS + SKIPPING)
    assert ran.status == "succeeded"
    assert "ran" not in ran.run["start"].task
    assert "trace" not in ran.run["start"].task
    assert ran.value("values", "join") == [5, 6]
    assert ran.value("went") == "right"


def test_skipping_decorator_may_say_how_the_flow_goes_on(lab: Lab) -> None:
    text = SKIPPING.replace("@skips\n        @traced", "@skips_to")
    helper = """
    @user_step_decorator
    def skips_to(step_name, flow, inputs=None, attributes=None):
        flow.others = [7, 8]
        yield {"foreach": "others"}
    """
    assert lab.run(HELPERS + helper + text).value("values", "join") == [7, 8]
    wrong = lab.run(HELPERS + helper.replace('"foreach"', '"for"') + text)
    assert "with `for`" in wrong.failure.message
    wrong = lab.run(HELPERS + helper.replace('"others"}', "None}") + text)
    assert "with `foreach=None`" in wrong.failure.message


def test_replacement_runs_instead_and_cannot_miss_the_way(any_lab: Lab) -> None:
    ran = any_lab.run(
        HELPERS
        + """
    @user_step_decorator
    def replaced(step_name, flow, inputs=None, attributes=None):
        def alone(self):
            self.by = f"replacement of {step_name}"

        def joined(self, inputs):
            self.total = sum(one.value for one in inputs)

        yield alone if inputs is None else joined

    class Flow(FlowSpec):
        @replaced
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.value = 1
            self.next(self.join)

        @step
        def b(self):
            self.value = 2
            self.next(self.join)

        @replaced
        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self): ...
    """
    )
    assert ran.value("by", "start") == "replacement of start"
    assert ran.value("total", "join") == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("if False: yield", "did not yield"),
        ("yield; yield", "yielded twice"),
        ("yield 3", "yielded a `int`"),
        ("raise KeyError('early'); yield", "'early'"),
    ],
)
def test_generator_that_does_not_keep_the_rules_fails_the_step(
    lab: Lab, body: str, said: str
) -> None:
    helper = f"""
    @user_step_decorator
    def broken(step_name, flow, inputs=None, attributes=None):
        {body}
    """
    text = FAILING.replace("DECORATOR", "@broken").replace('raise ValueError("no luck")', "")
    ran = lab.run(HELPERS + helper + text)
    assert ran.status == "failed"
    assert said in ran.failure.message


def test_options_that_a_decorator_does_not_take_fail_the_step(lab: Lab) -> None:
    ran = lab.run(HELPERS + FAILING.replace("DECORATOR", "@Counted(stop=1)"))
    assert "`@Counted` cannot be given this" in ran.failure.message


def test_function_that_is_no_generator_cannot_be_a_decorator(lab: Lab) -> None:
    with pytest.raises(FlowInvalid, match="is no generator"):
        lab.run(
            HELPERS
            + """
    @user_step_decorator
    def plain(step_name, flow, inputs=None, attributes=None):
        return 3

    class Flow(FlowSpec):
        @step(start=True, end=True)
        def only(self): ...
    """
        )


TWO_STEPS = """
    class Flow(FlowSpec):
        alpha = Parameter(default=1)
        beta = Parameter(default=2)

        @step
        def start(self):
            self.sum = self.alpha + getattr(self, "beta", 0) + getattr(self, "gamma", 0)
            self.next(self.end)

        @retry(times=1)
        @step
        def end(self): ...
"""


def policies_of(ran: Any) -> dict[str, Any]:
    return {node.name: node.policies for node in ran.run.description.nodes}


def test_with_puts_a_users_decorator_on_every_step(any_lab: Lab) -> None:
    (any_lab.folder / "helpers_with.py").write_text("import flowkit\n" + _plain(HELPERS))
    options = RunOptions(with_specs=("helpers_with.traced:name=w", "retry:times=2"))
    ran = any_lab.run(TWO_STEPS, options=options)
    assert ran.value("trace") == ["w before start", "w after start", "w before end", "w after end"]
    assert policies_of(ran)["start"].wrappers == ("helpers_with.traced",)
    assert [one.retry.times for one in policies_of(ran).values()] == [2, 1]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nowhere.traced", "cannot be imported"),
        ("helpers_bad.absent", "cannot be imported"),
        ("helpers_bad.number", "is no decorator of steps"),
        ("traced", "there is no decorator `traced`"),
    ],
)
def test_with_names_what_cannot_be_used(lab: Lab, spec: str, said: str) -> None:
    (lab.folder / "helpers_bad.py").write_text("number = 3\n")
    with pytest.raises(UsageError, match=said):
        lab.run(TWO_STEPS, options=RunOptions(with_specs=(spec,)))


MUTATORS = """
    class patient(StepMutator):
        def init(self, times=4):
            self.times = times

        def mutate(self, mutable_step):
            mutable_step.add_decorator(retry, deco_kwargs={"times": self.times},
                                       duplicates=mutable_step.OVERRIDE)
            mutable_step.add_decorator(traced, deco_kwargs={"name": mutable_step.name})

    class everywhere(FlowMutator):
        def pre_mutate(self, mutable_flow):
            mutable_flow.add_parameter("gamma", Parameter("gamma", default=30))
            mutable_flow.remove_parameter("beta")

        def mutate(self, mutable_flow):
            for name, one in mutable_flow.steps:
                for spec in one.get_decorator_specs("retry"):
                    one.remove_decorator("retry")
                one.add_decorator("timeout:seconds=50")
                assert one.has_decorator("timeout") and not one.has_decorator("retry")
"""


def test_step_mutator_changes_the_decorators_of_its_step(any_lab: Lab) -> None:
    text = TWO_STEPS.replace("@retry(times=1)", "@patient(times=3)\n        @retry(times=1)")
    ran = any_lab.run(HELPERS + MUTATORS + text)
    assert policies_of(ran)["end"].retry.times == 3
    assert policies_of(ran)["start"].retry is None
    assert ran.value("trace") == ["end before end", "end after end"]


def test_flow_mutator_changes_parameters_and_all_steps(any_lab: Lab) -> None:
    text = TWO_STEPS.replace("class Flow", "@everywhere\n    class Flow")
    ran = any_lab.run(HELPERS + MUTATORS + text)
    assert ran.value("sum", "start") == 31
    for policies in policies_of(ran).values():
        assert policies.retry is None
        assert policies.timeout.limit_s == 50
    assert {one.name for one in ran.run.description.parameters} == {"alpha", "gamma"}
    changed = any_lab.run(gamma="100", options=None)
    assert changed.value("sum", "start") == 101
    with pytest.raises(UsageError, match="no parameter `beta`"):
        any_lab.run(beta="3")


def test_mutator_sees_what_with_has_added(lab: Lab) -> None:
    text = TWO_STEPS.replace("class Flow", "@everywhere\n    class Flow")
    lab.write(HELPERS + MUTATORS + text)
    ran = lab.run(options=RunOptions(with_specs=("retry:times=2", "timeout:seconds=7")))
    assert policies_of(ran)["start"].retry is None
    assert policies_of(ran)["start"].timeout.limit_s == 7


def test_step_that_looks_at_its_flow_keeps_the_parameters_that_a_mutator_added(
    any_lab: Lab,
) -> None:
    text = TWO_STEPS.replace("class Flow", "@everywhere\n    class Flow")
    text = text.replace("self.sum =", "self.names = [one.name for one in self]; self.sum =")
    ran = any_lab.run(HELPERS + MUTATORS + text)
    assert ran.value("names", "start") == ["start", "end"]
    assert ran.value("sum", "start") == 31


def test_exit_hook_that_a_mutator_adds_is_called(any_lab: Lab) -> None:
    mutator = f"""
    def note(run):
        with open({str(any_lab.folder / "noted")!r}, "w") as file:
            file.write(run.pathspec)

    class noted(FlowMutator):
        def mutate(self, flow):
            flow.add_decorator("exit_hook", deco_kwargs={{"on_success": [note]}})
    """
    any_lab.run(HELPERS + mutator + TWO_STEPS.replace("class Flow", "@noted\n    class Flow"))
    assert (any_lab.folder / "noted").read_text() == "Flow/1"


def test_mutator_is_inherited_with_the_flow(lab: Lab) -> None:
    text = TWO_STEPS.replace("class Flow", "@everywhere\n    class Common")
    text += """
    class Flow(Common):
        pass
    """
    assert lab.run(HELPERS + MUTATORS + text, flow="Flow").value("sum", "start") == 31


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "raised ZeroDivisionError"),
        ("flow.add_parameter('alpha', Parameter('alpha'))", "the flow has `alpha` already"),
        ("flow.add_parameter('start', Parameter('start'))", "the flow has `start` already"),
        ("flow.add_parameter('delta', 3)", "is to be a parameter, but is a `int`"),
        ("flow.end.add_decorator('retry', duplicates=flow.end.ERROR)", "has `@retry` already"),
        ("flow.end.add_decorator('retri')", "there is no decorator `retri`"),
        ("flow.end.add_decorator(print)", "there is no decorator `print`"),
        ("flow.end.add_decorator(3)", "there is no decorator `3`"),
        ("flow.end.add_decorator(int)", "`int` is no decorator of steps"),
        ("flow.end.add_decorator('retry', duplicates=7)", "not one of IGNORE"),
        ("flow.add_decorator('retry')", "there is no decorator of flows `retry`"),
        ("flow.nothing", "raised AttributeError"),
    ],
)
def test_what_a_mutator_does_wrong_is_one_error(lab: Lab, code: str, said: str) -> None:
    mutator = f"""
    class wrong(FlowMutator):
        def mutate(self, flow):
            {code}
    """
    with pytest.raises(FlowInvalid, match=said):
        lab.run(HELPERS + mutator + TWO_STEPS.replace("class Flow", "@wrong\n    class Flow"))


def test_options_that_a_mutator_adds_are_checked_with_the_flow(lab: Lab) -> None:
    mutator = """
    class wrong(FlowMutator):
        def mutate(self, flow):
            flow.start.add_decorator("retry", deco_kwargs={"times": 99})
            flow.add_decorator("project", deco_kwargs={"name": "No Name"})
    """
    with pytest.raises(FlowFaults) as caught:
        lab.run(HELPERS + mutator + TWO_STEPS.replace("class Flow", "@wrong\n    class Flow"))
    assert [one.rule for one in caught.value.faults] == ["decorator-arguments"] * 2


def test_changed_decorator_is_changed_code_of_its_steps(lab: Lab) -> None:
    text = HELPERS + FAILING.replace("DECORATOR", "@traced").replace(
        'raise ValueError("no luck")', "pass"
    )
    text = text.replace("def end(self): ...", "def end(self): raise KeyError('x')")
    lab.run(text)
    assert lab.resume().cloned == ["start/0"]
    for before, after in [("before {step_name}", "Before"), ("@traced\n", '@traced(name="t")\n')]:
        lab.file.write_text(lab.file.read_text().replace(before, after))
        assert lab.resume().started == ["end/0", "start/0"]
        assert lab.resume().started == ["end/0"]


def _plain(text: str) -> str:
    from textwrap import dedent

    return dedent(text)
