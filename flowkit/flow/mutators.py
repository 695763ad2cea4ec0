"""Mutators: classes that change the decorators and parameters of a flow before it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias

from msgspec.structs import replace

from flowkit.errors import FlowInvalid
from flowkit.flow.drafts import FlowDraft
from flowkit.flow.flow_decorators import flow_applied, mark_flow
from flowkit.flow.flow_rules import FLOW_RULES
from flowkit.flow.marks import Applied
from flowkit.flow.parameter_field import ParameterField
from flowkit.flow.parameters import parameters_of
from flowkit.flow.user_decorators import StepDecorator, UserStepDecorator
from flowkit.flow.with_specs import is_repeatable, parsed_with

DecoratorType: TypeAlias = str | type | Callable[..., Any]
"""What a mutator may add: the name of a decorator of flowkit's, that itself, or a user's class."""


class DecoratorSpec(NamedTuple):
    """A decorator as a mutator sees it; `full_name` has the module of one that is not flowkit's."""

    name: str
    full_name: str
    args: list[Any]
    kwargs: dict[str, Any]


class Mutable(ABC):
    """What the views on a step and on a flow have in common: decorators that come and go."""

    IGNORE: ClassVar[int] = 1
    """Leave alone what is there already."""
    ERROR: ClassVar[int] = 2
    """Refuse to add a decorator that is there already."""
    OVERRIDE: ClassVar[int] = 3
    """Replace what is there already."""

    @abstractmethod
    def _found(self) -> list[Applied]:
        """Return the decorators, outermost first."""

    @abstractmethod
    def _replace(self, decorators: list[Applied]) -> None:
        """Put other decorators in their place."""

    @property
    def decorator_specs(self) -> Iterator[DecoratorSpec]:
        """Yield the decorators, outermost first. What is yielded are copies."""
        for one in self._found():
            yield DecoratorSpec(one.name, one.full_name, list(one.args), dict(one.options))

    def has_decorator(self, name: str) -> bool:
        """Say whether a decorator of that name is there."""
        return any(name in (one.name, one.full_name) for one in self._found())

    def get_decorator_specs(self, name: str) -> list[DecoratorSpec]:
        """Return the decorators of that name."""
        return [one for one in self.decorator_specs if name in (one.name, one.full_name)]

    def remove_decorator(
        self,
        deco_name: str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
    ) -> bool:
        """Remove the decorators of that name, or those that were given just this too.

        Returns whether there were any.
        """
        kept = [
            one
            for one in self._found()
            if deco_name not in (one.name, one.full_name)
            or (deco_args is not None and list(deco_args) != list(one.args))
            or (deco_kwargs is not None and dict(deco_kwargs) != dict(one.options))
        ]
        removed = len(kept) < len(self._found())
        self._replace(kept)
        return removed

    def _add(self, added: Applied, duplicates: int, *, repeats: bool, what: str) -> None:
        same = [one for one in self._found() if one.full_name == added.full_name]
        if duplicates not in (self.IGNORE, self.ERROR, self.OVERRIDE):
            raise FlowInvalid(
                f"`duplicates` is `{duplicates}`, not one of IGNORE, ERROR and OVERRIDE",
                hint="write it as in `step.add_decorator(..., duplicates=step.IGNORE)`",
            )
        if same and duplicates == self.ERROR and not repeats:
            raise FlowInvalid(
                f"{what} has `@{added.name}` already",
                hint="remove it, or add with `duplicates=IGNORE` or `OVERRIDE`",
            )
        if same and duplicates == self.IGNORE:
            return
        kept = [one for one in self._found() if one not in same or duplicates != self.OVERRIDE]
        self._replace([added, *kept])


class MutableStep(Mutable):
    """A step, whose decorators a mutator may change."""

    def __init__(self, draft: FlowDraft, name: str) -> None:
        self._draft, self.name = draft, name

    def __repr__(self) -> str:
        return f"<mutable step {self.name}>"

    @property
    def flow(self) -> MutableFlow:
        """The flow that the step is of."""
        return MutableFlow(self._draft)

    def add_decorator(
        self,
        deco_type: DecoratorType,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: int = Mutable.IGNORE,
    ) -> None:
        """Put a decorator on the step, above the others.

        Args:
            deco_type: a decorator of flowkit's or its name, such as `"retry"`, with options as on
                a command line if you like (`"retry:times=2"`); or the class of a user's own.
            deco_args: what it is given by position.
            deco_kwargs: what it is given by keyword.
            duplicates: `IGNORE`, `ERROR` or `OVERRIDE`, if one of the name is there.

        Raises:
            FlowInvalid: there is no such decorator, or `ERROR` and it is there.
        """
        added = _of_step(deco_type, deco_args, deco_kwargs)
        repeats = added.user is not None or is_repeatable(added.name)
        self._add(added, duplicates, repeats=repeats, what=f"step `{self.name}`")

    def _found(self) -> list[Applied]:
        return list(reversed(self._draft.steps[self.name].applied))

    def _replace(self, decorators: list[Applied]) -> None:
        mark = self._draft.steps[self.name]
        self._draft.steps[self.name] = replace(mark, applied=tuple(reversed(decorators)))


