"""Decorators leave a mark; `--with` does the same from text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from flowkit.errors import FlowInvalid, UsageError
from flowkit.flow import (
    MarkFault,
    StepMark,
    catch,
    concurrency,
    describe_flow,
    draft_flow,
    environment,
    resources,
    retry,
    step,
    timeout,
)
from flowkit.graph import (
    Catch,
    FlowDescription,
    Policies,
    Resources,
    Retry,
    Timeout,
)

LoadModule = Callable[..., ModuleType]


def mark_of(*decorators: Any) -> StepMark:
    """Decorate a step, outermost decorator first."""

    def work(self: object) -> None: ...

    made: Any = work
    for decorator in reversed(decorators):
        made = decorator(made)
    mark: StepMark = made.__flowkit_step__
    return mark


def faults_of(*decorators: Any) -> tuple[MarkFault, ...]:
    return mark_of(*decorators).settled()[1]


LINEAR = """
    class Flow(FlowSpec):
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self): ...
"""


def described(flow: type, *specs: str) -> FlowDescription:
    """Read a flow with `--with` options."""
    kinds = {node.name: node.kind for node in describe_flow(flow).nodes} if steps(flow) else {}
    return describe_flow(flow, draft=draft_flow(flow, specs, kinds))


def steps(flow: type) -> list[object]:
    return [one for one in vars(flow).values() if hasattr(one, "__flowkit_step__")]


POLICIES: list[tuple[Any, Policies]] = [
    (retry, Policies(retry=Retry(3, 120))),
    (retry(), Policies(retry=Retry(3, 120))),
    (retry(2), Policies(retry=Retry(2, 120))),
    (retry(times=0), Policies(retry=Retry(0, 120))),
    (retry(times=5, minutes_between_retries=0), Policies(retry=Retry(5, 0))),
    (retry(seconds_between_retries=1.5), Policies(retry=Retry(3, 1.5))),
    (catch, Policies(catch=Catch(None, True))),
    (catch("oops"), Policies(catch=Catch("oops", True))),
    (catch(var="oops", print_exception=False), Policies(catch=Catch("oops", False))),
    (timeout(30), Policies(timeout=Timeout(30))),
    (timeout(seconds=1, minutes=2, hours=3), Policies(timeout=Timeout(10921))),
    (timeout(minutes=0.5), Policies(timeout=Timeout(30))),
    (resources, Policies(resources=Resources())),
    (resources(cpu=0.5, memory=100), Policies(resources=Resources(0.5, 100))),
    (resources(memory="8000", gpu=None), Policies(resources=Resources(1.0, 8000))),  # type: ignore[call-overload]
    (
        resources(gpu=1, disk=10, shared_memory=20),
        Policies(resources=Resources(1.0, 4096, 1, 10, 20)),
    ),
    (environment(vars={"A": "1", "B": ""}), Policies(variables=(("A", "1"), ("B", "")))),
    (environment(vars={"A": 1}), Policies(variables=(("A", "1"),))),  # type: ignore[dict-item]
    (concurrency(4), Policies(concurrency=4)),
    (concurrency(limit=1), Policies(concurrency=1)),
]


@pytest.mark.parametrize(("decorator", "policies"), POLICIES, ids=[str(p) for _, p in POLICIES])
def test_decorator_sets_its_policy_above_and_below_step(decorator: Any, policies: Policies) -> None:
    for mark in (mark_of(decorator, step), mark_of(step, decorator), mark_of(decorator, step())):
        assert mark.settled() == (policies, ())


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        (retry(times=6), "`times` of `@retry` is 6"),
        (retry(times=-1), "`times`"),
        (retry(times=1.5), "`times`"),  # type: ignore[call-overload]
        (retry(times=True), "`times`"),
        (retry(times=float("nan")), "`times`"),  # type: ignore[call-overload]
        (retry(minutes_between_retries=-1), "`minutes_between_retries`"),
        (retry(minutes_between_retries=float("inf")), "`minutes_between_retries`"),
        (retry(minutes_between_retries=1, seconds_between_retries=1), "both"),
        (retry(tmies=1), "no option `tmies`"),  # type: ignore[call-overload]
        (retry(1, 2, 3, 4), "takes 3 options, not 4"),  # type: ignore[call-overload]
        (retry(1, times=2), "`times` twice"),  # type: ignore[call-overload]
        (catch(var="not a name"), "`var`"),
        (catch(var="_hidden"), "`var`"),
        (catch(var="class"), "`var`"),
        (catch(var=3), "`var`"),  # type: ignore[call-overload]
        (catch(print_exception="yes"), "`print_exception`"),  # type: ignore[call-overload]
        (timeout, "no limit"),
        (timeout(), "no limit"),
        (timeout(seconds=-1), "`seconds`"),
        (timeout(minutes="long"), "`minutes`"),  # type: ignore[call-overload]
        (resources(cpu=0), "`cpu`"),
        (resources(memory=0), "`memory`"),
        (resources(gpu=-1), "`gpu`"),
        (resources(gpus=1), "no option `gpus`"),  # type: ignore[call-overload]
        (environment, "`vars`"),
        (environment(vars=["A=1"]), "`vars`"),  # type: ignore[call-overload]
        (environment({"": "1"}), "``"),  # type: ignore[call-overload]
        (environment(vars={"A=B": "1"}), "`A=B`"),
        (environment(vars={"A": True}), "`A` is text"),  # type: ignore[dict-item]
        (concurrency, "no limit"),
        (concurrency(0), "`limit`"),
        (concurrency(2.5), "`limit`"),  # type: ignore[call-overload]
    ],
)
def test_bad_option_is_kept_as_a_fault_and_raises_nothing(decorator: Any, said: str) -> None:
    (fault,) = faults_of(step, decorator)
    assert fault.rule == "decorator-arguments"
    assert said in fault.message
    assert fault.hint


def test_near_option_is_offered() -> None:
    (fault,) = faults_of(step, retry(time=1))  # type: ignore[call-overload]
    assert fault.hint == "did you mean `times`?"


def test_decorators_stack_in_any_order() -> None:
    marks = [
        mark_of(retry(times=1), timeout(5), step, catch, concurrency(2)),
        mark_of(step, concurrency(2), catch, timeout(5), retry(times=1)),
        mark_of(catch, concurrency(2), retry(times=1), timeout(5), step),
    ]
    assert len({mark.settled() for mark in marks}) == 1
    assert {frozenset(one.name for one in mark.applied) for mark in marks} == {
        frozenset({"retry", "timeout", "catch", "concurrency"})
    }


def test_decorator_applied_twice_is_a_fault() -> None:
    assert [one.rule for one in faults_of(retry, step, retry)] == ["decorator-twice"]
    assert [one.rule for one in faults_of(step, step)] == ["decorator-twice"]


def test_step_says_which_step_is_first_and_last() -> None:
    assert (mark_of(step).start, mark_of(step).end) == (False, False)
    assert mark_of(step(start=True)).start
    assert mark_of(retry, step(end=True)).end


def test_decorated_function_is_the_function_itself() -> None:
    def work(self: object) -> int:
        return 3

    assert retry(step(work)) is work


def test_mark_of_a_wrapper_leaves_the_wrapped_function_alone() -> None:
    @step
    def work(self: object) -> None: ...

    @functools.wraps(work)
    def wrapper(self: object) -> None: ...

    retry(wrapper)
    assert wrapper.__flowkit_step__.settled()[0].retry is not None  # type: ignore[attr-defined]
    assert work.__flowkit_step__.settled()[0].retry is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("decorator", [step, retry, retry(times=1)])
def test_classes_and_properties_cannot_be_decorated(decorator: Any) -> None:
    with pytest.raises(FlowInvalid):
        decorator(int)
    with pytest.raises(FlowInvalid):
        decorator(property(lambda self: 3))


@pytest.mark.parametrize(
    ("spec", "policies"),
    [
        ("retry", Policies(retry=Retry(3, 120))),
        ("retry:times=2,minutes_between_retries=0", Policies(retry=Retry(2, 0))),
        ("timeout:seconds=5", Policies(timeout=Timeout(5))),
        ("timeout:minutes=0.5, seconds=1", Policies(timeout=Timeout(31))),
        ("catch:var=oops,print_exception=False", Policies(catch=Catch("oops", False))),
        ("catch:var=null,print_exception=false", Policies(catch=Catch(None, False))),
        ("resources:memory=100,cpu=2", Policies(resources=Resources(2, 100))),
        ('environment:vars={"A": "1,2", "B": "x"}', Policies(variables=(("A", "1,2"), ("B", "x")))),
        ("concurrency:limit=3", Policies(concurrency=3)),
    ],
)
def test_with_sets_a_policy_of_every_step(
    flow_module: LoadModule, spec: str, policies: Policies
) -> None:
    made = described(flow_module(LINEAR).Flow, spec)
    assert [one.policies for one in made.nodes] == [policies, policies]


def test_with_leaves_a_steps_own_policy_alone(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Flow(FlowSpec):
            @retry(times=0)
            @step
            def start(self):
                self.next(self.end)

            @environment(vars={"A": "1"})
            @step
            def end(self): ...
    """)
    made = described(module.Flow, "retry:times=2", 'environment:vars={"B": "2"}')
    assert [one.policies.retry for one in made.nodes] == [Retry(0, 120), Retry(2, 120)]
    assert [one.policies.variables for one in made.nodes] == [(("B", "2"),), (("A", "1"),)]


