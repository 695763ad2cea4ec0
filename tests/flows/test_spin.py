"""`spin`: one step by itself, after what an earlier run came to."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowkit.client import Flow, Run, get_metadata, inspect_spin, metadata, use_workspace
from flowkit.errors import NotFound, UsageError
from flowkit.launch import Runner
from flowkit.runner import (
    FlowSource,
    Noticed,
    Printed,
    Resumes,
    RunFact,
    SpinOptions,
    SpinTarget,
    Spun,
    open_session,
)

FLOW = """
    class Shop(FlowSpec):
        rate = Parameter("rate", default=2)
        FEE = 100

        @step
        def start(self):
            self.prices = [1, 2, 3]
            self.shop = "corner"
            self.next(self.convert, foreach="prices")

        @step
        def convert(self):
            self.converted = self.input * self.rate
            self.next(self.add_up)

        @step
        def add_up(self, inputs):
            self.total = sum(one.converted for one in inputs)
            self.size = "large" if self.total > 10 else "small"
            self.next({"large": self.report, "small": self.end}, condition="size")

        @step
        def report(self):
            self.text = f"that is {self.total}"
            self.next(self.end)

        @step
        def end(self):
            print("total", self.total)
"""


@pytest.fixture
def spin(any_lab: Any) -> Callable[..., tuple[Spun, list[RunFact]]]:
    """Spin a step of the flow that a lab has run."""

    def call(pathspec: str, **options: Any) -> tuple[Spun, list[RunFact]]:
        return spun_in(any_lab, pathspec, **options)

    return call


def spun_in(lab: Any, pathspec: str, **options: Any) -> tuple[Spun, list[RunFact]]:
    facts: list[RunFact] = []
    target = SpinTarget.parse(pathspec)
    source, resumes = FlowSource(str(lab.file)), Resumes(target.run)
    with open_session(source, lab.settings, workspace=lab.workspace, resumes=resumes) as session:
        return session.spin(SpinOptions(target=target, **options), facts.append), facts


@pytest.fixture
def kept(any_lab: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Spun], Any]:
    """Read the task of a spin that was kept, through `inspect_spin`."""
    monkeypatch.setenv("FLOWKIT_HOME", str(any_lab.home))
    monkeypatch.setenv("FLOWKIT_NAMESPACE", "")

    def task(spun: Spun) -> Any:
        with use_workspace(any_lab.workspace):
            inspect_spin(str(any_lab.folder))
            return Run(str(spun.run), check_namespace=False)[spun.key.step][spun.key.task_id]

    return task


def test_every_kind_of_step_spins_after_the_latest_run(
    any_lab: Any, spin: Callable[..., Any]
) -> None:
    assert any_lab.run(FLOW).status == "succeeded"
    expected = {
        "start": (("prices", "shop"), ("convert",)),
        "convert": (("converted",), ("add_up",)),
        "add_up": (("size", "total"), ("report",)),
        "report": (("text",), ("end",)),
        "end": ((), ()),
    }
    for step, (artifacts, goes_on) in expected.items():
        spun, _ = spin(step)
        assert (spun.end.status, spun.artifacts, spun.goes_on) == ("succeeded", artifacts, goes_on)


def test_a_spin_is_no_run_and_leaves_nothing_where_runs_are(
    any_lab: Any, spin: Callable[..., Any]
) -> None:
    any_lab.run(FLOW)

    def there() -> set[Path]:
        return {one for one in any_lab.home.rglob("*") if "metadata.db" not in one.name}

    before = there()
    spun, _ = spin("convert")
    assert spun.home is None
    assert there() == before
    rows = any_lab.workspace.metadata.runs("Shop")
    assert [str(row.run) for row in rows] == ["Shop/1"]


def test_a_spin_that_is_kept_is_read_through_inspect_spin(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run(FLOW, rate="5")
    spun, _ = spin("1/convert/2", persist=True)
    task = kept(spun)
    assert task.data.converted == 15
    assert task.data.shop == "corner"  # of the run's store, which lies beneath
    assert task.data.rate == 5
    assert task.run.origin_pathspec == "Shop/1"
    assert [str(row.run) for row in any_lab.workspace.metadata.runs("Shop")] == ["Shop/1"]


def test_the_code_is_todays_and_the_parameters_are_the_runs(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run(FLOW, rate="5")
    changed = FLOW.replace("FEE = 100", "FEE = 1000").replace(
        "self.input * self.rate", "self.input * self.rate + self.FEE"
    )
    # A module that is imported stays as it is, so inline the file has another name.
    inline = any_lab.settings.executor == "inline"
    any_lab.write(changed, name="changed_shop.py" if inline else None)
    spun, _ = spin("convert", persist=True)
    assert kept(spun).data.converted == 1005


def test_a_step_that_is_new_spins_after_those_before_it(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run(FLOW)
    any_lab.write(
        FLOW.replace(
            'self.text = f"that is {self.total}"\n            self.next(self.end)',
            "self.next(self.twice)\n\n"
            "        @step\n        def twice(self):\n"
            "            self.doubled = self.total * 2\n            self.next(self.end)",
        ),
        name="longer_shop.py",
    )
    spun, _ = spin("twice", persist=True)
    assert kept(spun).data.doubled == 24


def test_of_several_tasks_the_first_is_spun_and_that_is_said(lab: Any) -> None:
    lab.run(FLOW)
    spun, facts = spun_in(lab, "convert")
    assert str(spun.key) == "convert/0"
    notices = [one.message for one in facts if isinstance(one, Noticed)]
    assert notices == [
        "step `convert` has 3 tasks in run `Shop/1`; this is `convert/0`: "
        "name another as `Shop/1/convert/1`"
    ]
    spun, facts = spun_in(lab, "convert/2")
    assert str(spun.key) == "convert/2"
    assert not [one for one in facts if isinstance(one, Noticed)]


def test_the_run_may_be_an_earlier_one_and_one_that_failed(lab: Any) -> None:
    failing = FLOW.replace("that is {self.total}", "{1 / 0}")
    assert lab.run(failing).status == "failed"
    spun, _ = spun_in(lab, "report")
    assert spun.end.status == "failed"
    assert spun.end.failure is not None
    assert spun.end.failure.type_name == "ZeroDivisionError"
    lab.write(FLOW)
    assert spun_in(lab, "report")[0].end.status == "succeeded"
    lab.run(rate="1")
    assert spun_in(lab, "Shop/1/report")[0].artifacts == ("text",)
    with pytest.raises(UsageError, match="run `Shop/2` does not lead to step `report`") as raised:
        spun_in(lab, "report")
    assert raised.value.hint is not None
    assert "as far as `add_up`" in raised.value.hint


def test_a_turn_of_a_loop_spins_after_the_one_before(lab: Any) -> None:
    lab.run("""
        class Loop(FlowSpec):
            @step
            def start(self):
                self.turn = 0
                self.next(self.again)

            @step
            def again(self):
                self.turn += 1
                print("turn", self.turn)
                self.more = self.turn < 3
                self.next({True: self.again, False: self.end}, condition="more")

            @step
            def end(self):
                pass
    """)
    spun, facts = spun_in(lab, "again/0@2")
    assert [one.text for one in facts if isinstance(one, Printed)] == ["turn 3"]
    assert spun.goes_on == ("end",)


def test_branches_and_nested_foreaches_join_as_in_the_run(lab: Any) -> None:
    lab.run("""
        class Nested(FlowSpec):
            @step
            def start(self):
                self.rows = "ab"
                self.next(self.row, foreach="rows")

            @step
            def row(self):
                self.next(self.left, self.right)

            @step
            def left(self):
                self.x = self.input + "l"
                self.next(self.both)

            @step
            def right(self):
                self.x = self.input + "r"
                self.next(self.both)

            @step
            def both(self, inputs):
                self.pair = inputs.left.x + inputs.right.x + self.input
                print(self.pair)
                self.next(self.all_rows)

            @step
            def all_rows(self, inputs):
                print([one.pair for one in inputs])
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    printed = [one.text for one in spun_in(lab, "both/1")[1] if isinstance(one, Printed)]
    assert printed == ["blbrb"]
    printed = [one.text for one in spun_in(lab, "all_rows")[1] if isinstance(one, Printed)]
    assert printed == ["['alara', 'blbrb']"]


