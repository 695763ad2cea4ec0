"""Tasks and artifacts as a user looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowkit.client import (
    Artifact,
    DataArtifact,
    Run,
    Task,
    Workspace,
    live_log,
    open_workspace,
)
from flowkit.errors import Corrupt, NotFound
from flowkit.flow import CurrentTask, current
from flowkit.graph import FlowDescription, Kind, Node, Place
from flowkit.records import Clone
from flowkit.settings import Settings
from flowkit.store import Store, open_storage
from flowkit.values import Attempt, Digests, Failure, StoreAddress, TaskKey, TaskSpec

Begin = Callable[..., Any]


def test_a_task_tells_how_it_went(whole_run: Any) -> None:
    task = Task("Train/12/fit/0")

    assert (task.status, task.successful, task.finished) == ("succeeded", True, True)
    assert task.finished_at == task.created_at + timedelta(seconds=0.5)
    assert (task.key, task.index, task.current_attempt) == (TaskKey("fit", (0,)), 0, 0)
    assert (task.exception, task.origin_pathspec) == (None, None)
    assert task.parent == Run("Train/12")["fit"]
    assert repr(task) == "Task('Train/12/fit/0')"
    assert task.metadata_dict["host"] == "laptop"
    assert task.metadata_dict["attempt"] == "0"
    assert task.metadata_dict["user"] == "ann"


def test_a_task_outside_all_foreaches_has_no_index(whole_run: Any) -> None:
    assert Task("Train/12/pick/0").index is None
    assert Task("Train/12/again/0@1").index is None


def test_data_has_the_artifacts_parameters_and_constants(whole_run: Any) -> None:
    data = Task("Train/12/start/0").data

    assert data.names == ["a", "b", "c"]
    assert (data.rate, data.LAYERS) == (0.5, 3)
    assert list(data) == ["LAYERS", "names", "rate"]
    assert "names" in data
    assert "score" not in data
    assert dir(data) == ["LAYERS", "names", "rate"]
    assert "names" in repr(data)


def test_an_artifact_that_is_not_there_is_an_attribute_error_with_a_near_name(
    whole_run: Any,
) -> None:
    data = Task("Train/12/start/0").data
    assert getattr(data, "nothing", None) is None
    with pytest.raises(AttributeError) as caught:
        _ = data.name
    assert isinstance(caught.value, NotFound)
    assert caught.value.hint == "did you mean `names`?"


def test_names_that_protocols_ask_for_are_no_artifacts(whole_run: Any) -> None:
    task = Task("Train/12/start/0")
    for view in (task.data, task.artifacts):
        assert not hasattr(view, "__array__")
        assert copy(view).names is not None


def test_an_artifact_tells_of_itself(whole_run: Any) -> None:
    task = Task("Train/12/end/0")
    artifact = task["model"]

    assert artifact.data == {"weights": [1.5, 2.5]}
    assert artifact.type_name == "dict"
    assert artifact.size > 0
    assert len(artifact.sha) == 64
    assert (artifact.parent, artifact.id) == (task, "model")
    assert artifact.created_at == artifact.finished_at == task.finished_at
    assert artifact.tags == {"nightly", "user:ann"}
    assert artifact == Artifact("Train/12/end/0/model") == DataArtifact("Train/12/end/0/model")
    assert repr(artifact) == "Artifact('Train/12/end/0/model')"


def test_equal_values_have_equal_names(whole_run: Any) -> None:
    assert Artifact("Train/12/pick/0/best").sha == Artifact("Train/12/end/0/best").sha
    assert Artifact("Train/12/fit/0/score").sha != Artifact("Train/12/fit/1/score").sha


def test_a_task_iterates_over_its_artifacts(whole_run: Any) -> None:
    task = Task("Train/12/end/0")
    assert [artifact.id for artifact in task] == ["LAYERS", "best", "model", "rate"]
    assert task.artifacts.best.data == 2
    assert len(task.artifacts) == 4
    assert ("best" in task, "best" in task.artifacts, "x" in task) == (True, True, False)
    assert not hasattr(task.artifacts, "x")
    with pytest.raises(NotFound):
        Artifact("Train/12/end/0/x")


def test_reading_one_artifact_reads_one_manifest_and_that_artifact(
    whole_run: Any, workspace: Workspace
) -> None:
    class Counting:
        """Passes everything on, and notes which keys are read."""

        def __init__(self, storage: Any) -> None:
            self._storage = storage
            self.read_keys: list[str] = []

        def __getattr__(self, name: str) -> Any:
            action = getattr(self._storage, name)

            def noted(*args: Any, **named: Any) -> Any:
                if name in ("read", "map") and args[0].startswith("objects/"):
                    self.read_keys.append(args[0])
                return action(*args, **named)

            return noted

    counting = Counting(open_storage(workspace.settings.store))
    fresh = open_workspace(workspace.settings)
    counted = Workspace(Store(counting), fresh.metadata, workspace.settings)  # type: ignore[arg-type]

    assert Run("Train/12", workspace=counted).data.best == 2
    assert len(set(counting.read_keys)) == 1
    fresh.close()


def test_a_failed_attempt_tells_why_and_has_no_artifacts(whole_run: Any) -> None:
    task = Task("Train/12/fit/1", attempt=0)

    assert (task.status, task.successful, task.finished) == ("failed", False, True)
    assert task.exception == Failure(type_name="ValueError", message="attempt 0 of fit/1")
    assert list(task) == []
    assert not hasattr(task.data, "score")


def test_a_task_is_its_latest_attempt_and_has_all(whole_run: Any) -> None:
    task = Task("Train/12/fit/1")

    assert (task.current_attempt, task.successful, task.data.score) == (1, True, 0.2)
    assert [one.current_attempt for one in task.attempts] == [0, 1]
    assert [one.successful for one in task.attempts] == [False, True]
    first, second = task.attempts
    assert task.created_at == first.created_at
    assert second.created_at == first.created_at + timedelta(seconds=1)
    assert Task("Train/12/fit/1", attempt=1) == second


def test_what_catch_swallowed_is_the_exception(begin: Begin) -> None:
    caught = Failure(type_name="KeyError", message="'x'")
    begin(1).succeed(TaskKey("start"), {"x": None}, caught=caught)
    task = Task("Train/1/start/0")
    assert (task.successful, task.exception) == (True, caught)


def test_a_task_that_runs_is_asked_again(begin: Begin) -> None:
    writer = begin(1, started_at=datetime.now(UTC))
    key = TaskKey("start")
    writer.begin(key)
    task = Task("Train/1/start/0")
    assert (task.status, task.finished, task.finished_at) == ("running", False, None)

    writer.fail(key)
    assert (task.status, task.finished) == ("failed", True)
    assert task.attempts[0].status == "failed"

    writer.begin(key, attempt=1)
    assert task.status == "running"
    writer.succeed(key, {"x": 1}, attempt=1)
    assert (task.status, task.data.x, task.current_attempt) == ("succeeded", 1, 1)


def test_a_task_pinned_to_an_attempt_stays_with_it(begin: Begin) -> None:
    writer = begin(1, started_at=datetime.now(UTC))
    key = TaskKey("start")
    writer.begin(key)
    pinned = Task("Train/1/start/0", attempt=0)
    assert pinned.status == "running"
    writer.fail(key)
    writer.succeed(key, attempt=1)
    assert (pinned.status, pinned.current_attempt) == ("failed", 0)


def test_a_clone_shows_what_its_origin_knows(begin: Begin) -> None:
    first, second = begin(1), begin(2)
    key = TaskKey("fit", (0,))
    first.fail(key)
    outcome = first.succeed(key, {"score": 7}, attempt=1)
    first.store_log(key, ("stdout", b"fitting\n"), attempt=1)
    second.clone(Clone(key=key, origin=first.run, attempt=1, outcome=outcome))
    origin, task = Task("Train/1/fit/0"), Task("Train/2/fit/0")

    assert (task.successful, task.finished) == (True, True)
    assert task.origin_pathspec == "Train/1/fit/0"
    assert (task.created_at, task.finished_at) == (
        origin.attempts[1].created_at,
        origin.finished_at,
    )
    assert task.current_attempt == 1
    assert task.data.score == 7
    assert task.stdout == "fitting\n"
    assert task.metadata_dict["origin-run-id"] == "1"
    assert task.metadata_dict["origin-task-id"] == "0"
    assert task.metadata_dict["host"] == "laptop"


def test_a_clone_outlives_its_origin(begin: Begin, workspace: Workspace) -> None:
    first, second = begin(1), begin(2)
    outcome = first.succeed(TaskKey("start"), {"x": 1})
    second.clone(Clone(key=TaskKey("start"), origin=first.run, attempt=0, outcome=outcome))
    workspace.metadata.forget_run(first.run)

    task = Task("Train/2/start/0")

    assert (task.successful, task.data.x, task.created_at) == (True, 1, None)
    assert task.stdout == ""


def test_logs_are_told_apart_by_stream(whole_run: Any) -> None:
    whole_run.store_log(
        TaskKey("pick"),
        ("stdout", "größer\n".encode()),
        ("stderr", b"warning\n"),
        ("stdout", b"50%"),
        ("stdout", b"...100%\n"),
        ("stderr", b"bad \xff byte"),
    )
    task = Task("Train/12/pick/0")

    assert task.stdout == "größer\n50%...100%\n"
    assert task.stderr == "warning\nbad � byte"
    assert task.stdout_size == len("größer\n50%...100%\n".encode())
    assert task.stderr_size == len(b"warning\nbad \xff byte")
    second = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert list(task.loglines("stdout")) == [
        (second, "größer"),
        (second + timedelta(microseconds=2), "50%...100%"),
    ]
    assert [text for _, text in task.loglines("stderr", as_unicode=False)] == [
        b"warning",
        b"bad \xff byte",
    ]


def test_a_task_that_printed_nothing_has_empty_logs(whole_run: Any) -> None:
    task = Task("Train/12/pick/0")
    assert (task.stdout, task.stderr, list(task.loglines("stdout"))) == ("", "", [])


def test_each_attempt_has_its_own_log(whole_run: Any) -> None:
    key = TaskKey("fit", (1,))
    whole_run.store_log(key, ("stdout", b"first\n"), attempt=0)
    whole_run.store_log(key, ("stdout", b"second\n"), attempt=1)
    assert Task("Train/12/fit/1").stdout == "second\n"
    assert Task("Train/12/fit/1", attempt=0).stdout == "first\n"


DIED = Failure(type_name="ProcessDied", message="killed by SIGKILL", hint="see its log")


def test_the_log_of_a_process_that_died_is_the_tasks_where_catch_stood_in(begin: Begin) -> None:
    first, second = begin(1), begin(2)
    key = TaskKey("fit", (0,))
    first.fail(key)
    first.store_log(key, ("stdout", b"first\n"))
    first.fail(key, attempt=1, failure=DIED)
    first.store_log(key, ("stdout", b"about to die\n"), ("stderr", b"oh\n"), attempt=1)
    outcome = first.succeed(key, attempt=2, caught=DIED)
    second.clone(Clone(key=key, origin=first.run, attempt=2, outcome=outcome))

    for pathspec in ("Train/1/fit/0", "Train/2/fit/0"):
        task = Task(pathspec)
        assert (task.stdout, task.stderr) == ("about to die\n", "oh\n")
        assert [text for _, text in task.loglines("stdout")] == ["about to die"]
        assert task.stdout_size == len("about to die\n")
        assert task.current_attempt == 2
    assert Task("Train/1/fit/0", attempt=2).stdout == ""
    assert [one.stdout for one in Task("Train/1/fit/0").attempts] == [
        "first\n",
        "about to die\n",
        "",
    ]


@pytest.mark.parametrize(
    ("before", "caught"),
    [
        (
            Failure(type_name="ValueError", message="no", traceback="Traceback"),
            Failure(type_name="ValueError", message="no", traceback="Traceback"),
        ),
        (DIED, Failure(type_name="ValueError", message="no", traceback="Traceback")),
    ],
)
def test_an_attempt_that_raised_and_caught_has_its_own_log(
    begin: Begin, before: Failure, caught: Failure
) -> None:
    run, key = begin(1), TaskKey("start")
    run.fail(key, failure=before)
    run.store_log(key, ("stdout", b"first\n"))
    run.succeed(key, attempt=1, caught=caught)
    run.store_log(key, ("stdout", b"second\n"), attempt=1)

    assert Task("Train/1/start/0").stdout == "second\n"


def test_a_running_attempts_log_is_read_as_it_grows(begin: Begin, workspace: Workspace) -> None:
    writer = begin(1, started_at=datetime.now(UTC))
    key = TaskKey("fit", (0,))
    writer.begin(key)
    task = Task("Train/1/fit/0")
    path = live_log(workspace.settings.home, writer.run, Attempt(key))
    path.parent.mkdir(parents=True)
    data = writer.log(key, ("stdout", b"one\n"), ("stdout", b"two\n"))

    path.write_bytes(data[:-3])
    assert task.stdout == "one\n"
    path.write_bytes(data)
    assert task.stdout == "one\ntwo\n"

    writer.store_log(key, ("stdout", b"all\n"))
    assert task.stdout == "all\n"


def test_a_damaged_log_is_named(whole_run: Any, workspace: Workspace) -> None:
    workspace.store.create_log(whole_run.run, Attempt(TaskKey("pick")), b"no log\n")
    with pytest.raises(Corrupt) as caught:
        _ = Task("Train/12/pick/0").stdout
    assert "Train/12/pick/0" in caught.value.key


def kin(pathspec: str) -> tuple[list[str], list[str]]:
    task = Task(pathspec)
    return (
        [one.pathspec.split("/", 2)[2] for one in task.parent_tasks],
        [one.pathspec.split("/", 2)[2] for one in task.child_tasks],
    )


def test_tasks_know_whom_they_follow_and_who_follows_them(whole_run: Any) -> None:
    fits = ["fit/0", "fit/1", "fit/2"]
    assert kin("Train/12/start/0") == ([], fits)
    assert kin("Train/12/fit/1") == (["start/0"], ["pick/0"])
    assert kin("Train/12/pick/0") == (fits, ["again/0"])


def test_the_turns_of_a_loop_follow_one_another(whole_run: Any) -> None:
    assert kin("Train/12/again/0") == (["pick/0"], ["again/0@1"])
    assert kin("Train/12/again/0@1") == (["again/0"], ["end/0"])
    assert kin("Train/12/end/0") == (["again/0@1"], [])


def test_a_switch_leads_only_to_the_step_it_chose(begin: Begin) -> None:
    writer = begin(1)
    writer.succeed(TaskKey("pick"))
    writer.succeed(TaskKey("again"), choice="skip")
    writer.succeed(TaskKey("skip"))
    writer.succeed(TaskKey("end"))

    assert kin("Train/1/again/0") == (["pick/0"], ["skip/0"])
    assert kin("Train/1/skip/0") == (["again/0"], ["end/0"])
    assert kin("Train/1/end/0") == (["skip/0"], [])


def node(name: str, kind: Kind, *targets: str, is_join: bool = False) -> Node:
    return Node(name=name, kind=kind, place=Place("flow.py", 1), targets=targets, is_join=is_join)


def test_inside_a_foreach_tasks_follow_those_of_their_own_element(begin: Begin) -> None:
    description = FlowDescription(
        name="Train",
        file="flow.py",
        start="start",
        end="end",
        nodes=(
            node("start", Kind.FOREACH, "load"),
            node("load", Kind.FOREACH, "fit"),
            node("fit", Kind.LINEAR, "score"),
            node("score", Kind.LINEAR, "pick"),
            node("pick", Kind.LINEAR, "end", is_join=True),
            node("end", Kind.END, is_join=True),
        ),
    )
    writer = begin(1, description=description)
    writer.succeed(TaskKey("start"))
    for outer in (1, 11):
        writer.succeed(TaskKey("load", (outer,)))
        for inner in range(2):
            writer.succeed(TaskKey("fit", (outer, inner)))
            writer.succeed(TaskKey("score", (outer, inner)))
        writer.succeed(TaskKey("pick", (outer,)))
    writer.succeed(TaskKey("end"))

    assert kin("Train/1/load/1") == (["start/0"], ["fit/1.0", "fit/1.1"])
    assert kin("Train/1/fit/1.1") == (["load/1"], ["score/1.1"])
    assert kin("Train/1/score/11.0") == (["fit/11.0"], ["pick/11"])
    assert kin("Train/1/pick/1") == (["score/1.0", "score/1.1"], ["end/0"])
    assert kin("Train/1/end/0") == (["pick/1", "pick/11"], [])


@pytest.fixture
def running(workspace: Workspace, begin: Begin) -> Iterator[Callable[[Attempt], Any]]:
    """Let this process be in an attempt, as a worker's is: `running(attempt)` returns its run."""

    def enter(attempt: Attempt) -> Any:
        story = begin(12)
        workspace.metadata.heartbeat(story.run, datetime.now(UTC))
        spec = TaskSpec(
            run=story.run,
            attempt=attempt,
            flow_file="flow.py",
            store=StoreAddress(url=workspace.settings.store),
            parameters=story.record.parameters,
            inputs=Digests(),
            input_steps=(),
        )
        current.enter(
            CurrentTask(
                spec=spec,
                description=story.record.description,
                open_tempdir=str,
                note_table=print,
            )
        )
        return story

    yield enter
    current.enter(None)


