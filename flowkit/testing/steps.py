"""`run_step`: one step of a flow, run in this process for a test of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from traceback import walk_tb
from typing import Any

from msgspec.structs import replace

from flowkit.errors import UsageError
from flowkit.flow import FlowSpec
from flowkit.graph import Node
from flowkit.store import Store, element
from flowkit.testing.memory_storage import MemoryStorage
from flowkit.testing.step_inputs import NOT_GIVEN, Input, Stack, StepInputs, read_for
from flowkit.values import Outcome
from flowkit.worker import LoadedFlow, call_once


class StepArtifacts(Mapping[str, Any]):
    """Values of artifacts by name, as a mapping and as attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        # Protocols such as copying and pickling ask for names of their own.
        if name.startswith("__") or name == "_values":
            raise AttributeError(name)
        if name not in self._values:
            near = get_close_matches(name, self._values, n=1)
            raise AttributeError(
                f"the step has left no artifact `{name}`"
                + (f"; did you mean `{near[0]}`?" if near else ""),
                name=name,  # without an object, Python suggests no name of its own besides
            )
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"StepArtifacts({self._values!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """What a step came to.

    `artifacts` are those that the next step would find, without parameters, configs and constants.
    `next` are the steps that it goes on to, of a switch the one that it chose. `elements` are
    those that it fans out over, of a gang the numbers of its nodes, otherwise None. `input` is the
    element that it was run for.
    """

    step: str
    artifacts: StepArtifacts
    next: tuple[str, ...]
    elements: list[Any] | None = None
    input: Any = None


def run_step(
    step: Callable[..., Any],
    /,
    *,
    input: Any = NOT_GIVEN,
    index: int = 0,
    foreach_stack: Stack | None = None,
    inputs: Any = NOT_GIVEN,
    gang: Any = NOT_GIVEN,
    skip_decorators: bool = False,
    **given: Any,
) -> StepRun:
    """Run one step of a flow in this process, for a test; nothing is written to a disk.

    Values go in and come out as they do in a run, pickled and loaded, so a step cannot change
    what the test holds, and what could not be kept fails here, too. `@environment` and decorators
    of the flow's own apply; `@retry`, `@catch`, `@timeout`, `@secrets` and cards do not.

    ```python
    assert run_step(Prices.add_up, prices=[3, 4]).artifacts == {"prices": [3, 4], "total": 7}
    ```

    Args:
        step: The step, as in `Train.fit`. One that a flow inherits is run on the class that
            defines it; `Train(use_cli=False).fit` says which flow is meant.
        input: The element of the innermost foreach around the step.
        index: Its index.
        foreach_stack: The elements of all foreaches around the step, outermost first, each as
            `(index, number of elements, element)`; instead of `input` and `index`.
        inputs: What a join joins: a list with the artifacts of each input, or with what
            `run_step` returned for it; or a dict of these by the step that they come from. An
            input that has an element of the foreach names it as `input`.
        gang: Which node of how many the task is, if the step has `@parallel`: `(1, 3)` is the
            second of three. A gang of the task alone otherwise.
        skip_decorators: Leave out decorators of the flow's own.
        given: Artifacts, parameters and configs by the names that the step reads. Parameters have
            their defaults otherwise, whatever the environment says; configs are found as for a run.

    Raises:
        UsageError: `step` is none, or what is given does not fit it, or something is missing.
        FlowInvalid: the flow has faults.
        BaseException: what the step itself raises, as it is.
    """
    flow_class, name = _flow_and_step(step)
    given_inputs = inputs
    loaded = read_for(flow_class, given)
    if not loaded.nodes[name].is_join and inputs is not NOT_GIVEN:
        given, given_inputs = {**given, "inputs": inputs}, NOT_GIVEN  # an artifact like others
    if not loaded.nodes[name].policies.parallel and gang is not NOT_GIVEN:
        given, gang = {**given, "gang": gang}, NOT_GIVEN
    wrappers = {} if skip_decorators else loaded.wrappers
    loaded = replace(loaded, wrappers=wrappers, secrets={})
    store = Store(MemoryStorage())
    made = StepInputs(loaded, name, store)
    stack = _stack(made, input, index, foreach_stack)
    spec = made.spec(given, stack, _named_inputs(made, given_inputs), gang=_gang(name, gang))
    with _explained(made.node):
        outcome = call_once(loaded, spec, store)
    return _step_run(loaded, name, store, outcome, stack[-1][2] if stack else None)


@contextmanager
def _explained(node: Node) -> Iterator[None]:
    """Say of an attribute that the flow lacks how a test gives it."""
    try:
        yield
    except AttributeError as error:
        *_, (raising, _) = walk_tb(error.__traceback__)
        if raising.f_code is FlowSpec.__getattr__.__code__:
            place = "in its `inputs`" if node.is_join else f"as `{error.name}=...`"
            error.add_note(f"what a step reads is given to `run_step`, here {place}")
        raise


def _step_run(loaded: LoadedFlow, name: str, store: Store, outcome: Outcome, input: Any) -> StepRun:
    node, entries = loaded.nodes[name], store.manifest(outcome.manifest).artifacts
    fixed = {
        *loaded.description.constants,
        *(one.attribute for one in loaded.description.parameters),
        *(one.attribute for one in loaded.description.configs),
    }
    width = outcome.width
    return StepRun(
        step=name,
        artifacts=StepArtifacts(
            {key: store.load(one) for key, one in entries.items() if key not in fixed}
        ),
        next=(outcome.choice,) if outcome.choice is not None else node.targets,
        elements=[element(store, outcome.manifest, at) for at in range(width)]
        if width is not None
        else None,
        input=input,
    )


def _flow_and_step(step: object) -> tuple[type[FlowSpec], str]:
    """Return the flow that a step is of, and the step's name. Raises UsageError."""
    owner = getattr(step, "__self__", None)
    function = getattr(step, "__func__", step)
    name = getattr(function, "__name__", "")
    if not callable(function) or not hasattr(function, "__flowkit_step__"):
        raise UsageError(
            f"`run_step` was given `{step!r}`, which is no step",
            hint="give it the step of a flow, as in `run_step(Train.fit)`",
        )
    if isinstance(owner, FlowSpec):
        return type(owner), name
    flows = [one for one in _flows(FlowSpec) if getattr(one, name, None) is function]
    own = [one for one in flows if vars(one).get(name) is function]
    found = own or flows
    if len(found) != 1:
        several = ", ".join(f"`{one.__name__}`" for one in found) or "no flow"
        raise UsageError(
            f"step `{name}` is a step of {several}",
            hint=f"say which flow is meant: `run_step(Train(use_cli=False).{name})`",
        )
    return found[0], name


