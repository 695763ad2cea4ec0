"""`run_attempt`: the one way in which a step is run, whatever started the process."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from typing import Any, overload

from msgspec.structs import replace

from flowkit.errors import FlowkitBug, KeyMissing, StepRaised, StoreError
from flowkit.flow import (
    CaughtFailure,
    CurrentTask,
    FlowSpec,
    Inputs,
    TaskState,
    Transition,
    assigned,
    current,
    open_flow,
)
from flowkit.graph import Kind, Node
from flowkit.masking import hidden
from flowkit.store import ManifestWriter, Store, element
from flowkit.values import (
    ArtifactEntry,
    Failure,
    Fingerprint,
    Frame,
    Manifest,
    Outcome,
    TableUse,
    TaskResult,
    TaskSpec,
)
from flowkit.worker.failure import failure_of
from flowkit.worker.guards import Tempdir, time_limit, variables
from flowkit.worker.imports import project_imports
from flowkit.worker.loading import LoadedFlow
from flowkit.worker.sighting import MOST_INPUTS, TaskSights
from flowkit.worker.step_secrets import hide_inline, refuse_secrets, step_secrets
from flowkit.worker.wrapping import call_step

UNCHANGEABLE = (type(None), bool, int, float, complex, str, bytes)
"""Types of values that nothing can change in place."""


@dataclass(slots=True)
class _Ending:
    """What an attempt has come to so far."""

    outcome: Outcome | None = None
    failure: Failure | None = None
    caught: Failure | None = None


def run_attempt(loaded: LoadedFlow, spec: TaskSpec, store: Store) -> TaskResult:
    """Run one attempt and commit its result: objects, then the manifest, then the result.

    Whatever the user's code raises becomes a failure in the result. If another process has
    committed a result of the same attempt before, that one counts and is returned.

    Raises:
        StoreError: nothing could be committed.
    """
    started_at, cpu_before = datetime.now(UTC), time.process_time()
    hide_inline(loaded.secrets.values())
    if spec.skip_decorators:
        loaded = loaded.bare()
    ending, edits = _Ending(), project_imports.edits
    cards = _open_cards(loaded, spec, store)
    try:
        ending = _run(loaded, spec, store, cards)
    except BaseException as error:
        ending.failure = failure_of(error)
        _print(ending.failure)
        if isinstance(error, KeyboardInterrupt):
            raise
    result = TaskResult(
        attempt=spec.attempt,
        status="failed" if ending.failure else "succeeded",
        started_at=started_at,
        finished_at=datetime.now(UTC),
        outcome=ending.outcome,
        failure=ending.failure,
        caught=ending.caught,
        host=_host(),
        pid=os.getpid(),
        cpu_s=time.process_time() - cpu_before,
        peak_memory_bytes=_peak_memory_bytes(),
        # A module that the step imported may not be what the flow was described with.
        fingerprint=(_fingerprint(loaded, spec, store) if project_imports.edits == edits else None),
    )
    if store.create_result(spec.run, result):
        # After the result: a card may fail or take long, and the task is none the worse.
        if cards is not None:
            cards.finish(result)
        return result
    first = store.result(spec.run, spec.attempt)
    if first is None:
        raise FlowkitBug(f"the result of {spec.attempt} is there and is not")
    return first


def _fingerprint(loaded: LoadedFlow, spec: TaskSpec, store: Store) -> Fingerprint | None:
    """Return what the task depends on: a later run may then tell whether it has to run again."""
    is_wanted = loaded.nodes[spec.attempt.key.step].policies.memo is True
    if len(spec.inputs) > MOST_INPUTS and not is_wanted:
        return None
    try:
        return TaskSights(store, loaded.description, spec.parameters).fingerprint(spec)
    except StoreError:
        return None  # what is missing now has let the step fail, or was of no use to it


def _open_cards(loaded: LoadedFlow, spec: TaskSpec, store: Store) -> Any:
    """Open the cards of a step that has some."""
    policies = loaded.nodes[spec.attempt.key.step].policies.cards
    if not policies:
        return None
    # By name: cards look at runs through the client, which is above this room.
    return import_module("flowkit.cards").open_cards(
        policies, description=loaded.description, spec=spec, store=store
    )


def call_once(loaded: LoadedFlow, spec: TaskSpec, store: Store) -> Outcome:
    """Call a task's step, and keep what it leaves; whatever it raises is raised here.

    No limit of time holds, nothing is caught, and no result tells of it: for whoever tries a step.
    """
    with _entered(loaded, spec, store, None) as task:
        _call_step(loaded, task, limit_s=None)
        _note_caught(task, None)
        return _commit(task)


@dataclass(frozen=True, slots=True)
class _Task:
    """A task that this process is in: the flow object, and what its step has come to so far."""

    node: Node
    flow: FlowSpec
    state: TaskState
    opened: _Opened
    tables: set[TableUse]


@contextmanager
def _entered(loaded: LoadedFlow, spec: TaskSpec, store: Store, cards: Any) -> Iterator[_Task]:
    """Enter a task: `current` tells of it until the block ends."""
    node = loaded.nodes[spec.attempt.key.step]
    opened = _Opened(loaded, spec, store)
    flow, state = opened.flow(node)
    tempdir = Tempdir()
    tables: set[TableUse] = set()
    if cards is not None:
        cards.begin(flow)
    task = CurrentTask(
        spec=spec,
        description=loaded.description,
        open_tempdir=tempdir.open,
        note_table=tables.add,
        cards=cards.shown if cards is not None else None,
    )
    before = current.enter(task)
    try:
        yield _Task(node, flow, state, opened, tables)
    finally:
        current.enter(before)
        tempdir.remove()


def _run(loaded: LoadedFlow, spec: TaskSpec, store: Store, cards: Any) -> _Ending:
    ending = _Ending()
    with _entered(loaded, spec, store, cards) as task:
        if spec.fallback:
            ending.caught = spec.fallback
        else:
            ending.caught = _call(loaded, task, last_attempt=spec.last_attempt)
        if ending.caught is not None:
            task.state.transition = Transition(task.node.targets)
        _note_caught(task, ending.caught)
        ending.outcome = _commit(task)
    return ending


def _call(loaded: LoadedFlow, task: _Task, *, last_attempt: bool) -> Failure | None:
    """Call the user's step within its limit of time; returns what `@catch` swallows."""
    policies = task.node.policies
    try:
        _call_step(loaded, task, limit_s=policies.timeout.limit_s if policies.timeout else None)
    except (Exception, SystemExit) as error:
        # Nodes of a gang fail together: the scheduler has all of them caught, or none.
        if policies.parallel or not (last_attempt and policies.catch):
            raise
        failure = failure_of(error)
        if policies.catch.print_exception:
            _print(failure)
        return failure
    return None


