"""Names that a flow written for Metaflow uses, and what they give here."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

import flowkit
from flowkit.client import Metadatum, Run, Task, default_metadata, get_metadata, metadata
from flowkit.errors import UsageError
from flowkit.runner import RunOptions

if TYPE_CHECKING:
    from conftest import Lab

FLOW = """
    class Flow(FlowSpec):
        alpha = Parameter(default=1)

        @step(node_info={"team": "blue", "cost": 3})
        def start(self):
            self.file = self.script_name
            self.graph = current.graph_info
            self.names = current.parameter_names
            self.items = [1, 2]
            self.next(self.each, foreach="items")

        @step
        def each(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self): ...
"""


def test_step_reads_its_script_and_graph(any_lab: Lab) -> None:
    ran = any_lab.run(FLOW)
    assert ran.value("file", "start") == any_lab.file.name
    assert ran.value("names", "start") == ["alpha"]
    graph = ran.value("graph", "start")
    start = next(one for one in graph["steps"] if one["name"] == "start")
    assert (start["kind"], start["next"]) == ("foreach", ["each"])
    assert start["info"] == {"team": "blue", "cost": 3}
    assert graph["steps"][1]["info"] is None


@pytest.mark.parametrize("info", ["[1]", "{'a': object()}", "3"])
def test_node_info_is_plain_data(lab: Lab, info: str) -> None:
    with pytest.raises(flowkit.FlowInvalid, match="`node_info` of plain data"):
        lab.run(FLOW.replace('{"team": "blue", "cost": 3}', info))


def test_flow_object_without_a_command_line_yields_its_steps(lab: Lab) -> None:
    lab.write(
        FLOW
        + """
    if __name__ == "__main__":
        for node in Flow(use_cli=False):
            print(node.name, node.kind)
    """
    )
    done = lab.python(str(lab.file))
    assert done.stdout.splitlines() == ["start foreach", "each linear", "join linear", "end end"]


def test_task_tells_where_it_came_from_and_went(lab: Lab) -> None:
    run = lab.run(FLOW).run
    each = run["each"]["1"]
    assert list(each.parent_task_pathspecs) == ["Flow/1/start/0"]
    assert list(each.child_task_pathspecs) == ["Flow/1/join/0"]
    assert [one.id for one in run["join"].parent_steps] == ["each"]
    assert [one.id for one in run["start"].child_steps] == ["each"]


def test_task_tells_what_it_ran_in(lab: Lab) -> None:
    run = lab.run(FLOW).run
    task = run["start"].task
    facts = {one.name: one for one in task.metadata}
    assert facts["attempt"].value == "0"
    assert facts["attempt"].created_at == task.finished_at
    assert facts["attempt"].task == task
    assert {name: one.value for name, one in facts.items()} == task.metadata_dict
    assert isinstance(task.metadata[0], Metadatum)
    assert task.runtime_name == "local"
    assert task.environment_info == run["start"].environment_info
    assert task.environment_info["user"] == "tester"
    assert (task.code, run.code) == (None, None)


def test_other_places_can_be_looked_at(lab: Lab) -> None:
    lab.run(FLOW)
    before = get_metadata()
    assert metadata(f"local@{lab.home}") == f"local@{lab.home}"
    try:
        assert Run("Flow/1").successful
        assert metadata(str(lab.home)) == f"local@{lab.home}"
        again = pickle.loads(pickle.dumps(Task("Flow/1/start/0")))
        assert again.data.names == ["alpha"]
    finally:
        assert default_metadata() == before
    with pytest.raises(UsageError, match="is no folder"):
        metadata(f"local@{lab.home}/nowhere")
    with pytest.raises(UsageError, match="in `service`"):
        metadata("service@http://localhost:8080")


def test_exceptions_are_importable_under_their_old_names() -> None:
    import flowkit.exception

    for name in flowkit.exception.__all__:
        assert issubclass(getattr(flowkit.exception, name), Exception)
    assert flowkit.exception.MetaflowNotFound is flowkit.NotFound
    assert issubclass(flowkit.MetaflowNotFound, flowkit.MetaflowException)


def test_old_name_of_an_exception_catches_what_a_step_raises(lab: Lab) -> None:
    ran = lab.run("""
    from flowkit.exception import MetaflowNotFound, MetaflowException

    class Flow(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            try:
                Run("Absent/1")
            except MetaflowNotFound as error:
                self.caught = str(error)
            raise MetaflowException("mine")
    """)
    assert (ran.failure.type_name, ran.failure.message) == ("FlowkitError", "mine")


def test_tasks_are_filtered_by_the_tags_of_their_run(lab: Lab) -> None:
    ran = lab.run(FLOW, options=RunOptions(tags=("nightly",)))
    assert [task.id for task in ran.run["each"].tasks("nightly")] == ["0", "1"]
    assert list(ran.run["each"].tasks("nightly", "other")) == []


def test_lines_of_a_stream_that_is_not_there_are_refused(lab: Lab) -> None:
    task = lab.run(FLOW).run["start"].task
    with pytest.raises(UsageError, match="there is no stream `both`"):
        task.loglines("both")  # type: ignore[arg-type]
