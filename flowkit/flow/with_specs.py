"""`--with`: decorators that a command line puts on every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module

import msgspec

from flowkit.errors import UsageError
from flowkit.flow.drafts import FlowDraft
from flowkit.flow.marks import Applied
from flowkit.flow.policies import PolicyRejected
from flowkit.flow.policy_rules import POLICY_RULES, apply_policy
from flowkit.flow.secret_sources import INLINE
from flowkit.flow.user_decorators import StepDecorator
from flowkit.graph import Kind, Policies

NEEDS_ITS_RESULT = (Kind.FOREACH, Kind.GANG, Kind.SWITCH)
"""How steps hand over that `--with catch` goes around."""


def apply_with(draft: FlowDraft, specs: Sequence[str], kinds: Mapping[str, Kind]) -> None:
    """Put what `--with` options ask for on every step that has no such decorator of its own.

    `catch` goes around steps that fan out or switch, as `kinds` tells them, and of two options
    for one decorator the first one counts. A user's own decorator is put on a step once.

    Raises:
        UsageError: no such decorator or option, or a value that it cannot use.
    """
    for spec in specs:
        applied = _checked(spec)
        for step, mark in draft.steps.items():
            if applied.name == "catch" and kinds.get(step) in NEEDS_ITS_RESULT:
                continue
            if not any(one.full_name == applied.full_name for one in mark.applied):
                draft.apply(step, applied)


def is_repeatable(name: str) -> bool:
    """Say whether a decorator of flowkit's may stand on a step several times."""
    return name in POLICY_RULES and POLICY_RULES[name].repeats


def _checked(spec: str) -> Applied:
    """Read a spec; wrong options are told even if no step takes them."""
    applied = parsed_with(spec)
    if applied.user is None:
        try:
            policies = apply_policy(applied.name, Policies(), args=(), options=applied.options)
        except PolicyRejected as error:
            shown = spec if applied.name != "secrets" else "secrets"  # it may hold a value
            raise UsageError(f"`--with {shown}`: {error.message}", hint=error.hint) from error
        if policies.secrets and any(one.type == INLINE for one in policies.secrets.sources):
            raise UsageError(
                "`--with secrets` is given values; a command line is seen by others, and kept",
                hint="put them into a file and name it: `--with secrets:sources=env-file.FILE`",
            )
    return applied


def parsed_with(text: str) -> Applied:
    """Read `name:option=value,option=value`; values are JSON, or else plain text.

    The name is flowkit's own, or a user's with its module: `helpers.timed`.

    Raises:
        UsageError: no such decorator, or an option without a value.

    >>> parsed_with('environment:vars={"A": "1", "B": "2"}').options
    {'vars': {'A': '1', 'B': '2'}}
    """
    name, _, rest = text.partition(":")
    user = None
    if name not in POLICY_RULES:
        user = _user_decorator(text, name)
        name = user.__name__
    options: dict[str, object] = {}
    for part in _parts(rest):
        option, equals, value = part.partition("=")
        if not equals or option.strip() in options:
            raise UsageError(
                f"`--with {text}`: `{part}` is no option, or is there twice",
                hint="write it as in `--with retry:times=2,minutes_between_retries=0`",
            )
        options[option.strip()] = _value(value.strip())
    return Applied(name, (), options, user)


def _user_decorator(text: str, name: str) -> type[StepDecorator]:
    """Import a user's decorator by its full name."""
    module, dot, member = name.rpartition(".")
    if not dot:
        near = get_close_matches(name, POLICY_RULES, n=1)
        known = ", ".join(f"`{one}`" for one in sorted(POLICY_RULES))
        raise UsageError(
            f"`--with {text}`: there is no decorator `{name}`",
            hint=f"did you mean `{near[0]}`?"
            if near
            else f"known decorators are {known}; name one of your own with its module",
        )
    try:
        found = getattr(import_module(module), member)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"`--with {text}`: `{name}` cannot be imported: {error}",
            hint="name the module as the flow would import it, as in `--with helpers.timed`",
        ) from error
    if not (isinstance(found, type) and issubclass(found, StepDecorator)):
        raise UsageError(
            f"`--with {text}`: `{name}` is no decorator of steps",
            hint="make one with `@user_step_decorator`, or a subclass of `StepMutator`",
        )
    return found


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
    except (msgspec.DecodeError, RecursionError):
        return text
