"""A resumed run ends like one that never failed, and computes nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowkit.errors import NotFound, UsageError
from flowkit.runner import RunOptions

if TYPE_CHECKING:
    from conftest import Lab

# Steps fail while a file of their name is there, so that their code need not change.
CHAIN = """
    def fail_if_told(name):
        if os.path.exists(os.path.join(os.path.dirname(__file__), f"fail-{name}")):
            raise ValueError(f"told to fail: {name}")

    class Chain(FlowSpec):
        alpha = Parameter("alpha", default=1)

        @step
        def start(self):
            self.random = random.random()
            self.trace = ["start"]
            fail_if_told("start")
            self.next(self.middle)

        @step
        def middle(self):
            self.trace.append("middle")
            self.middle_random = random.random()
            fail_if_told("middle")
            self.next(self.end)

        @step
        def end(self):
            self.trace.append(f"end {self.alpha}")
            self.origin = current.origin_run_id
            fail_if_told("end")
"""

SWEEP = """
    def fail_if_told(name):
        if os.path.exists(os.path.join(os.path.dirname(__file__), f"fail-{name}")):
            raise ValueError(f"told to fail: {name}")

    class Sweep(FlowSpec):
        @step
        def start(self):
            self.outer = [1, 2]
            self.next(self.fan, foreach="outer")

        @step
        def fan(self):
            self.inner = "abc"
            self.next(self.work, foreach="inner")

        @step
        def work(self):
            self.y = f"{self.foreach_stack()[0][2]}{self.input}"
            fail_if_told(f"work-{self.y}")
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.ys = [one.y for one in inputs]
            fail_if_told("gather")
            self.next(self.choose)

        @step
        def choose(self):
            self.big = self.input > 1
            self.turn = 0
            self.next({True: self.loop, False: self.small}, condition="big")

        @step
        def loop(self):
            self.turn += 1
            fail_if_told(f"loop-{self.turn}")
            self.again = self.turn < 3
            self.next({True: self.loop, False: self.join}, condition="again")

        @step
        def small(self):
            fail_if_told("small")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.all = [(one.ys, one.turn) for one in inputs]
            fail_if_told("join")
            self.next(self.end)

        @step
        def end(self):
            pass
