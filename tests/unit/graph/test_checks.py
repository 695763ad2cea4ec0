"""The rules on descriptions, as others make them: without source, and in shapes of any kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flowkit.graph import (
    RULES,
    Case,
    Catch,
    Fault,
    FlowDescription,
    FlowFaults,
    Kind,
    Node,
    ParameterDescription,
    Place,
    Policies,
    check,
)
from flowkit.testing.graphs import SHAPES, describe_node, flow_descriptions

Edges = dict[str, str]
"""Steps and where they go: `a b` splits, `*a` fans out, `?a b` switches; `j+` is a join."""


def flow(edges: Edges) -> FlowDescription:
    nodes = []
    for line, (name, ways) in enumerate(edges.items(), 1):
        targets = tuple(ways.lstrip("*?").split())
        kind = {"*": Kind.FOREACH, "?": Kind.SWITCH}.get(ways[:1])
        kind = kind or (Kind.END, Kind.LINEAR, Kind.SPLIT)[min(len(targets), 2)]
        node = Node(
            name=name.rstrip("+"),
            kind=kind,
            place=Place("flow.py", 10 * line),
            targets=targets,
            is_join=name.endswith("+"),
            foreach="items" if kind is Kind.FOREACH else None,
            condition="answer" if kind is Kind.SWITCH else None,
            cases=tuple(Case(f"to {one}", one) for one in targets) if kind is Kind.SWITCH else (),
        )
        nodes.append(node)
    return FlowDescription(name="F", file="flow.py", start="start", end="end", nodes=tuple(nodes))


def found(description: FlowDescription) -> list[tuple[str, int]]:
    faults = check(description)
    assert all(fault.hint and fault.rule in RULES for fault in faults)
    return [(fault.rule, fault.place.line if fault.place else 0) for fault in faults]


SOUND: list[Edges] = [
    {"start": "end", "end": ""},
    {"start": "a b", "a": "j", "b": "j", "j+": "end", "end": ""},
    {"start": "a b", "a": "end", "b": "end", "end+": ""},
    {"start": "*a", "a": "*b", "b": "j", "j+": "k", "k+": "end", "end": ""},
    {"start": "?a b", "a": "end", "b": "end", "end": ""},
    {"start": "?a end", "a": "end", "end": ""},
    {"start": "?start end", "end": ""},
    {"start": "*a", "a": "?a b j", "b": "j", "j+": "end", "end": ""},
    {"start": "a b", "a": "?x y", "x": "j", "y": "j", "b": "j", "j+": "end", "end": ""},
    {"start": "?a b", "a": "*c", "c": "j", "j+": "b", "b": "end", "end": ""},
    {"start": "a b", "a": "*c", "c": "i", "i+": "j", "b": "j", "j+": "?start2 end",
     "start2": "end", "end": ""},
]  # fmt: skip


@pytest.mark.parametrize("edges", SOUND, ids=str)
def test_sound_flow_has_no_faults(edges: Edges) -> None:
    assert found(flow(edges)) == []


@given(flow_descriptions())
def test_generated_flows_have_no_faults(description: FlowDescription) -> None:
    assert check(description) == []


@given(flow_descriptions(), st.data())
def test_join_that_loses_its_inputs_is_found(
    description: FlowDescription, data: st.DataObject
) -> None:
    joins = [node for node in description.nodes if node.is_join]
    if joins:
        join = data.draw(st.sampled_from(joins))
        nodes = tuple(
            replace(node, is_join=False) if node is join else node for node in description.nodes
        )
        rules = {fault.rule for fault in check(replace(description, nodes=nodes))}
        assert rules & {"inputs-missing", "split-unjoined", "nesting", "join-mixed"}


BROKEN: list[tuple[Edges, list[tuple[str, int]]]] = [
    ({}, [("no-steps", 1)]),
    ({"a": "", "b": "a"}, [("start-missing", 1), ("end-missing", 1)]),
    ({"start": "gone", "end": ""}, [("target-unknown", 10)]),
    ({"start": "", "end": ""}, [("next-missing", 10)]),
    ({"start": "end", "end": "start"}, [("end-hands-over", 20)]),
    ({"start": "a", "a": "a end", "end": ""}, [("cycle", 20)]),
    ({"start": "a", "a": "?b end", "b": "?a b", "end": ""}, [("cycle", 30)]),
    ({"start": "a b", "a": "start", "b": "a", "end": ""}, [("cycle", 20)]),
    ({"start": "end", "a": "b", "b": "end", "end": ""}, [("orphan", 20), ("orphan", 30)]),
    ({"start": "a", "a": "?a", "end": ""}, [("end-unreachable", 20)]),
    ({"start": "a end", "a": "end", "end": ""}, [("inputs-missing", 30)]),
    ({"start": "end", "end+": ""}, [("join-without-split", 20)]),
    ({"start": "*a", "a": "end", "end": ""}, [("split-unjoined", 10)]),
    ({"start": "*a", "a": "*b", "b": "end", "end+": ""}, [("split-unjoined", 10)]),
    ({"start": "a b", "a": "j", "b": "end", "j+": "end", "end+": ""},
     [("join-uneven", 40)]),
    ({"start": "a b", "a": "?j k", "b": "?j k", "j+": "end", "k+": "end", "end": ""},
     [("join-twice", 50)]),
    ({"start": "a b", "a": "c d", "b": "j", "c": "j", "d": "j", "j+": "end", "end": ""},
     [("join-mixed", 60)]),
    ({"start": "a b", "a": "*c", "b": "*d", "c": "j", "d": "j", "j+": "end", "end": ""},
     [("join-mixed", 60)]),
    ({"start": "?a b", "a": "*c", "b": "c", "c": "end", "end": ""}, [("nesting", 40)]),
    ({"start": "*end", "end+": ""}, [("branch-empty", 10)]),
    ({"start": "a end", "a": "end", "end+": ""}, [("branch-empty", 10)]),
]  # fmt: skip


@pytest.mark.parametrize(("edges", "faults"), BROKEN, ids=str)
def test_fault_is_told_once_and_what_follows_from_it_is_not(
    edges: Edges, faults: list[tuple[str, int]]
) -> None:
    assert found(flow(edges)) == faults


SEVERAL: list[tuple[Edges, list[tuple[str, int]]]] = [
    # A circle hides neither what cannot be reached nor what is not joined.
    ({"start": "a", "a": "?start b", "b": "c d", "c": "end", "d": "end", "lonely": "end",
      "end": ""},
     [("cycle", 20), ("orphan", 60), ("inputs-missing", 70)]),
    ({"start": "a", "a": "b", "b": "a", "lonely": "end", "end": ""},
     [("cycle", 30), ("orphan", 40)]),
    ({"start": "a b", "a": "c", "c": "a", "b": "j", "j+": "*d", "d": "end", "end": ""},
     [("cycle", 30), ("split-unjoined", 50)]),
    ({"start": "a b", "a": "j", "b": "j", "j+": "?start c", "c": "*d", "d": "end", "end": ""},
     [("cycle", 40), ("split-unjoined", 50)]),
    ({"start": "end", "a": "b", "b": "a", "end": ""},
     [("cycle", 30), ("orphan", 20), ("orphan", 30)]),
    # A name that is close to a step's is taken for it.
    ({"start": "trian", "train": "c d", "c": "end", "d": "end", "lonely": "end", "end": ""},
     [("target-unknown", 10), ("orphan", 50), ("inputs-missing", 60)]),
    ({"start": "?midle end", "middle": "start", "end": ""}, [("target-unknown", 10)]),
    ({"start": "a trian", "a": "j", "train": "j", "j+": "end", "end": ""},
     [("target-unknown", 10)]),
    ({"start": "trian", "train+": "end", "end": ""}, [("target-unknown", 10)]),
    # Any other might lead anywhere: to steps that nothing else leads to, and to any join.
    ({"start": "gone", "lonely": "end", "end": ""}, [("target-unknown", 10)]),
    ({"start": "a b", "a": "j", "b": "gone", "j+": "*c", "c": "end", "end": ""},
     [("target-unknown", 30), ("split-unjoined", 40)]),
    ({"start": "a gone", "a": "j", "j+": "end", "end": "", "b": "?b"},
     [("target-unknown", 10), ("end-unreachable", 50)]),
    ({"start": "end", "lonely": "gone", "other": "end", "end": ""},
     [("target-unknown", 20), ("orphan", 20), ("orphan", 30)]),
    ({"start": "", "a": "b", "b": "?a end", "end": ""}, [("next-missing", 10), ("cycle", 30)]),
    # A missing start or end hides what does not depend on it.
    ({"strat": "c d", "c": "end", "d": "end", "end": ""},
     [("start-missing", 1), ("inputs-missing", 40)]),
    ({"first": "a", "a": "?b finish", "b": "a", "finish": ""},
     [("start-missing", 1), ("end-missing", 1), ("cycle", 30)]),
    ({"start": "a", "a": "end", "b": ""},
     [("end-missing", 1), ("next-missing", 30), ("orphan", 30)]),
    ({"start": "a", "a": "", "b": ""},
     [("end-missing", 1), ("next-missing", 20), ("next-missing", 30)]),
    # What the end hands over to may not be meant.
    ({"start": "end", "end": "a", "a": "start"}, [("end-hands-over", 20)]),
    ({"start": "?", "end": ""}, [("switch-cases", 10)]),
]  # fmt: skip


@pytest.mark.parametrize(("edges", "faults"), SEVERAL, ids=str)
def test_several_faults_are_told_together(edges: Edges, faults: list[tuple[str, int]]) -> None:
    assert found(flow(edges)) == faults


def test_faults_of_one_step_are_told_with_those_of_the_whole_flow() -> None:
    caught = [Policies(catch=Catch(var)) for var in ("index", "end", "data")]
    start, loop, a, b, upper, *others = flow(
        {"start": "*loop b", "loop": "?loop", "a-b": "b", "input": "a-b", "B": "end", "b+": "?b B",
         "end": ""}
    ).nodes  # fmt: skip
    twice = replace(loop, condition=None, cases=(Case("1", "loop"), Case("1", "loop")))
    nodes = [
        replace(start, policies=caught[0]),
        twice,
        replace(a, policies=caught[1]),
        replace(b, policies=caught[2]),
        upper,
        *others,
    ]
    description = replace(flow({}), name="no name", nodes=tuple(nodes))
    rules = {
        "flow-name", "name-reserved", "step-name", "name-clash", "catch-misplaced",
        "foreach-target", "branch-empty", "switch-condition", "switch-cases", "loop-misplaced",
        "end-unreachable",
    }  # fmt: skip
    assert {rule for rule, _ in found(description)} == rules


def test_step_that_may_be_a_join_or_none_hides_only_what_depends_on_it() -> None:
    description = flow({"start": "a b", "a": "j", "b": "j", "j": "*c", "c": "end", "end": ""})
    assert check(description, unclear=["j"]) == []
    alone = flow({"start": "end", "a": "b", "b": "end", "lonely": "end", "end": ""})
    assert [fault.rule for fault in check(alone, unclear=["a"])] == ["orphan"]


def test_faults_point_at_self_next_if_its_place_is_known() -> None:
    description = flow({"start": "gone", "end": ""})
    (fault,) = check(description, calls={"start": Place("flow.py", 13)})
    assert fault.place == Place("flow.py", 13)


def test_missing_steps_point_at_the_class_if_its_place_is_known() -> None:
    faults = check(flow({"a": "b", "b": ""}), place=Place("flow.py", 5))
    assert [fault.place for fault in faults] == [Place("flow.py", 5)] * 2


def test_step_that_could_not_be_read_hides_what_depends_on_it() -> None:
    description = flow({"start": "", "a": "end", "end": ""})
    assert check(description, unread=["start"]) == []
    assert found(description) == [("next-missing", 10)]


def test_cycle_is_named_step_by_step() -> None:
    description = flow({"start": "a", "a": "b", "b": "c", "c": "?a end", "end": ""})
    (fault,) = check(description)
    assert "`a` -> `b` -> `c` -> `a`" in fault.message


def test_names_are_compared_with_parameters_and_constants() -> None:
    description = replace(
        flow({"start": "a", "a": "b", "b": "end", "end": ""}),
        parameters=(ParameterDescription(name="x", attribute="a", type_name="int"),),
        constants=("b",),
    )
    assert found(description) == [("name-clash", 20), ("name-clash", 30)]


@pytest.mark.parametrize("kind", [Kind.LINEAR, Kind.SPLIT, Kind.END])
def test_catch_is_allowed_where_the_way_on_is_known(kind: Kind) -> None:
    edges = {"start": "a b", "a": "j", "b": "j", "j+": "end", "end": ""}
    nodes = tuple(
        replace(node, policies=Policies(catch=Catch("oops"))) if node.kind is kind else node
        for node in flow(edges).nodes
    )
    assert check(replace(flow(edges), nodes=nodes)) == []


@pytest.mark.parametrize("ways", ["*a", "?a end"])
def test_catch_is_a_fault_where_the_way_on_would_be_unknown(ways: str) -> None:
    end = "end+" if ways == "*a" else "end"
    description = flow({"start": ways, "a": "end", end: ""})
    first, *others = description.nodes
    caught = replace(first, policies=Policies(catch=Catch()))
    assert found(replace(description, nodes=(caught, *others))) == [("catch-misplaced", 10)]


def test_long_chain_is_checked_without_recursion() -> None:
    edges = {f"s{at}": f"s{at + 1}" for at in range(5000)}
    assert found(flow({"start": "s0", **edges, "s5000": "end", "end": ""})) == []


def test_error_lists_all_faults_by_place() -> None:
    late = Fault("orphan", "later", "do this", place=Place("b.py", 3))
    early = Fault("cycle", "first", "do that", place=Place("b.py", 2))
    other = Fault("nesting", "in another file", "go there", place=Place("a.py", 9))
    nowhere = Fault("no-steps", "anywhere", "look around")
    error = FlowFaults("F", [late, early, other, nowhere], file="b.py")
    assert error.faults == (nowhere, other, early, late)
    assert error.message.splitlines() == [
        "flow `F` has 4 faults",
        "anywhere",
        "    hint: look around",
        "a.py:9: in another file",
        "    hint: go there",
        "b.py:2: first",
        "    hint: do that",
        "b.py:3: later",
        "    hint: do this",
    ]
    assert FlowFaults("F", [late]).message.startswith("flow `F` has 1 fault\n")


def gang(**changes: Node | None) -> FlowDescription:
    """Return a flow with a gang, some of its steps changed or left out."""
    flow = SHAPES["gang"]
    nodes = [changes.get(node.name, node) for node in flow.nodes]
    return replace(flow, nodes=tuple(node for node in nodes if node is not None))


def nodes_of(description: FlowDescription) -> dict[str, Node]:
    return {node.name: node for node in description.nodes}


class TestGangs:
    START, TRAIN, _, _ = SHAPES["gang"].nodes

    def test_a_gang_is_sound(self) -> None:
        assert check(gang()) == []

    def test_its_step_is_marked(self) -> None:
        unmarked = replace(self.TRAIN, policies=Policies())
        assert found(gang(train=unmarked)) == [("parallel-missing", 1)]

    def test_no_other_step_is_marked(self) -> None:
        flow = SHAPES["linear"]
        marked = replace(nodes_of(flow)["middle"], policies=Policies(parallel=True))
        nodes = tuple(marked if node.name == "middle" else node for node in flow.nodes)
        assert found(replace(flow, nodes=nodes)) == [("parallel-misplaced", 1)]

    def test_it_hands_over_to_a_join(self) -> None:
        unjoined = replace(self.TRAIN, targets=("tidy",))
        flow = gang(train=unjoined)
        tidy = describe_node("tidy", Kind.LINEAR, "join")
        assert found(replace(flow, nodes=(*flow.nodes, tidy))) == [("gang-unjoined", 1)]

    def test_it_leads_to_one_step(self) -> None:
        other = replace(self.TRAIN, name="other")
        flow = gang(start=replace(self.START, targets=("train", "other")))
        assert found(replace(flow, nodes=(*flow.nodes, other))) == [("foreach-target", 1)]

    def test_what_cannot_be_known_of_it_is_not_told(self) -> None:
        silent = replace(self.TRAIN, targets=())
        assert found(gang(train=silent)) == [("next-missing", 1)]
        assert [one.rule for one in check(gang(train=silent), unread={"train"})] == []
        lost = replace(self.TRAIN, targets=("nowhere",))
        assert found(gang(train=lost)) == [("target-unknown", 1)]

    def test_catch_could_not_say_how_large_it_is(self) -> None:
        catching = replace(self.START, policies=Policies(catch=Catch()))
        (fault,) = check(gang(start=catching))
        assert (fault.rule, "`num_parallel` would be unknown" in fault.message) == (
            "catch-misplaced",
            True,
        )
