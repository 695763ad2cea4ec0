"""Decorators of whole flows, and those that ask for a backend, become policies as data."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from flowkit.errors import FlowInvalid, UsageError
from flowkit.flow import (
    batch,
    conda,
    conda_base,
    describe_flow,
    draft_flow,
    exit_functions,
    exit_hook,
    kubernetes,
    project,
    pypi,
    pypi_base,
    schedule,
    step,
    trigger,
    trigger_on_finish,
)
from flowkit.graph import (
    Backend,
    ExitHooks,
    FlowFaults,
    FlowPolicies,
    Policies,
    Project,
    Schedule,
    Trigger,
    TriggerEvent,
    TriggerFlow,
)
from flowkit.runner import refuse_backends

LoadModule = Callable[..., ModuleType]

FLOW = """
    class Flow(FlowSpec):
        @step(start=True, end=True)
        def only(self): ...
"""


def tell() -> None: ...


def praise(run: object) -> None: ...


GOOD: list[tuple[Any, FlowPolicies]] = [
    (project(name="fraud"), FlowPolicies(project=Project("fraud"))),
    (project("fraud", branch="x.1"), FlowPolicies(project=Project("fraud", "x.1"))),
    (project("fraud", production=True), FlowPolicies(project=Project("fraud", None, True))),
    (schedule(), FlowPolicies(schedule=Schedule("0 0 * * *"))),
    (schedule(weekly=True), FlowPolicies(schedule=Schedule("0 0 * * 0"))),
    (
        schedule(cron="30  6 * * 1", timezone="Europe/Helsinki"),
        FlowPolicies(schedule=Schedule("30 6 * * 1", "Europe/Helsinki")),
    ),
    (trigger(event="fresh"), FlowPolicies(trigger=Trigger(events=(TriggerEvent("fresh"),)))),
    (
        trigger(
            events=[
                {"name": "a", "parameters": {"alpha": "x"}},
                {"name": "b", "parameters": ["beta", ("gamma", "z")]},
            ],
            options={"timeout": 60},
        ),
        FlowPolicies(
            trigger=Trigger(
                events=(
                    TriggerEvent("a", (("alpha", "x"),)),
                    TriggerEvent("b", (("beta", "beta"), ("gamma", "z"))),
                ),
                options=(("timeout", "60"),),
            )
        ),
    ),
    (
        trigger_on_finish(flow="Prepare"),
        FlowPolicies(trigger_on_finish=Trigger(flows=(TriggerFlow("Prepare"),))),
    ),
    (
        trigger_on_finish(flows=["A", {"name": "B", "project": "p", "project_branch": "prod"}]),
        FlowPolicies(
            trigger_on_finish=Trigger(flows=(TriggerFlow("A"), TriggerFlow("B", "p", "prod")))
        ),
    ),
    (exit_hook(on_error=[tell]), FlowPolicies(exit_hooks=ExitHooks((), ("tell",)))),
    (
        exit_hook(on_success=praise, on_error=[tell, praise]),
        FlowPolicies(exit_hooks=ExitHooks(("praise",), ("tell", "praise"))),
    ),
    (
        pypi_base(packages={"numpy": "2.1"}, python="3.12"),
        FlowPolicies(
            backends=(
                Backend("pypi_base", (("packages", '{"numpy":"2.1"}'), ("python", '"3.12"'))),
            )
        ),
    ),
    (conda_base(disabled=True), FlowPolicies()),
]


@pytest.mark.parametrize(("decorator", "policies"), GOOD, ids=[str(p) for _, p in GOOD])
def test_flow_decorator_sets_its_policy(
    decorator: Any, policies: FlowPolicies, flow_module: LoadModule
) -> None:
    module = flow_module(FLOW)
    assert decorator(module.Flow) is module.Flow
    assert describe_flow(module.Flow).policies == policies


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        (project(), "`name` of `@project` is text"),
        (project(nome="fraud"), "nome"),
        (project(name=""), "`name` of `@project` is text"),
        (project(name="Fraud"), "`Fraud` is no name for a project"),
        (project(name="fraud", branch="a/b"), "`a/b` is no name for a branch"),
        (project(name="fraud", production="yes"), "true or false"),  # type: ignore[arg-type]
        (schedule(every=True), "no option `every`"),
        (schedule(daily=True, weekly=True), "both `weekly` and `daily`"),
        (schedule(cron="* *"), "`* *` is no cron expression"),
        (schedule(cron="a b c ; e"), "is no cron expression"),
        (schedule(cron="* * * * *", daily=True), "both `cron` and `daily`"),
        (trigger(), "either `event` or `events`"),
        (trigger(event="a", events=["b"]), "either `event` or `events`"),
        (trigger(events=[]), "`events` of `@trigger` is a list"),
        (trigger(event={"nome": "a"}), "an entry `nome`"),
        (trigger(event={"name": "a", "parameters": [3]}), "has `3`"),
        (trigger(event="a", options={"x": object()}), "no plain data"),
        (trigger_on_finish(flow={"name": 3}), "`name` of `@trigger_on_finish` is text"),  # type: ignore[dict-item]
        (exit_hook(), "has no functions"),
        (exit_hook(on_error=["tell"]), "`'tell'`, which is no function"),  # type: ignore[list-item]
        (pypi_base(packages=["numpy"]), "`packages` of `@pypi_base` is a dict"),
    ],
)
def test_bad_option_of_a_flow_decorator_is_a_fault_of_the_flow(
    decorator: Any, said: str, flow_module: LoadModule
) -> None:
    module = flow_module(FLOW)
    with pytest.raises(FlowFaults) as caught:
        describe_flow(decorator(module.Flow))
    (fault,) = caught.value.faults
    assert fault.rule == "decorator-arguments"
    assert said in fault.message
    assert fault.hint
    assert fault.place is not None


def test_flow_decorator_applied_twice_is_a_fault(flow_module: LoadModule) -> None:
    module = flow_module(FLOW)
    with pytest.raises(FlowFaults) as caught:
        describe_flow(project(name="a")(project(name="b")(module.Flow)))
    assert [one.rule for one in caught.value.faults] == ["decorator-twice"]


def test_decorators_of_a_base_class_are_inherited_and_give_way(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Common(FlowSpec):
            @step(start=True, end=True)
            def only(self): ...

        class Flow(Common): ...
    """)
    schedule(weekly=True)(project(name="base")(module.Common))
    project(name="own")(module.Flow)
    policies = describe_flow(module.Flow).policies
    assert policies.project == Project("own")
    assert policies.schedule == Schedule("0 0 * * 0")


