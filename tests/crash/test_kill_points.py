"""Any process of a command, killed at any of its operations on files, loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults import CHANGES, HOW, a_draw, draw_points, find_point
from scenes import (
    SCENES,
    act,
    act_here,
    cases,
    go_on,
    inspect,
    see_that_all_is_well,
    see_that_it_was_done,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Yard
    from faults import Role
    from scenes import Stage

COUNTS: dict[tuple[str, Role], int] = {
    ("run", "command"): 7,
    ("run", "zygote"): 2,
    ("run", "worker"): 7,
    ("resume", "command"): 5,
    ("resume", "worker"): 2,
    ("gc", "command"): 4,
    ("delete", "command"): 5,
    ("tag", "command"): 4,
    ("reindex", "command"): 4,
}
"""How many points are tried of a scene and a role; the long form tries more, and other scenes."""


def test_a_resume_killed_before_it_had_cloned_is_resumed_with_what_it_would_have_cloned(
    yards: Callable[[], Yard], stage: Stage
) -> None:
    yard = yards()
    faults = stage.set(yard, SCENES["resume"])
    faults.kill(find_point(stage.points(yard, "resume"), "link", "clones.zst"), "before")
    act(yard, ["resume"], faults)
    assert faults.done
    assert [run.id for run in inspect(yard)] == ["2", "1"]
    go_on(yard, stage)


@pytest.mark.parametrize(("name", "role", "count"), cases(COUNTS, otherwise=3))
def test_a_process_killed_at_an_operation_loses_nothing(
    yards: Callable[[], Yard], stage: Stage, name: str, role: str, count: int
) -> None:
    scene, draw = SCENES[name], a_draw(f"{name} {role}")
    points = stage.points(yards(), name)
    killed, drawn = 0, draw_points(points, role, CHANGES, count=count, draw=draw)
    for point in drawn:
        how = draw.choice([one for one in HOW if one != "torn" or point.operation == "write"])
        yard = yards()
        faults = stage.set(yard, scene)
        faults.kill(point, how)
        try:
            ended = act(yard, scene.words, faults)
            killed += faults.done
            inspect(yard)
            if scene.runs:
                go_on(yard, stage)
                continue
            assert act_here(yard, scene.words) in (0, 2 if name == "delete" else 0)
            see_that_all_is_well(yard, stage)
            see_that_it_was_done(yard, name)
        except BaseException as error:
            error.add_note(f"killed {how} {point}\n{ended.returncode} {ended.stderr}")
            raise
    # How often the index is written depends on time, so the last points may not come again.
    assert killed > len(drawn) / 2