def _call_step(loaded: LoadedFlow, task: _Task, *, limit_s: float | None) -> None:
    """Call the user's step, with its environment and its decorators. Raises what it raises."""
    node = task.node
    with ExitStack() as around:
        around.enter_context(variables(node.policies.variables))
        around.enter_context(time_limit(node.name, limit_s))
        around.enter_context(step_secrets(node.name, loaded.secrets.get(node.name)))
        inputs = task.opened.inputs() if node.is_join else None
        call_step(task.flow, node, loaded.wrappers.get(node.name, ()), inputs)


def _note_caught(task: _Task, caught: Failure | None) -> None:
    """Set the variable of `@catch`, to None where nothing was caught."""
    catch = task.node.policies.catch
    if catch and catch.var:
        setattr(task.flow, catch.var, CaughtFailure.of(caught) if caught else None)


def _print(failure: Failure) -> None:
    text = failure.traceback or f"{failure.type_name}: {failure.message}\n"
    with suppress(AttributeError, OSError, ValueError):  # the step may have closed its stderr
        print(text, file=sys.stderr, end="")


def _commit(task: _Task) -> Outcome:
    node, state, opened = task.node, task.state, task.opened
    transition = state.transition
    if transition is None and node.kind is not Kind.END:
        raise StepRaised(
            f"step `{node.name}` returned without calling self.next",
            hint="call self.next as its last statement, on every path through it",
        )
    if transition and not set(transition.targets) <= set(node.targets):
        raise StepRaised(
            f"step `{node.name}` went on to `{transition.targets[0]}`, not named in its code",
            hint="give self.next steps by name, as in `self.next(self.train)`",
        )
    writer = opened.open_writer()
    own = assigned(task.flow)
    for name, entry in {**state.constants, **state.inherited}.items():
        if name not in own or _is_unchanged(own[name], state, name):
            writer.inherit(name, entry)
            own.pop(name, None)
    for name, value in own.items():
        writer.add(name, value)
    width = None
    items: Sequence[object] | None = None
    if transition and transition.foreach is not None:
        items = getattr(task.flow, transition.foreach)
    elif transition and transition.nodes is not None:
        items = range(transition.nodes)
    if items is not None:
        _check_width(node, len(items), opened.max_num_splits)
        width = writer.add_items(items)
    dropped = () if node.is_join else opened.artifacts(0).keys() - writer.names
    return Outcome(
        manifest=writer.commit(tables=task.tables, dropped=dropped),
        width=width,
        choice=transition.choice if transition else None,
    )


