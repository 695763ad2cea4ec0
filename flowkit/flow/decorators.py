"""`@step` and the decorators that set a step's policies: they leave a mark and change nothing.

A decorator never wraps its function, and never raises for an option: what is wrong is told with
all other faults when the flow is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from flowkit.flow.marks import (
    Applied,
    MarkFault,
    StepMark,
    is_bare,
    is_plain_info,
    mark_applied,
    mark_as_step,
)

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def step(function: Function, /) -> Function: ...
@overload
def step(
    *, start: bool = False, end: bool = False, node_info: Mapping[str, Any] | None = None
) -> Callable[[Function], Function]: ...
def step(*args: Any, **options: Any) -> Any:
    """Mark a method as a step.

    `@step(start=True)` and `@step(end=True)` say which steps a run begins and ends with, if they
    are not named `start` and `end`; a flow of one step has both on it. `node_info` is a dict of
    plain data that is kept with the step for whoever reads the graph, `current.graph_info` say.
    """
    info = options.pop("node_info", None)
    fits = is_plain_info(info) and all(
        name in ("start", "end") and isinstance(value, bool) for name, value in options.items()
    )
    if fits and (not args or is_bare(args, options)):
        start, end = bool(options.get("start")), bool(options.get("end"))
        told = StepMark(start=start, end=end, info=info)
    else:
        told = StepMark(faults=(_STEP_ARGUMENTS,))

    def mark(function: Any) -> Any:
        mark_as_step(function, told)
        return function

    return mark(args[0]) if is_bare(args, options) else mark


@overload
def retry(function: Function, /) -> Function: ...
@overload
def retry(
    times: int = 3,
    *,
    minutes_between_retries: float = 2,
    seconds_between_retries: float | None = None,
) -> Callable[[Function], Function]: ...
def retry(*args: Any, **options: Any) -> Any:
    """Run a failed task again, up to `times` times (at most 5), after a pause.

    `times=0` keeps `--with retry` away from a step that must not run twice.
    """
    return _policy("retry", args, options)


@overload
def catch(function: Function, /) -> Function: ...
@overload
def catch(
    var: str | None = None, *, print_exception: bool = True
) -> Callable[[Function], Function]: ...
def catch(*args: Any, **options: Any) -> Any:
    """Go on when the last attempt has failed; artifact `var` then holds what was raised.

    Not for steps that fan out or switch: their hand-over needs what they compute.
    """
    return _policy("catch", args, options)


@overload
def timeout(function: Function, /) -> Function: ...
@overload
def timeout(
    seconds: float = 0, minutes: float = 0, hours: float = 0
) -> Callable[[Function], Function]: ...
def timeout(*args: Any, **options: Any) -> Any:
    """Stop an attempt that takes longer than the sum of `seconds`, `minutes` and `hours`."""
    return _policy("timeout", args, options)


@overload
def resources(function: Function, /) -> Function: ...
@overload
def resources(
    *,
    cpu: float = 1,
    memory: int = 4096,
    gpu: int | None = 0,
    disk: int | None = None,
    shared_memory: int | None = None,
) -> Callable[[Function], Function]: ...
def resources(*args: Any, **options: Any) -> Any:
    """Say what a task needs: `cpu` in cores, `gpu` in devices, everything else in MB."""
    return _policy("resources", args, options)


@overload
def environment(function: Function, /) -> Function: ...
@overload
def environment(*, vars: Mapping[str, str]) -> Callable[[Function], Function]: ...
def environment(*args: Any, **options: Any) -> Any:
    """Set environment variables for the step."""
    return _policy("environment", args, options)


@overload
def secrets(function: Function, /) -> Function: ...
@overload
def secrets(
    sources: Sequence[str | Mapping[str, Any]],
    role: str | None = None,
    allow_override: bool = False,
) -> Callable[[Function], Function]: ...
def secrets(*args: Any, **options: Any) -> Any:
    """Fetch secrets as the task starts and set them as environment variables, for it alone.

    A source is `"provider.id"`, or a dict of `type`, `id`, `options` and `role`; `role` is for
    those that name none. A variable that is set already is an error, unless `allow_override`.
    """
    return _policy("secrets", args, options)


@overload
def concurrency(function: Function, /) -> Function: ...
@overload
def concurrency(limit: int) -> Callable[[Function], Function]: ...
def concurrency(*args: Any, **options: Any) -> Any:
    """Run at most `limit` tasks of the step at once."""
    return _policy("concurrency", args, options)


@overload
def memo(function: Function, /) -> Function: ...
@overload
def memo(enabled: bool = True) -> Callable[[Function], Function]: ...
def memo(*args: Any, **options: Any) -> Any:
    """Take over a task of any earlier run that had the same code, inputs and parameters.

    `@memo(False)` runs the step every time, also under `run --reuse`: for what depends on the
    time, the network or files.
    """
    return _policy("memo", args, options)


@overload
def parallel(function: Function, /) -> Function: ...
@overload
def parallel() -> Callable[[Function], Function]: ...
def parallel(*args: Any, **options: Any) -> Any:
    """Run the step's tasks as a gang: all at once, and as one; `num_parallel` says how many.

    `current.parallel` tells each task which node of the gang it is.
    """
    return _policy("parallel", args, options)


@overload
def card(function: Function, /) -> Function: ...
@overload
def card(
    type: str = "default",
    *,
    options: Mapping[str, Any] | None = None,
    id: str | None = None,
    timeout: float = 45,
    save_errors: bool = True,
    customize: bool = False,
    refresh_interval: float = 5,
) -> Callable[[Function], Function]: ...
def card(*args: Any, **options: Any) -> Any:
    """Make a report about each task of the step; may be given several times, with an `id` each.

    `type` is `default`, `blank`, the type of an installed package, or `module:Class`. The card has
    `timeout` seconds to be made, and the task is none the worse if it cannot.
    """
    return _policy("card", args, options)


def kubernetes(*args: Any, **options: Any) -> Any:
    """Run the step's tasks in Kubernetes pods: `cpu`, `memory`, `gpu`, `image` and so on."""
    return _policy("kubernetes", args, options)


def batch(*args: Any, **options: Any) -> Any:
    """Run the step's tasks on AWS Batch: `cpu`, `memory`, `gpu`, `queue` and so on."""
    return _policy("batch", args, options)


def pypi(*args: Any, **options: Any) -> Any:
    """Run the step with these Python packages: `packages={"numpy": "2.1"}`, `python="3.12"`.

    With `disabled=True` the step asks for nothing.
    """
    return _policy("pypi", args, options)


def conda(*args: Any, **options: Any) -> Any:
    """Run the step with these conda packages: `packages={"numpy": "2.1"}`, `python="3.12"`.

    With `disabled=True` the step asks for nothing.
    """
    return _policy("conda", args, options)


def _policy(name: str, args: tuple[Any, ...], options: Mapping[str, object]) -> Any:
    bare = is_bare(args, options)
    applied = Applied(name, () if bare else args, options)

    def mark(function: Any) -> Any:
        mark_applied(function, applied)
        return function

    return mark(args[0]) if bare else mark


_STEP_ARGUMENTS = MarkFault(
    decorator="step",
    rule="decorator-arguments",
    message="`@step` takes `start=True`, `end=True` and a `node_info` of plain data only",
    hint="write `@step`, `@step(start=True)` or `@step(end=True)`",
)
