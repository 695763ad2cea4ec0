"""`@step` and the decorators that set a step's policies: they leave a mark and change nothing.

A decorator never wraps its function, and never raises for an option: what is wrong is kept on
the mark, and reported with all other faults when the flow is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from inspect import isclass
from typing import Any, TypeVar, overload

import msgspec

from flowkit.errors import FlowInvalid, UsageError
from flowkit.flow.policies import POLICY_RULES, PolicyRejected, apply_policy, is_set
from flowkit.graph import FlowDescription, Kind, Policies

Function = TypeVar("Function", bound=Callable[..., Any])

STEP_MARK = "__flowkit_step__"
UNMARKED = "__flowkit_policies__"
"""Where policies wait for the `@step` above them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkFault:
    """What a decorator was given in vain: the rule it breaks, and what to do."""

    decorator: str
    rule: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMark:
    """What decorators say about a step. Found as `__flowkit_step__` on the step's function.

    `decorators` are the names of those applied, innermost first.
    """

    policies: Policies = field(default_factory=Policies)
    start: bool = False
    end: bool = False
    decorators: tuple[str, ...] = ()
    faults: tuple[MarkFault, ...] = ()


def step_mark(member: object) -> StepMark | None:
    """Return the mark of a step; None for anything else."""
    mark = getattr(member, STEP_MARK, None)
    return mark if isinstance(mark, StepMark) else None


def unmarked(member: object) -> StepMark | None:
    """Return the mark of a function that has policies, but no `@step`."""
    mark = getattr(member, UNMARKED, None)
    return mark if isinstance(mark, StepMark) and step_mark(member) is None else None


@overload
def step(function: Function, /) -> Function: ...
@overload
def step(*, start: bool = False, end: bool = False) -> Callable[[Function], Function]: ...
def step(*args: Any, **options: object) -> Any:
    """Mark a method as a step.

    `@step(start=True)` and `@step(end=True)` say which steps a run begins and ends with, if they
    are not named `start` and `end`; a flow of one step has both on it.
    """

    def mark(function: Any) -> Any:
        waiting = getattr(function, UNMARKED, None)
        before = step_mark(function) or (waiting if isinstance(waiting, StepMark) else StepMark())
        after = _named(before, "step")
        fits = all(
            name in ("start", "end") and isinstance(value, bool) for name, value in options.items()
        )
        if not fits or (args and not _is_bare(args, options)):
            after = _with_fault(
                after,
                "step",
                "`@step` takes `start=True` and `end=True` only",
                hint="write `@step`, `@step(start=True)` or `@step(end=True)`",
            )
        else:
            after = replace(after, start=bool(options.get("start")), end=bool(options.get("end")))
        _keep(function, STEP_MARK, after, decorator="step")
        return function

    return mark(args[0]) if _is_bare(args, options) else mark


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
def concurrency(function: Function, /) -> Function: ...
@overload
def concurrency(limit: int) -> Callable[[Function], Function]: ...
def concurrency(*args: Any, **options: Any) -> Any:
    """Run at most `limit` tasks of the step at once."""
    return _policy("concurrency", args, options)


def _is_bare(args: Sequence[object], options: Mapping[str, object]) -> bool:
    """Say whether a decorator stands without parentheses: all it got is the function."""
    return len(args) == 1 and not options and (callable(args[0]) or hasattr(args[0], "__get__"))


def _policy(name: str, args: tuple[Any, ...], options: Mapping[str, object]) -> Any:
    bare = _is_bare(args, options)

    def mark(function: Any) -> Any:
        place = STEP_MARK if step_mark(function) else UNMARKED
        before = getattr(function, place, None)
        after = _named(before if isinstance(before, StepMark) else StepMark(), name)
        try:
            policies = apply_policy(
                name, after.policies, args=() if bare else args, options=options
            )
            after = replace(after, policies=policies)
        except PolicyRejected as error:
            after = _with_fault(after, name, error.message, hint=error.hint or "")
        _keep(function, place, after, decorator=name)
        return function

    return mark(args[0]) if bare else mark