"""
SWEPT = [(["1a", "1b", "1c"], 0), (["2a", "2b", "2c"], 3)]
ALL_TASKS = {
    *("start/0", "fan/0", "fan/1", "choose/0", "choose/1", "gather/0", "gather/1"),
    *(f"work/{i}.{j}" for i in range(2) for j in range(3)),
    *("small/0", "loop/1", "loop/1@1", "loop/1@2", "join/0", "end/0"),
}


def _fail(lab: Lab, *names: str) -> None:
    for mark in lab.folder.glob("fail-*"):
        mark.unlink()
    for name in names:
        (lab.folder / f"fail-{name}").touch()


def test_a_run_is_resumed_from_the_step_that_failed(any_lab: Lab) -> None:
    _fail(any_lab, "middle")
    failed = any_lab.run(CHAIN, alpha="7")
    assert failed.status == "failed"
    _fail(any_lab)
    ran = any_lab.resume()
    assert ran.status == "succeeded", ran.end
    assert (ran.cloned, ran.started) == (["start/0"], ["end/0", "middle/0"])
    assert ran.value("trace") == ["start", "middle", "end 7"]
    assert ran.value("random") == failed.value("random", "start")
    assert (ran.value("origin"), ran.run.origin_pathspec) == ("1", "Chain/1")
    task = ran.run["start"].task
    assert task.origin_pathspec == "Chain/1/start/0"
    assert task.metadata_dict["origin-run-id"] == "1"
    assert task.successful
    assert task.finished_at == failed.run["start"].task.finished_at
    assert ran.run["middle"].task.origin_pathspec is None
    assert ran.run.parameters.alpha == 7


def test_a_run_is_resumed_from_a_named_step(lab: Lab) -> None:
    first = lab.run(CHAIN)
    ran = lab.resume(step="middle")
    assert (ran.cloned, ran.started) == (["start/0"], ["end/0", "middle/0"])
    assert ran.value("trace") == ["start", "middle", "end 1"]
    assert ran.value("middle_random") != first.value("middle_random")
    again = lab.resume(step="start")
    assert again.cloned == []
    assert again.value("random") != first.value("random")


def test_a_run_that_succeeded_is_cloned_whole(lab: Lab) -> None:
    lab.run(CHAIN)
    ran = lab.resume()
    assert ran.status == "succeeded"
    assert (ran.cloned, ran.started) == (["end/0", "middle/0", "start/0"], [])
    assert ran.run.data.trace == ["start", "middle", "end 1"]


def test_a_resumed_run_is_resumed_and_names_who_computed_what(lab: Lab) -> None:
    _fail(lab, "middle")
    lab.run(CHAIN)
    _fail(lab, "end")
    second = lab.resume()
    assert second.status == "failed"
    _fail(lab)
    third = lab.resume()
    assert third.cloned == ["middle/0", "start/0"]
    assert third.run["start"].task.origin_pathspec == "Chain/1/start/0"
    assert third.run["middle"].task.origin_pathspec == "Chain/2/middle/0"
    assert third.run.origin_pathspec == "Chain/2"
    assert third.value("trace") == ["start", "middle", "end 1"]


def test_any_earlier_run_can_be_resumed(lab: Lab) -> None:
    _fail(lab, "end")
    lab.run(CHAIN, alpha="5")
    _fail(lab)
    lab.run(alpha="6")
    assert lab.resume(origin="1").value("trace")[-1] == "end 5"
    assert lab.resume(origin="Chain/2").run.parameters.alpha == 6


def test_a_later_steps_changed_code_runs_on_earlier_results(lab: Lab) -> None:
    _fail(lab, "end")
    first = lab.run(CHAIN)
    _fail(lab)
    lab.write(CHAIN.replace('append("middle")', 'append("changed")'))
    ran = lab.resume()
    assert ran.value("trace") == ["start", "changed", "end 1"]
    assert ran.value("random") == first.value("random", "start")
    assert any("`middle`" in notice and "code changed" in notice for notice in ran.notices)


def test_an_earlier_steps_changed_code_runs_all_that_follows(lab: Lab) -> None:
    _fail(lab, "end")
    lab.run(CHAIN)
    _fail(lab)
    lab.write(CHAIN.replace('["start"]', '["begin"]'))
    ran = lab.resume()
    assert ran.cloned == []
    assert ran.value("trace") == ["begin", "middle", "end 1"]


CONSTANTS = """
class Constant(FlowSpec):
    LIMIT = 3
    WORDS = {"set", "of", "words"}

    @step
    def start(self):
        self.words = sorted(self.WORDS)
        self.next(self.use)

    @step
    def use(self):
        self.limit = self.LIMIT
        self.next(self.end)

    @step
    def end(self):
        self.words += ["end"]
