"""What a task depends on, and what it leaves if an earlier one stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from flowkit.graph import Catch, FlowDescription, Kind, Node, ParameterDescription, Policies, Reach
from flowkit.plan import Fingerprints, TaskSight, are_equal, composed, differences
from flowkit.testing.graphs import describe_flow, describe_node
from flowkit.values import ArtifactEntry, Digest, Fingerprint, Frame, Manifest, TaskKey


def digest(text: str) -> Digest:
    return Digest(text.encode().ljust(32, b"."))


def entry(value: str) -> ArtifactEntry:
    return ArtifactEntry(tag="json", type_name="str", digest=digest(value), parts=())


def entries(**values: str) -> dict[str, ArtifactEntry]:
    return {name: entry(value) for name, value in values.items()}


NODE = replace(
    describe_node("work", Kind.LINEAR, "end"),
    reach=Reach(names=("alpha", "x", "input"), is_open=False, packages=("numpy",)),
)
OUTER = Frame("fan", 3, 9, digest("outer items"))
INNER = Frame("work", 1, 5, digest("inner items"))


def flow(node: Node, **changes: Any) -> FlowDescription:
    described = describe_flow(node, describe_node("end", Kind.END))
    parameters = (ParameterDescription(name="alpha", attribute="alpha", type_name="int"),)
    given = {"parameters": parameters, "python": "3.12", "versions": (("numpy", "2"),)}
    return replace(described, **{**given, **changes})


def told(
    node: Node = NODE,
    *,
    constants: Mapping[str, str] | None = None,
    inputs: list[dict[str, ArtifactEntry]] | None = None,
    frames: tuple[Frame, ...] = (OUTER, INNER),
    joined: Frame | None = None,
    element: str | None = "element",
    key: TaskKey | None = None,
    **changes: Any,
) -> Fingerprint | None:
    constants = constants or {"alpha": "3", "beta": "5"}
    prints = Fingerprints(flow(node, **changes), entries(**constants))
    given = inputs if inputs is not None else [entries(x="1", y="2")]
    named = digest(element) if element else None
    return prints.of(
        TaskSight(
            key=key or TaskKey("work", (3, 1)),
            inputs=iter(given),
            input_steps=("fan",),
            frames=frames,
            joined=joined,
            element=lambda frame: named,
            elements=lambda frame: named,
        )
    )


def changed(**given: Any) -> set[str]:
    """Return the components that differ from those of the task as it is by default."""
    before, after = told(), told(**given)
    assert before is not None
    assert after is not None
    found = differences(before.components, after.components)
    assert bool(found) is (before.digest != after.digest)
    return {f"{one.kind}:{one.name}".rstrip(":") for one in found}


@pytest.mark.parametrize(
    ("given", "components"),
    [
        ({"constants": {"alpha": "4", "beta": "5"}}, {"parameter:alpha"}),
        ({"constants": {"alpha": "3", "beta": "6"}}, set()),
        ({"inputs": [entries(x="7", y="2")]}, {"artifact:x"}),
        ({"inputs": [entries(x="1", y="7")]}, set()),
        ({"inputs": [entries(y="2")]}, {"artifact:x"}),
        ({"element": "another"}, {"element"}),
        ({"frames": (OUTER, replace(INNER, index=4, width=7))}, set()),
        ({"key": TaskKey("work", (0, 0))}, set()),
        ({"node": replace(NODE, code="another code")}, {"code"}),
        ({"python": "3.13"}, {"python"}),
        ({"versions": (("numpy", "3"),)}, {"package:numpy"}),
        ({"versions": (("numpy", "2"), ("torch", "3"))}, set()),
        ({"node": replace(NODE, policies=Policies(variables=(("A", "1"),)))}, {"variable:A"}),
        ({"node": replace(NODE, policies=Policies(catch=Catch(var="failure")))}, {"catch"}),
        ({"node": replace(NODE, policies=Policies(concurrency=3))}, set()),
    ],
)
def test_a_fingerprint_changes_with_what_the_task_can_see(
    given: dict[str, Any], components: set[str]
) -> None:
    assert changed(**given) == components


def test_a_step_of_which_more_is_read_than_shows_depends_on_all() -> None:
    is_open = replace(NODE, reach=Reach(is_open=True))
    base = told(is_open)
    assert base is not None
    for given in (
        {"constants": {"alpha": "3", "beta": "6"}},
        {"inputs": [entries(x="1", y="7")]},
        {"frames": (replace(OUTER, index=4), INNER)},
        {"key": TaskKey("work", (4, 1))},
    ):
        other = told(is_open, **given)
        assert other is not None
        assert other.digest != base.digest


def test_a_join_depends_on_all_its_inputs_in_order() -> None:
    join = replace(NODE, is_join=True)
    one, two = entries(a="1"), entries(a="2")
    given: list[list[dict[str, ArtifactEntry]]] = [
        [one, two],
        [two, one],
        [one],
        [one, two, two],
        [{}, {}],
    ]
    found = [told(join, inputs=inputs, joined=INNER, frames=(OUTER,)) for inputs in given]
    assert len({print_.digest for print_ in found if print_ is not None}) == 5


def test_what_cannot_be_told_has_no_fingerprint() -> None:
    assert told(replace(NODE, code="")) is None
    assert told(element=None) is None
    assert told(element=None, frames=()) is not None


def test_what_a_step_fans_out_over_and_switches_on_is_read() -> None:
    reach = Reach(is_open=False)
    for node in (
        replace(NODE, reach=reach, foreach="x"),
        replace(NODE, reach=reach, condition="x"),
    ):
        found = told(node)
        assert found is not None
        assert "artifact:x" in found.components


def test_a_clone_leaves_its_own_artifacts_over_what_is_inherited_today() -> None:
    old = Manifest(
        artifacts=entries(alpha="old", own="1", note="old"), own=("own",), dropped=("gone",)
    )
    left = composed(
        old, inherited=entries(note="new", gone="x", own="0"), constants=entries(alpha="new")
    )
    assert left == entries(alpha="new", own="1", note="new")
    assert not are_equal(left, old.artifacts)


@pytest.mark.parametrize(
    "old", [Manifest(), Manifest(artifacts=entries(alpha="1"), own=("alpha",))]
)
def test_a_manifest_that_does_not_tell_stands_for_nothing(old: Manifest) -> None:
    assert composed(old, inherited={}, constants=entries(alpha="1")) is None


def test_a_join_keeps_what_it_took_over() -> None:
    old = Manifest(artifacts=entries(alpha="old", own="1", taken="2", lost="3"), own=("own",))
    left = composed(old, inherited={}, constants=entries(alpha="new"), taken=["taken"])
    assert left == entries(alpha="new", own="1", taken="2")


def test_a_node_of_a_gang_depends_on_which_it_is_and_of_how_many() -> None:
    opener = describe_node("open", Kind.GANG, "work")
    gang = Frame("open", 1, 5, digest("nodes"))

    def of_node(frame: Frame, *names: str) -> Fingerprint:
        node = replace(NODE, reach=replace(NODE.reach, names=names))
        described = describe_flow(opener, node, describe_node("end", Kind.END))
        found = told(node, frames=(OUTER, frame), nodes=described.nodes)
        assert found is not None
        return found

    which = [gang, replace(gang, index=2), replace(gang, width=6)]
    assert len({of_node(frame, "x").digest for frame in which}) == 3
    # The element is that of the foreach around the gang.
    assert "element" in of_node(gang, "x", "input").components
    assert "index" in of_node(gang, "x", "index").components