def _check_width(node: Node, width: int, most: int | None) -> None:
    if most is not None and width > most:
        raise StepRaised(
            f"step `{node.name}` fans out to {width} tasks, more than `--max-num-splits {most}`",
            hint="raise `--max-num-splits`, or let the step make fewer elements",
        )


def _is_unchanged(value: object, state: TaskState, name: str) -> bool:
    """Whether a value is the one that was loaded, and of a type that cannot change in place."""
    return type(value) in UNCHANGEABLE and value is state.loaded.get(name, state)


class _Opened:
    """The manifests that an attempt reads, and the flow objects over them."""

    def __init__(self, loaded: LoadedFlow, spec: TaskSpec, store: Store) -> None:
        self._loaded, self._spec, self._store = loaded, spec, store
        self._constants = store.manifest(spec.parameters).artifacts
        self._element = lru_cache(maxsize=16)(self._load_element)

    def flow(self, node: Node) -> tuple[FlowSpec, TaskState]:
        """Open the object that the step runs on."""
        joined = _Joined(self) if node.is_join else None
        inherited = {} if node.is_join else self.artifacts(0)
        state = self._state(node.name, inherited, self._spec.frames)
        state.joined, state.opens_gang = joined, node.kind is Kind.GANG
        return open_flow(self._loaded.flow_class, state), state

    def inputs(self) -> Inputs:
        """Open the inputs of a join."""
        return Inputs(len(self._spec.inputs), self._spec.input_steps, self._open_input)

    @property
    def max_num_splits(self) -> int | None:
        """The most tasks that the step may fan out to."""
        return self._spec.max_num_splits

    def count(self) -> int:
        """How many inputs there are."""
        return len(self._spec.inputs)

    def artifacts(self, at: int) -> dict[str, ArtifactEntry]:
        """Return the artifacts of an input, without parameters and constants."""
        found = self._store.manifest(self._spec.inputs[at]).artifacts
        return {name: entry for name, entry in found.items() if name not in self._constants}

    def open_writer(self) -> ManifestWriter:
        """Open a writer that stores only what changed against the run before, or the input."""
        known: dict[str, ArtifactEntry] = {}
        if self._spec.base is not None:
            with suppress(KeyMissing):  # that run may have been deleted meanwhile
                known.update(self._store.manifest(self._spec.base).artifacts)
        if self.count() == 1:
            known.update(self._store.manifest(self._spec.inputs[0]).artifacts)
        check = refuse_secrets if hidden else None
        return self._store.write_manifest(
            base=Manifest(artifacts=known), check=check, look=project_imports.behaviour
        )

    def _state(
        self, step: str, inherited: dict[str, ArtifactEntry], frames: tuple[Frame, ...]
    ) -> TaskState:
        return TaskState(
            step=step,
            steps=frozenset(self._loaded.nodes),
            constants=self._constants,
            inherited=inherited,
            load=self._store.load,
            element=self._element,
            frames=tuple(frame for frame in frames if not self._is_gang(frame)),
        )

    def _open_input(self, at: int) -> FlowSpec:
        steps = self._spec.input_steps
        step = steps[at] if len(steps) > 1 else steps[0]
        frames = self._spec.frames
        if self._spec.joined is not None:
            frames = (*frames, replace(self._spec.joined, index=at))
        state = self._state(step, self.artifacts(at), frames)
        state.is_input = True
        return open_flow(self._loaded.flow_class, state)

    def _is_gang(self, frame: Frame) -> bool:
        """Whether a frame is no foreach: nodes of a gang have no elements of their own."""
        return self._loaded.nodes[frame.step].kind is Kind.GANG

    def _load_element(self, frame: Frame) -> object:
        return element(self._store, frame.items, frame.index)


class _Joined(Sequence[Mapping[str, ArtifactEntry]]):
    """The artifacts of a join's inputs, read one input at a time."""

    def __init__(self, opened: _Opened) -> None:
        self._opened = opened

    def __len__(self) -> int:
        return self._opened.count()

    @overload
    def __getitem__(self, at: int) -> Mapping[str, ArtifactEntry]: ...
    @overload
    def __getitem__(self, at: slice) -> list[Mapping[str, ArtifactEntry]]: ...
    def __getitem__(
        self, at: int | slice
    ) -> Mapping[str, ArtifactEntry] | list[Mapping[str, ArtifactEntry]]:
        if isinstance(at, slice):
            return [self._opened.artifacts(one) for one in range(*at.indices(len(self)))]
        return self._opened.artifacts(range(len(self))[at])


@lru_cache(maxsize=1)
def _host() -> str:
    return socket.gethostname()


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
