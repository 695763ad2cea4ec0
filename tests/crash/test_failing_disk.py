"""A disk that fails at any operation of any process: a clear error, and a resume once mended."""

from __future__ import annotations

import errno
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from faults import FAILING, a_draw, draw_points, find_point
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
    import random
    from collections.abc import Callable

    from conftest import Yard
    from faults import Role
    from scenes import Stage

COUNTS: dict[tuple[str, Role], int] = {
    ("run", "command"): 6,
    ("run", "worker"): 5,
    ("gc", "command"): 2,
    ("delete", "command"): 3,
    ("tag", "command"): 3,
    ("reindex", "command"): 2,
}
"""How many points are tried of a scene and a role; the long form tries more, and other scenes."""


def see_that_it_is_told(ended: subprocess.CompletedProcess[str]) -> None:
    """See that a command ended as the documentation says, with one error that a user can read."""
    assert ended.returncode in (0, 1, 4)
    # A step that reads an artifact is shown its own line, and none of flowkit's.
    assert all(file.endswith("/flow.py") for file in re.findall('File "(.*)", line', ended.stderr))
    assert "bug in flowkit" not in ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == (ended.returncode != 0)


def errors_in_turn(draw: random.Random, count: int) -> list[int]:
    errors = [draw.sample(list(FAILING), len(FAILING)) for _ in range(count // len(FAILING) + 1)]
    return [one for some in errors for one in some][:count]


def test_results_that_a_failing_driver_did_not_read_are_kept(
    yards: Callable[[], Yard], stage: Stage
) -> None:
    yard = yards()
    faults = stage.set(yard, SCENES["run"])
    # An element is computed when the driver fails at its log, before it looks at the result.
    point = find_point(stage.points(yard, "run"), "link", "/store/runs/Work/1/logs/square/")
    faults.fail(point, errno.ENOSPC, goes_on=False)
    ended = act(yard, ["run"], faults)
    assert (ended.returncode, faults.done) == (4, 1)
    assert "no space left" in ended.stderr
    go_on(yard, stage)


def test_a_live_log_that_cannot_be_removed_harms_nobody(
    yards: Callable[[], Yard], stage: Stage
) -> None:
    yard = yards()
    faults = stage.set(yard, SCENES["run"])
    point = find_point(stage.points(yard, "run"), "unlink", "/live/")
    faults.fail(point, errno.EACCES, goes_on=False)
    ended = act(yard, ["run"], faults)
    assert (ended.returncode, faults.done) == (0, 1), ended.stderr
    go_on(yard, stage)


def test_an_index_that_could_be_opened_only_to_read_keeps_no_deleted_run(
    yards: Callable[[], Yard], stage: Stage
) -> None:
    yard = yards()
    faults = stage.set(yard, SCENES["delete"])
    point = find_point(stage.points(yard, "delete"), "open", "/metadata.db")
    faults.fail(point, errno.EMFILE, goes_on=False)
    ended = act(yard, SCENES["delete"].words, faults)
    assert (ended.returncode, faults.done) == (4, 1)
    assert "cannot be opened for writing" in ended.stderr
    inspect(yard)
    assert act_here(yard, SCENES["delete"].words) == 0
    see_that_all_is_well(yard, stage)
    see_that_it_was_done(yard, "delete")


@pytest.mark.parametrize("limit", [9, 12])
def test_too_few_open_files_are_told_and_can_be_mended(
    yards: Callable[[], Yard], stage: Stage, limit: int
) -> None:
    yard = yards()
    stage.set(yard, SCENES["run"])
    limited = ["sh", "-c", 'ulimit -n "$1"; shift; exec "$@"', "sh", str(limit)]
    ended = subprocess.run(
        [*limited, *yard.command("run", str(yard.file))],
        env=yard.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 4
    assert "ulimit -n" in ended.stderr
    see_that_it_is_told(ended)
    go_on(yard, stage)


@pytest.mark.parametrize(("name", "role", "count"), cases(COUNTS, otherwise=2))
def test_a_disk_that_fails_is_told_and_can_be_mended(
    yards: Callable[[], Yard], stage: Stage, name: str, role: str, count: int
) -> None:
    scene, draw = SCENES[name], a_draw(f"{name} {role}")
    points = stage.points(yards(), name)
    failed = 0
    for error in errors_in_turn(draw, count):
        (point,) = draw_points(points, role, FAILING[error], count=1, draw=draw)
        goes_on = draw.random() < 0.5
        yard = yards()
        faults = stage.set(yard, scene)
        faults.fail(point, error, goes_on=goes_on)
        try:
            ended = act(yard, scene.words, faults)
            failed += faults.done > 0
            see_that_it_is_told(ended)
            inspect(yard)
            if scene.runs:
                go_on(yard, stage)
                continue
            assert act_here(yard, scene.words) in (0, 2 if name == "delete" else 0)
            see_that_all_is_well(yard, stage)
            see_that_it_was_done(yard, name)
        except BaseException as raised:
            how = "from" if goes_on else "at"
            told = f"{ended.returncode} {ended.stderr}" if "ended" in locals() else ""
            raised.add_note(f"{errno.errorcode[error]} {how} {point}\n{told}")
            raise
    assert failed > count / 2
