"""`--with`: decorators that a command line puts on every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import msgspec

from flowkit.errors import UsageError
from flowkit.flow.policies import PolicyRejected
from flowkit.flow.policy_rules import POLICY_RULES, apply_policy, is_set
from flowkit.graph import FlowDescription, Kind, Policies


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