def test_a_running_task_is_found_before_the_index_is_told_that_it_began(
    running: Callable[[Attempt], Any],
) -> None:
    running(Attempt(TaskKey("fit", (1,))))

    task = current.task
    assert (task.pathspec, task.status, task.current_attempt) == ("Train/12/fit/1", "running", 0)
    assert Task("Train/12/fit/1") == Run("Train/12")["fit"]["1"]
    assert task.parent.counts.running == 1


def test_a_running_task_sees_its_own_attempt_after_those_that_failed(
    running: Callable[[Attempt], Any],
) -> None:
    story = running(Attempt(TaskKey("fit", (1,)), 1))
    story.fail(TaskKey("fit", (1,)))

    assert current.task.current_attempt == 1
    assert Task("Train/12/fit/1").status == "running"
    assert [one.status for one in current.task.attempts] == ["failed", "running"]


def test_a_steps_view_knows_the_task_that_asks(running: Callable[[Attempt], Any]) -> None:
    running(Attempt(TaskKey("pick")))

    assert Run("Train/12")["pick"].task.pathspec == "Train/12/pick/0"
    with pytest.raises(NotFound):
        Task("Train/12/end/0")


def test_a_task_of_the_same_name_elsewhere_is_not_taken_for_the_running_one(
    running: Callable[[Attempt], Any], tmp_path: Path
) -> None:
    story = running(Attempt(TaskKey("pick")))
    elsewhere = open_workspace(Settings(home=tmp_path / "other", user="ann", sync=False))
    elsewhere.metadata.record_run(story.record)

    with pytest.raises(NotFound):
        Task("Train/12/pick/0", workspace=elsewhere)
    elsewhere.close()
