"""Calling a step through the decorators that its author has put around it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowkit.errors import StepRaised
from flowkit.flow import (
    Applied,
    FlowSpec,
    Inputs,
    UserStepDecorator,
    has_gone_on,
    written_size,
)
from flowkit.graph import Kind, Node

_HOW = frozenset({"foreach", "condition", "num_parallel"})


def call_step(
    flow: FlowSpec, node: Node, wrappers: Sequence[Applied], inputs: Inputs | None
) -> None:
    """Call a step's method, inside of its decorators. Raises what they let through."""
    method = getattr(flow, node.name)
    given = () if inputs is None else (inputs,)
    if not wrappers:
        method(*given)
        return
    call = _WrappedCall(flow, node, inputs)
    call.enter(wrappers)
    call.run(lambda: method(*given))
    call.leave()


class _WrappedCall:
    """One call of a step: what its decorators have said so far, and what was raised."""

    def __init__(self, flow: FlowSpec, node: Node, inputs: Inputs | None) -> None:
        self._flow, self._node, self._inputs = flow, node, inputs
        self._entered: list[UserStepDecorator] = []
        self._replacement: Callable[..., Any] | None = None
        self._raised: BaseException | None = None
        self._is_settled = False
        """Whether somebody else than the step has to say how the flow goes on."""
        self._how: Mapping[str, Any] = {}

    def enter(self, wrappers: Sequence[Applied]) -> None:
        """Run what is to happen before, up to the first decorator that skips or raises."""
        for applied in wrappers:
            try:
                assert applied.user is not None
                one = applied.user.open(applied)  # type: ignore[attr-defined]
                made = one.pre_step(self._node.name, self._flow, self._inputs)
                skip = one.skip_step
            except (Exception, SystemExit) as error:
                self._raised = error
                return
            self._entered.append(one)
            if made is not None:
                self._replacement = made
            if skip is True or isinstance(skip, Mapping):
                self._settle({} if skip is True else skip)
                return

    def run(self, step: Callable[[], object]) -> None:
        """Run the step, or what stands in for it, unless it is skipped."""
        if self._raised is not None or self._is_settled:
            return
        try:
            if self._replacement is None:
                step()
            else:
                self._settle({})
                self._replacement(*self._arguments(self._replacement))
        except (Exception, SystemExit) as error:
            self._raised = error

    def leave(self) -> None:
        """Run what is to happen after, innermost first; then raise, or go on."""
        for one in reversed(self._entered):
            before = self._raised
            try:
                answer = one.post_step(self._node.name, self._flow, before)
            except (Exception, SystemExit) as error:
                answer = error
            if isinstance(answer, tuple):
                answer, how = answer
                if how is not None:
                    self._settle(how)
            self._raised = answer
            if before is not None and answer is None:
                self._settle(self._how)
        if self._raised is not None:
            raise self._raised
        if self._is_settled and not has_gone_on(self._flow):
            self._go_on()

    def _settle(self, how: Mapping[str, Any]) -> None:
        self._is_settled, self._how = True, how

    def _arguments(self, replacement: Callable[..., Any]) -> Sequence[object]:
        """Return what to call a replacement with: the flow, and the inputs if it takes them."""
        if self._inputs is None or len(inspect.signature(replacement).parameters) < 2:
            return (self._flow,)
        return (self._flow, self._inputs)

    def _go_on(self) -> None:
        """Go on as the step's own code says, with what its decorators say about that."""
        node, how = self._node, self._how
        if unknown := how.keys() - _HOW:
            raise StepRaised(
                f"a decorator of step `{node.name}` says how the flow goes on, "
                f"with `{min(unknown)}`",
                hint="it may give `foreach` or `condition`, names of artifacts, or `num_parallel`",
            )
        for name in sorted(how.keys() - {"num_parallel"}):
            if not isinstance(how[name], str):
                raise StepRaised(
                    f"a decorator of step `{node.name}` says how the flow goes on, "
                    f"with `{name}={how[name]!r}`",
                    hint=f"give the name of an artifact: `{{{name!r}: 'items'}}`",
                )
        if node.kind is Kind.SWITCH:
            cases = {one.value: getattr(self._flow, one.target) for one in node.cases}
            self._flow.next(cases, condition=how.get("condition", node.condition))
        elif node.kind is Kind.GANG:
            (target,) = node.targets
            size = how["num_parallel"] if "num_parallel" in how else written_size(node)
            self._flow.next(getattr(self._flow, target), num_parallel=size)
        elif node.kind is not Kind.END:
            targets = [getattr(self._flow, target) for target in node.targets]
            self._flow.next(*targets, foreach=how.get("foreach", node.foreach))
