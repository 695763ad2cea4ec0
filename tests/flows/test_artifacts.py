"""What steps leave, hand on, change, merge and delete."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from flowkit.store import Store, open_storage
from flowkit.testing import CountingStorage
from flowkit.values import RunId

if TYPE_CHECKING:
    from conftest import Lab


def test_an_artifact_is_there_until_a_join(lab: Lab) -> None:
    ran = lab.run(
        """
    class Until(FlowSpec):
        @step
        def start(self):
            self.x = {"a": [1, (2, 3)], "ü": "näme", "n": None}
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.a2)

        @step
        def a2(self):
            self.saw = self.x["ü"]
            self.next(self.join)

        @step
        def b(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            try:
                self.x
            except AttributeError as error:
                self.why = str(error)
            self.names = [hasattr(inputs.a2, "saw"), hasattr(inputs.b, "saw")]
            self.next(self.end)

        @step
        def end(self):
            self.there = [hasattr(self, name) for name in ("x", "saw", "names")]
    """
    )
    assert ran.value("x", "b") == {"a": [1, (2, 3)], "ü": "näme", "n": None}
    assert ran.value("there") == [False, False, True]
    assert ran.value("names") == [True, False]
    assert "merge_artifacts" in ran.value("why")


def test_a_change_in_place_is_kept_and_changes_no_earlier_task(any_lab: Lab) -> None:
    ran = any_lab.run(
        """
    class Rows:
        def __init__(self):
            self.rows = []

    class InPlace(FlowSpec):
        @step
        def start(self):
            import numpy
            self.short = [1]
            self.array = numpy.zeros(5_000)
            self.small = numpy.zeros(3)
            self.table = {"k": {"deep": []}}
            self.object = Rows()
            self.bytes = bytearray(b"x")
            self.untouched = [0]
            self.next(self.middle)

        @step
        def middle(self):
            self.short.append(2)
            self.array += 1
            self.small[0] = 7
            self.table["k"]["deep"].append("d")
            self.object.rows.append(1)
            self.bytes += b"y"
            self.read = self.untouched[0]
            self.next(self.end)

        @step
        def end(self):
            self.array[0] = 5
            self.seen = [self.short, float(self.array.sum()), float(self.small.sum()), self.table,
                         self.object.rows, bytes(self.bytes)]
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("seen") == [[1, 2], 5_004.0, 7.0, {"k": {"deep": ["d"]}}, [1], b"xy"]
    start = ran.run["start"].task.data
    assert (start.short, start.array.sum(), start.small.sum()) == ([1], 0.0, 0.0)
    assert (start.table, bytes(start.bytes)) == ({"k": {"deep": []}}, b"x")
    assert ran.value("array", "middle").sum() == 5_000
    assert ran.value("untouched") == [0]


def test_a_large_array_that_changes_in_place_leaves_the_stored_one_alone(lab: Lab) -> None:
    ran = lab.run(
        """
    class Large(FlowSpec):
        @step
        def start(self):
            import numpy
            self.big = numpy.zeros(1_000_000)
            self.next(self.middle)

        @step
        def middle(self):
            self.big[500_000] = 1
            self.next(self.end)

        @step
        def end(self):
            self.total = float(self.big.sum())
    """
    )
    assert ran.value("total") == 1.0
    assert ran.value("big", "start").sum() == 0.0
    assert ran.value("big").sum() == 1.0


def test_a_deleted_artifact_is_gone_from_then_on(lab: Lab) -> None:
    ran = lab.run(
        """
    class Deleting(FlowSpec):
        @step
        def start(self):
            self.a = self.b = self.c = 1
            del self.a
            self.next(self.middle)

        @step
        def middle(self):
            del self.b
            self.c
            del self.c
            try:
                del self.never
            except AttributeError as error:
                self.error = str(error)
            self.next(self.end)

        @step
        def end(self):
            self.there = [hasattr(self, name) for name in "abc"]
    """
    )
    assert ran.value("there") == [False, False, False]
    assert "never" in ran.value("error")
    assert [name in ran.run["start"].task for name in "abc"] == [False, True, True]
    assert [name in ran.run["middle"].task for name in "abc"] == [False, False, False]


def test_names_and_values_may_be_in_any_script(lab: Lab) -> None:
    ran = lab.run(
        """
    class Names(FlowSpec):
        länge = Parameter("länge", default="größer")

        @step
        def start(self):
            self.überschrift = "日本 \\U0001f600 \\x00 \\udc80"
            self.schlüssel = {"ключ": "значение", "\\udc80": 1}
            self.next(self.copy)

        @step
        def copy(self):
            self.kopie = self.überschrift + self.länge
            print(self.länge, "→", "\\udc80")
            self.next(self.end)

        @step
        def end(self):
            pass
    """,
        länge="größte",
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("kopie", "copy") == "日本 \U0001f600 \x00 \udc80größte"
    assert ran.value("schlüssel") == {"ключ": "значение", "\udc80": 1}
    assert ran.run["copy"].task.stdout == "größte → \\udc80\n"


CLASSES = """
    import enum
    from dataclasses import dataclass

    class Colour(enum.Enum):
        RED = 1

    @dataclass(frozen=True)
    class Point:
        x: int
        def far(self):
            return self.x * 100

    def triple(x):
        return x * 3

    class Classes(FlowSpec):
        @step
        def start(self):
            factor = 2
            self.point = Point(3)
            self.kind = Point
            self.colour = Colour.RED
            self.function = triple
            self.closure = lambda x: x * factor
            class Local:
                y = 8
            self.local = Local()
            self.next(self.end)

        @step
        def end(self):
            self.seen = [self.point.far(), self.kind(4).x, self.colour is Colour.RED,
                         self.function(5), self.closure(5), self.local.y, self.point == Point(3),
                         isinstance(self.point, Point)]

    if __name__ == "__main__":
        Classes()
"""


def test_objects_of_classes_in_the_flow_file_are_artifacts(any_lab: Lab) -> None:
    ran = any_lab.run(CLASSES)
    assert ran.status == "succeeded", ran.end
    assert ran.value("seen") == [300, 4, True, 15, 10, 8, True, True]


def test_objects_of_classes_load_in_a_process_that_can_import_the_flow(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write(CLASSES)
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode == 0, ended.stderr
    monkeypatch.syspath_prepend(str(lab.folder))
    run = lab.latest("Classes")
    assert run["start"].task.data.point.far() == 300
    assert run["start"].task.data.function(2) == 6
    assert run["start"].task.data.closure(2) == 4
    sys.modules.pop(lab.file.stem)


def test_a_flow_run_as_a_script_leaves_the_same_artifacts(lab: Lab) -> None:
    import subprocess

    lab.write(CLASSES, "as_script.py")
    command = [sys.executable, str(lab.file), "--datastore-root", str(lab.home / "store"), "run"]
    env = lab.environ(FLOWKIT_HOME=str(lab.home))
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert lab.latest("Classes").data.seen[:3] == [300, 4, True]


CONSTANTS = """
    class Defaults(FlowSpec):
        rate = Parameter("rate", default=0.5)
        LAYERS = [1, 2]
        NAME = "base"

        @step
        def start(self):
            self.kind = "base start"
            self.next(self.end)

        @step
        def end(self):
            self.said = self.greet()

        def greet(self):
            return f"hello from {self.NAME}"

    class Left(Defaults):
        NAME = "left"

        def greet(self):
            return super().greet() + "!"

    class Right(Defaults):
        EXTRA = (1,)
        tags = Parameter("tags", default="[1, 2]", type=JSONType)

        @step
        def start(self):
            self.kind = "right start"
            self.next(self.middle)

        @step
        def middle(self):
            self.got = [self.rate, self.LAYERS[:], self.NAME, self.EXTRA, self.tags[:]]
            self.errors = []
            for name in ("rate", "LAYERS", "NAME", "tags"):
                try:
                    setattr(self, name, 1)
                except AttributeError as error:
                    self.errors.append(str(error))
                try:
                    delattr(self, name)
                except AttributeError as error:
                    self.errors.append(str(error))
            self.LAYERS.append(3)
            self.tags.append(3)
            self.next(self.end)

    class Diamond(Left, Right):
        @step
        def end(self):
            super().end()
            self.later = [self.LAYERS, self.tags]
"""


def test_flows_inherit_steps_parameters_and_constants(any_lab: Lab) -> None:
    from flowkit.runner import FlowSource, RunOptions, open_session

    any_lab.write(CONSTANTS)
    source = FlowSource(str(any_lab.file), "Diamond")
    with open_session(source, any_lab.settings, workspace=any_lab.workspace) as session:
        assert [one.name for one in session.description.parameters] == ["rate", "tags"]
        end = session.run(RunOptions(parameters={"rate": "0.25"}), lambda _fact: None)
    assert end.status == "succeeded", end
    data = any_lab.latest("Diamond").data
    assert data.kind == "right start"
    assert data.got == [0.25, [1, 2], "left", (1,), [1, 2]]
    assert data.said == "hello from left!"
    assert len(data.errors) == 8
    assert all("read-only" in error or "rate" in error for error in data.errors[::2])


def test_what_a_step_does_to_a_constant_in_place_reaches_no_later_step(any_lab: Lab) -> None:
    from flowkit.runner import FlowSource, RunOptions, open_session

    any_lab.write(CONSTANTS)
    source = FlowSource(str(any_lab.file), "Diamond")
    with open_session(source, any_lab.settings, workspace=any_lab.workspace) as session:
        session.run(RunOptions(), lambda _fact: None)
    run = any_lab.latest("Diamond")
    assert run.data.later == [[1, 2], [1, 2]]
    assert run.data.LAYERS == [1, 2]
    assert run.parameters.tags == [1, 2]


MERGE = """
    class Merge(FlowSpec):
        how = Parameter("how", default="plain")

        @step
        def start(self):
            self.common = [1]
            self.changed = 0
            self.next(self.a, self.b)

        @step
        def a(self):
            self.conflict = "a"
            self.agreed = {"same": True}
            self.only_a = "only"
            self.changed = 1
            self.next(self.join)

        @step
        def b(self):
            self.conflict = "b"
            self.agreed = {"same": True}
            self.changed = 2
            self.next(self.join)

        @step
        def join(self, inputs):
            self.mine = "mine"
            try:
                if self.how == "plain":
                    self.merge_artifacts(inputs)
                if self.how == "set first":
                    self.conflict, self.changed = "mine", 3
                    self.merge_artifacts(inputs)
                if self.how == "exclude":
                    self.merge_artifacts(inputs, exclude=["conflict", "changed"])
                if self.how == "include":
                    self.merge_artifacts(inputs, include=["agreed", "only_a"])
                if self.how == "include conflict":
                    self.merge_artifacts(inputs, include=["agreed", "conflict"])
                if self.how == "missing":
                    self.merge_artifacts(inputs, include=["agreed", "nowhere"])
                if self.how == "both":
                    self.merge_artifacts(inputs, include=["agreed"], exclude=["conflict"])
            except Exception as error:
                self.error = [type(error).__name__, getattr(error, "artifact_names", None)]
            names = ("common", "changed", "conflict", "agreed", "only_a", "mine")
            self.found = {name: getattr(self, name) for name in names if hasattr(self, name)}
            self.next(self.end)

        @step
        def end(self):
            try:
                self.merge_artifacts([])
            except Exception as error:
                self.late = type(error).__name__
"""


@pytest.mark.parametrize(
    ("how", "found", "error"),
    [
        (
            "plain",
            {"mine": "mine"},
            ["UnhandledInMergeArtifactsException", ["changed", "conflict"]],
        ),
        (
            "set first",
            {
                "common": [1],
                "changed": 3,
                "conflict": "mine",
                "agreed": {"same": True},
                "only_a": "only",
                "mine": "mine",
            },
            None,
        ),
        (
            "exclude",
            {"common": [1], "agreed": {"same": True}, "only_a": "only", "mine": "mine"},
            None,
        ),
        ("include", {"agreed": {"same": True}, "only_a": "only", "mine": "mine"}, None),
        (
            "include conflict",
            {"mine": "mine"},
            ["UnhandledInMergeArtifactsException", ["conflict"]],
        ),
        ("missing", {"mine": "mine"}, ["MissingInMergeArtifactsException", ["nowhere"]]),
        ("both", {"mine": "mine"}, ["MergeFailed", None]),
    ],
)
def test_merging_takes_what_inputs_agree_on(
    lab: Lab, how: str, found: dict[str, Any], error: list[Any] | None
) -> None:
    lab.having(executor="inline")
    ran = lab.run(MERGE, how=how)
    assert ran.status == "succeeded", ran.end
    assert ran.value("found", "join") == found
    assert getattr(ran.run["join"].task.data, "error", None) == error
    assert ran.value("late") == "MergeFailed"


def test_merging_a_wide_join_compares_names_and_loads_no_artifact(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    storages: list[CountingStorage] = []
    plain = Store.open

    def counted(url: str, **options: Any) -> Store:
        storages.append(CountingStorage(open_storage(url, sync=options["sync"])))
        return Store(storages[-1])

    monkeypatch.setattr(Store, "open", counted)
    lab.having(executor="inline")
    ran = lab.run(
        """
    class Big(FlowSpec):
        @step
        def start(self):
            import numpy
            self.big = numpy.arange(200_000)
            self.items = range(20)
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.own = self.input
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs, exclude=["own"])
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    monkeypatch.setattr(Store, "open", plain)
    assert ran.status == "succeeded"
    large = next(one for one in _objects(Path(lab.settings.store)) if one.stat().st_size > 10**6)
    reads = [
        key
        for one in storages
        for (operation, key) in one.calls
        if operation in ("read", "map") and large.name in key.replace("/", "")
    ]
    assert reads == []
    assert ran.value("big")[-1] == 199_999


def _objects(store: Path) -> list[Path]:
    return [path for path in (store / "objects").rglob("*") if path.is_file()]


def test_equal_artifacts_are_stored_once(lab: Lab) -> None:
    ran = lab.run(
        """
    class Same(FlowSpec):
        @step
        def start(self):
            self.items = range(4)
            self.next(self.work, foreach="items")

        @step
        def work(self):
            import numpy
            self.big = numpy.arange(300_000)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert len({task["big"].sha for task in ran.run["work"]}) == 1
    large = [one for one in _objects(Path(lab.settings.store)) if one.stat().st_size > 10**6]
    assert len(large) == 1


def test_current_tells_of_the_task(any_lab: Lab) -> None:
    from flowkit.runner import RunOptions

    ran = any_lab.run(
        """
    class Facts(FlowSpec):
        alpha_rate = Parameter("alpha-rate", default=1)

        @step
        def start(self):
            self.items = [1, 2]
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.facts = {
                name: current.get(name)
                for name in ("flow_name", "run_id", "step_name", "task_id", "retry_count",
                             "origin_run_id", "pathspec", "namespace", "username",
                             "parameter_names", "is_running_flow")
            }
            self.tags = sorted(current.tags)
            self.nothing = [current.get("nonsense", 7), "nonsense" in current, "run_id" in current]
            with open(os.path.join(current.tempdir, "f"), "w") as file:
                file.write("x")
            self.tempdir = current.tempdir
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
    """,
        options=RunOptions(tags=("ä", "b")),
    )
    assert ran.status == "succeeded", ran.end
    data = ran.run["work"]["1"].data
    assert data.facts == {
        "flow_name": "Facts",
        "run_id": "1",
        "step_name": "work",
        "task_id": "1",
        "retry_count": 0,
        "origin_run_id": None,
        "pathspec": "Facts/1/work/1",
        "namespace": "user:tester",
        "username": "tester",
        "parameter_names": ["alpha_rate"],
        "is_running_flow": True,
    }
    assert data.nothing == [7, False, True]
    assert set(data.tags) >= {"ä", "b"}
    assert not Path(data.tempdir).exists()


def test_a_step_sees_its_own_run_through_the_client(process_lab: Lab) -> None:
    ran = process_lab.run(
        """
    def patiently(ask):
        # The index learns of tasks in batches, a moment later.
        while True:
            try:
                return ask()
            except Exception as error:
                if "NotFound" not in type(error).__name__ or time.monotonic() > DEADLINE:
                    raise
                time.sleep(0.05)

    DEADLINE = time.monotonic() + 20

    class Inside(FlowSpec):
        @step
        def start(self):
            self.x = 42
            self.next(self.middle)

        @step
        def middle(self):
            self.run_seen = current.run.pathspec
            self.next(self.end)

        @step
        def end(self):
            self.earlier = patiently(lambda: current.run["start"].task.data.x)
            self.by_name = Task(f"{current.flow_name}/{current.run_id}/start/0").data.x
            self.itself = patiently(lambda: current.task.pathspec)
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("run_seen") == "Inside/1"
    assert (ran.value("earlier"), ran.value("by_name")) == (42, 42)
    assert ran.value("itself") == "Inside/1/end/0"


def test_an_artifact_that_cannot_be_kept_is_named(any_lab: Lab) -> None:
    ran = any_lab.run(
        """
    class Unpicklable(FlowSpec):
        @step
        def start(self):
            import threading
            self.fine = 1
            self.model = {"weights": [1, threading.Lock()]}
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "failed"
    failure = ran.failure
    for word in ("`model`", "`dict`", "lock", "['weights'][1]"):
        assert word in failure.message, failure
    assert [str(key) for key in ran.end.failed] == ["start/0"]
    assert "cloudpickle" not in failure.traceback
    assert not ran.run["start"].task.successful


def test_a_failed_attempt_leaves_no_artifacts(lab: Lab) -> None:
    ran = lab.run(
        """
    class Fails(FlowSpec):
        @step
        def start(self):
            self.x = 1
            raise KeyError("no")
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert list(ran.run["start"].task.data) == []
    end = lab.workspace.store.run_end(RunId("Fails", "1"))
    assert end is not None
    assert replace(end, kept={}) == ran.end


def test_a_step_in_the_drivers_process_sees_its_own_run(lab: Lab) -> None:
    lab.having(executor="inline")
    ran = lab.run(
        """
    class Within(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            self.seen = [current.run.pathspec, Run("Within/1").tags == current.run.tags]
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("seen", "only") == ["Within/1", True]


def test_some_of_the_inputs_can_be_merged(lab: Lab) -> None:
    lab.write(
        """
    class Some(FlowSpec):
        @step
        def start(self):
            self.items = [1, 1, 2]
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.value = self.input
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs[:2], include=["value"])
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert lab.run().run.data.value == 1


REFUSALS = """
    class Refusals(FlowSpec):
        @step
        def start(self):
            self.items = [["a", "b"], ["c"]]
            self.errors = []
            for name in ("input", "next", "index", "cmd"):
                try:
                    setattr(self, name, 1)
                except AttributeError as error:
                    self.errors.append(str(error))
            self.next(self.outer, foreach="items")

        @step
        def outer(self):
            self.next(self.inner, foreach="input")

        @step
        def inner(self):
            self.got = self.input
            self.next(self.inner_join)

        @step
        def inner_join(self, inputs):
            self.got = [one.got for one in inputs]
            self.next(self.join)

        @step
        def join(self, inputs):
            self.errors = []

            def refused(change):
                try:
                    change()
                except AttributeError as error:
                    self.errors.append(str(error))

            refused(lambda: setattr(inputs[0], "x", 1))
            refused(lambda: delattr(inputs[0], "got"))
            refused(lambda: setattr(inputs, "x", 1))
            for one in inputs:
                refused(lambda: setattr(one, "got", 1))
            self.got = [one.got for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_what_flowspec_needs_itself_is_no_artifact_and_can_be_fanned_out_over(lab: Lab) -> None:
    ran = lab.run(REFUSALS)
    assert ran.status == "succeeded", ran.end
    errors = ran.value("errors", "start")
    assert [error.split()[0] for error in errors] == ["`input`", "`next`", "`index`", "`cmd`"]
    assert all("choose another" in error for error in errors)
    assert ran.value("got") == [["a", "b"], ["c"]]


def test_inputs_of_a_join_are_read_only(any_lab: Lab) -> None:
    ran = any_lab.run(REFUSALS)
    errors = ran.value("errors")
    assert len(errors) == 5
    assert all("inputs are read-only; assign to self" in error for error in errors)
    assert ran.value("got") == [["a", "b"], ["c"]]
