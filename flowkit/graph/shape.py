"""What a flow's steps are to one another: order, parents, and the splits that are open at each.

The algorithms are small and our own: a graph library costs more to import than a run to plan.
None of them recurses, so a flow may have thousands of steps.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowkit.graph.model import FlowDescription, Kind, Node


class Graph:
    """The steps of a valid flow, and the questions that a scheduler or compiler has about them.

    Built once from a description that passed the checks; for any other the answers mean nothing.
    Iteration is in topological order, where the arms of a split keep the order they are written
    in. A step that switches to itself is neither its own parent nor its own descendant. Asking
    about a step that the flow does not have raises KeyError.
    """

    def __init__(self, description: FlowDescription) -> None:
        self.description = description
        self._nodes = {node.name: node for node in description.nodes}
        self._order = self._sorted()
        self._rank = {step: rank for rank, step in enumerate(self._order)}
        self._parents: dict[str, list[str]] = {step: [] for step in self._order}
        self._open: dict[str, dict[str, int]] = {description.start: {}}
        self._closes: dict[str, str] = {}
        for step in self._order:
            self._lead_on(step)
        self._depth = {
            step: sum(self._nodes[split].kind.fans_out for split in splits)
            for step, splits in self._open.items()
        }

    def _sorted(self) -> tuple[str, ...]:
        """Sort by depth-first search, last target first, so that the reverse reads naturally."""
        start = self.description.start
        left: list[str] = []
        seen = {start}
        stack = [(start, self._targets_backwards(start))]
        while stack:
            step, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                left.append(step)
                stack.pop()
            elif target not in seen:
                seen.add(target)
                stack.append((target, self._targets_backwards(target)))
        return tuple(reversed(left))

    def _targets_backwards(self, step: str) -> Iterator[str]:
        return reversed(self._nodes[step].targets)

    def _lead_on(self, step: str) -> None:
        """Tell the targets of a step who leads to them, and which splits are open there."""
        node = self._nodes[step]
        for branch, target in enumerate(node.targets):
            if target == step:
                continue
            self._parents[target].append(step)
            splits = dict(self._open[step])
            if node.kind.opens:
                splits[step] = branch
            if self._nodes[target].is_join:
                # A dict gives back the last key first: the innermost split.
                self._closes[target], _ = splits.popitem()
            self._open[target] = splits

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.description.name

    @property
    def start(self) -> str:
        """The step that a run begins with."""
        return self.description.start

    @property
    def end(self) -> str:
        """The step that a run ends with; the start itself in a flow of one step."""
        return self.description.end

    def __getitem__(self, step: str) -> Node:
        return self._nodes[step]

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __contains__(self, step: object) -> bool:
        return step in self._nodes

    def __len__(self) -> int:
        return len(self._order)

    def rank(self, step: str) -> int:
        """Return the place of a step in topological order, from 0."""
        return self._rank[step]

    def parents(self, step: str) -> tuple[str, ...]:
        """Return the steps that hand over to this one, in topological order."""
        return tuple(self._parents[step])

    def descendants(self, step: str) -> frozenset[str]:
        """Return all steps that may run after this one because of it."""
        found = {step}
        left = [step]
        while left:
            fresh = [target for target in self._nodes[left.pop()].targets if target not in found]
            found.update(fresh)
            left.extend(fresh)
        return frozenset(found - {step})

    def split_of(self, join: str) -> str:
        """Return the step whose split, foreach or gang a join closes; KeyError if it is no join."""
        return self._closes[join]

    def open_splits(self, step: str) -> tuple[str, ...]:
        """Return the steps that opened the splits around a step, outermost first."""
        return tuple(self._open[step])

    def depth(self, step: str) -> int:
        """Return the number of foreaches and gangs that are open while a step runs."""
        return self._depth[step]

    def is_gang(self, step: str) -> bool:
        """Say whether the tasks of a step are nodes of gangs: they start and fail together."""
        return any(self._nodes[parent].kind is Kind.GANG for parent in self._parents[step])

    def branch_of(self, step: str, split: str) -> int:
        """Return which target of `split` leads to `step`, from 0; foreaches and gangs have one.

        Raises KeyError if the split is not open at the step.
        """
        return self._open[step][split]
