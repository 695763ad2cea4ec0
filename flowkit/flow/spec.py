"""`FlowSpec`: the class that users subclass, and what its instances do while a step runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, ClassVar

from flowkit.errors import StepRaised
from flowkit.flow.gangs import gang_size
from flowkit.flow.inputs import Inputs
from flowkit.flow.merge import MergeFailed, merged
from flowkit.flow.source import module_file
from flowkit.flow.task_state import TaskState, Transition
from flowkit.graph import RESERVED_NAMES, Node

STATE = "__flowkit_task__"


class FlowSpec:
    """A workflow: steps that hand over to one another and leave artifacts.

    Subclass it, mark methods with `@step`, and end each with `self.next(...)`. Whatever a step
    assigns to `self` is an artifact: kept, and readable in every later step until a join.

    >>> from flowkit import FlowSpec, step
    >>> class Hello(FlowSpec):
    ...     @step
    ...     def start(self):
    ...         self.greeting = "hello"
    ...         self.next(self.end)
    ...
    ...     @step
    ...     def end(self):
    ...         print(self.greeting)

    Args:
        use_cli: Run the command line (`python flow.py run`) at once. False only makes the object,
            and so does a flow file that flowkit imports.
    """

    __flowkit_task__: ClassVar[TaskState | None] = None

    def __init__(self, use_cli: bool = True) -> None:
        if use_cli and not _imports:
            # By name: the command line is a higher room, which flows know nothing of.
            import_module("flowkit.cli").script_main(type(self))

    @property
    def name(self) -> str:
        """The flow's name: its class name."""
        return type(self).__name__

    @property
    def script_name(self) -> str:
        """The name of the file that defines the flow."""
        return (module_file(type(self)) or "").rpartition("/")[2]

    def __iter__(self) -> Iterator[Node]:
        """Yield the steps as nodes of the graph. Raises FlowFaults if the flow has faults."""
        # This module is read before the one that reads flows.
        describe = import_module("flowkit.flow.reading").describe_flow
        nodes: tuple[Node, ...] = describe(type(self)).nodes
        return iter(nodes)

    @property
    def index(self) -> int | None:
        """The index of this task's element in the innermost open foreach; None outside one."""
        frames = _state(self).frames
        return frames[-1].index if frames else None

    @property
    def input(self) -> Any:
        """The element of the innermost open foreach that this task is for; None outside one."""
        state = _state(self)
        return state.element(state.frames[-1]) if state.frames else None

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """Return `(index, number of elements, element)` of each open foreach, outermost first."""
        state = _state(self)
        return [(frame.index, frame.width, state.element(frame)) for frame in state.frames]

    def next(
        self,
        *targets: Callable[..., Any] | Mapping[Any, Callable[..., Any]],
        foreach: str | None = None,
        condition: str | None = None,
        num_parallel: int | None = None,
    ) -> None:
        """Say where the flow goes on; the last statement of every step but the last one.

        `self.next(self.a)` goes on, `self.next(self.a, self.b)` in parallel,
        `self.next(self.a, foreach="items")` once for each element of `self.items`,
        `self.next(self.a, num_parallel=4)` in a gang of four tasks that run at once, and
        `self.next({"yes": self.a, "no": self.b}, condition="answer")` to the step that
        `self.answer` names.

        Raises:
            StepRaised: the value of `condition` names no step, `foreach` has no elements, or
                `num_parallel` is no whole number from 1 on.
        """
        state = _state(self)
        if state.transition is not None:
            raise StepRaised(
                f"step `{state.step}` called self.next twice",
                hint="call it once, as the last statement",
            )
        if len(targets) == 1 and isinstance(targets[0], Mapping):
            choice = _chosen(self, state.step, targets[0], condition or "")
            state.transition = Transition((choice,), choice=choice)
            return
        names = tuple(_step_name(target) for target in targets)
        if foreach is not None:
            _fix_items(self, state.step, foreach)
        # A size that was computed, or that a decorator gave, may be None by mistake.
        is_gang = state.opens_gang or num_parallel is not None
        nodes = gang_size(state.step, num_parallel) if is_gang else None
        state.transition = Transition(names, foreach=foreach, nodes=nodes)

    def merge_artifacts(
        self,
        inputs: Iterable[FlowSpec],
        exclude: Iterable[str] = (),
        include: Iterable[str] = (),
    ) -> None:
        """Take over what the inputs of a join agree on; nothing is loaded or copied.

        `inputs` may also be a few of them. Names that the join has set before are left alone.
        With `include` only those names are taken, with `exclude` all but those. If it raises,
        nothing was taken.

        Raises:
            UnhandledInMergeArtifactsException: inputs disagree about a name.
            MissingInMergeArtifactsException: a name in `include` is in no input.
            MergeFailed: not in a join, or both `include` and `exclude` given.
        """
        state = _state(self)
        if state.joined is None:
            raise MergeFailed(
                f"step `{state.step}` is not a join",
                hint="merge_artifacts works only in a step that takes `inputs`",
            )
        own = {name for name in vars(self) if name != STATE}
        # All inputs are read as manifests, without opening a flow object for each.
        whole = isinstance(inputs, Inputs)
        state.inherited.update(
            merged(
                state.joined if whole else [_state(one).inherited for one in inputs],
                settled=own | set(state.constants),
                include=tuple(include),
                exclude=tuple(exclude),
            )
        )

    def __getattr__(self, name: str) -> Any:
        state = type(self).__flowkit_task__ if STATE not in vars(self) else vars(self)[STATE]
        if state is None or name.startswith("__"):
            raise AttributeError(f"`{type(self).__name__}` has no attribute `{name}`", name=name)
        if name not in state.inherited:
            # Without an object, Python suggests no name of its own besides.
            raise AttributeError(_missing(state, name), name=name)
        value = state.artifact(name)
        vars(self)[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> None:
        state = vars(self).get(STATE)
        if name in RESERVED_NAMES:
            raise AttributeError(
                f"`{name}` cannot be an artifact, because FlowSpec uses the name itself: "
                f"choose another one, such as `self.{name}_`"
            )
        if state is not None:
            _refuse_for_input(state, name)
            if name in state.constants:
                raise AttributeError(
                    f"`{name}` is read-only: it is a parameter, a config or a constant of the flow"
                )
            if name in state.steps:
                raise AttributeError(f"`{name}` is a step, so it cannot be an artifact")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        state = vars(self).get(STATE)
        if state is not None:
            _refuse_for_input(state, name)
        was_inherited = state.forget(name) if state is not None else False
        if name in vars(self) or not was_inherited:
            super().__delattr__(name)

    def __repr__(self) -> str:
        state = vars(self).get(STATE)
        return f"<{type(self).__name__}{f' at step {state.step}' if state else ''}>"


_imports: list[str] = []
"""The flow files that are being imported just now, the outermost first."""


@contextmanager
def importing(file: str) -> Iterator[None]:
    """Enter the import of a flow file, in which `MyFlow()` must not run a command line.

    That is a script's last line, and the script may lack `if __name__ == "__main__"`.
    """
    _imports.append(file)
    try:
        yield
    finally:
        _imports.pop()


def open_flow(flow_class: type[FlowSpec], state: TaskState) -> FlowSpec:
    """Make the object that a step runs on."""
    flow = flow_class.__new__(flow_class)
    vars(flow)[STATE] = state
    return flow


def has_gone_on(flow: FlowSpec) -> bool:
    """Say whether the step that runs on a flow object has called `self.next`."""
    return _state(flow).transition is not None


def assigned(flow: FlowSpec) -> dict[str, object]:
    """Return what is set on a flow object: its own artifacts, and inherited ones it has read."""
    return {name: value for name, value in vars(flow).items() if name != STATE}


def _state(flow: FlowSpec) -> TaskState:
    state: TaskState | None = vars(flow).get(STATE)
    if state is None:
        raise StepRaised(
            f"`{type(flow).__name__}` is not running",
            hint="this works only inside a step: start it with `flowkit run`",
        )
    return state


def _refuse_for_input(state: TaskState, name: str) -> None:
    if state.is_input:
        raise AttributeError(
            f"`{name}` of an input cannot be changed: inputs are read-only; "
            f"assign to self, as in `self.{name} = ...`"
        )


def _missing(state: TaskState, name: str) -> str:
    if state.joined is not None and any(name in artifacts for artifacts in state.joined[:16]):
        return (
            f"step `{state.step}` has no artifact `{name}`: it is a join, "
            f"so read it from an input or call self.merge_artifacts(inputs)"
        )
    near = get_close_matches(name, [*state.inherited, *state.constants], n=1)
    return f"step `{state.step}` has no artifact `{name}`" + (
        f"; did you mean `{near[0]}`?" if near else ""
    )


def _step_name(target: object) -> str:
    name = getattr(target, "__name__", None)
    if not isinstance(name, str) or not hasattr(target, "__flowkit_step__"):
        raise StepRaised(
            f"self.next was given `{target!r}`, which is no step",
            hint="name steps as in `self.next(self.train)`",
        )
    return name


def _chosen(
    flow: FlowSpec, step: str, cases: Mapping[Any, Callable[..., Any]], condition: str
) -> str:
    value = getattr(flow, condition)
    by_text = {str(key): target for key, target in cases.items()}
    if str(value) not in by_text:
        known = ", ".join(f"`{key}`" for key in by_text)
        raise StepRaised(
            f"step `{step}` switches on `{condition}`, whose value `{value!r}` names no step",
            hint=f"known values are {known}",
        )
    return _step_name(by_text[str(value)])


def _fix_items(flow: FlowSpec, step: str, foreach: str) -> None:
    """Make the elements countable, so that an iterator is used up once and kept as a list."""
    items = getattr(flow, foreach)
    if not isinstance(items, Iterable) and not hasattr(items, "__getitem__"):
        raise StepRaised(
            f"step `{step}` fans out over `{foreach}`, a `{type(items).__name__}`, "
            "which is not iterable",
            hint=f"set `self.{foreach}` to a list before self.next",
        )
    if not hasattr(items, "__len__"):
        items = list(items)
        setattr(flow, foreach, items)
    if len(items) == 0:
        raise StepRaised(
            f"step `{step}` fans out over `{foreach}`, which is empty",
            hint=f"give `self.{foreach}` at least one element, or go around the foreach "
            "with a switch",
        )
