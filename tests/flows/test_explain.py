"""`flowkit explain`: why tasks ran, or were reused."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

from flowkit.client import Explanation, explain
from flowkit.runner import RunOptions

if TYPE_CHECKING:
    from conftest import Lab, Ran

FLOW = """
    def scaled(x):
        return 2 * x

    class Told(FlowSpec):
        alpha = Parameter(default=3)
        LIMIT = 10

        def fit(self, x):
            return scaled(x) + 1

        @step
        def start(self):
            self.rows = [1, 2, 3]
            self.blob = {1, 2}
            self.next(self.work, foreach="rows")

        @step
        def work(self):
            self.value = self.fit(self.input) + self.alpha
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(one.value for one in inputs)
            self.merge_artifacts(inputs, include=["blob"])
            self.next(self.end)

        @step
        def end(self):
            self.answer = min(self.total, self.LIMIT), self.blob
"""


def reasons(lab: Lab, ran: Ran) -> dict[str, str]:
    return {str(one.task.key): one.reason for one in explained(lab, ran)}


def explained(lab: Lab, ran: Ran) -> list[Explanation]:
    index = lab.workspace.metadata
    rows = [row for step in index.steps(ran.end.run) for row in index.tasks(ran.end.run, step.step)]
    return list(explain(lab.workspace, rows))


def edited(lab: Lab, old: str, new: str, **parameters: str) -> Ran:
    assert old in FLOW
    lab.write(FLOW.replace(old, new), lab.file.name)
    return lab.run(options=RunOptions(reuse=True, parameters=parameters))


def test_what_is_new_was_never_computed_before(lab: Lab) -> None:
    first = lab.run(FLOW)
    assert set(reasons(lab, first).values()) == {"ran: never computed before"}


def test_what_was_reused_says_from_where(lab: Lab) -> None:
    lab.run(FLOW)
    second = edited(lab, "x", "x")
    assert set(reasons(lab, second).values()) == {
        "reused from Told/1: nothing it depends on changed"
    }


def test_what_was_not_asked_to_be_reused_says_so(lab: Lab) -> None:
    lab.run(FLOW)
    told = reasons(lab, lab.run())
    assert told["work/1"] == "ran: Told/1 had computed the same, but reuse was not asked for"


def test_a_parameter_is_shown_with_its_values(lab: Lab) -> None:
    lab.run(FLOW)
    told = reasons(lab, edited(lab, "x", "x", alpha="4"))
    assert told["work/1"] == "ran: parameter `alpha` changed: 3 → 4 (compared with Told/1)"
    assert told["join/0"] == "ran: what the steps before left changed (compared with Told/1)"
    assert told["end/0"] == "ran: artifact `total` changed: 24 → 27 (compared with Told/1)"


def test_a_constant_is_shown_with_its_values(lab: Lab) -> None:
    lab.run(FLOW)
    told = reasons(lab, edited(lab, "LIMIT = 10", "LIMIT = 20"))
    assert told["end/0"] == "ran: constant `LIMIT` changed: 10 → 20 (compared with Told/1)"


def test_code_is_told_by_what_of_it_changed(lab: Lab) -> None:
    lab.run(FLOW)
    told = reasons(lab, edited(lab, "2 * x", "3 * x"))
    assert told["work/0"] == "ran: code changed (`scaled`) (compared with Told/1)"
    told = reasons(lab, edited(lab, "scaled(x) + 1", "scaled(x) + 2"))
    # Of two that have as much in common, the later one is told about.
    assert told["work/0"] == "ran: code changed (`scaled`, method `fit`) (compared with Told/2)"
    told = reasons(lab, edited(lab, "self.rows = [1, 2, 3]", "self.rows = [1, 2, 3, 4]"))
    assert told["start/0"].startswith("ran: code changed (the step itself) (compared with ")
    assert told["work/3"].startswith("ran: its element of the foreach changed")


def test_a_step_that_forbids_reuse_says_so(lab: Lab) -> None:
    lab.run(FLOW)
    again = edited(lab, "@step\n        def end", "@memo(False)\n        @step\n        def end")
    assert reasons(lab, again)["end/0"] == "ran: `@memo(False)` has it run every time"


class Trap:
    """Whoever unpickles this is told on."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_sprung, ())


def _sprung() -> None:
    raise AssertionError("it was unpickled")


def test_nothing_is_unpickled_to_show_it(lab: Lab) -> None:
    lab.run(FLOW)
    trap = repr(pickle.dumps(Trap()))
    text = f"""
        self.blob = pickle.loads({trap}) if False else {{1, 2, 3}}
    """.strip()
    ran = edited(lab, "self.blob = {1, 2}", text)
    change = next(one for one in explained(lab, ran) if one.task.key.step == "end").changes[0]
    assert change.name == "blob"
    assert (change.before or "").startswith("<set ")
    assert (change.after or "").startswith("<set ")


def test_the_command_says_it_in_a_line_a_reason_and_as_json(lab: Lab) -> None:
    lab.run(FLOW)
    edited(lab, "x", "x", alpha="4")
    said = lab.cli("explain", "Told/2").stdout.splitlines()
    assert said == [
        "start/0 reused from Told/1: nothing it depends on changed",
        "work, 3 tasks ran: parameter `alpha` changed: 3 → 4 (compared with Told/1)",
        "join/0 ran: what the steps before left changed (compared with Told/1)",
        "end/0 ran: artifact `total` changed: 24 → 27 (compared with Told/1)",
    ]
    document = json.loads(lab.cli("explain", "Told/2/work/1", "--json").stdout)
    (task,) = document["tasks"]
    assert task["task"] == "Told/2/work/1"
    assert task["verdict"] == "changed"
    assert task["other"] == "Told/1/work/1"
    assert task["changes"] == [
        {"kind": "parameter", "name": "alpha", "before": "3", "after": "4", "pieces": []}
    ]


def test_it_can_be_told_after_the_origin_is_gone(lab: Lab) -> None:
    first = lab.run(FLOW)
    second = edited(lab, "x", "x", alpha="4")
    lab.workspace.store.delete_run(first.end.run)
    lab.workspace.metadata.forget_run(first.end.run)
    told = reasons(lab, second)
    assert told["start/0"] == "reused from Told/1: nothing it depends on changed"
    assert told["work/0"] == "ran: never computed before"


CONFIGURED = """
    from flowkit import Config

    class Configured(FlowSpec):
        model = Config("the-model", default_value={"depth": DEPTH})

        @step
        def start(self):
            self.depth = self.model.depth
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_config_is_shown_as_its_json(lab: Lab) -> None:
    lab.run(CONFIGURED.replace("DEPTH", "3"))
    lab.write(CONFIGURED.replace("DEPTH", "4"), lab.file.name)
    told = reasons(lab, lab.run(options=RunOptions(reuse=True)))
    assert told["start/0"].startswith('ran: config `model` changed: {"depth": 3} → {"depth": 4} (')
