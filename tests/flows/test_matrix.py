"""Every shape of flow with every behaviour, over executors, by the command line and by `Runner`.

Each pair is run under one executor and in one way, which take turns, so that every behaviour and
every shape meets all of them. `FLOWKIT_MATRIX=all` runs each pair under all, in both ways.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import Lab
from matrix.behaviour import Behaviour, Cell, Ended, Executor, Way
from matrix.failures import FAILURES
from matrix.launching import launched
from matrix.shapes import SHAPES, Shape
from matrix.surroundings import SURROUNDINGS
from matrix.values import VALUES
from matrix.writing import written

from flowkit.client import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

BEHAVIOURS: list[Behaviour] = [*VALUES, *FAILURES, *SURROUNDINGS]
LOCAL: list[tuple[Executor, Way]] = [("local", "cli"), ("local", "runner")]
INLINE: list[tuple[Executor, Way]] = [("inline", "runner"), ("inline", "cli")]
TURNS: list[tuple[Executor, Way]] = [
    *(*LOCAL, *INLINE, *LOCAL, *INLINE, ("process", "cli")),
    *(*LOCAL, *INLINE, *LOCAL, *INLINE, ("process", "runner")),
]
"""New processes are slow, and have fewer turns."""


def cells() -> Iterator[tuple[Shape, Behaviour, Executor, Way]]:
    every = os.environ.get("FLOWKIT_MATRIX") == "all"
    for (place, shape), (row, behaviour) in product(enumerate(SHAPES), enumerate(BEHAVIOURS)):
        if not behaviour.fits(shape):
            continue
        first = place + row * 5
        turns = [TURNS[(first + step) % len(TURNS)] for step in range(len(TURNS))]
        fitting = [turn for turn in dict.fromkeys(turns) if turn[0] in behaviour.executors]
        for executor, way in fitting if every else fitting[:1]:
            yield shape, behaviour, executor, way


@pytest.mark.parametrize(("shape", "behaviour", "executor", "way"), list(cells()), ids=str)
def test_flow_of_any_shape_behaves(
    shape: Shape, behaviour: Behaviour, executor: Executor, way: Way, tmp_path: Path
) -> None:
    namespace(None)
    lab = Lab(tmp_path, executor=executor)
    cell = Cell(shape, behaviour, executor, way, lab)
    lab.write(written(shape, behaviour, executor))
    ended = launched(cell, behaviour.launch(cell))
    while (more := behaviour.goes_on(cell, ended)) is not None:
        ended = launched(cell, more)
    assert ended.run.status == behaviour.ends, ended.err
    assert ended.code == {"succeeded": 0, "failed": 1}[behaviour.ends]
    if behaviour.ends == "succeeded":
        check_tasks(cell, ended)
    behaviour.check(cell, ended)
    lab.close()


def check_tasks(cell: Cell, ended: Ended) -> None:
    """The tasks are those that are due, for the client and for the command line."""
    due = cell.shape.due()
    for one in due:
        task = ended.task(one)
        assert task.successful
        if cell.behaviour.keeps_trail(one):
            assert task.data.trail == one.trail
    assert sum(1 for step in ended.run for _ in step) == len(due)
    listed = cell.json("list", "tasks", ended.run.pathspec)["tasks"]
    assert sorted((row["step"], row["path"], row["iteration"]) for row in listed) == sorted(
        (one.step, list(one.path), one.iteration) for one in due
    )
    assert {row["status"] for row in listed} == {"succeeded"}
