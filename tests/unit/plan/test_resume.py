"""What of an earlier run still holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flowkit.errors import NotFound, UsageError
from flowkit.graph import (
    FlowDescription,
    Graph,
    Kind,
    Node,
    Place,
    Policies,
    Retry,
)
from flowkit.plan import reusable
from flowkit.testing.graphs import SHAPES, describe_node, flow_descriptions
from flowkit.values import Digest, Outcome, TaskKey

MANIFEST = Digest(bytes(range(32)))
OLD = SHAPES["loop_in_foreach"]
FINISHED = {
    TaskKey("start"): Outcome(manifest=MANIFEST, width=2),
    TaskKey("turn", (0,)): Outcome(manifest=MANIFEST, choice="turn"),
    TaskKey("turn", (0,), 1): Outcome(manifest=MANIFEST, choice="leave"),
    TaskKey("leave", (0,)): Outcome(manifest=MANIFEST),
    TaskKey("leave", (1,)): Outcome(manifest=MANIFEST),
}


def changed(description: FlowDescription, **nodes: Node | None) -> FlowDescription:
    """Replace some nodes of a flow, or take them out."""
    kept = [nodes.get(node.name, node) for node in description.nodes]
    return replace(description, nodes=tuple(node for node in kept if node is not None))


def steps_of(outcomes: object) -> set[str]:
    assert isinstance(outcomes, dict)
    return {key.step for key in outcomes}


def test_all_that_finished_holds_for_the_same_flow() -> None:
    plan = reusable(OLD, OLD, FINISHED)
    assert plan.reusable == FINISHED
    assert plan.reasons == {}


def test_places_and_policies_and_words_may_change() -> None:
    leave = Graph(OLD)["leave"]
    other = replace(
        leave, place=Place("other.py", 99), policies=Policies(retry=Retry()), doc="New words."
    )
    assert reusable(OLD, changed(OLD, leave=other), FINISHED).reusable == FINISHED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"code": "other"}, "code changed"),
        ({"kind": Kind.SPLIT}, "hands over differently"),
        ({"targets": ("join", "end")}, "hands over differently"),
        ({"foreach": "things"}, "hands over differently"),
        ({"condition": "answer"}, "hands over differently"),
        ({"is_join": True}, "hands over differently"),
        ({"code": "other", "condition": "answer"}, "hands over differently"),
    ],
)
def test_a_step_that_changed_runs_anew(change: dict[str, object], reason: str) -> None:
    # The flow that is compared with need not be valid: it ran, or it did not.
    old = changed(OLD, leave=replace(Graph(OLD)["leave"], **change))  # type: ignore[arg-type]
    plan = reusable(old, OLD, FINISHED)
    assert plan.reasons == {"leave": reason}
    assert steps_of(plan.reusable) == {"start", "turn"}
    assert plan.reusable.items() <= FINISHED.items()


def test_mending_a_step_loses_none_of_its_tasks_that_succeeded() -> None:
    old = changed(OLD, leave=replace(Graph(OLD)["leave"], code="before"))
    plan = reusable(old, OLD, FINISHED, unfinished=["leave"])
    assert plan.reusable == FINISHED
    assert plan.reasons == {}
    assert plan.mended == ("leave",)


def test_mending_a_step_of_which_nothing_succeeded_is_not_worth_telling() -> None:
    old = changed(OLD, leave=replace(Graph(OLD)["leave"], code="before"))
    finished = {key: outcome for key, outcome in FINISHED.items() if key.step != "leave"}
    plan = reusable(old, OLD, finished, unfinished=["leave"])
    assert (plan.reusable, plan.reasons, plan.mended) == (finished, {}, ())


def test_a_mended_step_that_is_named_runs_anew() -> None:
    old = changed(OLD, turn=replace(Graph(OLD)["turn"], code="before"))
    plan = reusable(old, OLD, FINISHED, from_step="turn", unfinished=["turn"])
    assert plan.mended == ()
    assert "turn" in plan.reasons


def test_a_step_that_hands_over_differently_runs_anew_even_if_it_was_cut_off() -> None:
    leave = replace(Graph(OLD)["leave"], targets=("elsewhere",), code="before")
    old = changed(OLD, leave=leave)
    assert "leave" in reusable(old, OLD, FINISHED, unfinished=["leave"]).reasons


def test_a_step_that_names_a_changed_constant_runs_anew_or_was_mended_by_it() -> None:
    flow = changed(
        OLD,
        turn=replace(Graph(OLD)["turn"], constants=("LIMIT", "RATE")),
        leave=replace(Graph(OLD)["leave"], constants=("SIZE",)),
    )
    plan = reusable(flow, flow, FINISHED, changed_constants=["RATE"])
    assert plan.reasons == {"turn": "constant `RATE` changed"}
    mended = reusable(flow, flow, FINISHED, changed_constants=["SIZE"], unfinished=["leave"])
    assert (mended.reusable, mended.mended) == (FINISHED, ("leave",))
    assert reusable(flow, flow, FINISHED, changed_constants=["OTHER"]).reasons == {}
    both = replace(Graph(flow)["turn"], code="before")
    assert reusable(
        changed(flow, turn=both), flow, FINISHED, changed_constants=["RATE"]
    ).reasons == {"turn": "code changed"}


def test_a_new_step_runs_and_tasks_of_one_that_is_gone_are_left_out() -> None:
    node = describe_node
    renamed = changed(
        OLD,
        turn=node("turn", Kind.SWITCH, "turn", "depart"),
        leave=node("depart", Kind.LINEAR, "join"),
    )
    plan = reusable(OLD, renamed, FINISHED)
    assert plan.reasons == {"turn": "hands over differently", "depart": "new step"}
    assert steps_of(plan.reusable) == {"start"}


def test_the_named_step_and_all_behind_it_run_anew() -> None:
    plan = reusable(OLD, OLD, FINISHED, from_step="turn")
    assert plan.reasons == {
        "turn": "named on the command line",
        "leave": "comes after `turn`",
        "join": "comes after `turn`",
        "end": "comes after `turn`",
    }
    assert list(plan.reasons) == ["turn", "leave", "join", "end"]
    assert plan.reusable == {TaskKey("start"): FINISHED[TaskKey("start")]}


def test_a_step_beside_the_named_one_holds() -> None:
    split = SHAPES["split"]
    finished = {TaskKey(step): Outcome(manifest=MANIFEST) for step in ("start", "a", "b", "join")}
    plan = reusable(split, split, finished, from_step="a")
    assert steps_of(plan.reusable) == {"start", "b"}


def test_an_unknown_step_is_the_callers_mistake_and_near_names_are_told() -> None:
    with pytest.raises(NotFound) as raised:
        reusable(OLD, OLD, FINISHED, from_step="leaf")
    assert isinstance(raised.value, UsageError)
    assert "`leave`" in (raised.value.hint or "")
    assert "`join`" not in (raised.value.hint or "")


def test_without_a_near_name_all_steps_are_told() -> None:
    with pytest.raises(NotFound) as raised:
        reusable(OLD, OLD, FINISHED, from_step="qqqqqqqq")
    assert all(f"`{step}`" in (raised.value.hint or "") for step in Graph(OLD))


@given(flow_descriptions(with_policies=False), st.data())
def test_nothing_that_depends_on_the_named_step_holds(
    description: FlowDescription, data: st.DataObject
) -> None:
    graph = Graph(description)
    step = data.draw(st.sampled_from(list(graph)))
    finished = {TaskKey(one): Outcome(manifest=MANIFEST) for one in graph}
    plan = reusable(description, description, finished, from_step=step)
    anew = {step, *graph.descendants(step)}
    assert steps_of(plan.reusable) == set(graph) - anew
    assert list(plan.reasons) == [one for one in graph if one in anew]