class MutableFlow(Mutable):
    """A flow, whose parameters and decorators, and those of its steps, a mutator may change.

    `mutable_flow.NAME` is a step of that name as a MutableStep, the value of a config, or else what
    the class has.
    """

    def __init__(self, draft: FlowDraft) -> None:
        self._draft = draft

    def __repr__(self) -> str:
        return f"<mutable flow {self._draft.flow_class.__name__}>"

    def __getattr__(self, name: str) -> Any:
        if name in self._draft.steps:
            return MutableStep(self._draft, name)
        if name in self._draft.configs:
            return self._draft.configs[name]
        if name in self._draft.added:
            return self._draft.added[name]
        return getattr(self._draft.flow_class, name)

    @property
    def steps(self) -> Iterator[tuple[str, MutableStep]]:
        """Yield the steps by name, in the order in which they are defined."""
        for name in list(self._draft.steps):
            yield name, MutableStep(self._draft, name)

    @property
    def configs(self) -> Iterator[tuple[str, Any]]:
        """Yield the configs by name, with their values."""
        yield from self._draft.configs.items()

    @property
    def parameters(self) -> Iterator[tuple[str, Any]]:
        """Yield the parameters by attribute, those that were added last."""
        known = {**parameters_of(self._draft.flow_class), **self._draft.added}
        for name, parameter in known.items():
            if name not in self._draft.removed:
                yield name, parameter

    def add_parameter(self, name: str, value: Any, overwrite: bool = False) -> None:
        """Give the flow a parameter: `add_parameter("alpha", Parameter("alpha", default=1))`.

        Raises:
            FlowInvalid: this is no Parameter, or the flow has something of that name already.
        """
        if not isinstance(value, ParameterField):
            raise FlowInvalid(
                f"`{name}` is to be a parameter, but is a `{type(value).__name__}`",
                hint=f'write it as in `add_parameter("{name}", Parameter("{name}", default=1))`',
            )
        taken = name in dict(self.parameters)
        other = hasattr(self._draft.flow_class, name) and name not in self._draft.removed
        if (taken and not overwrite) or (other and not taken):
            raise FlowInvalid(
                f"the flow has `{name}` already",
                hint="choose another name" + (", or add it with `overwrite=True`" * taken),
            )
        self._draft.removed.discard(name)
        self._draft.added[name] = value

    def remove_parameter(self, name: str) -> bool:
        """Take a parameter away; False if there was none of that name."""
        if name not in dict(self.parameters):
            return False
        if self._draft.added.pop(name, None) is None or name in vars(self._draft.flow_class):
            self._draft.removed.add(name)
        return True

    def add_decorator(
        self,
        deco_type: DecoratorType,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: int = Mutable.IGNORE,
    ) -> None:
        """Put a decorator of flows on the flow, such as `"project"`.

        Arguments and errors are those of `MutableStep.add_decorator`.
        """
        name = _named(deco_type)
        if isinstance(deco_type, type) or name not in FLOW_RULES:
            known = ", ".join(f"`{one}`" for one in sorted(FLOW_RULES))
            raise FlowInvalid(f"there is no decorator of flows `{name}`", hint=f"there are {known}")
        added = flow_applied(name, deco_args or (), deco_kwargs or {})
        repeats = FLOW_RULES[name].repeats
        self._add(added, duplicates, repeats=repeats, what="the flow")

    def _found(self) -> list[Applied]:
        return list(self._draft.decorators)

    def _replace(self, decorators: list[Applied]) -> None:
        self._draft.decorators = decorators


class StepMutator(StepDecorator):
    """A decorator of steps that changes the step's other decorators, before the flow is read.

    Subclass it, and decorate steps with the class. `pre_mutate` is called before `--with` and
    before values of configs are put into other decorators, `mutate` after that.

    >>> from flowkit import FlowSpec, StepMutator, step
    >>> class patient(StepMutator):
    ...     def mutate(self, mutable_step):
    ...         mutable_step.add_decorator("retry", deco_kwargs={"times": 5})
    >>> class Hello(FlowSpec):
    ...     @patient
    ...     @step(start=True, end=True)
    ...     def hello(self): ...
    """

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        """Change the step early."""

    def mutate(self, mutable_step: MutableStep) -> None:
        """Change the step."""


class FlowMutator:
    """A decorator of flows that changes the flow and its steps, before the flow is read.

    Subclass it, and decorate the flow with the class. It is inherited with the flow. `pre_mutate`
    is called before `--with` and before values of configs are put into decorators; parameters are
    best added there. `mutate` is called after that.

    >>> from flowkit import FlowMutator, FlowSpec, step
    >>> class patient(FlowMutator):
    ...     def mutate(self, mutable_flow):
    ...         for _, one in mutable_flow.steps:
    ...             one.add_decorator("retry", deco_kwargs={"times": 5})
    >>> @patient
    ... class Hello(FlowSpec):
    ...     @step(start=True, end=True)
    ...     def hello(self): ...
    """

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Decorate the flow, or return what will."""
        bare = len(args) == 1 and not options and isinstance(args[0], type)
        applied = Applied(cls.__name__, () if bare else args, options, cls)
        return mark_flow(args[0], applied) if bare else lambda flow: mark_flow(flow, applied)

    open = StepDecorator.__dict__["open"]

    def init(self, *args: Any, **options: Any) -> None:
        """Take what the decorator was given; `__init__` is never called."""
        if args or options:
            raise TypeError("it takes no options")

    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        """Change the flow early."""

    def mutate(self, mutable_flow: MutableFlow) -> None:
        """Change the flow."""


def _of_step(
    kind: DecoratorType, args: Sequence[Any] | None, options: Mapping[str, Any] | None
) -> Applied:
    given, named = tuple(args or ()), dict(options or {})
    if not isinstance(kind, type):
        found = parsed_with(_named(kind))
        return Applied(found.name, given, {**found.options, **named}, found.user)
    if not issubclass(kind, UserStepDecorator | StepMutator):
        raise FlowInvalid(
            f"`{kind.__name__}` is no decorator of steps",
            hint="give a name such as `retry`, or a subclass of `UserStepDecorator`",
        )
    return Applied(kind.__name__, given, named, kind)


def _named(kind: DecoratorType) -> str:
    return kind if isinstance(kind, str) else str(getattr(kind, "__name__", kind))
