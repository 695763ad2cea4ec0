"""The decorators that set a step's policies: what each takes, and what becomes of it.

The same options come from `@retry(times=2)` and, as text, from `--with retry:times=2`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from flowkit.flow.backends import BACKEND_RULES
from flowkit.flow.policies import (
    Options,
    PolicyRejected,
    PolicyRule,
    apply_rule,
    flag,
    given_or,
    is_artifact_name,
    number,
    text,
    whole,
)
from flowkit.flow.secret_sources import SECRETS_RULE
from flowkit.graph import CardPolicy, Catch, Policies, Resources, Retry, Timeout
from flowkit.wording import shown

MAX_RETRIES = 5


def apply_policy(
    name: str, policies: Policies, *, args: tuple[object, ...], options: Options
) -> Policies:
    """Return the policies of a step with one of them set. Raises PolicyRejected."""
    return apply_rule(name, POLICY_RULES[name], policies, args=args, options=options)


def is_set(name: str, policies: Policies) -> bool:
    """Say whether a step has this policy already."""
    if name in BACKEND_RULES:
        return any(one.name == name for one in policies.backends)
    return getattr(policies, POLICY_RULES[name].field) not in (None, (), False)


def _retry(options: Options) -> Retry:
    times = whole("retry", "times", options.get("times", 3), low=0)
    if times > MAX_RETRIES:
        raise PolicyRejected(
            f"`times` of `@retry` is {times}, and at most {MAX_RETRIES} are allowed",
            hint=f"{MAX_RETRIES} retries make {MAX_RETRIES + 1} attempts in all; ask for fewer",
        )
    minutes, seconds = "minutes_between_retries", "seconds_between_retries"
    if options.get(seconds) is None:
        return Retry(times, 60 * number("retry", minutes, options.get(minutes, 2)))
    if minutes in options:
        raise PolicyRejected(f"`@retry` is given both `{minutes}` and `{seconds}`")
    return Retry(times, number("retry", seconds, options[seconds]))


def _catch(options: Options) -> Catch:
    var = options.get("var")
    if var is not None and not (isinstance(var, str) and is_artifact_name(var)):
        raise PolicyRejected(f"`var` of `@catch` is the name of an artifact, not `{var}`")
    return Catch(var, flag("catch", "print_exception", options.get("print_exception", True)))


def _timeout(options: Options) -> Timeout:
    units = {"seconds": 1, "minutes": 60, "hours": 3600}
    limit_s = sum(
        size * number("timeout", unit, options.get(unit, 0)) for unit, size in units.items()
    )
    if not limit_s:
        raise PolicyRejected("`@timeout` has no limit")
    return Timeout(limit_s)


def _resources(options: Options) -> Resources:
    def size_mb(option: str) -> int | None:
        value = options.get(option)
        return None if value is None else whole("resources", option, value, low=1)

    cpu = number("resources", "cpu", given_or(options.get("cpu"), 1))
    if not cpu:
        raise PolicyRejected("`cpu` of `@resources` is 0")
    return Resources(
        cpu=cpu,
        memory_mb=given_or(size_mb("memory"), 4096),
        gpu=whole("resources", "gpu", given_or(options.get("gpu"), 0), low=0),
        disk_mb=size_mb("disk"),
        shared_memory_mb=size_mb("shared_memory"),
    )


def _environment(options: Options) -> tuple[tuple[str, str], ...]:
    variables = options.get("vars")
    if not isinstance(variables, Mapping):
        raise PolicyRejected("`vars` of `@environment` is a dict of names and values")
    pairs = []
    for name, value in variables.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise PolicyRejected(f"`{name}` is no name for an environment variable")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise PolicyRejected(f"the environment variable `{name}` is text, not `{shown(value)}`")
        try:
            pairs.append((name, str(value)))
        except ValueError:
            raise PolicyRejected(f"the environment variable `{name}` is {shown(value)}") from None
    return tuple(pairs)


def _concurrency(options: Options) -> int:
    if "limit" not in options:
        raise PolicyRejected("`@concurrency` has no limit")
    return whole("concurrency", "limit", options["limit"], low=1)


def _memo(options: Options) -> bool:
    enabled = options.get("enabled", True)
    if not isinstance(enabled, bool):
        raise PolicyRejected(f"`enabled` of `@memo` is true or false, not `{enabled}`")
    return enabled


def _card(options: Options) -> tuple[CardPolicy, ...]:
    given = given_or(options.get("options"), {})
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise PolicyRejected(f"`options` of `@card` is a dict, not `{given!r}`")
    try:
        encoded = tuple((name, msgspec.json.encode(one).decode()) for name, one in given.items())
    except (TypeError, ValueError) as error:
        raise PolicyRejected(f"`options` of `@card` must be JSON: {error}") from error
    id = options.get("id")
    if id is not None:
        text("card", "id", id)
    limit_s = number("card", "timeout", given_or(options.get("timeout"), 45))
    if not limit_s:
        raise PolicyRejected("`timeout` of `@card` is 0")
    made = CardPolicy(
        type=text("card", "type", options.get("type", "default")),
        id=id if isinstance(id, str) else None,
        options=encoded,
        timeout_s=limit_s,
        save_errors=flag("card", "save_errors", options.get("save_errors", True)),
        customize=flag("card", "customize", options.get("customize", False)),
        refresh_interval_s=number("card", "refresh_interval", options.get("refresh_interval", 5)),
    )
    return (made,)


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
    "memo": PolicyRule("memo", ("enabled",), "@memo", _memo),
    "parallel": PolicyRule("parallel", (), "@parallel", lambda _: True),
    "card": PolicyRule(
        "cards",
        ("type", "options", "id", "timeout", "save_errors", "customize", "refresh_interval"),
        '@card(type="blank", id="report")',
        _card,
        gathers=True,
        repeats=True,
    ),
    "secrets": SECRETS_RULE,
    **BACKEND_RULES,
}
"""Every decorator that sets a policy of a step, by its name."""
