"""Shapes of flows, and the tasks that are due of each: found by walking it, without flowkit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Trail: TypeAlias = list["str | Trail"]
"""The steps up to a task, one after the other; those of a join's inputs are lists in the list."""


@dataclass(frozen=True, slots=True)
class To:
    """`self.next(self.a)`, or with several a static branch."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """`self.next(self.a, foreach=...)` over some items."""

    step: str
    items: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Gang:
    """`self.next(self.a, num_parallel=size)`."""

    step: str
    size: int


@dataclass(frozen=True, slots=True)
class Switch:
    """`self.next({...}, condition=...)`, where the keys are taken one after the other.

    `by` says what moves on: the split's index, or how often the step was passed.
    """

    arms: dict[str, str]
    keys: tuple[str, ...]
    by: Literal["index", "passes"] | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A step: where it goes, and whether it joins."""

    name: str
    next: To | Each | Gang | Switch | None
    joins: bool = False

    @property
    def goes_one_way(self) -> bool:
        """Whether the step that follows is known without running this one, so `@catch` can."""
        return self.next is None or isinstance(self.next, To)


@dataclass(frozen=True, slots=True)
class Due:
    """A task that has to be there: its fans from the outermost, and what it has passed."""

    step: str
    path: tuple[int, ...]
    stack: tuple[tuple[int, int, object], ...]
    trail: Trail
    inputs: tuple[Due, ...] = ()
    """For a join: the tasks that it joins, in the order of the split."""

    @property
    def iteration(self) -> int:
        """How often the step has been passed before, in a loop."""
        return self.trail.count(self.step) - 1


@dataclass(frozen=True, slots=True)
class Shape:
    """A graph of steps."""

    name: str
    nodes: dict[str, Node]

    def __str__(self) -> str:
        return self.name.replace(" ", "_")

    def has(self, kind: type) -> bool:
        """Tell whether a step of the shape goes on in this way."""
        return any(isinstance(node.next, kind) for node in self.nodes.values())

    def is_gang(self, step: str) -> bool:
        """Tell whether a step is run by the members of a gang."""
        ways = [one.next for one in self.nodes.values()]
        return any(isinstance(way, Gang) and way.step == step for way in ways)

    @property
    def splits(self) -> list[Node]:
        """The steps after which there are several ways at once."""
        return [one for one in self.nodes.values() if _is_split(one)]

    @property
    def joins(self) -> list[Node]:
        """The steps that join."""
        return [one for one in self.nodes.values() if one.joins]

    def due(self) -> list[Due]:
        """Return the tasks that have to be there."""
        tasks: list[Due] = []
        self._follow("start", Due("", (), (), []), tasks)
        return tasks

    def _follow(self, name: str, before: Due, tasks: list[Due]) -> tuple[str, Due]:
        """Walk from a step to the join of the way it is on, or past the end: `("", ...)`."""
        while True:
            node = self.nodes[name]
            here = replace(before, step=name, trail=[*before.trail, name])
            tasks.append(here)
            if _is_split(node):
                ends = [self._follow(step, one, tasks) for step, one in _ways(node, here)]
                name = ends[0][0]
                inputs = tuple(end for _, end in ends)
                before = replace(here, trail=[one.trail for one in inputs], inputs=inputs)
                continue
            name, before = _following(node, here), replace(here, inputs=())
            if not name or self.nodes[name].joins:
                return name, here


def _is_split(node: Node) -> bool:
    return isinstance(node.next, Each | Gang) or (
        isinstance(node.next, To) and len(node.next.steps) > 1
    )


def _ways(node: Node, here: Due) -> Iterator[tuple[str, Due]]:
    match node.next:
        case To(steps):
            for step in steps:
                yield step, replace(here, inputs=())
        case Each(step, items):
            for index, item in enumerate(items):
                frame = (index, len(items), item)
                path, stack = (*here.path, index), (*here.stack, frame)
                yield step, replace(here, path=path, stack=stack, inputs=())
        case Gang(step, size):
            for index in range(size):
                yield step, replace(here, path=(*here.path, index), inputs=())


def _following(node: Node, here: Due) -> str:
    match node.next:
        case To((step,)):
            return step
        case Switch(arms, keys, by):
            place = here.stack[-1][0] if by == "index" else here.iteration if by else 0
            return arms[keys[place % len(keys)]]
    return ""