def test_a_module_overrides_artifacts_and_parameters(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run(FLOW)
    module = any_lab.folder / "given.py"
    module.write_text("print('making')\nARTIFACTS = {'rate': 7, 'shop': 'other'}\n")
    spun, _ = spin("convert/1", artifacts_module=str(module), persist=True)
    task = kept(spun)
    assert (task.data.converted, task.data.shop, task.data.rate) == (14, "other", 7)


def test_a_module_overrides_one_input_of_a_join_or_all(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run(FLOW)
    module = any_lab.folder / "given.py"
    module.write_text("ARTIFACTS = {'convert/1': {'converted': 1000}}\n")
    assert kept(spin("add_up", artifacts_module=str(module), persist=True)[0]).data.total == 1008
    module.write_text("ARTIFACTS = {'converted': 1}\n")
    assert kept(spin("add_up", artifacts_module=str(module), persist=True)[0]).data.total == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", r"raised ZeroDivisionError: division by zero at .*given\.py:1"),
        ("ARTIFACTS = [1]", "sets no dict `ARTIFACTS`"),
        ("ARTIFACTS = {'convert/7': {}}", "which is no input of the task"),
        ("import os; os._exit(3)", "ended its process"),
    ],
)
def test_a_module_that_overrides_nothing_is_refused(lab: Any, text: str, message: str) -> None:
    lab.run(FLOW)
    module = lab.folder / "given.py"
    module.write_text(text)
    with pytest.raises(UsageError, match=message):
        spun_in(lab, "add_up", artifacts_module=str(module))