"""


def test_a_changed_constant_runs_the_steps_that_name_it(lab: Lab) -> None:
    lab.run(CONSTANTS)
    lab.write(CONSTANTS.replace("LIMIT = 3", "LIMIT = 4"))
    changed = lab.resume()
    assert (changed.cloned, changed.started) == (["start/0"], ["end/0", "use/0"])
    assert "step `use` runs anew: constant `LIMIT` changed" in changed.notices
    assert changed.value("limit", "end") == 4
    # A set is pickled in another order by each process.
    assert lab.resume().started == []


def test_comments_and_layout_change_no_code(lab: Lab) -> None:
    _fail(lab, "end")
    lab.run(CHAIN)
    _fail(lab)
    lab.write(
        CHAIN.replace('self.trace = ["start"]', '# why\n            self.trace = [ "start" ]')
    )
    assert lab.resume().cloned == ["middle/0", "start/0"]


@pytest.mark.parametrize("executor", ["local", "inline"])
@pytest.mark.parametrize(
    ("marks", "anew"),
    [
        (["work-1b"], {"work/0.1", "gather/0", "choose/0", "small/0"}),
        (["gather"], {"gather/0", "gather/1", "choose/0", "choose/1", "small/0"}),
        (["small", "loop-2"], {"small/0", "loop/1@1", "loop/1@2"}),
        (["join"], set()),
    ],
)
def test_only_what_failed_and_what_follows_runs_anew(
    lab: Lab, executor: str, marks: list[str], anew: set[str]
) -> None:
    lab.having(executor=executor)
    _fail(lab, *marks)
    failed = lab.run(SWEEP)
    assert failed.status == "failed"
    done = {str(task.key) for one in failed.run for task in one if task.successful}
    _fail(lab)
    ran = lab.resume()
    assert ran.status == "succeeded", ran.end
    assert ran.value("all") == SWEPT
    assert set(ran.cloned) == done
    assert set(ran.started) == ALL_TASKS - done
    assert anew <= ALL_TASKS - done
    assert {str(task.key) for one in ran.run for task in one} == ALL_TASKS


def test_a_step_in_a_foreach_can_be_named(lab: Lab) -> None:
    lab.run(SWEEP)
    ran = lab.resume(step="gather")
    assert ran.value("all") == SWEPT
    kept = {"start/0", "fan/0", "fan/1", *(f"work/{i}.{j}" for i in range(2) for j in range(3))}
    assert set(ran.cloned) == kept


def test_clones_read_and_write_no_object(lab: Lab) -> None:
    _fail(lab, "join")
    lab.run(SWEEP)
    _fail(lab)
    storage = lab.count_storage()
    ran = lab.resume()
    assert len(ran.cloned) == len(ALL_TASKS) - 2
    assert ran.started == ["end/0", "join/0"]
    # Only its own parameters, which are kept from garbage collection once it has its record.
    own = lab.workspace.store.run_record(ran.run.row.run).parameters.hex()
    objects = [call for call in storage.calls if "objects" in call[1]]
    assert {key.rpartition("/")[2] for _, key in objects} == {own}
    # The run, all clones in one record, and the end: workers record what they run.
    assert storage.count("create") == 3


def test_a_resumed_run_has_tags_of_its_own(lab: Lab) -> None:
    _fail(lab, "end")
    lab.write(CHAIN)
    lab.run(options=RunOptions(tags=("first",)))
    _fail(lab)
    ran = lab.resume(options=RunOptions(tags=("second",)))
    assert ran.run.user_tags == {"second"}


def test_what_cannot_be_resumed_is_said(lab: Lab) -> None:
    lab.write(CHAIN)
    with pytest.raises(NotFound, match="no run of `Chain`"):
        lab.resume()
    lab.run()
    with pytest.raises(NotFound, match="`Chain/99`"):
        lab.resume(origin="99")
    with pytest.raises(NotFound, match="`midle`") as raised:
        lab.resume(step="midle")
    assert "`middle`" in str(raised.value.hint)
    with pytest.raises(UsageError, match="no parameter `gamma`"):
        lab.resume(options=RunOptions(parameters={"gamma": "3"}))


def test_a_new_parameter_keeps_a_run_from_being_resumed(lab: Lab) -> None:
    lab.run(CHAIN)
    lab.write(CHAIN.replace("@step", 'beta = Parameter("beta", default=2)\n\n        @step', 1))
    with pytest.raises(UsageError, match="`beta`"):
        lab.resume()


def test_a_run_that_is_resumed_may_be_deleted(lab: Lab) -> None:
    _fail(lab, "end")
    first = lab.run(CHAIN)
    _fail(lab)
    ran = lab.resume()
    lab.workspace.store.delete_run(first.end.run)
    lab.workspace.metadata.forget_run(first.end.run)
    assert ran.value("trace", "middle") == ["start", "middle"]
    later = lab.resume()
    assert later.status == "succeeded"
    assert later.value("trace") == ["start", "middle", "end 1"]


def test_the_run_id_is_in_its_file_before_a_task_starts(lab: Lab) -> None:
    text = """
    class IdFile(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            self.seen = open(os.path.join(os.path.dirname(__file__), "deep", "id")).read()
    """
    options = RunOptions(run_id_file=str(lab.folder / "deep" / "id"))
    assert lab.run(text, options=options).value("seen", "only") == "1"
    ran = lab.resume(options=options, step="only")
    assert ran.value("seen", "only") == "2"


def _artifacts(ran: Any) -> dict[str, Any]:
    return {
        f"{task.key}.{artifact.id}": artifact.sha
        for one in ran.run
        for task in one
        for artifact in task
    }


def test_a_resumed_run_ends_with_the_artifacts_of_one_that_never_failed(lab: Lab) -> None:
    whole = lab.run(SWEEP)
    _fail(lab, "work-2c", "small")
    lab.run()
    _fail(lab, "loop-3")
    lab.resume()
    _fail(lab)
    assert _artifacts(lab.resume()) == _artifacts(whole)
