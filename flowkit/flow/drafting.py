"""From a flow class to the decorators it is read with: mutators, `--with`, mutators again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from traceback import extract_tb
from typing import Any

from flowkit.errors import FlowInvalid, FlowkitError
from flowkit.flow.drafts import FlowDraft, restore
from flowkit.flow.late import NO_CONFIGS, Configs
from flowkit.flow.marks import Applied
from flowkit.flow.mutators import FlowMutator, MutableFlow, MutableStep, StepMutator
from flowkit.flow.with_specs import apply_with
from flowkit.graph import Kind


def draft_flow(
    flow_class: type,
    specs: Sequence[str] = (),
    kinds: Mapping[str, Kind] | None = None,
    *,
    configs: Configs = NO_CONFIGS,
) -> FlowDraft:
    """Return the decorators that a flow is read with, and give its class its parameters.

    `specs` are `--with` options, and `kinds` how steps hand over, as far as that is known.
    `configs` are the values of configs by name; mutators see decorators with them put in.

    Raises:
        UsageError: a spec cannot be used.
        FlowInvalid: a mutator raised.
    """
    restore(flow_class)
    draft = FlowDraft.of(flow_class, configs)
    _mutate(draft, "pre_mutate")
    apply_with(draft, specs, kinds or {})
    draft.evaluate()
    _mutate(draft, "mutate")
    draft.settle()
    return draft


def _mutate(draft: FlowDraft, method: str) -> None:
    """Call a method of the flow's mutators, then of those of its steps, outermost first."""
    for one in list(draft.decorators):
        if one.user is not None and issubclass(one.user, FlowMutator):
            _call(one, method, MutableFlow(draft))
    for step in list(draft.steps):
        for one in reversed(draft.steps[step].applied):
            if one.user is not None and issubclass(one.user, StepMutator):
                _call(one, method, MutableStep(draft, step))


def _call(applied: Applied, method: str, view: MutableFlow | MutableStep) -> None:
    assert applied.user is not None
    user: Any = applied.user
    try:
        act: Callable[[Any], object] = getattr(user.open(applied), method)
        act(view)
    except FlowkitError as error:
        message = f"`@{applied.name}`: {error.message}"
        raise FlowInvalid(message, hint=error.hint) from error
    except Exception as error:
        raise FlowInvalid(
            f"{_place(error)}`{method}` of `@{applied.name}` raised "
            f"{type(error).__name__}: {error}",
            hint="mend the mutator, or take it away",
        ) from error


def _place(error: Exception) -> str:
    """Say where the user's code raised, as `file:line: `."""
    frames = extract_tb(error.__traceback__)[1:]
    last = list(takewhile(lambda frame: "/flowkit/flow/" not in frame.filename, frames))
    return f"{last[-1].filename}:{last[-1].lineno}: " if last else ""