def _named(mark: StepMark, decorator: str) -> StepMark:
    """Note that a decorator was applied; twice is a fault."""
    if decorator not in mark.decorators:
        return replace(mark, decorators=(*mark.decorators, decorator))
    fault = MarkFault(
        decorator=decorator,
        rule="decorator-twice",
        message=f"`@{decorator}` is applied twice",
        hint="keep one of them",
    )
    return replace(mark, faults=(*mark.faults, fault))


def _with_fault(mark: StepMark, decorator: str, message: str, *, hint: str) -> StepMark:
    fault = MarkFault(decorator=decorator, rule="decorator-arguments", message=message, hint=hint)
    return replace(mark, faults=(*mark.faults, fault))


def _keep(function: Any, place: str, mark: StepMark, *, decorator: str) -> None:
    if isclass(function):
        raise FlowInvalid(
            f"`@{decorator}` decorates the class `{function.__name__}`, but is for steps",
            hint="put it above the methods that are steps",
        )
    try:
        setattr(function, place, mark)
    except AttributeError as error:
        raise FlowInvalid(
            f"`@{decorator}` decorates a `{type(function).__name__}`, but is for steps",
            hint="put it above a plain method: `def train(self)`",
        ) from error


def with_policies(policies: Policies, text: str) -> Policies:
    """Add what a `--with` option asks for, such as `retry:times=2`, unless it is set already.

    Raises:
        UsageError: no such decorator or option, or a value that it cannot use.
    """
    name, options = _parse_with(text)
    if is_set(name, policies):
        return policies
    try:
        return apply_policy(name, policies, args=(), options=options)
    except PolicyRejected as error:
        raise UsageError(f"`--with {text}`: {error.message}", hint=error.hint) from error


def apply_with(description: FlowDescription, specs: Sequence[str]) -> FlowDescription:
    """Apply `--with` options to every step that has no such policy of its own.

    `catch` goes around steps that fan out or switch, and of two options for one decorator the
    first one counts.

    Raises:
        UsageError: no such decorator or option, or a value that it cannot use.
    """
    nodes = []
    for spec in specs:
        with_policies(Policies(), spec)  # Wrong options are told even if no step takes them.
    for node in description.nodes:
        policies = node.policies
        for spec in specs:
            if _parse_with(spec)[0] == "catch" and node.kind in (Kind.FOREACH, Kind.SWITCH):
                continue
            policies = with_policies(policies, spec)
        nodes.append(replace(node, policies=policies))
    return replace(description, nodes=tuple(nodes))


def _parse_with(text: str) -> tuple[str, dict[str, object]]:
    """Split `name:option=value,option=value`; values are JSON, or else plain text.

    >>> _parse_with('environment:vars={"A": "1", "B": "2"}')
    ('environment', {'vars': {'A': '1', 'B': '2'}})
    """
    name, _, rest = text.partition(":")
    if name not in POLICY_RULES:
        near = get_close_matches(name, POLICY_RULES, n=1)
        known = ", ".join(f"`{one}`" for one in sorted(POLICY_RULES))
        raise UsageError(
            f"`--with {text}`: there is no decorator `{name}`",
            hint=f"did you mean `{near[0]}`?" if near else f"known decorators are {known}",
        )
    options: dict[str, object] = {}
    for part in _parts(rest):
        option, equals, value = part.partition("=")
        if not equals or option.strip() in options:
            raise UsageError(
                f"`--with {text}`: `{part}` is no option, or is there twice",
                hint="write it as in `--with retry:times=2,minutes_between_retries=0`",
            )
        options[option.strip()] = _value(value.strip())
    return name, options


def _parts(text: str) -> list[str]:
    """Split at the commas that are not inside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "{[") - (letter in "}]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if text else []


def _value(text: str) -> object:
    if text in ("True", "False"):
        return text == "True"
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
