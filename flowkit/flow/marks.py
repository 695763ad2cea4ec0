"""Marks: what decorators leave on a step or a flow, and nothing else.

A mark keeps what each decorator was given, as it was given. Options are checked when the flow is
read, with all other faults: only then are the values of configs known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import isclass
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from flowkit.errors import FlowInvalid
from flowkit.flow.late import NO_CONFIGS, Configs, LateFailed, evaluate
from flowkit.flow.policies import Held, PolicyRejected, PolicyRule, apply_rule
from flowkit.flow.policy_rules import POLICY_RULES
from flowkit.graph import Policies

STEP_MARK = "__flowkit_step__"
UNMARKED = "__flowkit_policies__"
"""Where decorators wait for the `@step` above them."""


class MarkFault(Struct, frozen=True, kw_only=True):
    """What a decorator was given in vain: the rule it breaks, and what to do."""

    decorator: str
    rule: str
    message: str
    hint: str
    at: tuple[str, int] | None = None
    """File and line, if they are known better than by the decorator's name."""


class Applied(Struct, frozen=True):
    """A decorator as it was applied. `user`: the class of one that is not flowkit's."""

    name: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    user: type | None = None

    @property
    def full_name(self) -> str:
        """The name by which it can be found: with its module, if it is not flowkit's."""
        return f"{self.user.__module__}.{self.user.__qualname__}" if self.user else self.name

    def evaluated(self, configs: Configs) -> Applied:
        """Return the decorator with what it was given computed. Raises LateFailed."""
        options = evaluate(dict(self.options), configs)
        return replace(self, args=evaluate(self.args, configs), options=options)


class StepMark(Struct, frozen=True, kw_only=True):
    """What decorators say about a step. Found as `__flowkit_step__` on the step's function.

    `applied` are the decorators, innermost first, without `@step` itself; `steps` counts that.
    `info` is what `@step` was given as `node_info`.
    """

    applied: tuple[Applied, ...] = ()
    steps: int = 0
    start: bool = False
    end: bool = False
    info: Mapping[str, Any] | None = None
    faults: tuple[MarkFault, ...] = ()

    def settled(self, configs: Configs = NO_CONFIGS) -> tuple[Policies, tuple[MarkFault, ...]]:
        """Return the policies that the decorators ask for, and what is wrong with them.

        `configs` are what expressions in their options are computed of.
        """
        # As they are written: the outermost one first.
        policies, faults = settle(tuple(reversed(self.applied)), POLICY_RULES, Policies(), configs)
        twice = (_twice("step"),) if self.steps > 1 else ()
        return policies, (*self.faults, *twice, *faults)


def settle(
    decorators: Sequence[Applied],
    rules: Mapping[str, PolicyRule],
    policies: Held,
    configs: Configs,
) -> tuple[Held, list[MarkFault]]:
    """Return the policies with what decorators ask for, and what is wrong with the decorators.

    `rules` are those of flowkit's own decorators; what a user's own are given is computed only, to
    see that it can be.
    """
    faults, seen = list[MarkFault](), set[str]()
    for one in decorators:
        rule = rules[one.name] if one.user is None else None
        if rule is not None and one.name in seen and not rule.repeats:
            faults.append(_twice(one.name))
            continue
        seen.add(one.name)
        try:
            given = one.evaluated(configs)
            if rule is not None:
                policies = apply_rule(
                    one.name, rule, policies, args=given.args, options=given.options
                )
        except LateFailed as error:
            place = error.file, error.line
            faults.append(_fault(one.name, "config-expression", error, at=place))
        except PolicyRejected as error:
            faults.append(_fault(one.name, "decorator-arguments", error))
    return policies, faults


def is_bare(args: Sequence[object], options: Mapping[str, object]) -> bool:
    """Say whether a decorator stands without parentheses: all it got is the function."""
    return len(args) == 1 and not options and (callable(args[0]) or hasattr(args[0], "__get__"))


def is_plain_info(info: object) -> bool:
    """Say whether something can be the `node_info` of a step: None, or a dict of plain data."""
    if not isinstance(info, Mapping | None):
        return False
    try:
        msgspec.json.encode(info)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def step_mark(member: object) -> StepMark | None:
    """Return the mark of a step; None for anything else."""
    mark = getattr(member, STEP_MARK, None)
    return mark if isinstance(mark, StepMark) else None


def unmarked(member: object) -> StepMark | None:
    """Return the mark of a function that has decorators of steps, but no `@step`."""
    mark = getattr(member, UNMARKED, None)
    return mark if isinstance(mark, StepMark) and step_mark(member) is None else None


def mark_as_step(function: Any, mark: StepMark) -> None:
    """Turn a function into a step, with what decorators below `@step` have left on it."""
    waiting = getattr(function, UNMARKED, None)
    before = step_mark(function) or (waiting if isinstance(waiting, StepMark) else StepMark())
    after = replace(
        before,
        steps=before.steps + 1,
        start=mark.start,
        end=mark.end,
        info=mark.info,
        faults=(*before.faults, *mark.faults),
    )
    _keep(function, STEP_MARK, after, decorator="step")


def mark_applied(function: Any, applied: Applied) -> None:
    """Note on a function that a decorator was applied to it."""
    place = STEP_MARK if step_mark(function) else UNMARKED
    before = getattr(function, place, None)
    before = before if isinstance(before, StepMark) else StepMark()
    after = replace(before, applied=(*before.applied, applied))
    _keep(function, place, after, decorator=applied.name)


def _fault(
    decorator: str, rule: str, error: FlowInvalid, *, at: tuple[str, int] | None = None
) -> MarkFault:
    return MarkFault(
        decorator=decorator, rule=rule, message=error.message, hint=error.hint or "", at=at
    )


def _twice(decorator: str) -> MarkFault:
    return MarkFault(
        decorator=decorator,
        rule="decorator-twice",
        message=f"`@{decorator}` is applied twice",
        hint="keep one of them",
    )


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
