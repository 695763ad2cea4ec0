"""Step decorators that users write: code around a step, that can skip, replace or mend it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, TypeVar

from flowkit.errors import FlowInvalid, StepRaised
from flowkit.flow.marks import Applied, is_bare, mark_applied

StepFunction = Callable[..., Any]
Decorator = TypeVar("Decorator", bound="type[StepDecorator]")

USER_SKIP_STEP: Final[dict[str, Any]] = {}
"""What a decorator yields so that the step is skipped, and the flow goes on as its code says."""


class StepDecorator:
    """A class that is itself a decorator of steps: `@Mine` and `@Mine(option=1)` both work.

    The decorated function stays as it is; the class and what it was given are kept on its mark.
    """

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Decorate the function, or return what will."""
        bare = is_bare(args, options)
        applied = Applied(cls.__name__, () if bare else args, options, cls)

        def mark(function: Any) -> Any:
            mark_applied(function, applied)
            return function

        return mark(args[0]) if bare else mark

    @classmethod
    def open(cls, applied: Applied) -> Any:
        """Make the object that acts, with what the decorator was given. Raises FlowInvalid."""
        made = object.__new__(cls)
        try:
            made.init(*applied.args, **applied.options)
        except TypeError as error:
            raise FlowInvalid(
                f"`@{cls.__name__}` cannot be given this: {error}",
                hint=f"look at `{cls.__name__}.init`, which takes what the decorator is given",
            ) from error
        return made

    def init(self, *args: Any, **options: Any) -> None:
        """Take what the decorator was given; `__init__` is never called."""
        if args or options:
            raise TypeError("it takes no options")


class UserStepDecorator(StepDecorator):
    """Code that runs before and after a step, in the step's own process.

    Subclass it, and decorate steps with the class. What several decorators of a step do before
    it is done from the outermost to the innermost, and what they do after it the other way round.

    >>> from flowkit import FlowSpec, UserStepDecorator, step
    >>> class announced(UserStepDecorator):
    ...     def init(self, text="running"):
    ...         self.text = text
    ...
    ...     def pre_step(self, step_name, flow, inputs=None):
    ...         print(self.text, step_name)
    >>> class Hello(FlowSpec):
    ...     @announced(text="now:")
    ...     @step(start=True, end=True)
    ...     def hello(self): ...
    """

    @property
    def skip_step(self) -> bool | Mapping[str, Any]:
        """Whether all that the decorator is around is skipped; asked after `pre_step`.

        A dict skips, too, and says how the flow goes on: `{"foreach": "items"}`.
        """
        return False

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> StepFunction | None:
        """Run before the step; a function that it returns runs instead of the step's own."""
        return None

    def post_step(
        self, step_name: str, flow: Any, exception: BaseException | None = None
    ) -> BaseException | tuple[BaseException | None, Mapping[str, Any] | None] | None:
        """Run after the step, which has raised `exception`, or nothing.

        What it returns is raised instead; None is nothing, so that the flow goes on. The second
        of two values says how, as `skip_step` does.
        """
        return exception


class GeneratorStepDecorator(UserStepDecorator):
    """A step decorator made of a generator that yields once: before it, and after it."""

    generator: Callable[..., Generator[Any, None, None]]

    def init(self, **attributes: Any) -> None:
        """Take what the decorator was given, by keyword."""
        self._attributes = attributes
        self._running: Generator[Any, None, None] | None = None
        self._skip: bool | Mapping[str, Any] = False

    @property
    def skip_step(self) -> bool | Mapping[str, Any]:
        """Whether the generator has yielded a dict."""
        return self._skip

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> StepFunction | None:
        """Run the generator up to its `yield`."""
        self._running = type(self).generator(step_name, flow, inputs, self._attributes)
        try:
            yielded = next(self._running)
        except StopIteration:
            raise StepRaised(
                f"`@{type(self).__name__}` did not yield",
                hint="let the generator yield once, where the step is to run",
            ) from None
        if yielded is None:
            return None
        if isinstance(yielded, Mapping):
            self._skip = dict(yielded) or True
            return None
        if callable(yielded):
            replacement: StepFunction = yielded
            return replacement
        raise StepRaised(
            f"`@{type(self).__name__}` yielded a `{type(yielded).__name__}`",
            hint="yield nothing, a dict to skip the step, or a function to run instead of it",
        )

    def post_step(
        self, step_name: str, flow: Any, exception: BaseException | None = None
    ) -> BaseException | None:
        """Run the rest of the generator; what the step raised is raised at the `yield`."""
        assert self._running is not None
        try:
            if exception is None:
                next(self._running)
            else:
                self._running.throw(exception)
        except StopIteration:
            return None
        except (Exception, SystemExit) as error:
            return error
        raise StepRaised(
            f"`@{type(self).__name__}` yielded twice", hint="let the generator yield once"
        )


def user_step_decorator(function: Callable[..., Generator[Any, None, None]]) -> Any:
    """Make a step decorator of a generator function.

    The generator is called with the step's name, the flow object (`self` in the step), the
    inputs if the step is a join, and a dict of the decorator's keyword arguments. What it does
    before its only `yield` happens before the step, the rest after it. What the step raises is
    raised at the `yield`, where it can be caught; then the flow goes on. `yield {}` skips the
    step, `yield function` runs `function(self)` or, at a join, `function(self, inputs)` instead.

    Raises:
        FlowInvalid: the function is no generator.

    >>> from flowkit import FlowSpec, step, user_step_decorator
    >>> @user_step_decorator
    ... def told(step_name, flow, inputs=None, attributes=None):
    ...     print("before", step_name)
    ...     yield
    ...     print("after", step_name)
    >>> class Hello(FlowSpec):
    ...     @told
    ...     @step(start=True, end=True)
    ...     def hello(self): ...
    """
    if not inspect.isgeneratorfunction(function):
        name = getattr(function, "__name__", function)
        raise FlowInvalid(
            f"`@user_step_decorator` decorates `{name}`, which is no generator",
            hint="let the function `yield` once, where the step is to run",
        )
    members = {
        "generator": staticmethod(function),
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
    }
    return type(function.__name__, (GeneratorStepDecorator,), members)
