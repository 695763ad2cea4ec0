"""What a step finds when it is run by itself: manifests in memory, and a task that names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final

from flowkit.errors import UsageError
from flowkit.flow import (
    ConfigValue,
    FlowSpec,
    ParameterContext,
    artifact_names,
    config_json,
    configs_of,
    constants_of,
    default_parameters,
    module_file,
)
from flowkit.graph import Graph, Kind
from flowkit.store import Store
from flowkit.values import (
    Attempt,
    Digest,
    Digests,
    Frame,
    LoadOptions,
    RunId,
    StoreAddress,
    TaskKey,
    TaskSpec,
)
from flowkit.worker import LoadedFlow, file_reader, read_flow

Given = Mapping[str, Any]
Stack = Sequence[tuple[int, int, Any]]
"""The elements of the foreaches around a step: index, number of elements, element."""
Input = tuple[str, Given, Any]
"""An input of a join: its step, its artifacts, and the element that it was run for."""

_USER: Final = "test"
_RUN_ID: Final = "test"


class _NotGiven(Enum):
    NOT_GIVEN = "not given"


NOT_GIVEN: Final = _NotGiven.NOT_GIVEN
"""What stands for an argument that is left out: None can be meant."""


def read_for(flow_class: type[FlowSpec], given: Given) -> LoadedFlow:
    """Read a flow, with those configs that are given.

    Raises:
        FlowInvalid: the flow has faults.
        UsageError: a config cannot be used, or is missing.
    """
    kept = {}
    for attribute, config in configs_of(flow_class).items():
        if attribute in given:
            try:
                kept[config.name] = config_json(given[attribute])
            except ValueError as error:
                raise UsageError(
                    f"config `{attribute}` is given {error}",
                    hint="give dicts, lists, text, numbers, truth values and dates",
                ) from error
    file = module_file(flow_class) or f"{flow_class.__module__}.py"
    return read_flow(flow_class, file, LoadOptions(user=_USER, kept=kept))


class StepInputs:
    """Makes the task of one step, of values that a test gives."""

    def __init__(self, loaded: LoadedFlow, step: str, store: Store) -> None:
        self._loaded, self._store = loaded, store
        self._graph = Graph(loaded.description)
        self.node = loaded.nodes[step]
        splits = self._graph.open_splits(step)
        self.foreaches = [one for one in splits if self._graph[one].kind is Kind.FOREACH]
        """The foreaches around the step, outermost first."""
        self._gang = [one for one in splits if self._graph[one].kind is Kind.GANG]

    def may_read(self, name: str) -> bool:
        """Say whether the step reads a name on `self`, or may do so."""
        return self.node.reach.is_open or name in self.node.reach.names

    def spec(
        self, given: Given, stack: Stack, inputs: Sequence[Input], *, gang: tuple[int, int]
    ) -> TaskSpec:
        """Make the task, after its inputs. Raises UsageError for what does not fit.

        `gang`: which node of how many the task is, if the step runs as a gang.
        """
        description = self._loaded.description
        parameters = {one.attribute for one in description.parameters}
        configs = {one.attribute for one in description.configs}
        self._check_names(given, parameters | configs)
        frames = tuple(
            Frame(step, at, width, self._elements([*[None] * at, element]))
            for step, (at, width, element) in zip(self.foreaches, stack, strict=True)
        )
        at, nodes = gang
        # Within a gang nothing fans out: it hands over to its join.
        frames += tuple(Frame(one, at, nodes, self._elements(range(nodes))) for one in self._gang)
        artifacts = {name: one for name, one in given.items() if name not in parameters | configs}
        steps = tuple(dict.fromkeys(step for step, _, _ in inputs))
        if len(steps) > 1:
            steps = tuple(step for step, _, _ in inputs)
        manifests = [self._manifest(one) for _, one, _ in inputs]
        return TaskSpec(
            run=RunId(description.name, _RUN_ID),
            attempt=Attempt(TaskKey(self.node.name, tuple(frame.index for frame in frames))),
            flow_file=description.file,
            store=StoreAddress(url="memory"),
            parameters=self._manifest(self._fixed(given, parameters)),
            inputs=Digests(manifests or [self._manifest(artifacts)]),
            input_steps=steps or self._graph.parents(self.node.name)[:1],
            frames=frames,
            joined=self._joined(inputs),
            user=_USER,
        )

    def branches(self, count: int) -> list[str]:
        """Return the steps that `count` inputs of the join come from, in split order.

        Raises:
            UsageError: there are not as many branches.
        """
        name = self.node.name
        split, parents = self._graph.split_of(name), self._graph.parents(name)
        if self._graph[split].kind.fans_out:
            return [parents[0]] * count
        by_branch: dict[int, str] = {}
        for parent in parents:
            at = 0 if parent == split else self._graph.branch_of(parent, split)
            by_branch.setdefault(at, parent)
        if len(by_branch) != count:
            steps = ", ".join(f"`{by_branch[at]}`" for at in sorted(by_branch))
            raise UsageError(
                f"join `{name}` joins {len(by_branch)} branches, and {count} inputs are given",
                hint=f"give one each for {steps}",
            )
        return [by_branch[at] for at in sorted(by_branch)]

    def check_steps(self, steps: Sequence[str]) -> None:
        """Check that the inputs of the join are from steps that lead to it. Raises UsageError."""
        parents = self._graph.parents(self.node.name)
        for step in steps:
            if step not in parents:
                raise UsageError(
                    f"step `{step}` does not lead to the join `{self.node.name}`",
                    hint="its inputs come from " + ", ".join(f"`{one}`" for one in parents),
                )

    def _check_names(self, given: Given, fixed: set[str]) -> None:
        constants = constants_of(self._loaded.flow_class)
        known = fixed | artifact_names(self._loaded.flow_class)
        # The flow object is handed on there, to code that may set and read whatever it likes.
        anything = any(node.reach.is_open for node in self._loaded.nodes.values())
        for node in self._loaded.nodes.values():
            if node.policies.catch and node.policies.catch.var:
                known.add(node.policies.catch.var)
        for name in given:
            if name in constants:
                raise UsageError(
                    f"`{name}` is a constant of `{self._loaded.description.name}`, "
                    "which no run can set",
                    hint=f"change it on the class: `monkeypatch.setattr(..., '{name}', ...)`",
                )
            if name in fixed:
                continue
            if self.node.is_join:
                raise UsageError(
                    f"step `{self.node.name}` is a join: it finds `{name}` on its inputs",
                    hint=f"give it there: `inputs=[{{'{name}': ...}}, ...]`",
                )
            if name not in known and not anything:
                near = get_close_matches(name, sorted(known), n=1)
                raise UsageError(
                    f"no step of `{self._loaded.description.name}` sets or reads `{name}`",
                    hint=f"did you mean `{near[0]}`?" if near else "leave it out",
                )

    def _fixed(self, given: Given, parameters: set[str]) -> dict[str, object]:
        """Return parameters, configs and constants by attribute. Raises UsageError."""
        loaded = self._loaded
        context = ParameterContext(
            flow_name=loaded.description.name,
            user_name=_USER,
            configs=ConfigValue({one.name: one.value for one in loaded.configs.values()}),
        )
        values = default_parameters(
            loaded.flow_class,
            given=given,
            context=context,
            read_file=file_reader(loaded.description.file),
        )
        values |= {name: one for name, one in given.items() if name in parameters}
        for name in sorted(parameters - values.keys()):
            if self.may_read(name):
                raise UsageError(
                    f"step `{self.node.name}` reads the parameter `{name}`, which has no default",
                    hint=f"give it as `{name}=...`",
                )
        configs = {one.attribute: one.value for one in loaded.configs.values()}
        return {**constants_of(loaded.flow_class), **configs, **values}

    def _joined(self, inputs: Sequence[Input]) -> Frame | None:
        """Return the foreach or gang that the step joins, with the elements of its inputs."""
        if not inputs:
            return None
        split = self._graph.split_of(self.node.name)
        if not self._graph[split].kind.fans_out:
            return None
        elements = self._elements([element for _, _, element in inputs])
        return Frame(split, 0, len(inputs), elements)

    def _manifest(self, values: Mapping[str, object]) -> Digest:
        writer = self._store.write_manifest()
        for name, value in values.items():
            writer.add(name, value)
        return writer.commit()

    def _elements(self, elements: Sequence[object]) -> Digest:
        writer = self._store.write_manifest()
        writer.add_items(elements)
        return writer.commit()
