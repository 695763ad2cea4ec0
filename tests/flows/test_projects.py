"""`@project`, `--trigger` and `@exit_hook`: where a run belongs, and what follows its end."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from flowkit.errors import NotFound, UsageError
from flowkit.runner import RunOptions

if TYPE_CHECKING:
    from conftest import Lab

WHERE = """
    from flowkit import project

    @project(name="fraud")
    class Flow(FlowSpec):
        @step
        def start(self):
            self.where = (current.project_name, current.branch_name, current.project_flow_name,
                          current.is_production, current.is_user_branch)
            if os.path.exists("broken"):
                raise ValueError("broken")
            self.next(self.end)

        @step
        def end(self): ...
"""


@pytest.mark.parametrize(
    ("options", "branch", "is_production", "is_user_branch"),
    [
        (RunOptions(), "user.tester", False, True),
        (RunOptions(branch="new.idea"), "test.new.idea", False, False),
        (RunOptions(production=True), "prod", True, False),
        (RunOptions(production=True, branch="blue"), "prod.blue", True, False),
    ],
)
def test_run_is_in_the_branch_that_its_options_say(
    lab: Lab, options: RunOptions, branch: str, is_production: bool, is_user_branch: bool
) -> None:
    run = lab.run(WHERE, options=options).run
    name = f"fraud.{branch}.Flow"
    assert run["start"].task.data.where == ("fraud", branch, name, is_production, is_user_branch)
    assert {"project:fraud", f"project_branch:{branch}"} <= run.system_tags
    assert run.project is not None
    assert run.project.branch == branch


def test_decorator_and_caller_cannot_both_name_the_branch(lab: Lab) -> None:
    lab.write(WHERE.replace('name="fraud"', 'name="fraud", branch="mine", production=True'))
    assert lab.run().run["start"].task.data.where[1] == "prod.mine"
    for options in (RunOptions(branch="other"), RunOptions(production=True)):
        with pytest.raises(UsageError, match="`@project` says"):
            lab.run(options=options)


def test_branch_without_a_project_or_with_a_bad_name_is_refused(lab: Lab) -> None:
    with pytest.raises(UsageError, match="is no name for a branch"):
        lab.run(WHERE, options=RunOptions(branch="a/b"))
    with pytest.raises(UsageError, match="is in no project"):
        lab.run(WHERE.replace('@project(name="fraud")', ""), options=RunOptions(branch="a"))
    assert list(lab.workspace.store.run_ids("Flow")) == []


def test_resumed_run_stays_in_its_branch_unless_told_otherwise(lab: Lab) -> None:
    broken = lab.folder / "broken"
    lab.write(WHERE.replace('"broken")', f"{str(broken)!r})"))
    broken.touch()
    assert lab.run(options=RunOptions(branch="idea")).status == "failed"
    broken.unlink()
    stays = lab.resume(origin="1")
    moves = lab.resume(origin="1", options=RunOptions(production=True))
    assert stays.run["start"].task.data.where[1] == "test.idea"
    assert moves.run["start"].task.data.where[1] == "prod"


def test_steps_outside_a_project_read_none(lab: Lab) -> None:
    ran = lab.run(WHERE.replace('@project(name="fraud")', ""))
    assert ran.run["start"].task.data.where == (None,) * 5
    assert ran.run.project is None


TRIGGERED = """
    from flowkit import trigger_on_finish

    class Prepare(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            self.rows = 7

    @trigger_on_finish(flow="Prepare")
    class Train(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            trigger = current.trigger
            self.by = trigger and (trigger.run.pathspec, trigger.run.data.rows,
                                   trigger["Prepare"].pathspec, "Other" in trigger,
                                   [one.id for one in trigger.events])
"""


def test_run_can_be_said_to_be_started_by_another_ones_end(lab: Lab) -> None:
    lab.write(TRIGGERED)
    lab.run(flow="Prepare")
    ran = lab.run(flow="Train", options=RunOptions(triggers=("Prepare/1",)))
    assert ran.value("by", "only") == ("Prepare/1", 7, "Prepare/1", False, ["Prepare/1"])
    assert ran.run.trigger is not None
    assert ran.run.trigger.run.pathspec == "Prepare/1"
    assert lab.run(flow="Train").value("by", "only") is None


@pytest.mark.parametrize(
    ("pathspec", "kind", "said"),
    [
        ("Prepare/9", NotFound, "does not exist"),
        ("Other/1", UsageError, "does not start when `Other` ends"),
        ("Prepare", UsageError, "is no run"),
        ("Prepare/1/only", UsageError, "is no run"),
    ],
)
def test_run_that_cannot_have_triggered_it_is_refused(
    lab: Lab, pathspec: str, kind: type[UsageError], said: str
) -> None:
    lab.run(TRIGGERED, flow="Prepare")
    with pytest.raises(kind, match=said):
        lab.run(flow="Train", options=RunOptions(triggers=(pathspec,)))
    with pytest.raises(UsageError, match="does not start when another one ends"):
        lab.run(flow="Prepare", options=RunOptions(triggers=("Prepare/1",)))


HOOKED = """
    from flowkit import exit_hook

    def note(line):
        with open(NOTES, "a") as file:
            print(line, file=file)

    def praise(run):
        note(f"praise {run.pathspec} {run.successful} {run.data.x} {current.is_running_flow}")

    def mourn(run):
        note(f"mourn {run.status} {run.failure.message}")

    def plain():
        note("plain")

    def broken():
        raise ValueError("no luck")

    @exit_hook(on_success=[broken, praise, plain], on_error=[mourn, plain])
    class Flow(FlowSpec):
        how = Parameter(default="well")

        @step(start=True, end=True)
        def only(self):
            self.x = 3
            if self.how == "badly":
                raise KeyError("gone")
            if self.how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
"""


def notes_of(lab: Lab) -> list[str]:
    return (lab.folder / "notes").read_text().splitlines()


def hooked(lab: Lab) -> str:
    return f"    NOTES = {str(lab.folder / 'notes')!r}\n" + HOOKED


def test_exit_hooks_are_called_with_the_run_that_succeeded(any_lab: Lab) -> None:
    ran = any_lab.run(hooked(any_lab))
    assert ran.status == "succeeded"
    assert notes_of(any_lab) == ["praise Flow/1 True 3 False", "plain"]
    (notice,) = [one for one in ran.notices if "exit hook" in one]
    assert notice.startswith("exit hook `broken` raised ValueError: no luck at ")


def test_exit_hooks_are_told_why_a_run_failed(any_lab: Lab) -> None:
    assert any_lab.run(hooked(any_lab), how="badly").status == "failed"
    assert notes_of(any_lab) == ["mourn failed 'gone'", "plain"]


def test_exit_hooks_are_called_when_a_step_was_killed_and_after_a_resume(lab: Lab) -> None:
    lab.run(hooked(lab), how="killed")
    lab.resume()
    first, second, third, fourth = notes_of(lab)
    assert (second, fourth) == ("plain", "plain")
    assert "died: killed by SIGKILL" in first
    assert "died: killed by SIGKILL" in third


def test_exit_hook_that_ends_its_process_is_told_of_by_name_and_the_others_run(lab: Lab) -> None:
    text = hooked(lab).replace('raise ValueError("no luck")', "os._exit(7)")
    ran = lab.run(text)
    assert ran.status == "succeeded"
    assert [one for one in ran.notices if "exit hook" in one] == [
        "exit hook `broken` did not end well: its process died: exit code 7"
    ]
    assert notes_of(lab) == ["praise Flow/1 True 3 False", "plain"]


def test_second_run_of_a_session_calls_its_exit_hooks_again(lab: Lab) -> None:
    lab.run(hooked(lab))
    lab.run()
    assert [one for one in notes_of(lab) if one != "plain"] == [
        "praise Flow/1 True 3 False",
        "praise Flow/2 True 3 False",
    ]


def test_cancelled_run_calls_the_hooks_for_errors(lab: Lab) -> None:
    text = hooked(lab).replace(
        'raise KeyError("gone")', "os.kill(DRIVER, signal.SIGINT); time.sleep(30)"
    )
    text = f"    DRIVER = {os.getpid()}\n" + text.replace("{run.failure.message}", "cancelled")
    before = signal.getsignal(signal.SIGINT)
    assert lab.run(text, how="badly").status == "cancelled"
    assert signal.getsignal(signal.SIGINT) == before
    assert notes_of(lab) == ["mourn cancelled cancelled", "plain"]
