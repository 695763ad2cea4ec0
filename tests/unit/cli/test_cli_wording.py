"""What commands say, where the words are the point: one text a fault, one action a hint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flowkit.cli.driving import report_end
from flowkit.cli.invocation import Invocation
from flowkit.cli.text import local_time
from flowkit.client import Flow, Run, Step, Task, Workspace
from flowkit.errors import NotFound
from flowkit.records import RunEnd
from flowkit.values import Attempt, Failure, RunId, TaskKey

Call = Callable[..., Any]


@pytest.fixture
def talk(home: Path) -> str:
    """A flow file in the current folder, with a foreach and a file to include."""
    text = """
    from flowkit import FlowSpec, IncludeFile, retry, step


    class Talk(FlowSpec):
        words = IncludeFile(required=True, help="what to say")

        @step
        def start(self):
            self.items = [1, 2]
            self.next(self.say, foreach="items")

        @step
        def say(self):
            self.next(self.gather)

        @retry(times=2)
        @step
        def gather(self, inputs):
            "Bring all together."
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    Path("talk.py").write_text(dedent(text))
    return "talk.py"


def _hints_of(failure: Failure, capfd: pytest.CaptureFixture[str]) -> list[str]:
    end = RunEnd(
        run=RunId("Talk", "1"),
        status="failed",
        finished_at=datetime.now(UTC),
        failed=(TaskKey("say", (0,)),),
        failure=failure,
    )
    assert report_end(end, invocation=Invocation(), file="talk.py") == 1
    said = capfd.readouterr().err
    return [line for line in said.splitlines() if line.startswith("hint:")]


def test_a_failures_own_hint_and_how_to_go_on_are_two_hints(
    capfd: pytest.CaptureFixture[str],
) -> None:
    failure = Failure(type_name="TaskDied", message="killed", hint="its log has what it printed")
    assert _hints_of(failure, capfd) == [
        "hint: its log has what it printed",
        "hint: fix it, then `flowkit resume talk.py`, which keeps the parameters",
    ]


def test_a_failure_without_a_hint_says_how_to_go_on_when_it_is_mended(
    capfd: pytest.CaptureFixture[str],
) -> None:
    failure = Failure(type_name="ValueError", message="no", traceback="Traceback\nValueError: no\n")
    assert _hints_of(failure, capfd) == ["hint: fix it, then `flowkit resume talk.py`"]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("FLOWKIT_RUN_MAX_WORKERS", "many", ["run", "talk.py"]),
        ("FLOWKIT_RUN_PROGRESS", "odd", ["run", "talk.py"]),
        ("FLOWKIT_RUN_QUIET", "odd", ["run", "talk.py"]),
        ("FLOWKIT_RESUME_MAX_WORKERS", "0", ["resume", "talk.py"]),
        ("FLOWKIT_LIST_RUNS_LIMIT", "-1", ["list", "runs"]),
        ("FLOWKIT_RUN_WORDS", "nowhere.txt", ["run", "talk.py"]),
    ],
)
def test_a_bad_value_from_the_environment_is_named_with_its_variable(
    call: Call,
    talk: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    words: list[str],
) -> None:
    monkeypatch.setenv(variable, value)
    said = call(*words)
    assert said.code == 2
    first = said.err.splitlines()[0]
    assert f"environment {variable}" in first
    assert value in first