def _flows(base: type[FlowSpec]) -> Iterator[type[FlowSpec]]:
    for one in base.__subclasses__():
        yield one
        yield from _flows(one)


def _stack(
    made: StepInputs, input: Any, index: int, given: Stack | None
) -> list[tuple[int, int, Any]]:
    """Return the elements of the foreaches around a step. Raises UsageError."""
    name, around = made.node.name, made.foreaches
    if given is not None:
        if len(given) != len(around):
            raise UsageError(
                f"`foreach_stack` has {len(given)} elements, and around step `{name}` there are "
                f"{len(around)} foreaches",
                hint="give `(index, number of elements, element)` for each, outermost first",
            )
        return list(given)
    if input is not NOT_GIVEN and not around:
        raise UsageError(
            f"step `{name}` is in no foreach, so it has no `input`", hint="leave `input` out"
        )
    if input is NOT_GIVEN and around and made.may_read("input"):
        raise UsageError(
            f"step `{name}` is run for an element of the foreach in `{around[-1]}`, "
            "and none is given",
            hint="give it as `input=...`",
        )
    if not around:
        return []
    element = None if input is NOT_GIVEN else input
    return [*((0, 1, None) for _ in around[1:]), (index, index + 1, element)]


def _gang(name: str, given: Any) -> tuple[int, int]:
    """Return which node of how many a task is. Raises UsageError."""
    if given is NOT_GIVEN:
        return 0, 1
    match given:
        case (int(at), int(nodes)) if 0 <= at < nodes:
            return at, nodes
    raise UsageError(
        f"step `{name}` is run as node `{given!r}` of a gang",
        hint="give which node of how many, from 0 on: `gang=(1, 3)` is the second of three",
    )


def _named_inputs(made: StepInputs, inputs: Any) -> list[Input]:
    """Return step, artifacts and element of each input of a join. Raises UsageError."""
    name = made.node.name
    if not made.node.is_join:
        return []
    if inputs is NOT_GIVEN or not inputs or not isinstance(inputs, Mapping | Sequence):
        raise UsageError(
            f"step `{name}` is a join, and has no inputs",
            hint="give what it joins, as in `inputs=[{'score': 1}, {'score': 2}]`",
        )
    if isinstance(inputs, Mapping):
        pairs = list(inputs.items())
    else:
        pairs = list(zip(made.branches(len(inputs)), inputs, strict=True))
    found: list[Input] = []
    for step, one in pairs:
        if isinstance(one, StepRun):
            step = one.step if not isinstance(inputs, Mapping) else step
            found.append((step, dict(one.artifacts), one.input))
        elif isinstance(one, Mapping):
            artifacts = {key: value for key, value in one.items() if key != "input"}
            found.append((step, artifacts, one.get("input")))
        else:
            raise UsageError(
                f"an input of join `{name}` is `{one!r}`",
                hint="give a dict of its artifacts, or what `run_step` returned",
            )
    made.check_steps([step for step, _, _ in found])
    return found
