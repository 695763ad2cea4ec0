"""A flow's decorators as a draft: what mutators and `--with` change before the flow is read.

The class itself keeps what stands in its file, so the same class can be drafted again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from flowkit.flow.flow_decorators import flow_decorators
from flowkit.flow.late import NO_CONFIGS, Configs, LateFailed
from flowkit.flow.marks import Applied, StepMark, step_mark
from flowkit.flow.members import members_of
from flowkit.flow.parameter_field import ParameterField
from flowkit.flow.secret_sources import asked_secrets
from flowkit.graph import Secrets


class FlowDraft(Struct):
    """The decorators of a flow and of its steps, and parameters that stand in no file.

    `steps` are marks by step, innermost decorator first; `decorators` are the flow's own,
    outermost first. `configs` are the values of configs by name. `added` are parameters by
    attribute, `removed` attributes of those that the flow is to do without.
    """

    flow_class: type
    steps: dict[str, StepMark]
    decorators: list[Applied]
    configs: Configs = field(default_factory=dict)
    added: dict[str, ParameterField] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, flow_class: type, configs: Configs = NO_CONFIGS) -> FlowDraft:
        """Begin with what stands on the class."""
        found = ((name, step_mark(one.value)) for name, one in members_of(flow_class).items())
        return cls(
            flow_class,
            {name: mark for name, mark in found if mark is not None},
            flow_decorators(flow_class),
            configs,
        )

    def apply(self, step: str, applied: Applied) -> None:
        """Put a decorator on a step, above those that are there."""
        mark = self.steps[step]
        self.steps[step] = replace(mark, applied=(*mark.applied, applied))

    def evaluate(self) -> None:
        """Compute what decorators were given of configs, as far as that can be computed.

        What cannot stays as it is: it is told with the other faults when the flow is read.
        """
        self.decorators = [_evaluated(one, self.configs) for one in self.decorators]
        for name, mark in self.steps.items():
            applied = tuple(_evaluated(one, self.configs) for one in mark.applied)
            self.steps[name] = replace(mark, applied=applied)

    def wrappers(self) -> Mapping[str, tuple[Applied, ...]]:
        """Return the decorators that run code around each step, outermost first."""
        found = {name: tuple(_wrappers(mark)) for name, mark in self.steps.items()}
        return {name: wrappers for name, wrappers in found.items() if wrappers}

    def secrets(self) -> Mapping[str, Secrets]:
        """Return what `@secrets` asks for, by step: with the values, which no policy has.

        Raises PolicyRejected where reading the flow tells a fault.
        """
        found = {}
        for name, mark in self.steps.items():
            for one in mark.applied:
                if one.name == "secrets" and one.user is None:
                    given = one.evaluated(self.configs)
                    found[name] = asked_secrets(given.args, given.options)
        return found

    def settle(self) -> None:
        """Put parameters onto the class that were added, and take away those that were removed.

        Steps read parameters through the class, so that a draft alone could not give them.
        """
        own = vars(self.flow_class)
        before = {name: own.get(name) for name in (*self.added, *self.removed)}
        setattr(self.flow_class, _BEFORE, before)
        for name in self.removed:
            setattr(self.flow_class, name, RemovedParameter(name))
        for name, parameter in self.added.items():
            parameter.__set_name__(self.flow_class, name)
            setattr(self.flow_class, name, parameter)


class RemovedParameter:
    """Stands where a parameter was that a mutator has taken away."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> object:
        raise AttributeError(f"parameter `{self.name}` was removed by a mutator")


_BEFORE = "__flowkit_before__"


def restore(flow_class: type) -> None:
    """Undo what an earlier draft has settled on the class."""
    for name, value in vars(flow_class).get(_BEFORE, {}).items():
        if value is None:
            delattr(flow_class, name)
        else:
            setattr(flow_class, name, value)
    if _BEFORE in vars(flow_class):
        delattr(flow_class, _BEFORE)


def _evaluated(applied: Applied, configs: Configs) -> Applied:
    try:
        return applied.evaluated(configs)
    except LateFailed:
        return applied


def _wrappers(mark: StepMark) -> Iterator[Applied]:
    from flowkit.flow.user_decorators import UserStepDecorator

    for one in reversed(mark.applied):
        if one.user is not None and issubclass(one.user, UserStepDecorator):
            yield one