def shape(name: str, **steps: Node | str | To | Each | Gang | Switch | None) -> Shape:
    """Make a shape of its steps in order; a text names the steps that follow."""
    nodes = {}
    for step, given in steps.items():
        node = given if isinstance(given, Node) else Node("", _next(given))
        nodes[step] = replace(node, name=step)
    return Shape(name, nodes)


def joins(given: str | Each | Switch) -> Node:
    """Make a step that joins."""
    return Node("", _next(given), joins=True)


def _next(given: str | To | Each | Gang | Switch | None) -> To | Each | Gang | Switch | None:
    return To(tuple(given.split())) if isinstance(given, str) else given


COLOURS = Switch({"red": "warm", "blue": "cold"}, ("blue",))

SHAPES = [
    shape("linear", start="middle", middle="end", end=None),
    shape("branch", start="a b", a="a2", a2="both", b="both", both=joins("end"), end=None),
    shape(
        "nested branch",
        start="left right",
        left="up down",
        up="inner",
        down="inner",
        inner=joins("outer"),
        right="outer",
        outer=joins("end"),
        end=None,
    ),
    shape(
        "wide",
        start="a b c d e f g h",
        **dict.fromkeys("abcdefgh", "all"),
        all=joins("end"),
        end=None,
    ),
    shape(
        "uneven branches",
        start="short long",
        short="both",
        long="longer",
        longer="longest",
        longest="both",
        both=joins("end"),
        end=None,
    ),
    shape(
        "foreach",
        start=Each("work", ("x", 2, None, {"a": [1]})),
        work="after",
        after="gather",
        gather=joins("end"),
        end=None,
    ),
    shape(
        "foreach of one", start=Each("work", ("x",)), work="gather", gather=joins("end"), end=None
    ),
    shape(
        "nested foreach",
        start=Each("outer", ("x", "y")),
        outer=Each("inner", (1, 2, 3)),
        inner="gather",
        gather=joins("after"),
        after="all",
        all=joins("end"),
        end=None,
    ),
    shape(
        "foreach after foreach",
        start=Each("one", ("x", "y")),
        one="first",
        first=joins(Each("two", (1, 2, 3))),
        two="second",
        second=joins("end"),
        end=None,
    ),
    shape(
        "foreach in branch",
        start="many single",
        many=Each("work", ("x", "y")),
        work="gather",
        gather=joins("both"),
        single="both",
        both=joins("end"),
        end=None,
    ),
    shape(
        "branch in foreach",
        start=Each("work", ("x", "y")),
        work="a b",
        a="both",
        b="both",
        both=joins("gather"),
        gather=joins("end"),
        end=None,
    ),
    shape("gang", start=Gang("train", 3), train="gather", gather=joins("end"), end=None),
    shape(
        "gang in foreach",
        start=Each("open", ("x", "y")),
        open=Gang("train", 2),
        train="gather",
        gather=joins("all"),
        all=joins("end"),
        end=None,
    ),
    shape("switch", start=COLOURS, warm="end", cold="end", end=None),
    shape(
        "nested switch",
        start=COLOURS,
        warm="last",
        cold=Switch({"ice": "ice", "sea": "sea"}, ("sea",)),
        ice="last",
        sea="last",
        last="end",
        end=None,
    ),
    shape(
        "switch in foreach",
        start=Each("work", ("x", "y", "z")),
        work=replace(COLOURS, keys=("blue", "red"), by="index"),
        warm="after",
        cold="after",
        after="gather",
        gather=joins("end"),
        end=None,
    ),
    shape(
        "switch in branch",
        start="choose plain",
        choose=COLOURS,
        warm="after",
        cold="after",
        after="both",
        plain="both",
        both=joins("end"),
        end=None,
    ),
    shape(
        "loop",
        start="again",
        again=Switch({"more": "again", "enough": "end"}, ("more", "more", "enough"), by="passes"),
        end=None,
    ),
    shape(
        "loop in foreach",
        start=Each("again", ("x", "y")),
        again=Switch({"more": "again", "enough": "after"}, ("more", "enough"), by="passes"),
        after="gather",
        gather=joins("end"),
        end=None,
    ),
]
