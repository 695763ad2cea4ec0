"""Flows, runs and steps as a user looks at them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flowkit.client import (
    Flow,
    Metaflow,
    NamespaceMismatch,
    Run,
    Step,
    Task,
    Workspace,
    default_namespace,
    get_namespace,
    namespace,
)
from flowkit.errors import NotFound, UsageError
from flowkit.values import Attempt, Failure, TaskKey

Begin = Callable[..., Any]


def test_a_run_tells_how_it_went(whole_run: Any) -> None:
    run = Run("Train/12")

    assert (run.status, run.successful, run.finished) == ("succeeded", True, True)
    assert run.created_at == whole_run.record.started_at
    assert run.finished_at == whole_run.record.started_at + timedelta(seconds=30)
    assert (run.user, run.origin_pathspec, run.failure) == ("ann", None, None)
    assert (run.pathspec, run.id, run.path_components) == ("Train/12", "12", ["Train", "12"])
    assert run.parent == Flow("Train")
    assert repr(run) == "Run('Train/12')"


def test_data_is_what_the_end_step_left(whole_run: Any) -> None:
    run = Run("Train/12")
    assert run.end_task == Task("Train/12/end/0")
    assert run.data is not None
    assert run.data.model == {"weights": [1.5, 2.5]}
    assert "best" in run.data
    assert "score" not in run.data


def test_a_run_without_its_end_has_no_data(begin: Begin) -> None:
    begin(1).succeed(TaskKey("start"))
    run = Run("Train/1")
    assert run.end_task is None
    assert run.data is None


def test_a_run_whose_end_step_failed_has_no_data(begin: Begin) -> None:
    writer = begin(1)
    writer.fail(TaskKey("end"))
    writer.end("failed", TaskKey("end"))

    run = Run("Train/1")

    assert run.data is None
    assert (run.status, run.successful, run.finished) == ("failed", False, True)
    assert run.failure == Failure(type_name="ValueError", message="no")
    assert [task.pathspec for task in run.failed_tasks] == ["Train/1/end/0"]


def test_a_run_that_goes_on_is_asked_again(begin: Begin) -> None:
    writer = begin(1, started_at=datetime.now(UTC))
    run = Run("Train/1")
    assert (run.status, run.finished, run.finished_at) == ("running", False, None)

    writer.succeed(TaskKey("end"), {"x": 1})
    writer.end()

    assert (run.status, run.finished, run.successful) == ("succeeded", True, True)
    assert run.data is not None
    assert run.data.x == 1


def test_a_run_whose_driver_died_is_lost(begin: Begin) -> None:
    begin(1)
    run = Run("Train/1")
    assert (run.status, run.finished, run.successful) == ("lost", False, False)


def test_parameters_are_those_of_the_flow_without_its_constants(whole_run: Any) -> None:
    parameters = Run("Train/12").parameters
    assert list(parameters) == ["rate"]
    assert parameters.rate == 0.5
    assert not hasattr(parameters, "LAYERS")


def test_steps_come_in_the_order_they_began(whole_run: Any) -> None:
    run = Run("Train/12")
    names = [step.id for step in run]
    assert names == ["start", "fit", "pick", "again", "end"]
    assert [step.id for step in run.steps()] == names
    assert "fit" in run
    assert "skip" not in run
    assert run["fit"] == Step("Train/12/fit")


def test_a_step_has_its_tasks_in_order(whole_run: Any) -> None:
    step = Run("Train/12")["fit"]

    assert [task.id for task in step] == ["0", "1", "2"]
    assert [task.id for task in step.tasks(limit=2)] == ["0", "1"]
    assert list(step.tasks(status="failed")) == []
    assert step["2"] == Task("Train/12/fit/2")
    assert ("1" in step, "3" in step) == (True, False)
    assert step.task == Task("Train/12/fit/0")
    assert step.task.data.score == 0.1
    assert step.parent == Run("Train/12")
    assert (step.counts.total, step.counts.succeeded) == (3, 3)
    assert step.created_at is not None
    assert step.finished_at == step.created_at + timedelta(seconds=1.5)


def test_a_wide_step_is_read_page_by_page(begin: Begin, workspace: Workspace) -> None:
    writer = begin(1)
    first = writer.succeed(TaskKey("fit", (0,)))
    template = workspace.store.result(writer.run, Attempt(TaskKey("fit", (0,))))
    assert template is not None
    workspace.metadata.record_results(
        writer.run,
        [
            replace(template, attempt=Attempt(TaskKey("fit", (at,))), outcome=first)
            for at in range(2001)
        ],
    )

    ids = [task.id for task in Step("Train/1/fit")]

    assert ids == [str(at) for at in range(2001)]
    assert len(list(Step("Train/1/fit").tasks(limit=1500))) == 1500


def test_steps_know_their_neighbours_in_the_run(whole_run: Any) -> None:
    run = Run("Train/12")

    def neighbours(name: str) -> tuple[list[str], list[str]]:
        step = run[name]
        return [one.id for one in step.parent_steps], [one.id for one in step.child_steps]

    assert neighbours("start") == ([], ["fit"])
    assert neighbours("pick") == (["fit"], ["again"])
    assert neighbours("again") == (["pick"], ["end"])
    assert neighbours("end") == (["again"], [])


def test_a_step_still_running_has_not_finished(begin: Begin) -> None:
    writer = begin(1, started_at=datetime.now(UTC))
    writer.succeed(TaskKey("fit", (0,)))
    writer.begin(TaskKey("fit", (1,)))
    assert Step("Train/1/fit").finished_at is None


def test_a_flow_has_its_runs_newest_first(begin: Begin) -> None:
    for number in (1, 2, 3):
        begin(number, tags=("even",) if number == 2 else ()).end(
            "failed" if number == 3 else "succeeded"
        )
    flow = Flow("Train")

    assert [run.id for run in flow] == ["3", "2", "1"]
    assert flow.latest_run == Run("Train/3")
    assert flow.latest_successful_run == Run("Train/2")
    assert [run.id for run in flow.runs("even")] == ["2"]
    assert [run.id for run in flow.runs(status="succeeded", limit=1)] == ["2"]
    assert flow["1"] == Run("Train/1")
    assert ("1" in flow, "7" in flow) == (True, False)
    assert flow.created_at == Run("Train/1").created_at
    assert (flow.parent, flow.finished_at, flow.pathspec) == (None, None, "Train")


def test_many_runs_are_read_page_by_page(begin: Begin) -> None:
    for number in range(1, 203):
        begin(number)
    flow = Flow("Train")
    assert [run.id for run in flow] == [str(number) for number in range(202, 0, -1)]
    assert len(list(flow.runs(limit=150))) == 150
    assert list(flow.runs(limit=0)) == []


def test_metaflow_lists_the_flows_of_the_namespace(begin: Begin) -> None:
    begin(1, flow="Train")
    begin(1, flow="Score")
    begin(1, flow="Other", system_tags=("user:bob",))

    assert [flow.id for flow in Metaflow()] == ["Score", "Train"]
    assert ("Train" in Metaflow(), "Other" in Metaflow(), "None" in Metaflow()) == (
        True,
        False,
        False,
    )
    namespace(None)
    assert [flow.id for flow in Metaflow().flows] == ["Other", "Score", "Train"]
    assert Metaflow()["Other"] == Flow("Other")


def test_the_default_namespace_is_the_users(begin: Begin) -> None:
    assert get_namespace() == "user:ann"
    assert namespace("team:a") == "team:a"
    assert get_namespace() == "team:a"
    assert default_namespace() == "user:ann"
    assert namespace(None) is None
    assert get_namespace() is None


@pytest.mark.parametrize(
    "look",
    [
        lambda: Run("Train/1"),
        lambda: Step("Train/1/start"),
        lambda: Task("Train/1/start/0"),
        lambda: Flow("Train"),
    ],
)
def test_what_is_not_in_the_namespace_is_refused(begin: Begin, look: Callable[[], object]) -> None:
    begin(1, system_tags=("user:bob",)).succeed(TaskKey("start"))

    with pytest.raises(NamespaceMismatch) as caught:
        look()
    assert caught.value.namespace == "user:ann"
    assert caught.value.hint
    namespace("user:bob")
    look()
    namespace(None)
    look()


def test_a_flow_shows_only_the_namespaces_runs(begin: Begin) -> None:
    begin(1)
    begin(2, system_tags=("user:bob",))
    flow = Flow("Train")
    assert [run.id for run in flow] == ["1"]
    assert flow.latest_run == Run("Train/1")
    assert ("1" in flow, "2" in flow) == (True, False)


def test_a_tag_may_be_a_namespace(begin: Begin) -> None:
    begin(1, tags=("release",))
    begin(2)
    namespace("release")
    assert [run.id for run in Flow("Train")] == ["1"]


@pytest.mark.parametrize(
    ("look", "near"),
    [
        (lambda: Flow("Trian"), "Train"),
        (lambda: Run("Train/13"), "Train/12"),
        (lambda: Run("Trian/12"), "Train"),
        (lambda: Step("Train/12/fits"), "fit"),
        (lambda: Run("Train/12")["ned"], "end"),
        (lambda: Task("Train/12/fit/22"), "Train/12/fit/2"),
        (lambda: Task("Train/12/fit/1", attempt=7), "1"),
        (lambda: Task("Train/12/fitt/1"), "fit"),
    ],
)
def test_what_is_not_there_is_not_found_and_names_what_is(
    whole_run: Any, look: Callable[[], object], near: str
) -> None:
    with pytest.raises(NotFound) as caught:
        look()
    assert f"`{near}`" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "look",
    [
        lambda: Flow("Train/12"),
        lambda: Run("Train"),
        lambda: Run("Train/"),
        lambda: Run(12),  # type: ignore[arg-type]
        lambda: Step("Train/12"),
        lambda: Task("Train/12/fit"),
    ],
)
def test_a_pathspec_of_another_shape_is_refused(
    workspace: Workspace, look: Callable[[], object]
) -> None:
    with pytest.raises(UsageError) as caught:
        look()
    assert "write it as" in (caught.value.hint or "")


def test_views_of_the_same_thing_are_equal(whole_run: Any) -> None:
    assert len({Run("Train/12"), Run("Train/12"), Flow("Train")["12"]}) == 1
    assert Step("Train/12/fit") != Run("Train/12")
    assert Task("Train/12/fit/1") != Task("Train/12/fit/1", attempt=0)


def test_views_travel_by_name_and_across_namespaces(whole_run: Any) -> None:
    run = Run("Train/12")
    views = [
        run,
        run["fit"],
        run["fit"].task,
        Task("Train/12/fit/1", attempt=0),
        run["fit"].task["score"],
        Flow("Train"),
    ]
    data = pickle.dumps(views)
    namespace("user:bob")

    loaded = pickle.loads(data)

    assert loaded == views
    assert loaded[3].current_attempt == 0
    assert loaded[4].data == 0.1


def test_another_process_reads_a_run_by_its_settings(
    whole_run: Any, workspace: Workspace, tmp_path: Path
) -> None:
    code = "from flowkit import Run; print(Run('Train/12').data.best)"
    home = str(workspace.settings.home)
    sources = str(Path(__file__).parents[3])

    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={"FLOWKIT_HOME": home, "FLOWKIT_USER": "ann", "PYTHONPATH": sources},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (shown.stdout, shown.stderr) == ("2\n", "")


def test_the_resumed_run_is_the_origin(begin: Begin, whole_run: Any) -> None:
    begin(13, origin=whole_run.run)
    assert Run("Train/13").origin_pathspec == "Train/12"
