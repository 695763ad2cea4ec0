"""A flow as text, DOT and JSON."""

from __future__ import annotations

import re

import msgspec
from hypothesis import given
from msgspec.structs import replace

from flowkit.graph import (
    Case,
    Catch,
    FlowDescription,
    Kind,
    Node,
    ParameterDescription,
    Place,
    Policies,
    Resources,
    Retry,
    Timeout,
    to_dot,
    to_json,
    to_text,
)
from flowkit.testing.graphs import SHAPES, flow_descriptions


def node(name: str, kind: Kind, *targets: str, **more: object) -> Node:
    return replace(Node(name=name, kind=kind, place=Place("m.py", 1), targets=targets), **more)  # type: ignore[arg-type]


MATCH = FlowDescription(
    name="Match",
    file="match.py",
    start="start",
    end="end",
    doc="Match titles.\n\nAnd more.",
    constants=("limit",),
    parameters=(
        ParameterDescription(
            name="alpha", attribute="alpha", type_name="float", help="how fast", default="0.5"
        ),
        ParameterDescription(
            name="mode", attribute="mode", type_name="Mode", choices=("A", "B"), required=True
        ),
        ParameterDescription(name="day", attribute="day", type_name="date", computed=True),
        ParameterDescription(name="words", attribute="words", type_name="path"),
    ),
    nodes=(
        node("end", Kind.END, doc="Print."),
        node("start", Kind.FOREACH, "look", foreach="shards", doc="Read.\n\nAll of it."),
        node(
            "look",
            Kind.SWITCH,
            "keep",
            "split",
            "look",
            "gather",
            condition="quality",
            cases=(
                Case("good", "keep"),
                Case("bad", "split"),
                Case("worse", "split"),
                Case("again", "look"),
                Case("skip", "gather"),
            ),
            policies=Policies(
                retry=Retry(2), timeout=Timeout(60), resources=Resources(2, 100, 1), concurrency=3
            ),
        ),
        node("keep", Kind.LINEAR, "gather"),
        node("split", Kind.SPLIT, "left", "right"),
        node("left", Kind.LINEAR, "both"),
        node("right", Kind.LINEAR, "both", policies=Policies(catch=Catch())),
        node("both", Kind.LINEAR, "gather", is_join=True),
        node(
            "gather", Kind.LINEAR, "end", is_join=True, policies=Policies(catch=Catch("oops"))
        ),
    ),
)  # fmt: skip

TEXT = """\
flow Match (match.py)
  Match titles.

parameters
  --alpha float  = 0.5     how fast
  --mode A|B     required
  --day date     computed
  --words path

steps
  start           Read.
  → for each of shards
     look         [retry 2 times]  [timeout 60 s]  [2 cpu, 100 MB, 1 gpu]  [3 at once]
     → if quality is 'good'
        keep
     → if quality is 'bad' or 'worse'
        split
        → branch 1 of 2
           left
        → branch 2 of 2
           right  [catch]
        both      [joins split]
     → if quality is 'again', to look
     → if quality is 'skip', to gather
  gather          [joins start]  [catch oops]
  end             Print.
"""


def test_text_shows_the_flow_as_it_runs() -> None:
    assert to_text(MATCH) == TEXT


def test_step_where_only_some_arms_meet_is_drawn_once() -> None:
    switch = {"condition": "x", "cases": (Case("1", "a"), Case("2", "b"))}
    inner = {"condition": "x", "cases": (Case("1", "b"), Case("2", "end"))}
    description = replace(
        MATCH,
        parameters=(),
        doc="",
        nodes=(
            node("start", Kind.SWITCH, "a", "b", **switch),
            node("a", Kind.SWITCH, "b", "end", **inner),
            node("b", Kind.LINEAR, "end"),
            node("end", Kind.END),
        ),
    )
    assert to_text(description) == (
        "flow Match (match.py)\n\nsteps\n"
        "  start\n"
        "  → if x is '1'\n"
        "     a\n"
        "     → if x is '1'\n"
        "        b\n"
        "     → if x is '2', to end\n"
        "  → if x is '2', to b\n"
        "  end\n"
    )


@given(flow_descriptions())
def test_text_has_every_step_once(description: FlowDescription) -> None:
    _, _, steps = to_text(description).partition("\nsteps\n")
    drawn = re.findall(r"^ +(\w+)(?:  |$)", steps, re.M)
    assert sorted(drawn) == sorted(one.name for one in description.nodes)


@given(flow_descriptions())
def test_dot_has_every_step_and_every_way(description: FlowDescription) -> None:
    dot = to_dot(description)
    assert re.findall(r'^  "(\w+)" \[', dot, re.M) == [one.name for one in description.nodes]
    assert re.findall(r'^  "(\w+)" -> "(\w+)"', dot, re.M) == [
        (one.name, target) for one in description.nodes for target in one.targets
    ]


def test_dot_labels_are_quoted() -> None:
    switch = node(
        "start",
        Kind.SWITCH,
        "end",
        condition="x",
        cases=(Case('say "no"\\', "end"), Case("two\nlines", "end")),
        doc='A "start".',
    )
    dot = to_dot(replace(MATCH, nodes=(switch, node("end", Kind.END))))
    assert '"start" [label="start", shape=diamond, tooltip="A \\"start\\"."];' in dot
    assert '"start" -> "end" [label="say \\"no\\"\\\\, two\\nlines"];' in dot


def test_dot_shows_what_a_foreach_runs_over() -> None:
    dot = to_dot(MATCH)
    assert '"start" [label="start", peripheries=2' in dot
    assert '"start" -> "look" [label="shards"];' in dot
    assert '"keep" -> "gather";' in dot


def test_json_has_a_schema_and_all_of_the_flow() -> None:
    found = msgspec.json.decode(to_json(MATCH))
    assert found["schema"] == "flowkit.graph/1"
    assert (found["flow"], found["start"], found["end"]) == ("Match", "start", "end")
    assert found["constants"] == ["limit"]
    assert [one["name"] for one in found["parameters"]] == ["alpha", "mode", "day", "words"]
    look = {one["name"]: one for one in found["steps"]}["look"]
    assert (look["kind"], look["condition"]) == ("switch", "quality")
    assert look["next"] == ["keep", "split", "look", "gather"]
    assert look["cases"][0] == {"value": "good", "target": "keep"}
    assert look["policies"]["retry"] == {"times": 2, "delay_s": 120.0}
    assert look["place"] == "m.py:1"
    assert [one["name"] for one in found["steps"]] == [one.name for one in MATCH.nodes]


def test_json_is_the_same_for_the_same_flow() -> None:
    assert to_json(MATCH) == to_json(replace(MATCH))


def test_a_gang_is_drawn_with_its_size() -> None:
    flow = SHAPES["gang_in_foreach"]
    assert to_text(flow).endswith(
        """\
steps
  start
  → for each of items
     open
     → as a gang of self.nodes
        train  [parallel]
     gather    [joins open]
  join         [joins start]
  end
"""
    )
    dot = to_dot(flow)
    assert '"open" [label="open", peripheries=2];' in dot
    assert '"open" -> "train" [label="self.nodes"];' in dot
    steps = {one["name"]: one for one in msgspec.json.decode(to_json(flow))["steps"]}
    assert (steps["open"]["kind"], steps["open"]["num_parallel"]) == ("gang", "self.nodes")
    assert steps["train"]["policies"]["parallel"] is True