def test_a_bad_value_of_an_option_is_not_put_down_to_the_environment(
    call: Call, talk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_RUN_MAX_WORKERS", "2")
    said = call("run", talk, "--max-workers", "0")
    assert said.code == 2
    assert "environment" not in said.err


def test_the_same_short_path_is_in_graph_show_and_check(call: Call, talk: str) -> None:
    assert call("graph", talk).out.splitlines()[0] == "flow Talk (talk.py)"
    assert call("show", talk).out.splitlines()[0] == "Talk  talk.py"
    assert "Talk (talk.py)" in call("check", talk).out


def test_the_graph_says_what_a_join_joins_after_what_it_is_for(call: Call, talk: str) -> None:
    lines = call("graph", talk).out.splitlines()
    assert "  gather  Bring all together.  [joins start]  [retry 2 times]" in lines


def test_help_names_no_argument_among_the_options(call: Call, talk: str) -> None:
    for words in (["run", "--help"], ["run", talk, "--help"], ["resume", "--help"]):
        said = call(*words)
        options = said.out.partition("Options:")[2].partition("Examples:")[0].splitlines()
        assert all(
            line.lstrip().startswith("-") or line.startswith(" " * 8) for line in options if line
        )


def test_a_missing_file_is_asked_for_by_its_path(call: Call, talk: str) -> None:
    said = call("run", talk)
    assert said.code == 2
    assert "parameter `words` is missing: it takes the path of a file" in said.err
    assert "`--words words.txt`" in said.err


@pytest.mark.parametrize(
    ("pathspec", "look"),
    [
        ("Train/9", Run),
        ("Trian/12", Run),
        ("Trian", Flow),
        ("Train/12/fti", Step),
        ("Train/12/fti/0", Task),
        ("Train/12/fit/7", Task),
    ],
)
def test_what_is_missing_is_said_in_the_same_words_in_python(
    call: Call, good: Any, workspace: Workspace, pathspec: str, look: Callable[..., object]
) -> None:
    with pytest.raises(NotFound) as caught:
        look(pathspec, workspace=workspace)
    said = call("show", pathspec)
    assert said.code == 2
    assert said.err == f"error: {caught.value.message}\n\nhint: {caught.value.hint}\n"


def test_runs_of_one_flow_are_listed_by_its_name(call: Call, good: Any, bad: Any) -> None:
    named = call("list", "runs", "Train", "--json").json["runs"]
    assert [run["id"] for run in named] == ["13", "12"]
    assert call("list", "runs", "Train/").out == call("list", "runs", "--flow", "Train").out


def test_runs_of_a_flow_that_never_ran_are_an_error(call: Call, good: Any) -> None:
    said = call("list", "runs", "Trian")
    assert said.code == 2
    assert "did you mean `Train`?" in said.err
    assert call("list", "runs", "Train", "--flow", "Train").code == 2


def test_a_dump_without_artifacts_says_so(call: Call, tell: Any) -> None:
    tell(14).fail(TaskKey("start"))
    said = call("dump", "Train/14")
    assert (said.code, said.out) == (0, "")
    assert said.err == "no task of Train/14 has succeeded, so there are no artifacts\n"


def test_tasks_of_a_dead_driver_are_shown_as_lost(
    call: Call, tell: Any, workspace: Workspace
) -> None:
    story = tell(15)
    story.succeed(TaskKey("start"), names=["a", "b"])
    story.fail(TaskKey("fit", (0,)))
    began = [Attempt(TaskKey("fit", (1,)))]
    began_at = story.record.started_at
    workspace.metadata.record_started(story.run, began, began_at)
    header, _, fit = call("list", "steps", "Train/15").out.splitlines()
    counts = dict(zip(header.split(), fit.split(), strict=True))
    assert (counts["failed"], counts["lost"], counts["running"]) == ("1", "1", "-")
    assert " lost " in call("show", "Train/15").out
    assert " lost " not in call("show", "Train/15/start").out
    again = "hint: go on with `flowkit resume train.py --origin-run-id 15`"
    assert call("show", "Train/15").out.splitlines()[-1] == again
    task = call("show", "Train/15/fit/1").out.splitlines()
    assert task == ["Train/15/fit/1  lost", f"  started     {local_time(began_at)}"]


@pytest.mark.parametrize("words", [("--quiet", "run"), ("run", "--quiet")])
def test_quiet_may_stand_before_the_command_or_after_it(
    call: Call, talk: str, words: tuple[str, ...]
) -> None:
    Path("said.txt").write_text("hello")
    said = call(*words, talk, "--words", "said.txt")
    assert (said.code, said.out, said.err) == (0, "", "")