def test_first_of_two_options_for_one_decorator_counts(flow_module: LoadModule) -> None:
    made = described(flow_module(LINEAR).Flow, "retry:times=1", "retry:times=2")
    assert {one.policies.retry for one in made.nodes} == {Retry(1, 120)}


def test_with_catch_goes_around_steps_that_need_their_results(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Flow(FlowSpec):
            @step
            def start(self):
                self.next(self.each, foreach="items")

            @step
            def each(self):
                self.next(self.join)

            @step
            def join(self, inputs):
                self.next({"a": self.one, "b": self.end}, condition="how")

            @step
            def one(self):
                self.next(self.end)

            @step
            def end(self): ...
    """)
    made = described(module.Flow, "catch")
    assert [one.name for one in made.nodes if one.policies.catch] == ["each", "one", "end"]


def test_class_stays_as_it_is_written(flow_module: LoadModule) -> None:
    module = flow_module(LINEAR)
    before = describe_flow(module.Flow)
    assert described(module.Flow, "retry") != before
    assert describe_flow(module.Flow) == before


@pytest.mark.parametrize(
    ("spec", "said", "hint"),
    [
        ("rety", "no decorator `rety`", "did you mean `retry`?"),
        ("", "no decorator ``", "known decorators are `batch`, "),
        ("slurm:cpu=1", "no decorator `slurm`", "known decorators are "),
        ("kubernetes:cpus=1", "no option `cpus`", "did you mean `cpu`?"),
        ("retry:time=2", "no option `time`", "did you mean `times`?"),
        ("retry:times=x", "not `x`", "`@retry(times=3"),
        ("retry:times=9", "at most 5", "6 attempts"),
        ("retry:times", "`times` is no option", "--with retry:times=2"),
        ("retry:times=1,times=2", "is there twice", "--with retry:times=2"),
        ("timeout", "no limit", "`@timeout(minutes=5)`"),
        ("environment:vars={", "`vars`", "`@environment("),
    ],
)
def test_wrong_with_is_a_usage_error_even_if_no_step_takes_it(
    flow_module: LoadModule, spec: str, said: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        described(flow_module("class Flow(FlowSpec): ...").Flow, spec)
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")
