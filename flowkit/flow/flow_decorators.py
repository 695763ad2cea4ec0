"""The decorators of whole flows: they leave a mark on the class and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from flowkit.errors import FlowInvalid
from flowkit.flow.flow_rules import FLOW_RULES, given_functions
from flowkit.flow.late import NO_CONFIGS, Configs
from flowkit.flow.marks import Applied, MarkFault, settle
from flowkit.graph import FlowPolicies

FlowClass = TypeVar("FlowClass", bound=type)
ExitFunction = Callable[..., object]

FLOW_MARK = "__flowkit_decorators__"


def project(
    name: str | None = None, *, branch: str | None = None, production: bool = False, **late: Any
) -> Callable[[FlowClass], FlowClass]:
    """Give a flow to a project, so that its deployments and runs keep out of each other's way.

    Each user has a branch `user.NAME` of their own; `--branch NAME` runs in `test.NAME`, and
    `--production` in `prod`. `current.project_flow_name` and its like tell a step where it is.
    A config gives them all by `@project(**config_expr("config.project"))`.
    """
    given = {"name": name, "branch": branch, "production": production or None}
    return _on_flow("project", {**given, **late})


def schedule(**options: Any) -> Callable[[FlowClass], FlowClass]:
    """Start the deployed flow by the clock; a flow that is run by hand is not changed.

    Options are one of `hourly=True`, `daily=True` (the default), `weekly=True` and
    `cron="30 6 * * 1"`, and `timezone`, such as `"Europe/Helsinki"`.
    """
    return _on_flow("schedule", options)


def trigger(
    *,
    event: str | Mapping[str, Any] | None = None,
    events: Sequence[str | Mapping[str, Any]] | None = None,
    options: Mapping[str, Any] | None = None,
    **late: Any,
) -> Callable[[FlowClass], FlowClass]:
    """Start the deployed flow when an event comes, or when all of several have come.

    An event is a name, or a dict with `name` and `parameters`: which field of the event is the
    value of which parameter of the flow.
    """
    given = {"event": event, "events": events, "options": options}
    return _on_flow("trigger", {**given, **late})


def trigger_on_finish(
    *,
    flow: str | Mapping[str, str] | None = None,
    flows: Sequence[str | Mapping[str, str]] | None = None,
    options: Mapping[str, Any] | None = None,
    **late: Any,
) -> Callable[[FlowClass], FlowClass]:
    """Start the deployed flow when another one has succeeded, or when all of several have.

    A flow is a name, or a dict with `name`, `project` and `project_branch`. To try it locally, run
    with `--trigger Flow/12`: `current.trigger.run` is that run.
    """
    given = {"flow": flow, "flows": flows, "options": options}
    return _on_flow("trigger_on_finish", {**given, **late})


def exit_hook(
    *,
    on_success: Sequence[ExitFunction] | ExitFunction | None = None,
    on_error: Sequence[ExitFunction] | ExitFunction | None = None,
    options: Mapping[str, Any] | None = None,
) -> Callable[[FlowClass], FlowClass]:
    """Call functions after a run has ended: some if it succeeded, others if it did not.

    A function takes nothing, or the run as a client object. One that raises is told of, and
    changes nothing about the run.
    """
    given = {"on_success": on_success, "on_error": on_error, "options": options}
    return _on_flow("exit_hook", given)


def pypi_base(**options: Any) -> Callable[[FlowClass], FlowClass]:
    """Ask for Python packages in all steps: `packages`, `python`, `disabled`; see `@pypi`."""
    return _on_flow("pypi_base", options)


def conda_base(**options: Any) -> Callable[[FlowClass], FlowClass]:
    """Ask for conda packages in all steps: `packages`, `python`, `disabled`; see `@conda`."""
    return _on_flow("conda_base", options)


def mark_flow(flow_class: FlowClass, applied: Applied) -> FlowClass:
    """Note on a class that a decorator was applied to it. Raises FlowInvalid for no class."""
    if not isinstance(flow_class, type):
        raise FlowInvalid(
            f"`@{applied.name}` decorates `{getattr(flow_class, '__name__', flow_class)}`, "
            "but is for flows",
            hint="put it above the class of the flow",
        )
    setattr(flow_class, FLOW_MARK, (*vars(flow_class).get(FLOW_MARK, ()), applied))
    return flow_class


def flow_decorators(flow_class: type) -> list[Applied]:
    """Return the decorators of a flow, outermost first, inherited ones after its own.

    A decorator of a base class gives way to one of the same name.
    """
    found: list[Applied] = []
    for owner in flow_class.__mro__:
        own = vars(owner).get(FLOW_MARK, ())
        taken = {one.name for one in found}
        found += [one for one in reversed(own) if one.name not in taken]
    return found


def settled_flow(
    decorators: Sequence[Applied], configs: Configs = NO_CONFIGS
) -> tuple[FlowPolicies, list[MarkFault]]:
    """Return the policies that a flow's decorators ask for, and what is wrong with them.

    `configs` are what expressions in their options are computed of.
    """
    return settle(decorators, FLOW_RULES, FlowPolicies(), configs)


def exit_functions(decorators: Sequence[Applied], *, succeeded: bool) -> list[ExitFunction]:
    """Return the functions to call after a run, in the order in which they were given."""
    how = "on_success" if succeeded else "on_error"
    return [
        function
        for one in decorators
        if one.name == "exit_hook" and one.user is None
        for function in given_functions(one.options.get(how))
    ]


def flow_applied(name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Applied:
    """Return a decorator of flows as it was applied; what is None was not given."""
    given = {option: value for option, value in options.items() if value is not None}
    return Applied(name, tuple(args), given)


def _on_flow(name: str, options: Mapping[str, Any]) -> Callable[[FlowClass], FlowClass]:
    applied = flow_applied(name, (), options)

    def mark(flow_class: FlowClass) -> FlowClass:
        return mark_flow(flow_class, applied)

    return mark