@pytest.mark.parametrize(
    ("pathspec", "message"),
    [
        ("conver", "has no step `conver`"),
        ("9/convert", "run `Shop/9` does not exist"),
        ("Other/1/convert", "`Other/1` is no run of `Shop`"),
        ("1/convert/0.1", "step `convert` has no task `0.1`"),
        ("1/convert/3", "run `Shop/1` does not lead to task `convert/3`"),
        ("a/b/c/d/e", "does not name a step"),
    ],
)
def test_what_is_not_there_is_said(lab: Any, pathspec: str, message: str) -> None:
    lab.run(FLOW)
    with pytest.raises(UsageError, match=message):
        spun_in(lab, pathspec)


def test_without_a_run_there_is_nothing_to_spin_after(lab: Any) -> None:
    lab.write(FLOW)
    with pytest.raises(NotFound, match="no run of `Shop` is there whose step could be spun"):
        spun_in(lab, "convert")


def test_a_spin_is_one_attempt_and_catch_applies_to_it(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run("""
        class Fails(FlowSpec):
            @catch(var="problem")
            @retry(times=2, minutes_between_retries=0)
            @environment(vars={"SET": "yes"})
            @step
            def start(self):
                self.is_set = os.environ.get("SET")
                if current.run_id.startswith("spin"):
                    raise ValueError(str(current.retry_count))
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    spun, _ = spin("start", persist=True)
    task = kept(spun)
    assert "0" in str(task.data.problem)
    assert task.data.is_set == "yes"
    bare, _ = spin("start", skip_decorators=True)
    assert bare.end.status == "failed"
    assert bare.end.failure is not None
    assert bare.end.failure.message == "0"


def test_a_spun_step_sees_its_own_task_and_other_runs(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run("""
        class Looks(FlowSpec):
            @step
            def start(self):
                self.own = (current.run_id, current.run.id, current.task.pathspec)
                self.other = Run("Looks/1").id
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    task = kept(spin("start", persist=True)[0])
    assert task.data.own == ("spin-1", "spin-1", "Looks/spin-1/start/0")
    assert task.data.other == "1"


def test_a_spun_step_has_its_secrets_and_shows_none(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run("""
        from flowkit import secrets

        class Hides(FlowSpec):
            @secrets(sources=[{"type": "inline", "options": {"env_vars": {"KEY": "opensesame"}}}])
            @step
            def start(self):
                self.size = len(os.environ.get("KEY", ""))
                print("the key is", os.environ.get("KEY"))
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    task = kept(spin("start", persist=True)[0])
    assert task.data.size == len("opensesame")
    assert "opensesame" not in task.stdout
    bare = kept(spin("start", persist=True, skip_decorators=True)[0])
    assert bare.data.size == 0


def test_cards_of_a_spin_are_kept_with_it(
    any_lab: Any, spin: Callable[..., Any], kept: Callable[[Spun], Any]
) -> None:
    any_lab.run("""
        from flowkit import card

        class Shows(FlowSpec):
            @card
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    from flowkit import get_cards

    task = kept(spin("start", persist=True)[0])
    (card,) = get_cards(task)
    assert "Shows/spin-1" in card.get()


def test_the_place_of_spins_has_a_name_that_metadata_takes(lab: Any) -> None:
    lab.run(FLOW)
    spun, _ = spun_in(lab, "convert", persist=True)
    with use_workspace(lab.workspace):
        place = metadata(f"spin@{lab.home}")
        assert place == get_metadata() == f"spin@{lab.home}"
        assert Run(str(spun.run), check_namespace=False)["convert"].task.data.shop == "corner"


def test_decorators_are_added_to_a_spun_step(lab: Any) -> None:
    lab.run(FLOW)
    with pytest.raises(UsageError, match="there is no decorator `nope`"):
        spun_in(lab, "convert", with_specs=("nope",))
    spun, _ = spun_in(lab, "report", with_specs=("catch:var=problem",))
    assert spun.artifacts == ("problem", "text")


def test_inspect_spin_says_that_nothing_is_kept(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWKIT_HOME", str(lab.home))
    with pytest.raises(NotFound, match="no spin is kept"):
        inspect_spin(str(lab.folder))


def test_garbage_collection_and_verifying_leave_spins_alone(lab: Any) -> None:
    lab.run(FLOW)
    spun_in(lab, "convert", persist=True)
    assert lab.cli("gc", "--grace", "0s").returncode == 0
    assert lab.cli("store", "verify").returncode == 0
    ended = lab.cli("list", "runs", "Shop", "--json")
    assert "spin" not in ended.stdout


def test_the_command_line_says_what_comes_next_and_where_it_is_kept(lab: Any) -> None:
    lab.write(FLOW + "\n    if __name__ == '__main__':\n        Shop()\n", name="shop.py")
    lab.run()
    ended = lab.cli("spin", str(lab.file), "start", "--run-id-file", str(lab.folder / "id"))
    assert (ended.returncode, ended.stdout) == (0, "")
    lines = ended.stderr.splitlines()
    assert "next: convert, for each of 3 elements" in lines
    assert "artifacts: prices, shop; `--persist` keeps them" in lines
    assert (lab.folder / "id").read_text() == "spin-1"
    ended = lab.python(str(lab.file), "spin", "end", "--persist", "--quiet")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "end | total 12\n", "")
    ended = lab.python(str(lab.file), "spin", "end", "--persist")
    place = os.path.relpath(lab.home / "spin")
    assert f"kept in {place} as Shop/spin-2/end/0; `inspect_spin()` reads it" in ended.stderr
    failing = FLOW.replace("self.total)", "1 / 0)")
    lab.write(failing, name="shop.py")
    ended = lab.cli("spin", str(lab.file), "end")
    assert ended.returncode == 1
    assert "error: `end` failed" in ended.stderr
    assert "resume" not in ended.stderr


def test_a_runner_spins_and_shows_the_task(lab: Any) -> None:
    lab.run(FLOW)
    runner = Runner(lab.file, show_output=False, home=str(lab.home), user="tester", sync=False)
    with runner.spin("convert/2", persist=True) as spin:
        assert (spin.status, spin.returncode) == ("successful", 0)
        assert spin.task["converted"].data == 6
        assert "convert[2] attempt 0 succeeded" in spin.stderr
        assert "run Shop/spin" not in spin.stderr
    unkept = runner.spin("convert")
    with pytest.raises(UsageError, match="what the step has left is not kept"):
        unkept.task  # noqa: B018
    with pytest.raises(UsageError, match="`spin` takes no `rate`"):
        runner.spin("convert", rate=3)
    with pytest.raises(NotFound, match="has no step `nope`"):
        runner.spin("nope")


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -1, 1001, "much", True, [1]])
def test_a_size_of_a_log_that_is_none_is_refused(lab: Any, size: object) -> None:
    lab.file.write_text("")
    with pytest.raises(UsageError, match=re.escape(f"from 0 to 1000, not `{size!r}`")) as refused:
        Runner(str(lab.file), home=str(lab.home)).spin("convert", max_log_size=size)
    assert refused.value.hint


def test_a_runner_spins_in_an_event_loop(lab: Any) -> None:
    lab.run(FLOW)
    runner = Runner(lab.file, show_output=False, home=str(lab.home), user="tester", sync=False)

    async def spin() -> int:
        spinning = await runner.async_spin("add_up", persist=True)
        await spinning.wait()
        total: int = spinning.task.data.total
        return total

    assert asyncio.run(spin()) == 12
    assert [str(run.id) for run in Flow("Shop", workspace=lab.workspace)] == ["1"]


def test_a_node_of_a_gang_spins_alone_and_its_join_after_all(
    any_lab: Any, spin: Callable[..., Any]
) -> None:
    any_lab.run(
        """
    from flowkit import parallel

    class Ganging(FlowSpec):
        @step
        def start(self):
            self.next(self.node, num_parallel=3)

        @parallel
        @step
        def node(self):
            self.place = (current.parallel.node_index, current.parallel.num_nodes)
            print("node", self.place)
            self.next(self.gather)

        @step
        def gather(self, inputs):
            print("places", [one.place for one in inputs])
            self.next(self.end)

        @step
        def end(self): ...
    """
    )
    assert _printed(spin("node/2")) == ["node (2, 3)"]
    assert _printed(spin("node")) == ["node (0, 3)"]
    assert _printed(spin("gather")) == ["places [(0, 3), (1, 3), (2, 3)]"]
    spun, _ = spin("start")
    assert spun.goes_on == ("node",)


def _printed(spun: tuple[Spun, list[RunFact]]) -> list[str]:
    assert spun[0].end.status == "succeeded"
    return [one.text for one in spun[1] if isinstance(one, Printed)]
