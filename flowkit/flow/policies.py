"""From what a decorator was given to a field of the policies: checked, and told what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from keyword import iskeyword
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from flowkit.errors import FlowInvalid
from flowkit.graph import FlowPolicies, Policies
from flowkit.wording import shown

Options = Mapping[str, object]
Value = TypeVar("Value")
Held = TypeVar("Held", Policies, FlowPolicies)


class PolicyRejected(FlowInvalid):
    """A decorator was given options that it cannot use."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A decorator that sets a policy: its options in order, and how they become a field.

    `build` returns the value of `Policies.<field>`, or raises PolicyRejected; without a hint, the
    example is the hint. A rule that `gathers` returns a tuple, which is added to what other
    decorators have put there. One that `repeats` may stand on a step several times.
    """

    field: str
    options: tuple[str, ...]
    example: str
    build: Callable[[Options], Any]
    gathers: bool = False
    repeats: bool = False


def apply_rule(
    name: str, rule: PolicyRule, policies: Held, *, args: tuple[object, ...], options: Options
) -> Held:
    """Return the policies with one of them set. Raises PolicyRejected."""
    if len(args) > len(rule.options):
        raise _with_example(rule, f"`@{name}` takes {len(rule.options)} options, not {len(args)}")
    given = dict(zip(rule.options, args, strict=False))
    for option, value in options.items():
        if option not in rule.options:
            near = get_close_matches(option, rule.options, n=1)
            known = ", ".join(f"`{one}`" for one in rule.options)
            raise PolicyRejected(
                f"`@{name}` has no option `{option}`",
                hint=f"did you mean `{near[0]}`?" if near else f"its options are {known or 'none'}",
            )
        if option in given:
            raise _with_example(rule, f"`@{name}` is given `{option}` twice")
        given[option] = value
    try:
        built: Any = rule.build(given)
    except PolicyRejected as error:
        raise error if error.hint else _with_example(rule, error.message) from None
    if rule.gathers:
        built = (*getattr(policies, rule.field), *built)
    changed: dict[str, Any] = {rule.field: built}
    return replace(policies, **changed)


def _with_example(rule: PolicyRule, message: str) -> PolicyRejected:
    return PolicyRejected(message, hint=f"write it as in `{rule.example}`")


def is_artifact_name(name: str) -> bool:
    """Say whether `self.<name>` can be an artifact.

    >>> is_artifact_name("model"), is_artifact_name("_private"), is_artifact_name("a b")
    (True, False, False)
    """
    return name.isidentifier() and not iskeyword(name) and not name.startswith("_")


def given_or(value: Value | None, default: Value) -> Value:
    """Return what was given, or else the default."""
    return default if value is None else value


MOST: Final = 1_000_000_000
"""Of seconds it is 31 years, and more than there is of anything else that is asked for."""


def number(decorator: str, option: str, value: object) -> float:
    """Read a number that is not negative; text counts, as command lines give it.

    Raises:
        PolicyRejected: it is no such number.
    """
    read = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            read = float(value)
        except (ValueError, OverflowError):
            read = math.nan
    if not 0 <= read <= MOST:
        raise PolicyRejected(
            f"`{option}` of `@{decorator}` is a number from 0 to {MOST:,}, not `{shown(value)}`"
        )
    return read


def whole(decorator: str, option: str, value: object, *, low: int) -> int:
    """Read a whole number from `low` on; text counts. Raises PolicyRejected."""
    try:
        read = number(decorator, option, value)
    except PolicyRejected:
        read = -1.0
    if read < low or read != int(read):
        raise PolicyRejected(
            f"`{option}` of `@{decorator}` is a whole number from {low} to {MOST:,}, "
            f"not `{shown(value)}`"
        )
    return int(read)


def flag(decorator: str, option: str, value: object) -> bool:
    """Read a truth value; `true` and `false` count, as command lines give them.

    Raises:
        PolicyRejected: it is neither true nor false.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise PolicyRejected(f"`{option}` of `@{decorator}` is true or false, not `{shown(value)}`")


def text(decorator: str, option: str, value: object) -> str:
    """Take text that is not empty. Raises PolicyRejected."""
    if not isinstance(value, str) or not value:
        raise PolicyRejected(f"`{option}` of `@{decorator}` is text, not `{shown(value)}`")
    return value
