"""Faults: what is wrong with a flow as it is written, and the error that reports all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from flowkit.errors import FlowInvalid
from flowkit.graph.model import Place

RULES: dict[str, str] = {
    "flow-name": "a flow's name is ASCII letters, digits and underscores",
    "no-steps": "a flow has at least one step",
    "start-missing": "one step is the start: named `start` or marked `@step(start=True)`",
    "start-twice": "only one step is the start",
    "end-missing": "one step is the end: named `end` or marked `@step(end=True)`",
    "end-twice": "only one step is the end",
    "step-name": "a step's name starts with an ASCII letter, then letters, digits, underscores",
    "name-reserved": "names that FlowSpec uses itself are not given to anything else",
    "name-clash": "a step shares its name with no parameter, constant, artifact or other step",
    "source-missing": "the source of every step can be read",
    "step-renamed": "a step is defined under its own name, not hidden in a wrapper",
    "step-kind": "a step is a plain method: not async, no generator, not static",
    "step-unmarked": "what is decorated like a step, or overrides one, is marked `@step`",
    "step-arguments": "a step takes `self`, and a join `inputs` too",
    "decorator-arguments": "decorators are given values that they can use",
    "decorator-twice": "a decorator is applied once to a step",
    "catch-misplaced": "`@catch` is not on a step whose hand-over depends on what it computed",
    "next-missing": "every step but the end calls self.next",
    "next-twice": "a step calls self.next once",
    "next-not-last": "self.next is the last statement of its step",
    "next-target": "self.next names steps as `self.step`, each once",
    "next-options": "self.next takes one of `foreach` and `condition`, as literal names of "
    "artifacts, or `num_parallel`",
    "parallel-number": "`num_parallel` is a whole number from 1 on",
    "parallel-missing": "a step that `num_parallel` leads to has `@parallel`",
    "parallel-misplaced": "a step with `@parallel` is led to by `num_parallel`",
    "gang-unjoined": "a step that runs as a gang hands over to a join",
    "target-unknown": "self.next names steps that the flow has",
    "end-hands-over": "the end calls no self.next",
    "foreach-target": "a foreach leads to one step, and so does a gang",
    "branch-empty": "a branch has a step of its own before its join",
    "switch-cases": "a switch has at least one case, and each value once",
    "switch-condition": "a switch names its condition",
    "cycle": "steps do not go round in circles; only a switch may go back, to its own step",
    "loop-misplaced": "a join does not switch to itself",
    "orphan": "every step can be reached from the start",
    "end-unreachable": "every step leads to the end",
    "join-without-split": "a step takes `inputs` only where a split is open",
    "inputs-missing": "a step where branches meet takes `inputs`",
    "split-unjoined": "every split is joined before the end",
    "join-uneven": "a join gets every branch of its split",
    "join-twice": "a split is joined by one step only",
    "join-mixed": "a join joins one split, the innermost open one",
    "nesting": "a step is always reached inside the same splits",
    "parameter-name": "a parameter's name is letters, digits, `-` and `_`, after a letter",
    "parameter-reserved": "a parameter is not named like an option of the command line",
    "parameter-twice": "no two parameters share a name or an object",
    "parameter-type": "a parameter's type is one that text converts to",
    "parameter-default": "a parameter's default has the parameter's type",
    "config-name": "a config's name is letters, digits, `-` and `_`, after a letter",
    "config-twice": "no two configs share a name or an object",
    "config-type": "a config's type is a pydantic model or a dataclass, its parser a function",
    "config-expression": "expressions over configs can be computed from the values they have",
    "config-misplaced": "expressions over configs are given to decorators and to defaults",
}
"""Every rule that a flow is judged by, and what it asks."""


RESERVED_NAMES = frozenset(
    {
        "cmd",
        "foreach_stack",
        "index",
        "input",
        "merge_artifacts",
        "name",
        "next",
        "script_name",
    }
)
"""Names of FlowSpec's own, which no step, parameter, constant, method or artifact may have."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a flow: the rule it breaks, and what to do about it."""

    rule: str
    message: str
    hint: str
    place: Place | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class FlowFaults(FlowInvalid):
    """A flow breaks rules. `faults` are all that were found, sorted by their places."""

    def __init__(self, flow: str, faults: Iterable[Fault], *, file: str = "flow.py") -> None:
        self.flow = flow
        self.faults = tuple(sorted(faults, key=_position))
        count = len(self.faults)
        lines = [f"flow `{flow}` has {count} fault{'s' if count != 1 else ''}"]
        for fault in self.faults:
            lines += [str(fault), f"    hint: {fault.hint}"]
        super().__init__("\n".join(lines), hint=f"change the flow, then run `flowkit check {file}`")


def reserved_name(what: str, name: str, place: Place | None) -> Fault:
    """Make the fault of a name that FlowSpec needs itself. `what` has it, and names it."""
    return Fault(
        "name-reserved",
        f"{what} has a name that FlowSpec uses itself",
        f"choose another name, such as `{name}_`",
        place=place,
    )


def _position(fault: Fault) -> tuple[str, int, str]:
    place = fault.place
    return (place.file, place.line, fault.message) if place else ("", 0, fault.message)
