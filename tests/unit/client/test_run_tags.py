"""Changing a run's tags."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowkit.client import Flow, Run, Task, Workspace, check_tags, delete_run
from flowkit.errors import NotFound, UsageError
from flowkit.metadata import Metadata
from flowkit.values import TaskKey

SOURCES = str(Path(__file__).parents[3])

TAGGER = """
import sys
from flowkit import Run
home, writer = sys.argv[1], sys.argv[2]
sys.stdin.readline()
for at in range(5):
    run = Run("Train/12")
    run.add_tag(f"w{writer}-{at}")
    run.remove_tag(f"w{writer}-{at - 1}")
"""


def test_tags_are_added_removed_and_replaced(whole_run: Any, workspace: Workspace) -> None:
    run = Run("Train/12")

    run.add_tag("größe ✓")
    run.add_tags(["b", "c"])
    run.remove_tag("c")
    run.remove_tags(["never there"])
    run.replace_tag("b", "d")
    run.replace_tags(["d", "e"], ["e", "f"])

    expected = {"nightly", "größe ✓", "e", "f"}
    assert run.user_tags == expected
    assert run.tags == expected | {"user:ann"}
    assert run.system_tags == {"user:ann"}
    assert Run("Train/12").user_tags == expected
    assert set(workspace.store.tags(whole_run.run)) == expected
    assert [one.id for one in Flow("Train").runs("größe ✓")] == ["12"]
    assert list(Flow("Train").runs("b")) == []


def test_steps_tasks_and_artifacts_have_their_runs_tags(whole_run: Any) -> None:
    task = Task("Train/12/pick/0")
    for view in (task, task.parent, task["best"]):
        assert view.tags == {"nightly", "user:ann"}
        assert view.user_tags == {"nightly"}
        assert view.system_tags == {"user:ann"}


def test_a_system_tag_cannot_be_removed(whole_run: Any) -> None:
    run = Run("Train/12")
    with pytest.raises(UsageError) as caught:
        run.remove_tags(["nightly", "user:ann"])
    assert "user:ann" in caught.value.message
    assert Run("Train/12").tags == {"nightly", "user:ann"}


def test_a_system_tag_added_again_stays_a_system_tag(whole_run: Any) -> None:
    run = Run("Train/12")
    run.add_tag("user:ann")
    assert run.user_tags == {"nightly"}


@pytest.mark.parametrize("tag", ["", "x" * 501, 12, b"bytes", None, "half \ud83d"])
def test_a_tag_that_is_not_allowed_changes_nothing(whole_run: Any, tag: Any) -> None:
    run = Run("Train/12")
    with pytest.raises(UsageError) as caught:
        run.add_tags(["fine", tag])
    assert caught.value.hint
    assert Run("Train/12").user_tags == {"nightly"}


def test_a_tag_may_be_long_and_a_run_have_fifty(whole_run: Any) -> None:
    run = Run("Train/12")
    run.add_tags(["x" * 500, *(f"t{at}" for at in range(48))])
    assert len(run.user_tags) == 50
    with pytest.raises(UsageError):
        run.add_tag("one more")
    run.replace_tag("t0", "one more")
    assert len(Run("Train/12").user_tags) == 50


def test_one_text_is_not_a_list_of_tags(whole_run: Any) -> None:
    with pytest.raises(UsageError):
        Run("Train/12").add_tags("abc")


def test_tags_are_checked_before_a_run_begins() -> None:
    assert check_tags(["b", "a", "b"]) == ("a", "b")
    with pytest.raises(UsageError):
        check_tags(["ok", ""])
    with pytest.raises(UsageError):
        check_tags(map(str, range(51)))


def test_many_processes_may_change_tags_at_once(whole_run: Any, workspace: Workspace) -> None:
    home = str(workspace.settings.home)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TAGGER, home, str(writer)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=SOURCES,
            env={"FLOWKIT_HOME": home, "FLOWKIT_USER": "ann"},
        )
        for writer in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [""] * 4

    expected = {"nightly", "w0-4", "w1-4", "w2-4", "w3-4"}
    assert set(workspace.store.tags(whole_run.run)) == expected
    assert Run("Train/12").user_tags == expected


class Overtaken(Metadata):
    """An index whose writer is overtaken once between its change of the store and of the index."""

    overtake: Callable[[], None] | None = None

    @contextmanager
    def batch(self) -> Iterator[None]:
        if self.overtake is not None:
            overtake, self.overtake = self.overtake, None
            overtake()
        with super().batch():
            yield


def test_the_index_ends_with_the_stores_tags_whoever_writes_it_last(
    whole_run: Any, workspace: Workspace
) -> None:
    overtaken = Overtaken.open(workspace.settings.metadata)
    slow = Workspace(workspace.store, overtaken, workspace.settings)
    overtaken.overtake = lambda: Run("Train/12").add_tag("quick")

    Run("Train/12", workspace=slow).add_tag("slow")

    assert set(workspace.store.tags(whole_run.run)) == {"nightly", "quick", "slow"}
    assert Run("Train/12").user_tags == {"nightly", "quick", "slow"}
    overtaken.close()


def test_tags_of_a_run_that_is_deleted_meanwhile_are_not_changed(
    whole_run: Any, workspace: Workspace
) -> None:
    run = Run("Train/12")
    overtaken = Overtaken.open(workspace.settings.metadata)
    overtaken.overtake = lambda: delete_run(workspace, whole_run.run)
    slow = Workspace(workspace.store, overtaken, workspace.settings)
    with pytest.raises(NotFound):
        Run.of(run.row, slow).add_tag("late")
    overtaken.close()
    assert list(workspace.store.storage.list("runs")) == []
    assert workspace.metadata.snapshot()["run_tags"] == ()
    # What was read before it was deleted, and is written after.
    with pytest.raises(NotFound):
        Run.of(run.row, workspace).add_tag("later")


def test_tags_of_a_run_that_goes_on_may_change(
    begin: Callable[..., Any], workspace: Workspace
) -> None:
    writer = begin(1)
    Run("Train/1").add_tag("watched")
    writer.succeed(TaskKey("start"))
    workspace.metadata.record_run(writer.record)
    assert Run("Train/1").user_tags == {"watched"}
