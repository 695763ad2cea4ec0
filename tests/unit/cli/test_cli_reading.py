"""Commands that read: what they say of runs that are in the store and the index."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas
import pytest

from flowkit.client import live_log
from flowkit.logs import encode_line
from flowkit.store import Store
from flowkit.values import Attempt, Failure, TaskKey, TaskResult

Call = Callable[..., Any]


def test_nothing_has_run_yet_is_said_on_stderr(call: Call) -> None:
    said = call("list", "runs")
    assert (said.code, said.out) == (0, "")
    assert said.err


def test_runs_are_listed_newest_first(call: Call, good: Any, bad: Any) -> None:
    said = call("list", "runs")
    header, newest, older = said.out.splitlines()
    assert header.split() == ["run", "status", "started", "took", "user", "tags"]
    assert newest.split()[:2] == ["Train/13", "failed"]
    assert older.split()[:2] == ["Train/12", "succeeded"]
    assert older.split()[-2:] == ["ann", "nightly"]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ((), ["13", "12"]),
        (("--status", "failed"), ["13"]),
        (("--tag", "nightly"), ["12"]),
        (("--tag", "user:ann"), ["13", "12"]),
        (("--user", "bob"), []),
        (("--flow", "Train", "--limit", "1"), ["13"]),
        (("--flow", "Other"), []),
    ],
)
def test_runs_are_filtered(
    call: Call, good: Any, bad: Any, words: tuple[str, ...], ids: list[str]
) -> None:
    said = call("list", "runs", "--json", *words)
    assert said.json["schema"] == "flowkit.list-runs/1"
    assert [run["id"] for run in said.json["runs"]] == ids


@pytest.mark.parametrize("words", ["list runs", "list runs --status failed", "list tasks Train/13"])
def test_a_limit_may_be_larger_than_any_number_of_rows(call: Call, bad: Any, words: str) -> None:
    said = call(*words.split(), "--limit", str(10**22))
    assert (said.code, said.out) == (0, call(*words.split()).out)


def test_json_has_utc_times_and_whole_ids(call: Call, good: Any) -> None:
    (run,) = call("list", "runs", "--json").json["runs"]
    assert run["started_at"] == "2024-05-17T12:42:00.000000Z"
    assert run["finished_at"] == "2024-05-17T12:42:30.000000Z"
    assert run["duration_s"] == 30.0
    (artifact,) = call("list", "artifacts", "Train/12/pick", "--json").json["artifacts"]
    assert artifact["task"] == "Train/12/pick/0"
    assert len(artifact["digest"]) == 64


def test_artifacts_of_more_tasks_than_a_page_are_all_listed(
    call: Call, tell: Any, workspace: Any
) -> None:
    story = tell(15)
    outcome = story.succeed(TaskKey("start"), name="x")
    row = workspace.metadata.task(story.run, TaskKey("start"))
    made = [
        TaskResult(
            attempt=Attempt(TaskKey("fit", (at,))),
            status="succeeded",
            started_at=row.started_at,
            finished_at=row.finished_at,
            outcome=outcome,
        )
        for at in range(1001)
    ]
    workspace.metadata.record_results(story.run, made)
    found = call("list", "artifacts", "Train/15", "--limit", "2000", "--json").json["artifacts"]
    tasks = ["start/0", *(f"fit/{at}" for at in range(1001))]
    assert [one["task"] for one in found] == [f"Train/15/{task}" for task in tasks]


def test_json_is_the_same_at_every_call(call: Call, good: Any) -> None:
    for words in (["show", "Train/12"], ["list", "tasks", "Train/12"], ["dump", "Train/12"]):
        first = call(*words, "--json")
        assert first.code == 0
        assert call(*words, "--json").out == first.out


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("runs", "--limit", "1"), "1 more"),
        (("runs", "--limit", "1", "--status", "failed"), None),
        (("runs", "--limit", "1", "--tag", "user:ann"), "1 more"),
        (("runs", "--limit", "1", "--tag", "nightly"), None),
        (("runs", "--limit", "2"), None),
        (("tasks", "Train/12", "--limit", "2"), "4 more"),
        (("tasks", "Train/12", "--limit", "6"), None),
        (("tasks", "Train/12/fit", "--limit", "2"), "1 more"),
        (("tasks", "Train/12/fit", "--limit", "1", "--status", "succeeded"), "2 more"),
        (("tasks", "Train/13", "--limit", "1", "--status", "failed"), None),
        (("artifacts", "Train/12", "--limit", "5"), "more"),
        (("artifacts", "Train/12", "--limit", "50"), None),
        (("artifacts", "Train/12/pick", "--limit", "1"), None),
    ],
)
def test_a_list_that_stops_early_says_so(
    call: Call, good: Any, bad: Any, words: tuple[str, ...], more: str | None
) -> None:
    said = call("list", *words)
    assert said.err == (f"and {more}; `--limit` shows more\n" if more else "")
    assert call("list", *words, "--json").json["more"] is (more is not None)


def test_unended_runs_are_counted_by_how_they_stand(call: Call, tell: Any) -> None:
    for number in range(3):
        tell(number + 1)
    said = call("list", "runs", "--status", "lost", "--limit", "2")
    assert said.err == "and 1 more; `--limit` shows more\n"
    assert call("list", "runs", "--status", "running", "--limit", "1").out == ""


def test_a_flow_of_many_runs_is_shown_by_the_latest_and_their_number(call: Call, tell: Any) -> None:
    for number in range(22):
        tell(number + 1).end()
    lines = call("show", "Train").out.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "and 2 more; `flowkit list runs Train --limit 22` lists them"
    assert call("show", "Train", "--json").json["more"] is True


def test_flows_are_listed(call: Call, good: Any, bad: Any) -> None:
    (flow,) = call("list", "flows", "--json").json["flows"]
    assert (flow["flow"], flow["runs"]) == ("Train", 2)
    assert "Train" in call("list", "flows").out


def test_steps_are_listed_with_how_their_tasks_stand(call: Call, good: Any) -> None:
    said = call("list", "steps", "Train/12", "--json")
    steps = {step["step"]: step for step in said.json["steps"]}
    assert (steps["fit"]["tasks"], steps["fit"]["succeeded"], steps["fit"]["failed"]) == (3, 3, 0)
    assert "fit" in call("list", "steps", "Train/12").out


def test_tasks_are_listed_in_the_order_of_steps_and_indexes(call: Call, good: Any) -> None:
    said = call("list", "tasks", "Train/12", "--json")
    assert [task["task"] for task in said.json["tasks"]][:4] == [
        "Train/12/start/0",
        "Train/12/fit/0",
        "Train/12/fit/1",
        "Train/12/fit/2",
    ]
    assert said.json["tasks"][2]["attempt"] == 1
    limited = call("list", "tasks", "Train/12", "--json", "--limit", "2")
    assert limited.json["tasks"] == said.json["tasks"][:2]


def test_tasks_are_filtered_by_step_and_status(call: Call, bad: Any) -> None:
    said = call("list", "tasks", "Train/13/fit", "--status", "failed", "--json")
    assert [task["task"] for task in said.json["tasks"]] == ["Train/13/fit/0"]
    assert said.json["tasks"][0]["failure"]["type"] == "ValueError"
    assert "no luck" in call("list", "tasks", "Train/13").out
    assert call("list", "tasks", "Train/13", "--status", "running").out == ""
    assert call("list", "tasks", "Train/13/fit/0").code == 2


def test_a_run_is_shown_with_its_parameters_and_steps(call: Call, good: Any) -> None:
    said = call("show", "Train/12")
    assert said.out.splitlines()[0].split() == ["Train/12", "succeeded"]
    assert "learning-rate=0.5" in said.out
    assert "nightly" in said.out
    document = call("show", "Train/12", "--json").json
    assert document["parameters"]["learning-rate"]["value"] == 0.5
    assert document["steps"][0]["step"] == "start"


def test_a_failed_run_is_shown_with_its_traceback(call: Call, bad: Any) -> None:
    said = call("show", "Train/13")
    assert said.code == 0
    assert "failed: Train/13/fit/0" in said.out
    assert said.out.endswith("Traceback\nValueError: no luck\n")


def test_a_task_is_shown_with_its_attempts_and_artifacts(call: Call, good: Any) -> None:
    said = call("show", "Train/12/fit/1")
    assert "ValueError: no luck" in said.out
    assert "score" in said.out
    document = call("show", "Train/12/fit/1", "--json").json
    assert [attempt["status"] for attempt in document["attempts"]] == ["failed", "succeeded"]
    assert [one["name"] for one in document["artifacts"]] == ["score"]


def test_a_step_of_one_task_is_shown_as_that_task(call: Call, good: Any) -> None:
    assert call("show", "Train/12/pick").out.startswith("Train/12/pick/0")
    assert "Train/12/fit/2" in call("show", "Train/12/fit").out
    assert len(call("show", "Train/12/fit", "--json").json["task_rows"]) == 3


def test_a_flow_alone_is_shown_by_its_runs(call: Call, good: Any, bad: Any) -> None:
    assert len(call("show", "Train").out.splitlines()) == 3
    assert call("show", "Train/").code == 0


def test_a_clone_is_shown_with_its_origin_and_its_log(call: Call, tell: Any, good: Any) -> None:
    again = tell(14, origin=good.run)
    outcome = good.succeed(TaskKey("fit", (7,)), score=7)
    good.print(TaskKey("fit", (7,)), ("stdout", b"seven\n"))
    again.clone(TaskKey("fit", (7,)), good, outcome)
    again.end()
    assert "clone of    Train/12/fit/7" in call("show", "Train/14/fit/7").out
    assert "resumes" in call("show", "Train/14").out
    assert call("logs", "Train/14/fit/7").out == "seven\n"
    assert "cloned" in call("list", "tasks", "Train/14").out


def test_a_single_tasks_log_is_printed_as_it_was(call: Call, good: Any) -> None:
    assert call("logs", "Train/12/start").out == "hello\ncareful\n"
    assert call("logs", "Train/12/start", "--stdout").out == "hello\n"
    assert call("logs", "Train/12/start", "--stderr").out == "careful\n"
    assert call("logs", "Train/12/start", "--stderr", "--stdout").out == "hello\ncareful\n"


def test_undecodable_output_goes_through_unchanged(
    home: Path, good: Any, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    from flowkit.cli import main

    assert main(["logs", "Train/12/fit/1"]) == 0
    assert capfdbinary.readouterr().out == b"one \xff\nopen"


def test_logs_of_a_step_are_merged_in_time_and_say_whose_each_line_is(
    call: Call, good: Any
) -> None:
    lines = call("logs", "Train/12/fit", "--stdout").out.splitlines()
    assert lines[0] == "fit[0] | zero"
    assert [line.split(" | ")[0] for line in lines] == ["fit[0]", "fit[1]", "fit[0]", "fit[1]"]
    bare = call("logs", "Train/12/fit", "--no-prefix", "--stdout").out.splitlines()
    assert bare[:2] == ["zero", "zero again"]
    assert bare[-1] == "open"


def test_another_attempts_log_can_be_asked_for(call: Call, good: Any) -> None:
    assert call("logs", "Train/12/fit/1", "--attempt", "0").out == "broken\n"
    assert call("logs", "Train/12/fit/1", "--attempt", "2").code == 2


def test_the_log_of_a_process_that_died_is_the_tasks_where_catch_stood_in(
    call: Call, tell: Any
) -> None:
    story, key = tell(16), TaskKey("fit", (0,))
    died = story.fail(key, failure=Failure(type_name="ProcessDied", message="killed"))
    story.print(key, ("stdout", b"about to die\n"))
    story.succeed(key, 1, caught=died)
    story.end()
    assert call("logs", "Train/16/fit/0").out == "about to die\n"
    assert call("logs", "Train/16").out == "about to die\n"
    assert call("logs", "Train/16/fit/0", "--attempt", "1").out == ""
    (line,) = call("logs", "Train/16", "--json").json["lines"]
    assert line["attempt"] == 0


def test_timestamps_are_utc(call: Call, good: Any) -> None:
    said = call("logs", "Train/12/start", "--timestamps")
    assert said.out.splitlines()[0] == "2023-11-14 22:13:20.000000 hello"


def test_only_logs_that_are_there_are_asked_for(
    call: Call, good: Any, tell: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    read = Store.log
    monkeypatch.setattr(
        Store, "log", lambda self, run, one: asked.append(str(one)) or read(self, run, one)
    )
    keys = [TaskKey("fit", (at,)) for at in range(3, 40)]
    outcomes = {key: good.succeed(key) for key in keys}
    good.print(TaskKey("fit", (20,)), ("stdout", b"twenty\n"))
    lines = call("logs", "Train/12/fit", "--stdout").out.splitlines()
    assert {line.split(" | ")[0] for line in lines} == {"fit[0]", "fit[1]", "fit[20]"}
    assert len(asked) == 3
    again = tell(17, origin=good.run)
    key = TaskKey("fit", (20,))
    again.clone(key, good, outcomes[key])
    assert call("logs", "Train/17").out == "twenty\n"
    assert len(asked) == 4


def test_logs_as_json_name_task_stream_and_time(call: Call, good: Any) -> None:
    lines = call("logs", "Train/12/start", "--json").json["lines"]
    assert lines[1] == {
        "task": "Train/12/start/0",
        "attempt": 0,
        "time": "2023-11-14T22:13:21.000000Z",
        "stream": "stderr",
        "text": "careful\n",
    }


def test_the_log_of_an_attempt_that_still_runs_is_read(
    call: Call, tell: Any, workspace: Any, home: Path
) -> None:
    story, attempt = tell(15), Attempt(TaskKey("start"), 0)
    workspace.metadata.record_started(story.run, [attempt], datetime.now(UTC))
    file = live_log(home, story.run, attempt)
    file.parent.mkdir(parents=True)
    file.write_bytes(encode_line(1_700_000_000_000_000, "stdout", b"so far"))
    assert call("logs", "Train/15").out == "so far\n"


def test_artifacts_are_dumped_as_text(call: Call, good: Any) -> None:
    lines = call("dump", "Train/12/end").out.splitlines()
    assert lines == [
        "Train/12/end/0",
        "  best  = 2",
        "  big   = <bytes, 50.0 kB>",
        "  model = {'weights': [1.5, 2.5]}",
    ]
    assert call("dump", "Train/12/end", "--max-value-size", "0").out.splitlines()[1] == "  best"


def test_no_value_and_no_failure_steers_the_terminal(call: Call, tell: Any) -> None:
    story, said = tell(16), "\x1b[2J\x07gone"
    story.succeed(TaskKey("start"), frame=pandas.DataFrame({"a": [said], "b": ["x"]}))
    failure = Failure(type_name="ValueError", message=said, traceback=f"Traceback\n{said}\n")
    story.fail(TaskKey("end"), failure=failure)
    dumping = ["dump", "Train/16/start", "--max-value-size", "9999"]
    for words in (dumping, ["show", "Train/16/end"]):
        shown = call(*words).out
        assert "\\x1b[2J\\x07gone" in shown
        assert not set(shown) & {"\x1b", "\x07"}


def test_private_artifacts_are_dumped_when_asked_for(call: Call, good: Any) -> None:
    assert "_secret" not in call("dump", "Train/12/fit/0").out
    assert "_secret = 1" in call("dump", "Train/12/fit/0", "--private").out
    assert "_secret = 1" in call("dump", "Train/12/fit/0", "--include", "_secret").out


def test_a_dump_to_a_file_is_a_pickle_of_tasks_and_values(
    call: Call, good: Any, tmp_path: Path
) -> None:
    said = call("dump", "Train/12/fit", "--file", "some.pickle")
    assert (said.code, said.out) == (0, "")
    assert pickle.loads((tmp_path / "some.pickle").read_bytes()) == {
        "12/fit/0": {"score": 0.1},
        "12/fit/1": {"score": 0.2},
        "12/fit/2": {"score": 0.3},
    }
    assert call("dump", "Train/12/fit", "--file", "no/folder.pickle").code == 2


def test_a_dump_as_json_has_values_that_json_can_hold(call: Call, good: Any) -> None:
    tasks = call("dump", "Train/12/end", "--json", "--max-value-size", "100000").json["tasks"]
    told = tasks["Train/12/end/0"]
    assert told["model"]["value"] == {"weights": [1.5, 2.5]}
    assert told["big"]["type"] == "bytes"
    assert "value" not in told["big"]
    assert told["big"]["text"].startswith("b'")


def test_an_artifact_that_no_task_has_is_not_found(call: Call, good: Any) -> None:
    said = call("dump", "Train/12", "--include", "scroe")
    assert said.code == 2
    assert "`scroe`" in said.err


def test_the_graph_of_a_run_is_drawn_as_it_was(call: Call, good: Any) -> None:
    assert "fit" in call("graph", "Train/12").out
    assert call("graph", "Train/12", "--format", "dot").out.startswith("digraph")
    assert call("graph", "Train/12", "--json").json["schema"] == "flowkit.graph/1"


@pytest.mark.parametrize(
    ("pathspec", "hint"),
    [
        ("Trian/12", "Train"),
        ("Train/99", "Train/12"),
        ("Train/12/fti", "fit"),
        ("Train/12/fit/9", "Train/12/fit/2"),
        ("Train/12/fit/nonsense", "Train/12/fit/2"),
        ("Train", "Flow/run"),
        ("Train//fit", "Flow/run"),
        ("Train/12/fit/0/score", "Flow/run"),
    ],
)
def test_what_is_not_there_is_named_and_something_near_is_offered(
    call: Call, good: Any, pathspec: str, hint: str
) -> None:
    said = call("logs", pathspec)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert hint in said.err.partition("\n\nhint: ")[2]
