"""The decorators of whole flows: what each takes, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from flowkit.flow.backends import BASE_RULES
from flowkit.flow.policies import Options, PolicyRejected, PolicyRule, flag, text
from flowkit.graph import (
    BRANCH_NAMES,
    ExitHooks,
    Project,
    Schedule,
    Trigger,
    TriggerEvent,
    TriggerFlow,
    is_branch_name,
)

_EVERY = {"weekly": "0 0 * * 0", "daily": "0 0 * * *", "hourly": "0 * * * *"}
_CRON_FIELD = re.compile(r"[\w*?/,#-]+")
_PROJECT_NAME = re.compile(r"[a-z0-9_]+")
LONGEST_NAME = 128


def _project(options: Options) -> Project:
    name = text("project", "name", options.get("name"))
    if not _PROJECT_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise PolicyRejected(
            f"`{name}` is no name for a project",
            hint="name it with lower-case letters, digits and `_`, 128 of them at most",
        )
    branch = options.get("branch")
    if branch is not None:
        branch = text("project", "branch", branch)
        if not is_branch_name(branch):
            raise PolicyRejected(f"`{branch}` is no name for a branch", hint=BRANCH_NAMES)
    return Project(name, branch, flag("project", "production", options.get("production", False)))


def _schedule(options: Options) -> Schedule:
    given = options.get("timezone")
    zone = None if given is None else text("schedule", "timezone", given)
    cron = options.get("cron")
    chosen = [one for one in _EVERY if flag("schedule", one, options.get(one, False))]
    if cron is not None and chosen:
        raise PolicyRejected(f"`@schedule` is given both `cron` and `{chosen[0]}`")
    if len(chosen) > 1:
        raise PolicyRejected(f"`@schedule` is given both `{chosen[0]}` and `{chosen[1]}`")
    if cron is None:
        return Schedule(_EVERY[chosen[0] if chosen else "daily"], zone)
    fields = text("schedule", "cron", cron).split()
    if len(fields) not in (5, 6) or not all(_CRON_FIELD.fullmatch(one) for one in fields):
        raise PolicyRejected(
            f"`{cron}` is no cron expression",
            hint='write minute, hour, day, month and weekday, as in `cron="30 6 * * 1"`',
        )
    return Schedule(" ".join(fields), zone)


def _trigger(options: Options) -> Trigger:
    return Trigger(
        events=tuple(_event(one) for one in _one_or_many("trigger", "event", options)),
        options=_plain("trigger", options.get("options")),
    )


def _trigger_on_finish(options: Options) -> Trigger:
    return Trigger(
        flows=tuple(_flow(one) for one in _one_or_many("trigger_on_finish", "flow", options)),
        options=_plain("trigger_on_finish", options.get("options")),
    )


def _one_or_many(decorator: str, option: str, options: Options) -> list[object]:
    """Return what stands under `event` or `events`: exactly one of them is given."""
    one, many = options.get(option), options.get(f"{option}s")
    if (one is None) == (many is None):
        raise PolicyRejected(f"`@{decorator}` takes either `{option}` or `{option}s`")
    if one is not None:
        return [one]
    if not isinstance(many, list | tuple) or not many:
        raise PolicyRejected(f"`{option}s` of `@{decorator}` is a list, not `{many!r}`")
    return list(many)


def _event(given: object) -> TriggerEvent:
    if not isinstance(given, Mapping):
        return TriggerEvent(text("trigger", "event", given))
    _only("trigger", "event", given, ("name", "parameters"))
    return TriggerEvent(
        text("trigger", "name", given.get("name")), _parameters(given.get("parameters"))
    )


def _parameters(given: object) -> tuple[tuple[str, str], ...]:
    """Read which field of an event is for which parameter: by name, or as pairs."""
    if given is None:
        return ()
    if isinstance(given, Mapping):
        pairs: list[object] = [(name, value) for name, value in given.items()]
    elif isinstance(given, list | tuple):
        pairs = list(given)
    else:
        pairs = [given]
    read = []
    for one in pairs:
        pair = (one, one) if isinstance(one, str) else one
        if not isinstance(pair, list | tuple) or [type(part) for part in pair] != [str, str]:
            raise PolicyRejected(
                f"`parameters` of `@trigger` has `{one!r}`",
                hint="name parameters, or give a dict of parameter and field of the event",
            )
        read.append((str(pair[0]), str(pair[1])))
    return tuple(read)


def _flow(given: object) -> TriggerFlow:
    if not isinstance(given, Mapping):
        return TriggerFlow(text("trigger_on_finish", "flow", given))
    _only("trigger_on_finish", "flow", given, ("name", "project", "project_branch"))
    project, branch = given.get("project"), given.get("project_branch")
    return TriggerFlow(
        text("trigger_on_finish", "name", given.get("name")),
        None if project is None else text("trigger_on_finish", "project", project),
        None if branch is None else text("trigger_on_finish", "project_branch", branch),
    )


def _only(decorator: str, option: str, given: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            names = ", ".join(f"`{one}`" for one in known)
            raise PolicyRejected(
                f"`{option}` of `@{decorator}` has an entry `{key}`", hint=f"it takes {names}"
            )


def _plain(decorator: str, given: object) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise PolicyRejected(f"`options` of `@{decorator}` is a dict, not `{given!r}`")
    try:
        return tuple((str(k), msgspec.json.encode(v).decode()) for k, v in given.items())
    except TypeError as error:
        raise PolicyRejected(f"`options` of `@{decorator}` is no plain data: {error}") from error


def _exit_hook(options: Options) -> ExitHooks:
    _plain("exit_hook", options.get("options"))
    hooks = {how: _names(how, options.get(how)) for how in ("on_success", "on_error")}
    if not any(hooks.values()):
        raise PolicyRejected("`@exit_hook` has no functions")
    return ExitHooks(**hooks)


def _names(how: str, given: object) -> tuple[str, ...]:
    functions = given_functions(given)
    for one in functions:
        if not callable(one) or not hasattr(one, "__name__"):
            raise PolicyRejected(f"`{how}` of `@exit_hook` has `{one!r}`, which is no function")
    return tuple(one.__name__ for one in functions)


def given_functions(given: Any) -> list[Any]:
    """Return the functions that an exit hook was given: none, one, or a list of them."""
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


FLOW_RULES: dict[str, PolicyRule] = {
    "project": PolicyRule(
        "project", ("name", "branch", "production"), '@project(name="fraud")', _project
    ),
    "schedule": PolicyRule(
        "schedule",
        ("cron", "weekly", "daily", "hourly", "timezone"),
        "@schedule(daily=True)",
        _schedule,
    ),
    "trigger": PolicyRule(
        "trigger", ("event", "events", "options"), '@trigger(event="data_updated")', _trigger
    ),
    "trigger_on_finish": PolicyRule(
        "trigger_on_finish",
        ("flow", "flows", "options"),
        '@trigger_on_finish(flow="Prepare")',
        _trigger_on_finish,
    ),
    "exit_hook": PolicyRule(
        "exit_hooks",
        ("on_success", "on_error", "options"),
        "@exit_hook(on_error=[tell])",
        _exit_hook,
    ),
    **BASE_RULES,
}
"""Every decorator of a flow, by its name."""
