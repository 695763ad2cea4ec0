"""Reuse: tasks that any earlier run has computed are cloned, and only those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowkit.runner import RunOptions
from flowkit.values import RunId

if TYPE_CHECKING:
    from conftest import Lab, Ran

FLOW = """
    class Sum(FlowSpec):
        alpha = Parameter(default=3)
        beta = Parameter(default=5)
        FACTOR = 2

        @step
        def start(self):
            self.rows = [1, 2, 3]
            self.text = "as before"
            self.next(self.square, foreach="rows")

        @step
        def square(self):
            self.value = self.input**2
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(one.value for one in inputs)
            self.merge_artifacts(inputs, exclude=["value"])
            self.next(self.scale)

        @step
        def scale(self):
            self.scaled = self.total * self.alpha
            self.next(self.end)

        @step
        def end(self):
            self.answer = self.scaled + self.beta * self.FACTOR
"""
ALL = ["end/0", "join/0", "scale/0", "square/0", "square/1", "square/2", "start/0"]


def reusing(lab: Lab, text: str | None = None, **parameters: Any) -> Ran:
    return lab.run(text, options=RunOptions(reuse=True, parameters=parameters))


def everything(ran: Ran) -> dict[str, dict[str, Any]]:
    """Return all artifacts of all tasks of a run."""
    return {
        task.pathspec.split("/", 2)[2]: {name: getattr(task.data, name) for name in task.data}
        for step in ran.run
        for task in step
    }


def origin_of(lab: Lab, ran: Ran) -> RunId | None:
    row = lab.workspace.metadata.run(ran.end.run)
    assert row is not None
    return row.origin


def test_a_second_run_of_the_same_computes_nothing(any_lab: Lab) -> None:
    first = any_lab.run(FLOW)
    second = reusing(any_lab)
    assert second.started == []
    assert sorted(second.cloned) == ALL
    assert everything(second) == everything(first)
    assert second.run["end"].task.origin_pathspec == f"{first.run.pathspec}/end/0"


def test_without_being_asked_nothing_is_reused(lab: Lab) -> None:
    lab.run(FLOW)
    assert lab.run().cloned == []


@pytest.mark.parametrize(
    ("old", "new", "parameters", "started"),
    [
        ("", "", {"alpha": "4"}, ["end/0", "scale/0"]),
        ("", "", {"beta": "6"}, ["end/0"]),
        ("FACTOR = 2", "FACTOR = 3", {}, ["end/0"]),
        ("self.total * self.alpha", "self.alpha * self.total", {}, ["scale/0"]),
        # An element in front moves the others; and the sum is what it was.
        ("[1, 2, 3]", "[0, 1, 2, 3]", {}, ["join/0", "square/0", "start/0"]),
        ("[1, 2, 3]", "[3, 2, 1]", {}, ["join/0", "start/0"]),
        ("as before", "as now", {}, ["join/0", "start/0"]),
    ],
)
def test_what_changed_runs_anew_and_what_does_not_see_it_is_cloned(
    lab: Lab, old: str, new: str, parameters: dict[str, str], started: list[str]
) -> None:
    lab.run(FLOW)
    changed = FLOW.replace(old, new) if old else FLOW
    lab.write(changed, lab.file.name)
    reused = lab.run(options=RunOptions(reuse=True, parameters=parameters))
    assert reused.started == started
    fresh = lab.run(options=RunOptions(parameters=parameters))
    assert fresh.cloned == []
    assert everything(reused) == everything(fresh)


def test_memo_reuses_a_step_without_the_command_line(lab: Lab) -> None:
    lab.run(FLOW)
    lab.write(FLOW.replace("@step\n        def square", "@memo\n        @step\n        def square"))
    again = lab.run()
    assert again.started == ["end/0", "join/0", "scale/0", "start/0"]
    assert again.cloned == ["square/0", "square/1", "square/2"]


def test_a_step_that_forbids_it_runs_under_reuse_too(lab: Lab) -> None:
    text = FLOW.replace(
        "@step\n        def start", "@memo(False)\n        @step\n        def start"
    )
    lab.run(text)
    again = reusing(lab)
    assert again.started == ["start/0"]
    assert len(again.cloned) == 6


def test_only_what_succeeded_by_itself_is_reused(lab: Lab) -> None:
    text = """
        class Hard(FlowSpec):
            @step
            def start(self):
                self.rows = [0, 1]
                self.next(self.divide, foreach="rows")

            @catch(var="failure", print_exception=False)
            @step
            def divide(self):
                self.value = 1 / self.input
                self.next(self.join)

            @step
            def join(self, inputs):
                self.next(self.end)

            @step
            def end(self):
                raise ValueError("no")
    """
    assert lab.run(text).status == "failed"
    again = reusing(lab)
    assert again.status == "failed"
    assert again.started == ["divide/0", "end/0"]
    assert again.cloned == ["start/0", "divide/1", "join/0"]


def test_a_clone_of_another_element_has_its_log_and_times(lab: Lab) -> None:
    text = """
        class Words(FlowSpec):
            @step
            def start(self):
                self.words = ["b", "c"]
                self.next(self.say, foreach="words")

            @step
            def say(self):
                print("saying", self.input)
                self.next(self.join)

            @step
            def join(self, inputs):
                self.next(self.end)

            @step
            def end(self):
                pass
    """
    first = lab.run(text)
    lab.write(text.replace('["b", "c"]', '["a", "b", "c"]'))
    second = reusing(lab)
    assert second.started == ["join/0", "say/0", "start/0"]
    moved = second.run["say"]["2"]
    assert moved.stdout == "saying c\n"
    assert moved.origin_pathspec == f"{first.run.pathspec}/say/1"
    assert moved.finished_at == first.run["say"]["1"].finished_at
    third = reusing(lab)
    assert third.started == []
    assert third.run["say"]["2"].stdout == "saying c\n"


SEEING = {
    "self.foreach_stack()": True,
    "(self.index, self.input)": True,
    "(current.task_id, self.input)": True,
    "self.index": False,
    "current.task_id": False,
    "vars(self)": True,
    "str(self)": True,
    "getattr(self, 'in' + 'put')": True,
    "getattr(self, 'input')": False,
    "self.input": False,
    "[self.input for _ in range(2)]": False,
}


@pytest.mark.parametrize("expression", SEEING)
def test_an_element_takes_over_what_another_computed_unless_it_sees_its_place(
    lab: Lab, expression: str
) -> None:
    text = f"""
        class Placed(FlowSpec):
            @step
            def start(self):
                self.rows = ["a", "b"]
                self.next(self.see, foreach="rows")

            @step
            def see(self):
                self.seen = str({expression})
                self.next(self.join)

            @step
            def join(self, inputs):
                self.seen = [one.seen for one in inputs]
                self.next(self.end)

            @step
            def end(self):
                pass
    """
    lab.run(text)
    lab.write(text.replace('["a", "b"]', '["b", "a"]'))
    reused = reusing(lab)
    assert ("see/0" in reused.started) is SEEING[expression]
    if expression not in ("vars(self)", "str(self)"):  # these tell of the flow's own objects
        assert reused.values("seen", "see") == lab.run().values("seen", "see")


READS = {
    "self.alpha": True,
    "getattr(self, 'al' + 'pha')": True,
    "self.inner()": True,
    "self.shown": True,
    "helper(self)": True,
    "(lambda: self.alpha)()": True,
    "[one.alpha for one in [self]][0]": True,
    "self.beta": False,
    "self.other()": False,
}


@pytest.mark.parametrize("expression", READS)
def test_a_parameter_counts_where_it_may_be_read(lab: Lab, expression: str) -> None:
    text = f"""
        def helper(flow):
            return flow.alpha

        class Reading(FlowSpec):
            alpha = Parameter(default=1)
            beta = Parameter(default=2)

            def inner(self):
                return self.alpha

            def other(self):
                return self.beta

            @property
            def shown(self):
                return self.inner()

            @step
            def start(self):
                self.seen = {expression}
                self.next(self.end)

            @step
            def end(self):
                pass
    """
    lab.run(text)
    reused = reusing(lab, alpha="7")
    assert ("start/0" in reused.started) is READS[expression]
    assert everything(reused) == everything(lab.run(alpha="7"))


def test_artifacts_pass_through_a_clone_as_they_are_today(lab: Lab) -> None:
    text = """
        class Through(FlowSpec):
            @step
            def start(self):
                self.note = "old"
                self.gone = 1
                self.kept = [1, 2]
                self.next(self.middle)

            @step
            def middle(self):
                del self.gone
                self.size = len(self.kept)
                self.next(self.end)

            @step
            def end(self):
                self.said = self.note
    """
    lab.run(text)
    lab.write(text.replace('"old"', '"new"'))
    reused = reusing(lab)
    assert reused.started == ["end/0", "start/0"]
    assert reused.value("said") == "new"
    assert reused.value("note", "middle") == "new"
    assert "gone" not in reused.run["middle"].task
    assert everything(reused) == everything(lab.run())


def test_an_artifact_that_is_looked_for_and_not_there_counts(lab: Lab) -> None:
    text = """
        class Looking(FlowSpec):
            @step
            def start(self):
                self.x = 1
                self.next(self.end)

            @step
            def end(self):
                self.found = hasattr(self, "y")
    """
    lab.run(text)
    lab.write(text.replace("self.x = 1", "self.x, self.y = 1, 2"))
    assert reusing(lab).value("found") is True


def test_reuse_goes_on_where_the_earlier_run_was_deleted(lab: Lab) -> None:
    first = lab.run(FLOW)
    second = reusing(lab)
    lab.workspace.store.delete_run(first.end.run)
    lab.workspace.metadata.forget_run(first.end.run)
    assert lab.cli("gc", "--grace", "0").returncode == 0
    assert everything(second)["end/0"]["answer"] == 14 * 3 + 5 * 2
    third = reusing(lab)
    assert third.started == []
    lab.workspace.store.delete_run(second.end.run)
    lab.workspace.store.delete_run(third.end.run)
    assert lab.cli("gc", "--grace", "0").returncode == 0
    # The index still tells of them, but what they left is gone.
    fourth = reusing(lab)
    assert fourth.status == "succeeded"
    assert fourth.started == ALL
    assert lab.cli("store", "verify").returncode == 0


def test_the_index_can_be_built_again(lab: Lab) -> None:
    lab.run(FLOW)
    lab.write(FLOW.replace("[1, 2, 3]", "[0, 1, 2, 3]"))
    reusing(lab)
    before = lab.workspace.metadata.snapshot()
    assert lab.cli("store", "reindex").returncode == 0
    assert lab.workspace.metadata.snapshot() == before
    assert reusing(lab).started == []


def test_resuming_with_another_parameter_runs_what_depends_on_it(any_lab: Lab) -> None:
    first = any_lab.run(FLOW)
    resumed = any_lab.resume(options=RunOptions(parameters={"alpha": "4"}))
    assert resumed.started == ["end/0", "scale/0"]
    assert len(resumed.cloned) == 5
    assert origin_of(any_lab, resumed) == first.end.run
    assert resumed.value("alpha") == 4
    assert resumed.value("alpha", "start") == 4
    assert resumed.value("beta") == 5
    again = any_lab.resume(options=RunOptions(parameters={"beta": "6"}))
    assert again.started == ["end/0"]
    assert again.value("answer") == 14 * 4 + 6 * 2


def test_resuming_with_a_parameter_takes_from_that_run_alone(lab: Lab) -> None:
    first = lab.run(FLOW, alpha="4")
    second = lab.run(alpha="3")
    resumed = lab.resume(options=RunOptions(parameters={"alpha": "4"}))
    assert origin_of(lab, resumed) == second.end.run
    assert resumed.started == ["end/0", "scale/0"]
    named = lab.resume(
        options=RunOptions(parameters={"alpha": "4"}), origin=first.end.run.id, step="join"
    )
    assert named.started == ["end/0", "join/0", "scale/0"]


def test_a_parameter_that_does_not_fit_makes_no_run(lab: Lab) -> None:
    lab.run(FLOW)
    for words in (["--set", "alpha"], ["--set", "gamma=1"], ["--set", "alpha=x"]):
        done = lab.cli("resume", str(lab.file), *words)
        assert done.returncode == 2, done.stderr
        assert "hint:" in done.stderr
    assert len(lab.workspace.metadata.runs("Sum")) == 1
