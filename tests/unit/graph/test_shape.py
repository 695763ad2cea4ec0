"""Questions about a flow's shape."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import networkx
import pytest
from hypothesis import given

from flowkit.graph import FlowDescription, Graph, Kind
from flowkit.testing.graphs import SHAPES, describe_flow, describe_node, flow_descriptions

Open = tuple[tuple[str, int], ...]


def ways_in(description: FlowDescription) -> dict[str, set[Open]]:
    """Follow every way through a flow, with the open splits on a stack: all stacks by step."""
    nodes = {node.name: node for node in description.nodes}
    found: dict[str, set[Open]] = {}
    left: list[tuple[str, Open]] = [(description.start, ())]
    while left:
        step, splits = left.pop()
        if splits in found.setdefault(step, set()):
            continue
        found[step].add(splits)
        for branch, target in enumerate(nodes[step].targets):
            opens = nodes[step].kind in (Kind.SPLIT, Kind.FOREACH, Kind.GANG)
            there = (*splits, (step, branch)) if opens else splits
            left.append((target, there[:-1] if nodes[target].is_join else there))
    return found


def edges(description: FlowDescription) -> networkx.DiGraph:
    """Return the flow without its loops."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(node.name for node in description.nodes)
    for node in description.nodes:
        graph.add_edges_from((node.name, to) for to in node.targets if to != node.name)
    return graph


@given(flow_descriptions(with_policies=False))
def test_open_splits_are_those_on_every_way_from_the_start(description: FlowDescription) -> None:
    graph = Graph(description)
    for step, ways in ways_in(description).items():
        (splits,) = ways
        assert graph.open_splits(step) == tuple(split for split, _ in splits)
        assert [graph.branch_of(step, split) for split, _ in splits] == [at for _, at in splits]
        kinds = [graph[split].kind for split, _ in splits]
        assert graph.depth(step) == kinds.count(Kind.FOREACH) + kinds.count(Kind.GANG)


@given(flow_descriptions(with_policies=False))
def test_a_join_closes_the_innermost_split_of_its_parents(description: FlowDescription) -> None:
    graph = Graph(description)
    for step in graph:
        if graph[step].is_join:
            opened = set()
            for parent in graph.parents(step):
                assert graph.open_splits(parent)[:-1] == graph.open_splits(step)
                opened.add(graph.open_splits(parent)[-1])
            assert opened == {graph.split_of(step)}


@given(flow_descriptions(with_policies=False))
def test_order_parents_and_descendants_are_those_of_the_graph(
    description: FlowDescription,
) -> None:
    graph, oracle = Graph(description), edges(description)
    assert sorted(graph) == sorted(oracle)
    assert len(graph) == len(oracle)
    for rank, step in enumerate(graph):
        assert graph.rank(step) == rank
        assert all(graph.rank(target) > rank for target in oracle.successors(step))
        assert graph.parents(step) == tuple(sorted(oracle.predecessors(step), key=graph.rank))
        assert graph.descendants(step) == networkx.descendants(oracle, step)


def test_arms_keep_the_order_they_are_written_in() -> None:
    assert list(Graph(SHAPES["split"])) == ["start", "b", "a", "join", "end"]
    assert list(Graph(SHAPES["switch"])) == ["start", "yes", "no", "after", "end"]


def test_branches_count_in_the_order_of_the_targets() -> None:
    graph = Graph(SHAPES["split"])
    assert (graph.branch_of("b", "start"), graph.branch_of("a", "start")) == (0, 1)


def test_a_graph_answers_for_its_flow() -> None:
    graph = Graph(SHAPES["foreach"])
    assert (graph.name, graph.start, graph.end) == ("AnyFlow", "start", "end")
    assert graph.description is SHAPES["foreach"]
    assert "body" in graph
    assert "elsewhere" not in graph
    assert graph["body"].targets == ("tail",)


def test_one_step_is_start_and_end() -> None:
    graph = Graph(SHAPES["single"])
    assert list(graph) == ["start"]
    assert graph.start == graph.end
    assert graph.descendants("start") == frozenset()


def test_a_loop_is_neither_its_own_parent_nor_its_own_descendant() -> None:
    graph = Graph(SHAPES["loop"])
    assert list(graph) == ["start", "turn", "end"]
    assert graph.parents("turn") == ("start",)
    assert graph.descendants("turn") == {"end"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda graph: graph["elsewhere"],
        lambda graph: graph.split_of("body"),
        lambda graph: graph.branch_of("join", "start"),
        lambda graph: graph.open_splits("elsewhere"),
    ],
)
def test_what_a_flow_does_not_have_is_a_key_error(ask: Callable[[Graph], object]) -> None:
    graph = Graph(SHAPES["foreach"])
    with pytest.raises(KeyError):
        ask(graph)


def test_ten_thousand_steps_in_a_row_are_sorted_without_recursion() -> None:
    names = [f"step_{at}" for at in range(10_000)]
    steps = [describe_node(name, Kind.LINEAR, after) for name, after in pairwise(names)]
    graph = Graph(describe_flow(*steps, describe_node(names[-1], Kind.END)))
    assert list(graph) == names
    assert len(graph.descendants(names[0])) == 9_999
