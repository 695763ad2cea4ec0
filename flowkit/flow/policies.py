"""The options of the step decorators, checked and turned into fields of `Policies`.

The same options come from `@retry(times=2)` and, as text, from `--with retry:times=2`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from keyword import iskeyword
from typing import Any, TypeVar

from flowkit.errors import FlowInvalid
from flowkit.graph import Catch, Policies, Resources, Retry, Timeout

MAX_RETRIES = 5
Options = Mapping[str, object]
Value = TypeVar("Value")


class PolicyRejected(FlowInvalid):
    """A decorator was given options that it cannot use."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A decorator that sets a policy: its options in order, and how they become a field.

    `build` returns the value of `Policies.<field>`, or raises PolicyRejected.
    """

    field: str
    options: tuple[str, ...]
    example: str
    build: Callable[[Options], Any]


def apply_policy(
    name: str, policies: Policies, *, args: tuple[object, ...], options: Options
) -> Policies:
    """Return the policies with one of them set. Raises PolicyRejected."""
    rule = POLICY_RULES[name]
    if len(args) > len(rule.options):
        raise _rejected(name, f"`@{name}` takes {len(rule.options)} options, not {len(args)}")
    given = dict(zip(rule.options, args, strict=False))
    for option, value in options.items():
        if option not in rule.options:
            near = get_close_matches(option, rule.options, n=1)
            known = ", ".join(f"`{one}`" for one in rule.options)
            raise PolicyRejected(
                f"`@{name}` has no option `{option}`",
                hint=f"did you mean `{near[0]}`?" if near else f"its options are {known}",
            )
        if option in given:
            raise _rejected(name, f"`@{name}` is given `{option}` twice")
        given[option] = value
    changed: dict[str, Any] = {rule.field: rule.build(given)}
    return replace(policies, **changed)


def is_set(name: str, policies: Policies) -> bool:
    """Say whether a step has this policy already."""
    return getattr(policies, POLICY_RULES[name].field) not in (None, ())


def _retry(options: Options) -> Retry:
    times = _whole("retry", "times", options.get("times", 3), low=0)
    if times > MAX_RETRIES:
        raise PolicyRejected(
            f"`times` of `@retry` is {times}, and at most {MAX_RETRIES} are allowed",
            hint=f"{MAX_RETRIES} retries make {MAX_RETRIES + 1} attempts in all; ask for fewer",
        )
    minutes, seconds = "minutes_between_retries", "seconds_between_retries"
    if options.get(seconds) is None:
        return Retry(times, 60 * _number("retry", minutes, options.get(minutes, 2)))
    if minutes in options:
        raise _rejected("retry", f"`@retry` is given both `{minutes}` and `{seconds}`")
    return Retry(times, _number("retry", seconds, options[seconds]))


def _catch(options: Options) -> Catch:
    var = options.get("var")
    shown = options.get("print_exception", True)
    if var is not None and not (isinstance(var, str) and is_artifact_name(var)):
        raise _rejected("catch", f"`var` of `@catch` is the name of an artifact, not `{var}`")
    if not isinstance(shown, bool):
        raise _rejected("catch", f"`print_exception` of `@catch` is true or false, not `{shown}`")
    return Catch(var, shown)


def _timeout(options: Options) -> Timeout:
    units = {"seconds": 1, "minutes": 60, "hours": 3600}
    limit_s = sum(
        size * _number("timeout", unit, options.get(unit, 0)) for unit, size in units.items()
    )
    if not limit_s:
        raise _rejected("timeout", "`@timeout` has no limit")
    return Timeout(limit_s)


def _resources(options: Options) -> Resources:
    def size_mb(option: str) -> int | None:
        value = options.get(option)
        return None if value is None else _whole("resources", option, value, low=1)

    cpu = _number("resources", "cpu", _or(options.get("cpu"), 1))
    if not cpu:
        raise _rejected("resources", "`cpu` of `@resources` is 0")
    return Resources(
        cpu=cpu,
        memory_mb=_or(size_mb("memory"), 4096),
        gpu=_whole("resources", "gpu", _or(options.get("gpu"), 0), low=0),
        disk_mb=size_mb("disk"),
        shared_memory_mb=size_mb("shared_memory"),
    )


def _environment(options: Options) -> tuple[tuple[str, str], ...]:
    variables = options.get("vars")
    if not isinstance(variables, Mapping):
        raise _rejected("environment", "`vars` of `@environment` is a dict of names and values")
    pairs = []
    for name, value in variables.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise _rejected("environment", f"`{name}` is no name for an environment variable")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _rejected(
                "environment", f"the environment variable `{name}` is text, not `{value}`"
            )
        pairs.append((name, str(value)))
    return tuple(pairs)


def _concurrency(options: Options) -> int:
    if "limit" not in options:
        raise _rejected("concurrency", "`@concurrency` has no limit")
    return _whole("concurrency", "limit", options["limit"], low=1)


POLICY_RULES: dict[str, PolicyRule] = {
    "retry": PolicyRule(
        "retry",
        ("times", "minutes_between_retries", "seconds_between_retries"),
        "@retry(times=3, minutes_between_retries=2)",
        _retry,
    ),
    "catch": PolicyRule("catch", ("var", "print_exception"), '@catch(var="failure")', _catch),
    "timeout": PolicyRule(
        "timeout", ("seconds", "minutes", "hours"), "@timeout(minutes=5)", _timeout
    ),
    "resources": PolicyRule(
        "resources",
        ("cpu", "memory", "gpu", "disk", "shared_memory"),
        "@resources(cpu=2, memory=8000)",
        _resources,
    ),
    "environment": PolicyRule(
        "variables", ("vars",), '@environment(vars={"MODE": "fast"})', _environment
    ),
    "concurrency": PolicyRule("concurrency", ("limit",), "@concurrency(4)", _concurrency),
}
"""Every decorator that sets a policy, by its name."""


def is_artifact_name(name: str) -> bool:
    """Say whether `self.<name>` can be an artifact.

    >>> is_artifact_name("model"), is_artifact_name("_private"), is_artifact_name("a b")
    (True, False, False)
    """
    return name.isidentifier() and not iskeyword(name) and not name.startswith("_")


def _or(value: Value | None, default: Value) -> Value:
    return default if value is None else value


def _number(decorator: str, option: str, value: object) -> float:
    """Read a number that is not negative; text counts, as command lines give it."""
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not 0 <= number < math.inf:
        raise _rejected(
            decorator, f"`{option}` of `@{decorator}` is a number from 0 on, not `{value}`"
        )
    return number


def _whole(decorator: str, option: str, value: object, *, low: int) -> int:
    try:
        number = _number(decorator, option, value)
    except PolicyRejected:
        number = -1.0
    if number < low or number != int(number):
        raise _rejected(
            decorator,
            f"`{option}` of `@{decorator}` is a whole number from {low} on, not `{value}`",
        )
    return int(number)


def _rejected(decorator: str, message: str) -> PolicyRejected:
    return PolicyRejected(message, hint=f"write it as in `{POLICY_RULES[decorator].example}`")
