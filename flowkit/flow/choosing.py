"""Which flows a module defines, and which of them is meant."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from difflib import get_close_matches
from types import ModuleType

from flowkit.errors import UsageError
from flowkit.flow.marks import StepMark, step_mark
from flowkit.flow.members import Member, members_of
from flowkit.flow.source import module_file


def find_flows(module: ModuleType) -> list[type]:
    """Return the flows that a module defines, in order: subclasses of FlowSpec with steps.

    Where some of them have a start, those without are bases of others, and left out.
    """
    from flowkit.flow.spec import FlowSpec

    flows = [
        one
        for one in vars(module).values()
        if inspect.isclass(one)
        and issubclass(one, FlowSpec)
        and one.__module__ == module.__name__
        and _steps(members_of(one))
    ]
    unique = list(dict.fromkeys(flows))
    return [one for one in unique if _has_start(one)] or unique


def choose_flow(classes: Sequence[type], name: str | None, *, file: str | None = None) -> type:
    """Return the flow of that name, or the only one if none is named. Raises UsageError."""
    shown = file or next(
        (found.rpartition("/")[2] for found in map(module_file, classes) if found), "flow.py"
    )
    names = {one.__name__: one for one in classes}
    known = ", ".join(f"`{one}`" for one in names)
    if not names:
        raise UsageError(
            f"`{file}` defines no flow" if file else "the file defines no flow",
            hint="subclass `flowkit.FlowSpec`, and mark its steps with `@step`",
        )
    if name is None and len(names) > 1:
        raise UsageError(
            f"`{shown}` defines several flows: {known}",
            hint=f"name one: `flowkit run {shown}:{next(reversed(names))}`",
        )
    if name is not None and name not in names:
        near = get_close_matches(name, names, n=1)
        raise UsageError(
            f"`{shown}` defines no flow `{name}`",
            hint=f"did you mean `{shown}:{near[0]}`?" if near else f"it defines {known}",
        )
    return classes[0] if name is None else names[name]


def _steps(members: dict[str, Member]) -> dict[str, StepMark]:
    marks = {name: step_mark(member.value) for name, member in members.items()}
    return {name: mark for name, mark in marks.items() if mark is not None}


def _has_start(flow_class: type) -> bool:
    steps = _steps(members_of(flow_class))
    return "start" in steps or any(mark.start for mark in steps.values())