def test_functions_of_exit_hooks_are_found_by_how_a_run_ended(flow_module: LoadModule) -> None:
    flow = exit_hook(on_success=[praise], on_error=[tell, praise])(flow_module(FLOW).Flow)
    decorators = draft_flow(flow).decorators
    assert exit_functions(decorators, succeeded=True) == [praise]
    assert exit_functions(decorators, succeeded=False) == [tell, praise]


def test_flow_decorator_above_a_step_says_what_it_is_for() -> None:
    with pytest.raises(FlowInvalid, match="but is for flows"):
        schedule(daily=True)(tell)  # type: ignore[type-var]


BACKENDS: list[tuple[Any, tuple[Backend, ...]]] = [
    (kubernetes, (Backend("kubernetes"),)),
    (
        kubernetes(cpu=2, memory="8Gi", secrets="a,b", tolerations=[{"key": "x"}], image=None),
        (
            Backend(
                "kubernetes",
                (
                    ("cpu", "2.0"),
                    ("memory", '"8Gi"'),
                    ("secrets", '["a","b"]'),
                    ("tolerations", '[{"key":"x"}]'),
                ),
            ),
        ),
    ),
    (batch(queue="q"), (Backend("batch", (("queue", '"q"'),)),)),
    (pypi(packages={"numpy": 2}), (Backend("pypi", (("packages", '{"numpy":"2"}'),)),)),
    (conda(disabled=True), ()),
]


@pytest.mark.parametrize(("decorator", "backends"), BACKENDS, ids=[str(b) for _, b in BACKENDS])
def test_backend_is_kept_on_the_step(decorator: Any, backends: tuple[Backend, ...]) -> None:
    @decorator
    @step
    def work(self: object) -> None: ...

    assert work.__flowkit_step__.settled() == (Policies(backends=backends), ())


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        (kubernetes(cores=2), "no option `cores`"),
        (kubernetes(cpu="many"), "`cpu`"),
        (kubernetes(image=3), "`image` of `@kubernetes` is text"),
        (kubernetes(labels=["a"]), "`labels` of `@kubernetes` is a dict"),
        (kubernetes(tolerations={"a": 1}), "is a list of dicts"),
        (kubernetes(labels={"a": object()}), "no plain data"),
        (pypi(packages="numpy"), "`packages` of `@pypi` is a dict"),
        (pypi(disabled="maybe"), "true or false"),
    ],
)
def test_bad_option_of_a_backend_is_a_fault(decorator: Any, said: str) -> None:
    @decorator
    @step
    def work(self: object) -> None: ...

    policies, (fault,) = work.__flowkit_step__.settled()
    assert policies == Policies()
    assert said in fault.message


def test_running_what_has_no_backend_yet_says_so_and_where(flow_module: LoadModule) -> None:
    module = flow_module("""
        from flowkit import kubernetes

        class Flow(FlowSpec):
            @kubernetes(cpu=2)
            @step(start=True, end=True)
            def only(self): ...
    """)
    with pytest.raises(UsageError) as caught:
        refuse_backends(describe_flow(module.Flow))
    assert "step `only` asks for `@kubernetes`" in caught.value.message
    with pytest.raises(UsageError, match="flow `Flow` asks for `@pypi_base`"):
        refuse_backends(describe_flow(pypi_base()(flow_module(FLOW).Flow)))
